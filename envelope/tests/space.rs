//! The home space: replaying what an honest relay gives, and what a lying one gives.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use nightdrop_envelope::{
    capability::BlobCapabilities,
    key::FileKey,
    keyring::Keyring,
    space::{
        ChainError, Fault, FileRecord, HomeKeys, Operation, Replay, Report, SpacePath, TicketRecord,
        VerifiedLog,
    },
    ticket::TicketSecret,
};
use nightdrop_wire::{
    limits::ENTRY_SIZES,
    messages::{log::LogHead, ticket::TicketLimits},
};
use sha2::{Digest, Sha256};

struct Owner(Keyring);

impl Owner {
    fn new() -> Self {
        Self(Keyring::generate([6; 32], 1, &mut rand::rng()))
    }

    fn keys(&self) -> HomeKeys {
        self.0.home_keys()
    }

    fn replay(&self, remembered: Option<LogHead>, log: &[Vec<u8>]) -> Result<VerifiedLog, ChainError> {
        let mut replay = Replay::new(self.keys(), remembered);
        for entry in log {
            replay.advance(entry)?;
        }
        replay.finish(&relay_head(&self.keys(), log))
    }

    /// What an honest client appends to `log`.
    fn append(&self, log: &mut Vec<Vec<u8>>, operations: Vec<Operation>) {
        let replay = self.replay(None, log).unwrap();
        log.extend(replay.seal_next(operations, &mut rand::rng()).unwrap());
    }

    fn log(&self, operations: Vec<Operation>) -> Vec<Vec<u8>> {
        let mut log = Vec::new();
        let create = VerifiedLog::empty(self.keys()).create();
        self.append(&mut log, [vec![create], operations].concat());
        log
    }
}

/// As the relay computes it.
fn relay_head(keys: &HomeKeys, log: &[Vec<u8>]) -> LogHead {
    log.iter().fold(LogHead::before_first(keys.space()), |head, entry| next(head, entry))
}

fn next(head: LogHead, entry: &[u8]) -> LogHead {
    let hash = Sha256::new().chain_update(head.hash).chain_update(entry).finalize().into();
    LogHead { count: head.count + 1, hash }
}

fn path(text: &str) -> SpacePath {
    SpacePath::parse(text).unwrap()
}

fn file(content: u8) -> FileRecord {
    let capabilities = BlobCapabilities::generate(&mut rand::rng());
    FileRecord::new(
        capabilities,
        &FileKey::from_bytes([content; 32]),
        [content; 32],
        10,
        None,
        [content; 32],
        u32::MAX,
    )
}

fn put(at: &str, content: u8) -> Operation {
    Operation::PutFile { path: path(at), file: Box::new(file(content)) }
}

fn remove(at: &str) -> Operation {
    Operation::Remove { path: path(at) }
}

fn listed(replay: &VerifiedLog) -> Vec<String> {
    replay.state().files().map(|(path, _)| path.as_str().to_owned()).collect()
}

#[test]
fn files_are_listed_moved_replaced_and_removed() {
    let owner = Owner::new();
    let mut log = owner.log(vec![put("a", 1), put("docs/b", 2)]);
    assert!(log.iter().all(|entry| ENTRY_SIZES.contains(&entry.len())));
    assert_eq!(listed(&owner.replay(None, &log).unwrap()), ["a", "docs/b"]);
    owner.append(&mut log, vec![Operation::Move { from: path("a"), to: path("docs/a") }]);
    owner.append(&mut log, vec![put("docs/b", 3), remove("docs/a")]);
    let replay = owner.replay(None, &log).unwrap();
    assert_eq!(listed(&replay), ["docs/b"]);
    assert_eq!(replay.state().file(&path("docs/b")).unwrap().content, [3; 32]);
    let leaving: Vec<_> = replay.state().leaving().map(|(blob, _)| blob).collect();
    assert_eq!(leaving.len(), 2, "the replaced blob and the removed one are to be destroyed");
    owner.append(&mut log, vec![Operation::Destroyed { blob: leaving[0] }]);
    assert_eq!(owner.replay(None, &log).unwrap().state().leaving().count(), 1);
    assert_eq!(replay.reports().1, 0);
}

