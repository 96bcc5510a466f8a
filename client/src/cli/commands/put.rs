//! `nightdrop put PATH… [--to DIR] [--link]`; a path may be a directory, and `-` is standard input. Cut off, the same command goes on.

use super::{
    put_directory::put_tree,
    share::{Shown, limits, share},
};
use crate::{
    ClientError,
    blocking::blocking,
    cli::{
        arguments::{Global, Put},
        failures::Failures,
        opened::{Opened, path, with_account},
        print::Printer,
        tree::Tree,
        uploading::{self, ToStore, to_replace},
    },
    console::Console,
    transfer::{Content, Source, Stream, TicketTerms},
};
use nightdrop_envelope::{
    file_name::FileName,
    space::{FileRecord, SpacePath, State},
};
use nightdrop_wire::ids::BlobId;
use serde::Serialize;
use std::{
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

#[derive(Serialize)]
struct Stored<'a> {
    name: &'a str,
    uploaded: bool,
}

pub(in crate::cli) async fn run(
    global: &Global,
    arguments: Put,
    printer: &Printer,
) -> Result<(), ClientError> {
    if arguments.name.is_some() && arguments.paths.len() > 1 {
        return Err(ClientError::Usage("--name names one file, but several are given".to_owned()));
    }
    if arguments.qr.is_wanted() && (!arguments.link || arguments.paths.len() > 1) {
        return Err(ClientError::Usage(
            "a QR code shows the link of one file: put one, with --link".to_owned(),
        ));
    }
    if arguments.link && arguments.paths.iter().any(|path| path.is_dir()) {
        return Err(ClientError::Usage("there are links to files only, and this is a directory".to_owned()));
    }
    arguments.qr.check(printer)?;
    limits(&arguments.ends)?;
    require_one_standard_input(global, &arguments)?;
    global.wants(&arguments.paths);
    // All files are opened before any is sent, so that a mistyped name costs nothing.
    let mut sources = Vec::with_capacity(arguments.paths.len());
    for file in &arguments.paths {
        let (name, source) = open(file.clone(), arguments.name.clone(), printer).await?;
        let name = SpacePath::from(name);
        let name = match &arguments.to {
            None => name,
            Some(directory) => path(&format!("{}/{}", path(directory)?.as_str(), name.as_str()))?,
        };
        if sources.iter().any(|(other, _)| *other == name) {
            let advice = format!("two of them would be stored as {}", name.as_str());
            return Err(ClientError::Usage(advice));
        }
        sources.push((name, source));
    }
    let put_all = async |opened: &mut Opened<'_>| {
        // What is replaced was there when the command was typed: what another device puts while it runs is not.
        let began = opened.space.state().clone();
        let is_one_file = matches!(sources.as_slice(), [(_, Given::File(_) | Given::StandardInput(_))]);
        let mut failures = Failures::default();
        for (name, given) in sources {
            let failed = match given {
                Given::Directory(directory) => {
                    let tree = Tree::read(&directory, &name);
                    put_tree(opened, tree, (&began, arguments.replace), printer).await?
                }
                given => match put(opened, &name, given, (&began, &arguments), printer).await {
                    Ok(()) => Failures::default(),
                    Err(error) => Failures::from((name.as_str(), error)),
                },
            };
            failures.add(failed);
            if failures.has_ended() {
                break;
            }
        }
        // Files are stored; what they replaced is destroyed now, or by a later command.
        if !failures.has_ended()
            && let Err(error) = opened.destroy_leaving().await
        {
            printer.warn(&format!("what was replaced could not be destroyed at the relay: {error}"));
        }
        if is_one_file { failures.gravest().map_or(Ok(()), Err) } else { failures.told(printer) }
    };
    with_account(global, printer.standard_input(), printer, put_all).await
}

/// What is to be stored under one name.
enum Given {
    File(Source),
    Directory(PathBuf),
    /// It is read when everything else is ready.
    StandardInput(FileName),
}

