//! What the entries of a home space add up to.

use super::{FileRecord, HeldCapabilities, Operation, SpacePath, TicketRecord};
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
    /// Carried blobs whose new capabilities the relay has not confirmed yet.
    renewing: BTreeMap<BlobId, Renewal>,
    /// Carried blobs for which the relay takes no key.
    lost: BTreeMap<BlobId, Renewal>,
    /// Version of the keyring in whose home space the owner goes on.
    closed_for: Option<u64>,
    /// Every blob that was ever listed: none comes back.
    blobs: BTreeSet<BlobId>,
    hash: [u8; 32],
}

/// A carried blob: what it has at the relay, and what it is to get.
#[derive(Debug, Clone)]
pub struct Renewal {
    /// What it has, unless an answer was lost.
    pub held: HeldCapabilities,
    /// What it is to get.
    pub next: HeldCapabilities,
}

/// The operation contradicts the state, so it has no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WithoutSense;

/// What makes one operation undone. As large as what the operation changed, whatever the state holds.
pub(super) struct Undo {
    change: Change,
    hash_before: [u8; 32],
}

enum Change {
    Created,
    Put { path: SpacePath, replaced: Option<Box<FileRecord>> },
    Carried { path: SpacePath },
    Renewed { blobs: Vec<(BlobId, Renewal)> },
    Lost { blobs: Vec<BlobId> },
    Closed,
    Moved { from: SpacePath, to: SpacePath },
    Removed { path: SpacePath, file: Box<FileRecord> },
    Destroyed { blob: BlobId, write_key: Token, lost: Option<Box<Renewal>> },
    Shared { path: SpacePath },
    Unshared { path: SpacePath, position: usize, ticket: TicketRecord },
}