#[test]
fn tickets_are_kept_with_their_file() {
    let owner = Owner::new();
    let secret = TicketSecret::generate(&mut rand::rng());
    let ticket = TicketRecord::new(&secret, [7; 16], TicketLimits::default());
    let share = Operation::Share { path: path("a"), ticket: ticket.clone() };
    let mut log = owner.log(vec![put("a", 1), share]);
    owner.append(&mut log, vec![Operation::Move { from: path("a"), to: path("b") }]);
    let replay = owner.replay(None, &log).unwrap();
    assert_eq!(replay.state().file(&path("b")).unwrap().tickets[0].id(), secret.root().id());
    owner.append(&mut log, vec![Operation::Unshare { path: path("b"), ticket: ticket.id() }]);
    let replay = owner.replay(None, &log).unwrap();
    assert!(replay.state().file(&path("b")).unwrap().tickets.is_empty());
}

#[test]
fn a_file_has_many_tickets_and_each_of_them_once() {
    let owner = Owner::new();
    let share = |byte: u8| {
        let ticket =
            TicketRecord::new(&TicketSecret::from_bytes([byte; 32]), [7; 16], TicketLimits::default());
        Operation::Share { path: path("a"), ticket }
    };
    let log = owner.log(vec![put("a", 1), share(1), share(2)]);
    let replay = owner.replay(None, &log).unwrap();
    assert_eq!(replay.state().file(&path("a")).unwrap().tickets.len(), 2);
    assert!(replay.seal_next(vec![share(3)], &mut rand::rng()).is_ok());
    assert!(replay.seal_next(vec![share(1)], &mut rand::rng()).is_err());
}

#[test]
fn entries_of_ones_own_are_taken_without_reading_them_again() {
    let owner = Owner::new();
    let mut log = owner.log(vec![put("a", 1)]);
    let mut known = owner.replay(None, &log).unwrap();
    let entries = known.seal_next(vec![put("b", 2)], &mut rand::rng()).unwrap();
    known.take(&entries).unwrap();
    log.extend(entries.clone());
    assert_eq!((listed(&known), known.reports().1), (vec!["a".to_owned(), "b".to_owned()], 0));
    assert_eq!(*known.head(), relay_head(&owner.keys(), &log));
    assert_eq!(known.take(&entries), Err(ChainError::Displaced(3)), "they follow only once");
}

#[test]
fn what_makes_no_sense_is_not_sealed() {
    let owner = Owner::new();
    let log = owner.log(vec![put("a", 1), put("d/b", 2)]);
    let replay = owner.replay(None, &log).unwrap();
    let again = replay.state().file(&path("a")).unwrap().clone();
    for operation in [
        remove("missing"),
        Operation::Move { from: path("missing"), to: path("x") },
        Operation::Move { from: path("a"), to: path("d/b") },
        Operation::Move { from: path("a"), to: path("d") },
        Operation::Move { from: path("d/b"), to: path("a/b") },
        put("a/below-a-file", 3),
        put("d", 3),
        Operation::PutFile { path: path("copy"), file: Box::new(again) },
        replay.create(),
    ] {
        assert!(replay.seal_next(vec![operation.clone()], &mut rand::rng()).is_err(), "{operation:?}");
    }
    assert!(replay.seal_next(vec![put("d/c", 3), remove("d/c")], &mut rand::rng()).is_ok());
}

#[test]
fn m24_m50_an_entry_that_is_not_the_owners_has_no_effect_and_is_reported() {
    let owner = Owner::new();
    let mut log = owner.log(vec![put("a", 1)]);
    let honest = owner.replay(None, &log).unwrap();
    assert_eq!((listed(&honest), honest.reports().1), (vec!["a".to_owned()], 0));
    // What a relay can make: bytes of the right size.
    log.push(vec![0x5a; 512]);
    // What somebody with another key can make: a good entry of another space.
    log.push(Owner::new().log(vec![put("planted", 9)])[1].clone());
    owner.append(&mut log, vec![put("b", 2)]);
    let replay = owner.replay(None, &log).unwrap();
    assert_eq!(listed(&replay), ["a", "b"], "the log goes on");
    let fault = Fault::DoesNotOpen;
    assert_eq!(replay.reports(), (&[Report { sequence: 2, fault }, Report { sequence: 3, fault }][..], 2));
}