fn require_one_standard_input(global: &Global, arguments: &Put) -> Result<(), ClientError> {
    let standard_input = Path::new("-");
    if !arguments.paths.iter().any(|path| path == standard_input) {
        return Ok(());
    }
    if arguments.paths.len() > 1 || global.password_file.as_deref() == Some(standard_input) {
        let advice = "standard input is one file, and can be nothing else beside it";
        return Err(ClientError::Usage(advice.to_owned()));
    }
    if arguments.name.is_none() {
        return Err(ClientError::Usage("name what comes from standard input, with --name".to_owned()));
    }
    Ok(())
}

/// Opens and hashes a file, which takes a while for a long one.
async fn open(
    file: PathBuf,
    name: Option<String>,
    printer: &Printer,
) -> Result<(FileName, Given), ClientError> {
    if file == Path::new("-") {
        let name = FileName::parse(name.as_deref().unwrap_or_default());
        let name = name.map_err(|_| ClientError::BadName { path: file })?;
        return Ok((name.clone(), Given::StandardInput(name)));
    }
    if file.is_dir() {
        let name = match name {
            Some(name) => Some(name),
            // `.` has a name, too.
            None => file.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_str()?.to_owned())),
        };
        let name = FileName::parse(name.as_deref().unwrap_or_default());
        let name = name.map_err(|_| ClientError::BadName { path: file.clone() })?;
        return Ok((name, Given::Directory(file)));
    }
    let bar = printer.bar("Reading");
    bar.wait();
    let open = move || Source::open(&file, name.as_deref());
    let source = blocking(open).await;
    bar.done();
    let source = source??;
    Ok((source.facts().name.clone(), Given::File(source)))
}

/// Standard input of whoever typed the command.
struct StandardInput(Arc<dyn Console>);

impl Read for StandardInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_input(buffer)
    }
}

async fn put(
    opened: &mut Opened<'_>,
    name: &SpacePath,
    given: Given,
    (began, arguments): (&State, &Put),
    printer: &Printer,
) -> Result<(), ClientError> {
    let same = match &given {
        Given::File(source) => same_file(opened.space.state(), name, source).cloned(),
        // What it is shows at its end.
        Given::StandardInput(_) | Given::Directory(_) => None,
    };
    let (file, uploaded) = match same {
        Some(file) => (file, false),
        None => {
            let replaces = to_replace(began, name, arguments.replace)?;
            (upload(opened, name, given, replaces, printer).await?, true)
        }
    };
    if arguments.link {
        let terms = TicketTerms { limits: limits(&arguments.ends)?, password: None };
        let link = share(opened, name, &file, terms).await?;
        printer.result(&Shown { name: name.as_str(), link: &link, password: None }, &link.link)?;
        link.tell_limits(printer);
        return arguments.qr.show(&link.link, printer);
    }
    told(name, uploaded, printer)
}

pub(super) fn told(name: &SpacePath, uploaded: bool, printer: &Printer) -> Result<(), ClientError> {
    let done = if uploaded { "stored" } else { "is there already" };
    printer.result(&Stored { name: name.as_str(), uploaded }, &format!("{} {done}", name.as_str()))
}

/// The file that is listed under this name, if it has this content.
pub(super) fn same_file<'a>(state: &'a State, name: &SpacePath, source: &Source) -> Option<&'a FileRecord> {
    let same = |file: &FileRecord| file.content == *source.content() && file.size == source.facts().size;
    // What is not certain to be there is stored again.
    state.file(name).filter(|file| same(file) && state.held(file.blob).is_none())
}

/// Stores what it is and lists it; goes on if an earlier command was cut off.
async fn upload(
    opened: &mut Opened<'_>,
    name: &SpacePath,
    given: Given,
    replaces: Option<BlobId>,
    printer: &Printer,
) -> Result<FileRecord, ClientError> {
    let content = match given {
        Given::File(source) => Content::from(source),
        Given::StandardInput(name) => {
            let input = StandardInput(printer.console());
            let begin = move || Stream::begin(input, name);
            blocking(begin).await??.into()
        }
        Given::Directory(path) => return Err(ClientError::NotAFile { path }),
    };
    let one = ToStore { name: name.clone(), content, replaces };
    let (mut listed, failures) = uploading::upload(opened, vec![one], printer).await;
    match (failures.gravest(), listed.pop()) {
        (None, Some((_, file))) => Ok(file),
        (error, _) => Err(error.unwrap_or(ClientError::Stopped)),
    }
}