impl State {
    pub(super) fn new(space: SpaceId) -> Self {
        Self {
            created: false,
            files: BTreeMap::new(),
            leaving: BTreeMap::new(),
            renewing: BTreeMap::new(),
            lost: BTreeMap::new(),
            closed_for: None,
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

    /// Carried blobs whose new capabilities the relay has not confirmed yet.
    pub fn renewing(&self) -> impl Iterator<Item = (BlobId, &Renewal)> {
        self.renewing.iter().map(|(blob, renewal)| (*blob, renewal))
    }

    /// Carried blobs for which the relay takes no key of the owner's.
    pub fn lost(&self) -> impl Iterator<Item = (BlobId, &Renewal)> {
        self.lost.iter().map(|(blob, renewal)| (*blob, renewal))
    }

    /// What a blob may have at the relay still, if it is not confirmed that it has what its record says.
    #[must_use]
    pub fn held(&self, blob: BlobId) -> Option<&HeldCapabilities> {
        self.renewing.get(&blob).or_else(|| self.lost.get(&blob)).map(|renewal| &renewal.held)
    }

    /// Version of the keyring in whose home space the owner goes on: nothing can be changed here.
    #[must_use]
    pub const fn closed_for(&self) -> Option<u64> {
        self.closed_for
    }

    /// Whether a path is taken: by a file, or by a directory because files lie below it.
    #[must_use]
    pub fn is_taken(&self, path: &SpacePath) -> bool {
        self.files.contains_key(path) || self.is_directory(path)
    }

    /// Whether the first entry was there.
    pub(super) const fn is_created(&self) -> bool {
        self.created
    }

    /// SHA-256 chained over the operations that had an effect. Two devices with one hash have one state; it costs what
    /// one operation costs, not what the state holds.
    pub(super) const fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// Carries out an operation and says how to undo it, or refuses it and stays as it was.
    pub(super) fn apply(&mut self, operation: Operation) -> Result<Undo, WithoutSense> {
        let bytes = zeroize::Zeroizing::new(codec::encode(&operation).map_err(|_| WithoutSense)?);
        if self.closed_for.is_some() || self.created == matches!(operation, Operation::Create { .. }) {
            return Err(WithoutSense);
        }
        let change = match operation {
            // Whether it makes this space's id is checked where the id is known.
            Operation::Create { .. } => {
                self.created = true;
                Change::Created
            }
            Operation::PutFile { path, file } => self.put(path, *file)?,
            Operation::Carry { path, file, held } => self.carry(path, *file, held)?,
            Operation::Renewed { blobs } => {
                Change::Renewed { blobs: take_all(&mut self.renewing, &blobs).ok_or(WithoutSense)? }
            }
            Operation::Lost { blobs } => {
                let taken = take_all(&mut self.renewing, &blobs).ok_or(WithoutSense)?;
                self.lost.extend(taken);
                Change::Lost { blobs }
            }
            Operation::Close { keyring } => {
                self.closed_for = Some(keyring);
                Change::Closed
            }
            Operation::Move { from, to } => self.rename(from, to)?,
            Operation::Remove { path } => {
                let file = self.files.remove(&path).ok_or(WithoutSense)?;
                self.leaving.insert(file.blob, file.write_key.clone());
                Change::Removed { path, file: Box::new(file) }
            }
            Operation::Destroyed { blob } => {
                let write_key = self.leaving.remove(&blob).ok_or(WithoutSense)?;
                let lost = self.lost.remove(&blob).map(Box::new);
                Change::Destroyed { blob, write_key, lost }
            }
            Operation::Share { path, ticket } => {
                let file = self.files.get_mut(&path).ok_or(WithoutSense)?;
                if file.tickets.iter().any(|known| known.id() == ticket.id()) {
                    return Err(WithoutSense);
                }
                file.tickets.push(ticket);
                Change::Shared { path }
            }
            Operation::Unshare { path, ticket } => {
                let file = self.files.get_mut(&path).ok_or(WithoutSense)?;
                let position = file.tickets.iter().position(|known| known.id() == ticket);
                let position = position.ok_or(WithoutSense)?;
                let ticket = file.tickets.remove(position);
                Change::Unshared { path, position, ticket }
            }
        };
        let mut hash = Sha256::new();
        hash.update(self.hash);
        hash.update(bytes.as_slice());
        let hash_before = std::mem::replace(&mut self.hash, hash.finalize().into());
        Ok(Undo { change, hash_before })
    }

    fn put(&mut self, path: SpacePath, file: FileRecord) -> Result<Change, WithoutSense> {
        let replaces = self.files.contains_key(&path);
        let new = !self.blobs.contains(&file.blob) && each_once(&file.tickets);
        if !new || (!replaces && self.blocks(&path)) {
            return Err(WithoutSense);
        }
        self.blobs.insert(file.blob);
        let replaced = self.files.insert(path.clone(), file).map(Box::new);
        if let Some(old) = &replaced {
            self.leaving.insert(old.blob, old.write_key.clone());
        }
        Ok(Change::Put { path, replaced })
    }

    /// A file of the space before takes no other's place.
    fn carry(
        &mut self,
        path: SpacePath,
        file: FileRecord,
        held: HeldCapabilities,
    ) -> Result<Change, WithoutSense> {
        if self.blobs.contains(&file.blob) || self.blocks(&path) || !file.tickets.is_empty() {
            return Err(WithoutSense);
        }
        let next =
            HeldCapabilities { read_token: file.read_token.clone(), write_key: file.write_key.clone() };
        self.blobs.insert(file.blob);
        self.renewing.insert(file.blob, Renewal { held, next });
        self.files.insert(path.clone(), file);
        Ok(Change::Carried { path })
    }

    fn rename(&mut self, from: SpacePath, to: SpacePath) -> Result<Change, WithoutSense> {
        let file = self.files.remove(&from).ok_or(WithoutSense)?;
        if self.blocks(&to) {
            self.files.insert(from, file);
            return Err(WithoutSense);
        }
        self.files.insert(to.clone(), file);
        Ok(Change::Moved { from, to })
    }

    /// Undoes the operation that was carried out last.
    pub(super) fn undo(&mut self, undo: Undo) {
        self.hash = undo.hash_before;
        match undo.change {
            Change::Created => self.created = false,
            Change::Put { path, replaced } => {
                if let Some(put) = self.files.remove(&path) {
                    self.blobs.remove(&put.blob);
                }
                if let Some(old) = replaced {
                    self.leaving.remove(&old.blob);
                    self.files.insert(path, *old);
                }
            }
            Change::Carried { path } => {
                if let Some(carried) = self.files.remove(&path) {
                    self.blobs.remove(&carried.blob);
                    self.renewing.remove(&carried.blob);
                }
            }
            Change::Renewed { blobs } => self.renewing.extend(blobs),
            Change::Lost { blobs } => {
                let lost = blobs.iter().filter_map(|blob| self.lost.remove_entry(blob));
                self.renewing.extend(lost);
            }
            Change::Closed => self.closed_for = None,
            Change::Moved { from, to } => {
                if let Some(file) = self.files.remove(&to) {
                    self.files.insert(from, file);
                }
            }
            Change::Removed { path, file } => {
                self.leaving.remove(&file.blob);
                self.files.insert(path, *file);
            }
            Change::Destroyed { blob, write_key, lost } => {
                self.lost.extend(lost.map(|lost| (blob, *lost)));
                self.leaving.insert(blob, write_key);
            }
            Change::Shared { path } => {
                if let Some(file) = self.files.get_mut(&path) {
                    file.tickets.pop();
                }
            }
            Change::Unshared { path, position, ticket } => {
                if let Some(file) = self.files.get_mut(&path) {
                    file.tickets.insert(position, ticket);
                }
            }
        }
    }

    /// Whether a file cannot get this path: it is taken, or a file stands where a directory would have to be.
    fn blocks(&self, path: &SpacePath) -> bool {
        self.is_taken(path) || self.file_above(path).is_some()
    }

    /// The file that stands where a path needs a directory.
    #[must_use]
    pub fn file_above(&self, path: &SpacePath) -> Option<SpacePath> {
        path.ancestors().find(|directory| self.files.contains_key(directory))
    }

    /// Whether files lie below a path.
    #[must_use]
    pub fn is_directory(&self, path: &SpacePath) -> bool {
        let below = self.files.range(path.first_below()..).next();
        below.is_some_and(|(file, _)| file.is_below(path))
    }
}

/// Takes these blobs out; none if one of them is not there, or named twice.
fn take_all(from: &mut BTreeMap<BlobId, Renewal>, blobs: &[BlobId]) -> Option<Vec<(BlobId, Renewal)>> {
    let named: BTreeSet<&BlobId> = blobs.iter().collect();
    if named.len() != blobs.len() || blobs.is_empty() || !named.iter().all(|blob| from.contains_key(blob)) {
        return None;
    }
    Some(blobs.iter().filter_map(|blob| from.remove_entry(blob)).collect())
}

fn each_once(tickets: &[TicketRecord]) -> bool {
    let ids: BTreeSet<_> = tickets.iter().map(TicketRecord::id).collect();
    ids.len() == tickets.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{capability::BlobCapabilities, key::FileKey, ticket::TicketSecret};
    use nightdrop_wire::messages::ticket::TicketLimits;
    use rand::RngExt;

    const CREATE: Operation = Operation::Create { owner: [1; 32], random: [2; 32] };

    fn path(n: u8) -> SpacePath {
        let name = ["a", "b", "c", "d/a", "d/b", "d/e/a", "d", "d/e"][usize::from(n) % 8];
        SpacePath::parse(name).unwrap()
    }

    fn put(n: u8) -> Operation {
        let capabilities = BlobCapabilities::generate(&mut rand::rng());
        let key = FileKey::from_bytes([n; 32]);
        let file = FileRecord::new(capabilities, &key, [n; 32], 10, None, [n; 32]);
        Operation::PutFile { path: path(n), file: Box::new(file) }
    }

    fn carry(n: u8) -> Operation {
        let Operation::PutFile { path, file } = put(n) else { unreachable!() };
        let (file, held) = file.renewed(&mut rand::rng());
        Operation::Carry { path, file: Box::new(file), held }
    }

    /// Everything that a state holds, in one form that can be compared.
    fn picture(state: &State) -> Vec<Vec<u8>> {
        let State { created, files, leaving, renewing, lost, closed_for, blobs, hash } = state;
        let files =
            files.iter().flat_map(|(path, file)| [path.as_str().into(), codec::encode(file).unwrap()]);
        let leaving =
            leaving.iter().flat_map(|(blob, key)| [blob.as_bytes().to_vec(), key.secret_bytes().to_vec()]);
        let blobs = blobs.iter().map(|blob| blob.as_bytes().to_vec());
        let rest =
            [vec![u8::from(*created), u8::from(closed_for.is_some())], hash.to_vec(), b"files".to_vec()];
        let mut picture: Vec<Vec<u8>> = rest.into_iter().chain(files).collect();
        picture.push(b"leaving".to_vec());
        picture.extend(leaving);
        picture.push(b"renewing".to_vec());
        let none = HeldCapabilities {
            read_token: Token::from_bytes([0; 32]),
            write_key: Token::from_bytes([0; 32]),
        };
        let separator = Renewal { held: none.clone(), next: none };
        let no_blob = BlobId::from_bytes([0xff; 16]);
        let waiting = renewing.iter().chain([(&no_blob, &separator)]).chain(lost);
        picture.extend(waiting.flat_map(|(blob, Renewal { held, next })| {
            [blob.as_bytes().to_vec(), codec::encode(held).unwrap(), codec::encode(next).unwrap()]
        }));
        picture.push(b"blobs".to_vec());
        picture.extend(blobs);
        picture
    }

    /// One of any kind; on a state that holds something about half of them make sense.
    fn any_operation(state: &State) -> Operation {
        let rng = &mut rand::rng();
        let (one, other) = (path(rng.random()), path(rng.random()));
        let listed = state.file(&one);
        match rng.random_range(0..10) {
            0..3 => put(rng.random()),
            8 => carry(rng.random()),
            9 => {
                let blobs = state.renewing().take(rng.random_range(0..3)).map(|(blob, _)| blob).collect();
                if rng.random() { Operation::Renewed { blobs } } else { Operation::Lost { blobs } }
            }
            3 => Operation::Move { from: one, to: other },
            4 => Operation::Remove { path: one },
            5 => {
                let ticket =
                    TicketRecord::new(&TicketSecret::generate(rng), [7; 16], TicketLimits::default());
                Operation::Share { path: one, ticket }
            }
            6 => {
                let tickets = listed.map(|file| file.tickets.as_slice()).unwrap_or_default();
                let ticket = tickets.get(rng.random_range(0..4)).map(TicketRecord::id);
                let ticket = ticket.unwrap_or_else(|| TicketSecret::generate(rng).root().id());
                Operation::Unshare { path: one, ticket }
            }
            _ => match state.leaving().next() {
                Some((blob, _)) => Operation::Destroyed { blob },
                None => CREATE,
            },
        }
    }

    #[test]
    fn whatever_is_undone_leaves_the_state_as_it_was() {
        let mut state = State::new(SpaceId::from_bytes([1; 32]));
        assert!(state.apply(put(1)).is_err(), "nothing comes before the first entry");
        let undo = state.apply(CREATE).unwrap();
        state.undo(undo);
        assert!(!state.is_created());
        state.apply(CREATE).unwrap();
        let (mut effective, mut refused, mut most_renewing) = (0, 0, 0);
        for _ in 0..400 {
            let before = picture(&state);
            let mut undo = Vec::new();
            for _ in 0..20 {
                let operation = any_operation(&state);
                let now = picture(&state);
                match state.apply(operation) {
                    Ok(effect) => {
                        undo.push(effect);
                        effective += 1;
                    }
                    Err(WithoutSense) => {
                        assert_eq!(picture(&state), now, "what is refused changes nothing");
                        refused += 1;
                    }
                }
            }
            most_renewing = most_renewing.max(state.renewing().count());
            while let Some(effect) = undo.pop() {
                state.undo(effect);
            }
            assert_eq!(picture(&state), before);
            // Then one is carried out, so that the next round begins elsewhere.
            let operation = any_operation(&state);
            let _ = state.apply(operation);
        }
        assert!(effective > 1_000 && refused > 1_000, "{effective} and {refused}");
        assert!(state.files().count() > 0 && state.leaving().count() > 0);
        assert!(most_renewing > 0);
        let before = picture(&state);
        let undo = state.apply(Operation::Close { keyring: 2 }).unwrap();
        assert!(
            state.closed_for() == Some(2) && state.apply(any_operation(&state)).is_err(),
            "nothing follows the end"
        );
        state.undo(undo);
        assert_eq!(picture(&state), before);
    }
}
