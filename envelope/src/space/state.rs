//! What the entries of a home space add up to.

use super::{FileRecord, HeldCapabilities, Lease, LeaseNews, Operation, SpacePath, TicketRecord};
use nightdrop_wire::{
    codec,
    ids::{BlobId, SpaceId},
    token::Token,
};
use rpds::RedBlackTreeMapSync;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// Files, and blobs that are still to be destroyed. A clone costs nothing, however much it holds: both share what neither changes.
///
/// The order of the fields is the byte order of a [copy](super::CopiedState).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    created: bool,
    files: Map<SpacePath, FileRecord>,
    leaving: Map<BlobId, Token>,
    /// Carried blobs whose new capabilities the relay has not confirmed yet.
    renewing: Map<BlobId, Renewal>,
    /// Carried blobs for which the relay takes no key.
    lost: Map<BlobId, Renewal>,
    /// Version of the keyring in whose home space the owner goes on.
    closed_for: Option<u64>,
    /// Every blob that was listed and is not any more: none comes back.
    gone: Map<BlobId, ()>,
    /// The last one: its entry, and its blob.
    checkpoint: Option<(u64, FileRecord)>,
    hash: [u8; 32],
    /// Under which path each listed blob is: what `files` says, the other way round.
    #[serde(skip)]
    places: Map<BlobId, SpacePath>,
}

type Map<K, V> = RedBlackTreeMapSync<K, V>;

/// A carried blob: what it has at the relay, and what it is to get.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Renewal {
    /// What it has, unless an answer was lost.
    pub held: HeldCapabilities,
    /// What it is to get.
    pub next: HeldCapabilities,
}

/// The operation contradicts the state, so it has no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WithoutSense;

impl State {
    pub(super) fn new(space: SpaceId) -> Self {
        Self {
            created: false,
            files: Map::default(),
            leaving: Map::default(),
            renewing: Map::default(),
            lost: Map::default(),
            closed_for: None,
            gone: Map::default(),
            checkpoint: None,
            hash: *space.as_bytes(),
            places: Map::default(),
        }
    }