#[test]
fn m30_dropped_repeated_reordered_and_spliced_entries_are_chain_errors() {
    let owner = Owner::new();
    let log = owner.log(vec![put("a", 1), put("b", 2), remove("a")]);
    assert!(owner.replay(None, &log).is_ok());
    let dropped = [&log[..1], &log[2..]].concat();
    assert_eq!(owner.replay(None, &dropped).err(), Some(ChainError::Displaced(1)));
    let repeated = [&log[..2], &log[1..]].concat();
    assert_eq!(owner.replay(None, &repeated).err(), Some(ChainError::Displaced(2)));
    let mut reordered = log.clone();
    reordered.swap(1, 2);
    assert_eq!(owner.replay(None, &reordered).err(), Some(ChainError::Displaced(1)));
    let mut spliced = log;
    spliced[1] = vec![0; 512];
    assert_eq!(owner.replay(None, &spliced).err(), Some(ChainError::Displaced(2)));
}

#[test]
fn a_head_that_the_entries_do_not_lead_to_is_an_error() {
    let owner = Owner::new();
    let log = owner.log(vec![put("a", 1)]);
    let finish = |claimed: &LogHead| {
        let mut replay = Replay::new(owner.keys(), None);
        for entry in &log {
            replay.advance(entry).unwrap();
        }
        replay.finish(claimed).map(|_| ())
    };
    let head = relay_head(&owner.keys(), &log);
    assert_eq!(finish(&head), Ok(()));
    for wrong in [LogHead { count: 3, ..head }, LogHead { hash: [0; 32], ..head }] {
        assert_eq!(finish(&wrong), Err(ChainError::WrongHead));
    }
}

#[test]
fn m28_an_older_or_other_history_than_remembered_is_a_rollback() {
    let owner = Owner::new();
    let mut log = owner.log(vec![put("a", 1)]);
    let old = log.clone();
    owner.append(&mut log, vec![remove("a")]);
    let seen = relay_head(&owner.keys(), &log);
    assert!(owner.replay(Some(seen), &log).is_ok());
    assert!(owner.replay(None, &old).is_ok(), "without memory the lie is believed");
    let rolled_back = owner.replay(Some(seen), &old).err();
    assert_eq!(rolled_back, Some(ChainError::Rollback { seen: 3, given: 2 }));
    // M36: another continuation that the owner's own key once wrote, in which the file is still there.
    let mut fork = old;
    owner.append(&mut fork, vec![put("b", 2)]);
    let forked = owner.replay(Some(seen), &fork).err();
    assert_eq!(forked, Some(ChainError::Rollback { seen: 3, given: 3 }));
}

#[test]
fn m36_a_removed_file_stays_removed() {
    let owner = Owner::new();
    let mut log = owner.log(vec![put("a", 1)]);
    let entry = log[1].clone();
    owner.append(&mut log, vec![remove("a")]);
    assert!(owner.replay(None, &log).is_ok());
    log.push(entry);
    assert_eq!(owner.replay(None, &log).err(), Some(ChainError::Displaced(3)));
}

/// What two commands of one device were shown at once: each is right by itself.
#[test]
fn m29_a_log_knows_whether_another_head_lies_on_its_way() {
    let owner = Owner::new();
    let common = owner.log(vec![put("a", 1)]);
    let [mut ours, mut theirs] = [common.clone(), common.clone()];
    owner.append(&mut ours, vec![put("ours", 2), put("more", 3)]);
    owner.append(&mut theirs, vec![put("theirs", 2), put("more", 3)]);
    let head = |log: &[Vec<u8>]| relay_head(&owner.keys(), log);
    for (remembered, first) in [(None, 0), (Some(head(&[])), 0), (Some(head(&common)), 2)] {
        let log = owner.replay(remembered, &ours).unwrap();
        for length in first..=ours.len() {
            assert_eq!(log.has_passed(&head(&ours[..length])), Ok(true), "{length}");
        }
        for length in 3..=4 {
            let other = ChainError::Rollback { seen: length as u64, given: 4 };
            assert_eq!(log.has_passed(&head(&theirs[..length])), Err(other));
        }
    }

    // Of what lies before its first head only what led there tells.
    let mut log = owner.replay(Some(head(&ours)), &ours).unwrap();
    for (seen, leads_here) in [(&ours[..0], true), (&ours[..3], true), (&theirs[..3], false)] {
        let (mut log, seen) = (log.clone(), head(seen));
        assert_eq!(log.has_passed(&seen), Ok(false));
        let mut lead = log.lead_from(&seen).unwrap();
        while let Some(next) = lead.next() {
            lead.advance(&ours[usize::try_from(next).unwrap()]);
        }
        match log.take_lead(lead) {
            Ok(()) => {
                assert!(leads_here && log.has_passed(&seen) == Ok(true) && log.lead_from(&seen).is_none());
            }
            Err(error) => {
                assert_eq!((error, leads_here), (ChainError::Rollback { seen: 3, given: 4 }, false));
            }
        }
    }
    let unread = log.lead_from(&head(&ours[..3])).unwrap();
    assert!(log.take_lead(unread).is_err(), "nothing was read");

    // Of what lies ahead only reading on tells.
    let shorter = owner.replay(None, &ours[..3]).unwrap();
    for (seen, leads_there) in [(head(&ours), true), (head(&theirs), false)] {
        assert_eq!(shorter.has_passed(&seen), Ok(false));
        let mut replay = shorter.clone().resume_towards(seen);
        let advanced = replay.advance(&ours[3]);
        assert_eq!(advanced.is_ok(), leads_there, "{advanced:?}");
        let stays = shorter.clone().resume_towards(seen).finish(shorter.head());
        assert_eq!(stays.err(), Some(ChainError::Rollback { seen: 4, given: 3 }));
    }
}

