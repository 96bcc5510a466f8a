//! An owner's log, as those tests need it that read it in another way than from its beginning.

use nightdrop_envelope::{
    capability::BlobCapabilities,
    key::FileKey,
    keyring::Keyring,
    space::{FileRecord, HomeKeys, Operation, Replay, SpacePath, VerifiedLog},
};
use sha2::{Digest, Sha256};

/// An owner, and the log as an honest relay has it.
pub(crate) struct Scene {
    pub(crate) keys: HomeKeys,
    pub(crate) entries: Vec<Vec<u8>>,
    pub(crate) log: VerifiedLog,
}

impl Scene {
    /// With a home space that lists these files.
    pub(crate) fn listing(files: &[&str]) -> Self {
        let keys = Keyring::generate([6; 32], 1, &mut rand::rng()).home_keys();
        let log = VerifiedLog::empty(keys.clone());
        let mut scene = Self { keys, entries: Vec::new(), log };
        let files = files.iter().map(|file| put(file));
        scene.append(std::iter::once(scene.log.create()).chain(files).collect());
        scene
    }

    /// Seals these and has the relay append them.
    pub(crate) fn append(&mut self, operations: Vec<Operation>) {
        let entries = self.log.seal_next(operations, &mut rand::rng()).unwrap();
        self.log.take(&entries).unwrap();
        self.entries.extend(entries);
    }

    /// An entry that is none of the owner's.
    pub(crate) fn stray(&mut self, entry: Vec<u8>) {
        let mut replay = self.log.clone().resume();
        replay.advance(&entry).unwrap();
        self.entries.push(entry);
        let head = *replay.head();
        self.log = replay.finish(&head).unwrap();
    }

    /// The whole log, replayed.
    pub(crate) fn replayed(&self) -> VerifiedLog {
        let mut replay = Replay::new(self.keys.clone(), None);
        self.entries.iter().for_each(|entry| replay.advance(entry).unwrap());
        replay.finish(self.log.head()).unwrap()
    }
}

/// A file of this content.
pub(crate) fn file(content: &[u8]) -> FileRecord {
    let capabilities = BlobCapabilities::generate(&mut rand::rng());
    let (key, hash) = (FileKey::from_bytes([1; 32]), Sha256::digest(content).into());
    FileRecord::new(capabilities, &key, [2; 32], content.len() as u64, None, hash, u32::MAX)
}

/// A file is listed.
pub(crate) fn put(at: &str) -> Operation {
    Operation::PutFile { path: SpacePath::parse(at).unwrap(), file: Box::new(file(b"content")) }
}

/// The files that are listed.
pub(crate) fn names(log: &VerifiedLog) -> Vec<String> {
    log.state().files().map(|(path, _)| path.as_str().to_owned()).collect()
}

/// That two logs came to the same.
pub(crate) fn assert_same(one: &VerifiedLog, other: &VerifiedLog) {
    assert_eq!((one.head(), one.state_hash(), names(one)), (other.head(), other.state_hash(), names(other)));
    assert_eq!(one.reports(), other.reports());
    let places = |log: &VerifiedLog| log.state().checkpoint().map(|(place, file)| (place, file.blob));
    assert_eq!(places(one), places(other));
}
