//! What the entries of a home space add up to.

use super::{FileRecord, Operation, SpacePath};
use nightdrop_wire::{
    codec,
    ids::{BlobId, SpaceId},
    token::Token,
};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// Files, and blobs that are still to be destroyed.
#[derive(Debug, Clone)]
pub struct State {
    created: bool,
    files: BTreeMap<SpacePath, FileRecord>,
    leaving: BTreeMap<BlobId, Token>,
    /// Every blob that was ever listed: none comes back.
    blobs: BTreeSet<BlobId>,
    hash: [u8; 32],
}

/// The operation contradicts the state, so it has no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WithoutSense;

impl State {
    pub(super) fn new(space: SpaceId) -> Self {
        Self {
            created: false,
            files: BTreeMap::new(),
            leaving: BTreeMap::new(),
            blobs: BTreeSet::new(),
            hash: *space.as_bytes(),
        }
    }

    /// The listed files, by path.
    pub fn files(&self) -> impl Iterator<Item = (&SpacePath, &FileRecord)> {
        self.files.iter()
    }

    /// The file of a path.
    #[must_use]
    pub fn file(&self, path: &SpacePath) -> Option<&FileRecord> {
        self.files.get(path)
    }

    /// Blobs that are off the list and that the relay has not yet confirmed to be destroyed, with their write keys.
    pub fn leaving(&self) -> impl Iterator<Item = (BlobId, &Token)> {
        self.leaving.iter().map(|(blob, key)| (*blob, key))
    }

    /// Whether a path is taken: by a file, or by a directory because files lie below it.
    #[must_use]
    pub fn is_taken(&self, path: &SpacePath) -> bool {
        self.files.contains_key(path) || self.is_directory(path)
    }

    /// SHA-256 chained over the operations that had an effect. Two devices with one hash have one state; it costs what
    /// one operation costs, not what the state holds.
    pub(super) const fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// Carries out an operation, or refuses it and stays as it was.
    pub(super) fn apply(&mut self, operation: Operation) -> Result<(), WithoutSense> {
        let bytes = zeroize::Zeroizing::new(codec::encode(&operation).map_err(|_| WithoutSense)?);
        if self.created == matches!(operation, Operation::Create { .. }) {
            return Err(WithoutSense);
        }
        match operation {
            // Whether it makes this space's id is checked where the id is known.
            Operation::Create { .. } => self.created = true,
            Operation::PutFile { path, file } => self.put(path, *file)?,
            Operation::Move { from, to } => self.rename(&from, to)?,
            Operation::Remove { path } => {
                let file = self.files.remove(&path).ok_or(WithoutSense)?;
                self.leaving.insert(file.blob, file.write_key);
            }
            Operation::Destroyed { blob } => {
                self.leaving.remove(&blob).ok_or(WithoutSense)?;
            }
            Operation::Share { path, ticket } => {
                let file = self.files.get_mut(&path).ok_or(WithoutSense)?;
                if file.tickets.iter().any(|known| known.id() == ticket.id()) {
                    return Err(WithoutSense);
                }
                file.tickets.push(ticket);
            }
            Operation::Unshare { path, ticket } => {
                let file = self.files.get_mut(&path).ok_or(WithoutSense)?;
                let position = file.tickets.iter().position(|known| known.id() == ticket);
                file.tickets.remove(position.ok_or(WithoutSense)?);
            }
        }
        let mut hash = Sha256::new();
        hash.update(self.hash);
        hash.update(bytes.as_slice());
        self.hash = hash.finalize().into();
        Ok(())
    }

    fn put(&mut self, path: SpacePath, file: FileRecord) -> Result<(), WithoutSense> {
        let replaces = self.files.contains_key(&path);
        if self.blobs.contains(&file.blob) || (!replaces && self.blocks(&path)) {
            return Err(WithoutSense);
        }
        self.blobs.insert(file.blob);
        if let Some(old) = self.files.insert(path, file) {
            self.leaving.insert(old.blob, old.write_key);
        }
        Ok(())
    }

    fn rename(&mut self, from: &SpacePath, to: SpacePath) -> Result<(), WithoutSense> {
        let file = self.files.remove(from).ok_or(WithoutSense)?;
        if self.blocks(&to) {
            self.files.insert(from.clone(), file);
            return Err(WithoutSense);
        }
        self.files.insert(to, file);
        Ok(())
    }

    /// Whether a file cannot get this path: it is taken, or a file stands where a directory would have to be.
    fn blocks(&self, path: &SpacePath) -> bool {
        self.is_taken(path) || path.ancestors().any(|directory| self.files.contains_key(&directory))
    }

    /// Whether files lie below a path.
    #[must_use]
    pub fn is_directory(&self, path: &SpacePath) -> bool {
        let below = self.files.range(path.first_below()..).next();
        below.is_some_and(|(file, _)| file.is_below(path))
    }
}