/// Without the entry that made it no log is a space's: neither another owner's, nor bytes of the right size.
#[test]
fn m34_m52_a_log_that_begins_otherwise_is_an_error() {
    let (owner, other) = (Owner::new(), Owner::new());
    assert_ne!(owner.keys().space(), other.keys().space());
    let log = owner.log(vec![put("a", 1)]);
    assert_eq!(listed(&owner.replay(None, &log).unwrap()), ["a"]);
    assert_eq!(other.replay(None, &log).err(), Some(ChainError::NoBeginning));
    assert_eq!(owner.replay(None, &log[1..]).err(), Some(ChainError::Displaced(0)));
    let stray_first = [&[vec![0x5a; 512]], &log[..]].concat();
    assert_eq!(owner.replay(None, &stray_first).err(), Some(ChainError::NoBeginning));
}

#[test]
fn what_is_sealed_changes_nothing_until_it_is_taken() {
    let owner = Owner::new();
    let mut log = owner.replay(None, &owner.log(vec![put("a", 1), put("b", 2)])).unwrap();
    let before = (listed(&log), *log.head());
    let refused = log.seal_next(vec![remove("a"), put("c", 3), remove("missing")], &mut rand::rng());
    assert!(refused.is_err());
    assert_eq!((listed(&log), *log.head()), before, "also after half of it was tried out");
    let next = log.seal_next(vec![remove("a"), put("c", 3)], &mut rand::rng()).unwrap();
    assert_eq!((listed(&log), *log.head()), before);
    let after = log.head_after(&next);
    log.take(&next).unwrap();
    assert_eq!((listed(&log), *log.head()), (vec!["b".to_owned(), "c".to_owned()], after));
    assert_eq!(log.reports().1, 0, "each was written upon the state that the one before it left");
}

#[test]
fn two_thousand_files_in_fifty_folders_replay() {
    let owner = Owner::new();
    let operations: Vec<Operation> =
        (0..2_000).map(|n| put(&format!("folder {}/file {n}", n % 50), 1)).collect();
    let log = owner.log(operations);
    let replay = owner.replay(None, &log).unwrap();
    assert_eq!(replay.state().files().count(), 2_000);
}

#[test]
fn a_flood_of_strays_is_counted_and_not_kept() {
    let owner = Owner::new();
    let mut log = owner.log(vec![put("a", 1)]);
    log.extend((0..5_000).map(|_| vec![0x5a; 512]));
    let replay = owner.replay(None, &log).unwrap();
    let (kept, count) = replay.reports();
    assert_eq!((kept.len(), count, listed(&replay).len()), (8, 5_000, 1));
}

#[test]
fn reading_on_must_lead_past_what_was_read() {
    let owner = Owner::new();
    let mut log = owner.log(vec![put("a", 1)]);
    let first = owner.replay(None, &log).unwrap();
    let known = log.len();
    owner.append(&mut log, vec![put("b", 2)]);
    let mut on = first.resume();
    on.advance(&log[known]).unwrap();
    let all = on.finish(&relay_head(&owner.keys(), &log)).unwrap();
    assert_eq!(listed(&all), ["a", "b"]);
    let set_back = all.resume().finish(&relay_head(&owner.keys(), &log[..known]));
    assert_eq!(set_back.err(), Some(ChainError::Rollback { seen: 3, given: 2 }));
}
