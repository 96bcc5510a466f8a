//! What a user knows to be stored because a command answered, and what may be stored because one did not.

use nightdrop_tests::system::{User, make_sample};
use rand::{RngExt, rngs::StdRng};
use std::{collections::BTreeMap, fs};

/// So many files at most are kept, so that reading all of them at the end takes a bounded time.
const FILES: usize = 4;
/// Begins every name, and must be readable nowhere but at the user's.
pub(crate) const NAME: &str = "plan of the escape";

/// What the user asks for. A file's content follows from its size.
#[derive(Debug, Clone)]
pub(crate) enum Command {
    Put { name: String, size: u64 },
    Move { from: String, to: String },
    Remove { name: String },
    Share { name: String },
}

impl Command {
    /// What is typed.
    pub(crate) fn arguments(&self) -> Vec<&str> {
        match self {
            Self::Put { name, .. } => vec!["put", "source", "--name", name],
            Self::Move { from, to } => vec!["mv", from, to],
            Self::Remove { name } => vec!["rm", name],
            Self::Share { name } => vec!["share", name, "--link"],
        }
    }
}

/// A user and their knowledge.
pub(crate) struct Ledger {
    pub(crate) user: User,
    /// Names and sizes of what is known to be there, and nothing else is.
    files: BTreeMap<String, u64>,
    /// A link that was given out, by the name of its file.
    links: BTreeMap<String, String>,
    /// Asked for without an answer: it was done as a whole, or not at all.
    doubt: Option<Command>,
    made: u64,
}

impl Ledger {
    pub(crate) fn new(user: User) -> Self {
        Self { user, files: BTreeMap::new(), links: BTreeMap::new(), doubt: None, made: 0 }
    }

    /// Something to ask for; its source lies ready.
    pub(crate) fn draw(&mut self, random: &mut StdRng) -> Command {
        self.made += 1;
        let fresh = format!("{NAME} {}", self.made);
        let names: Vec<String> = self.files.keys().cloned().collect();
        let mut any = || names[random.random_range(0..names.len())].clone();
        match self.made % 5 {
            // One chunk, or three.
            _ if names.is_empty() => self.put(fresh, 3_000),
            0 | 3 if names.len() < FILES => self.put(fresh, 2_500_000),
            1 if names.len() < FILES => self.put(fresh, 3_000),
            2 => Command::Move { from: any(), to: fresh },
            4 => Command::Share { name: any() },
            _ => Command::Remove { name: any() },
        }
    }

    fn put(&self, name: String, size: u64) -> Command {
        let size = size + self.made;
        make_sample(&self.user.directory().join("source"), size).unwrap();
        Command::Put { name, size }
    }

    /// The command answered with this line.
    pub(crate) fn answered(&mut self, command: &Command, answer: &str) {
        self.apply(command);
        if let Command::Share { name } = command {
            self.links.insert(name.clone(), answer.trim().to_owned());
        }
    }

    /// The command did not answer.
    pub(crate) fn unanswered(&mut self, command: Command) {
        self.doubt = Some(command);
    }

    fn apply(&mut self, command: &Command) {
        match command {
            Command::Put { name, size } => {
                self.files.insert(name.clone(), *size);
            }
            Command::Move { from, to } => {
                let size = self.files.remove(from).unwrap();
                self.files.insert(to.clone(), size);
                if let Some(link) = self.links.remove(from) {
                    self.links.insert(to.clone(), link);
                }
            }
            Command::Remove { name } => {
                self.files.remove(name);
                self.links.remove(name);
            }
            Command::Share { .. } => {}
        }
    }

    /// The user looks; everything that was answered shows, and what was not shows as a whole or not at all. Whether the doubtful
    /// command was done.
    pub(crate) fn settle(&mut self, ls: &str) -> bool {
        let field = |line: &str| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            (value["name"].as_str().unwrap().to_owned(), value["size"].as_u64().unwrap())
        };
        let listed: Vec<(String, u64)> = ls.lines().map(field).collect();
        let known = |files: &BTreeMap<String, u64>| -> Vec<_> { files.clone().into_iter().collect() };
        // Both are in the order of names, so a name that showed twice would make them differ.
        let Some(doubt) = self.doubt.take() else {
            assert_eq!(listed, known(&self.files));
            return false;
        };
        let before = known(&self.files);
        if listed == before {
            return false;
        }
        self.apply(&doubt);
        assert_eq!(listed, known(&self.files), "after {doubt:?}; before it: {before:?}");
        true
    }

    /// Reads every file, by its name and by its link.
    pub(crate) fn read_everything(&self) {
        let out = self.user.directory();
        for (name, size) in &self.files {
            make_sample(&out.join("source"), *size).unwrap();
            let content = fs::read(out.join("source")).unwrap();
            for what in [Some(name), self.links.get(name)].into_iter().flatten() {
                self.user.run_json(&["get", what, "-o", "back"]).unwrap();
                assert!(fs::read(out.join("back")).unwrap() == content, "{what} is as it was stored");
                fs::remove_file(out.join("back")).unwrap();
            }
        }
    }

    /// How much there is to read.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.files.len(), self.links.len())
    }
}