    /// The state that was read from a copy, with what is not written there.
    pub(super) fn with_places(mut self) -> Self {
        self.places = self.files.iter().map(|(path, file)| (file.blob, path.clone())).collect();
        self
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

    /// The file itself, or all files below it if it is a directory, by path.
    pub fn files_of<'a>(
        &'a self,
        name: &'a SpacePath,
    ) -> impl Iterator<Item = (&'a SpacePath, &'a FileRecord)> + 'a {
        let below = self.files.range(name.first_below()..).take_while(|(path, _)| path.is_below(name));
        self.files.get_key_value(name).into_iter().chain(below)
    }

    /// How many files are listed.
    #[must_use]
    pub fn count(&self) -> usize {
        self.files.size()
    }

    /// Path and file of a blob that is listed.
    #[must_use]
    pub fn file_of(&self, blob: BlobId) -> Option<(&SpacePath, &FileRecord)> {
        self.places.get(&blob).and_then(|path| self.files.get_key_value(path))
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

    /// The last checkpoint: its entry, and its blob.
    #[must_use]
    pub fn checkpoint(&self) -> Option<(u64, &FileRecord)> {
        self.checkpoint.as_ref().map(|(place, file)| (*place, file))
    }

    /// Whether a blob is off the list and not confirmed to be destroyed.
    #[must_use]
    pub fn is_leaving(&self, blob: BlobId) -> bool {
        self.leaving.contains_key(&blob)
    }

    /// Whether a carried blob's new capabilities are not confirmed yet.
    #[must_use]
    pub fn is_renewing(&self, blob: BlobId) -> bool {
        self.renewing.contains_key(&blob)
    }

    /// Whether the relay takes no key of the owner's for a blob.
    #[must_use]
    pub fn is_lost(&self, blob: BlobId) -> bool {
        self.lost.contains_key(&blob)
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

    /// Carries out the operation of the entry with this number, or refuses it and stays as it was.
    pub(super) fn apply(&mut self, sequence: u64, operation: Operation) -> Result<(), WithoutSense> {
        let bytes = zeroize::Zeroizing::new(codec::encode(&operation).map_err(|_| WithoutSense)?);
        if self.closed_for.is_some() || self.created == matches!(operation, Operation::Create { .. }) {
            return Err(WithoutSense);
        }
        match operation {
            // Whether it makes this space's id is checked where the id is known.
            Operation::Create { .. } => self.created = true,
            Operation::PutFile { path, file } => self.put(path, *file)?,
            Operation::Carry { path, file, held } => self.carry(path, *file, held)?,
            Operation::Renewed { blobs } => drop(take_all(&mut self.renewing, &blobs)?),
            Operation::Lost { blobs } => {
                for (blob, renewal) in take_all(&mut self.renewing, &blobs)? {
                    self.lost.insert_mut(blob, renewal);
                }
            }
            Operation::Close { keyring } => self.closed_for = Some(keyring),
            Operation::Move { from, to } => self.rename(&from, to)?,
            Operation::Remove { path } => {
                let file = self.files.get(&path).cloned().ok_or(WithoutSense)?;
                self.files.remove_mut(&path);
                self.leave(&file);
            }
            Operation::Destroyed { blob } => {
                if !self.leaving.remove_mut(&blob) {
                    return Err(WithoutSense);
                }
                self.lost.remove_mut(&blob);
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
            Operation::Checkpoint { file } => {
                if self.was_listed(file.blob) || !file.tickets.is_empty() {
                    return Err(WithoutSense);
                }
                if let Some((_, old)) = self.checkpoint.replace((sequence, *file)) {
                    self.leave(&old);
                }
            }
            Operation::Leased { blobs } => self.lease(&blobs)?,
        }
        let mut hash = Sha256::new();
        hash.update(self.hash);
        hash.update(bytes.as_slice());
        self.hash = hash.finalize().into();
        Ok(())
    }

    fn put(&mut self, path: SpacePath, file: FileRecord) -> Result<(), WithoutSense> {
        let replaced = self.files.get(&path).cloned();
        if self.was_listed(file.blob)
            || !each_once(&file.tickets)
            || (replaced.is_none() && self.blocks(&path))
        {
            return Err(WithoutSense);
        }
        if let Some(old) = replaced {
            self.leave(&old);
        }
        self.list(path, file);
        Ok(())
    }

    /// A file of the space before takes no other's place.
    fn carry(
        &mut self,
        path: SpacePath,
        file: FileRecord,
        held: HeldCapabilities,
    ) -> Result<(), WithoutSense> {
        if self.was_listed(file.blob) || self.blocks(&path) || !file.tickets.is_empty() {
            return Err(WithoutSense);
        }
        let next =
            HeldCapabilities { read_token: file.read_token.clone(), write_key: file.write_key.clone() };
        self.renewing.insert_mut(file.blob, Renewal { held, next });
        self.list(path, file);
        Ok(())
    }

    /// Of none if one of them is not there, or named twice.
    fn lease(&mut self, news: &[LeaseNews]) -> Result<(), WithoutSense> {
        let named: BTreeSet<_> = news.iter().map(|news| news.blob).collect();
        if named.len() != news.len() || news.is_empty() || !named.iter().all(|blob| self.is_kept(*blob)) {
            return Err(WithoutSense);
        }
        for LeaseNews { blob, lease } in news {
            match self.places.get(blob).and_then(|path| self.files.get_mut(path)) {
                Some(file) => file.lease = *lease,
                None => self.checkpoint.iter_mut().for_each(|(_, file)| file.lease = *lease),
            }
        }
        Ok(())
    }

    fn rename(&mut self, from: &SpacePath, to: SpacePath) -> Result<(), WithoutSense> {
        let file = self.files.get(from).cloned().ok_or(WithoutSense)?;
        let files = self.files.clone();
        self.files.remove_mut(from);
        if self.blocks(&to) {
            self.files = files;
            return Err(WithoutSense);
        }
        self.list(to, file);
        Ok(())
    }

    fn list(&mut self, path: SpacePath, file: FileRecord) {
        self.places.insert_mut(file.blob, path.clone());
        self.files.insert_mut(path, file);
    }

    /// The file is off the list: its blob is to be destroyed.
    fn leave(&mut self, file: &FileRecord) {
        self.places.remove_mut(&file.blob);
        self.gone.insert_mut(file.blob, ());
        self.leaving.insert_mut(file.blob, file.write_key.clone());
    }

    fn was_listed(&self, blob: BlobId) -> bool {
        self.is_kept(blob) || self.gone.contains_key(&blob)
    }

    /// Whether a blob is that of a listed file, or of the checkpoint.
    #[must_use]
    pub fn is_kept(&self, blob: BlobId) -> bool {
        let checkpoint = self.checkpoint.as_ref().is_some_and(|(_, file)| file.blob == blob);
        checkpoint || self.places.contains_key(&blob)
    }

    /// How long the relay keeps each blob that is listed, and that of the checkpoint.
    pub fn leased(&self) -> impl Iterator<Item = &FileRecord> {
        let checkpoint = self.checkpoint.iter().map(|(_, file)| file);
        self.files.iter().map(|(_, file)| file).chain(checkpoint)
    }

    /// How long the relay keeps one of them.
    #[must_use]
    pub fn lease_of(&self, blob: BlobId) -> Option<Lease> {
        let checkpoint = self.checkpoint.as_ref().map(|(_, file)| file).filter(|file| file.blob == blob);
        self.file_of(blob).map(|(_, file)| file).or(checkpoint).map(|file| file.lease)
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
fn take_all(
    from: &mut Map<BlobId, Renewal>,
    blobs: &[BlobId],
) -> Result<Vec<(BlobId, Renewal)>, WithoutSense> {
    let named: BTreeSet<&BlobId> = blobs.iter().collect();
    if named.len() != blobs.len() || blobs.is_empty() {
        return Err(WithoutSense);
    }
    let take = |blob: &BlobId| from.get(blob).map(|renewal| (*blob, renewal.clone()));
    let taken = blobs.iter().map(take).collect::<Option<Vec<_>>>().ok_or(WithoutSense)?;
    for blob in blobs {
        from.remove_mut(blob);
    }
    Ok(taken)
}

fn each_once(tickets: &[TicketRecord]) -> bool {
    let ids: BTreeSet<_> = tickets.iter().map(TicketRecord::id).collect();
    ids.len() == tickets.len()
}

#[cfg(test)]
mod tests {
    use super::super::Lease;
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
        let file = FileRecord::new(capabilities, &key, [n; 32], 10, None, [n; 32], 20_000);
        Operation::PutFile { path: path(n), file: Box::new(file) }
    }

    fn carry(n: u8) -> Operation {
        let Operation::PutFile { path, file } = put(n) else { unreachable!() };
        let (file, held) = file.renewed(&mut rand::rng());
        Operation::Carry { path, file: Box::new(file), held }
    }

    /// Everything that a state holds, in one form that can be compared.
    fn picture(state: &State) -> Vec<Vec<u8>> {
        let State { created, files, leaving, renewing, lost, closed_for, gone, checkpoint, hash, places } =
            state;
        let files =
            files.iter().flat_map(|(path, file)| [path.as_str().into(), codec::encode(file).unwrap()]);
        let leaving =
            leaving.iter().flat_map(|(blob, key)| [blob.as_bytes().to_vec(), key.secret_bytes().to_vec()]);
        let blobs = gone.iter().map(|(blob, ())| blob.as_bytes().to_vec());
        let places = places.iter().flat_map(|(blob, path)| [blob.as_bytes().to_vec(), path.as_str().into()]);
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
        picture.push(codec::encode(checkpoint).unwrap());
        picture.push(b"places".to_vec());
        picture.extend(places);
        picture
    }

    /// One of any kind; on a state that holds something about half of them make sense.
    fn any_operation(state: &State) -> Operation {
        let rng = &mut rand::rng();
        let (one, other) = (path(rng.random()), path(rng.random()));
        let listed = state.file(&one);
        match rng.random_range(0..12) {
            11 => {
                let lease = Lease { until: rng.random(), is_last: rng.random() };
                let few = state.leased().take(rng.random_range(0..3));
                let mut blobs: Vec<_> = few.map(|file| LeaseNews { blob: file.blob, lease }).collect();
                if rng.random() {
                    blobs.push(LeaseNews { blob: BlobId::from_bytes([rng.random_range(0..2); 16]), lease });
                }
                Operation::Leased { blobs }
            }
            10 => {
                let Operation::PutFile { file, .. } = put(rng.random()) else { unreachable!() };
                Operation::Checkpoint { file }
            }
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
    fn what_is_tried_out_on_a_clone_or_refused_leaves_the_state_as_it_was() {
        let mut state = State::new(SpaceId::from_bytes([1; 32]));
        assert!(state.apply(7, put(1)).is_err(), "nothing comes before the first entry");
        let mut tried = state.clone();
        tried.apply(7, CREATE).unwrap();
        assert!(tried.is_created() && !state.is_created());
        state.apply(7, CREATE).unwrap();
        let (mut effective, mut refused, mut most_renewing) = (0, 0, 0);
        for _ in 0..400 {
            let before = picture(&state);
            let mut tried = state.clone();
            for _ in 0..20 {
                let operation = any_operation(&tried);
                let now = picture(&tried);
                match tried.apply(7, operation) {
                    Ok(()) => effective += 1,
                    Err(WithoutSense) => {
                        assert_eq!(picture(&tried), now, "what is refused changes nothing");
                        refused += 1;
                    }
                }
            }
            most_renewing = most_renewing.max(tried.renewing().count());
            assert_eq!(picture(&state), before);
            let written: State = codec::decode(&codec::encode(&tried).unwrap()).unwrap();
            assert_eq!(picture(&written.with_places()), picture(&tried), "written and read");
            for (path, file) in tried.files() {
                assert_eq!(tried.file_of(file.blob).unwrap().0, path);
            }
            // Then one is carried out, so that the next round begins elsewhere.
            let operation = any_operation(&state);
            let _ = state.apply(7, operation);
        }
        assert!(effective > 1_000 && refused > 1_000, "{effective} and {refused}");
        assert!(state.files().count() > 0 && state.leaving().count() > 0);
        assert!(most_renewing > 0);
        let mut closed = state.clone();
        closed.apply(7, Operation::Close { keyring: 2 }).unwrap();
        assert!(
            closed.closed_for() == Some(2) && closed.apply(7, any_operation(&closed)).is_err(),
            "nothing follows the end"
        );
        assert_eq!(state.closed_for(), None);
    }

    #[test]
    fn files_of_a_directory_are_those_below_it_and_no_others() {
        let mut state = State::new(SpaceId::from_bytes([1; 32]));
        state.apply(7, CREATE).unwrap();
        for name in ["d/a", "d/e/a", "d b", "d-", "d0", "e"] {
            let Operation::PutFile { file, .. } = put(1) else { unreachable!() };
            state.apply(7, Operation::PutFile { path: SpacePath::parse(name).unwrap(), file }).unwrap();
        }
        let of = |name: &str| {
            let name = SpacePath::parse(name).unwrap();
            state.files_of(&name).map(|(path, _)| path.as_str().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!((of("d"), of("d/e")), (vec!["d/a".into(), "d/e/a".into()], vec!["d/e/a".into()]));
        assert_eq!((of("e"), of("f"), of("d/e/a")), (vec!["e".into()], vec![], vec!["d/e/a".into()]));
    }
}
