//! A run of the store on a recording disk, with everything that it holds after each step.

use super::record::{Event, RecordingDisk};
use crate::{
    AccountChange, Day, Payment, Room, Store, StoreError, StoreLimits,
    common::{
        Fixture, NOW, TODAY, TestBlob, TestLog, credit_worth, entries, random_bytes, random_token,
        registration,
    },
    digest::{BodyDigest, sha256, token_hash},
    open::open_with,
    row::{FixedKey, Row, name_of},
    schema::{DoomedRow, Table, for_each_table},
};
use nightdrop_wire::{
    codec,
    denomination::{Assortment, Denomination},
    ids::{AccountId, ChangeId},
    messages::{
        account::{ChangeFinish, Keyring, RecoveryChange},
        blob::GrowBlob,
        credit::Credit,
        log::{CreateLog, GrowLog},
        ticket::{CreateTicket, TicketLimits},
    },
    season,
    size_class::SizeClass,
};
use redb::{ReadTransaction, ReadableTable, Value};
use std::{
    collections::BTreeMap,
    num::NonZeroU16,
    path::Path,
    time::{Duration, Instant},
};

/// A table's name and a key in it.
pub(super) type Key = (&'static str, Vec<u8>);
/// Everything in a store.
pub(super) type Contents = BTreeMap<Key, Vec<u8>>;

/// What belongs together within a step.
pub(super) enum Parts {
    /// All that it changes is one operation.
    One,
    /// Several operations at once: each changes the entries in whose key one of its names stands.
    Named(Vec<Vec<Vec<u8>>>),
    /// As many operations as there are entries.
    Each,
}

/// One step of the run.
pub(super) struct Step {
    /// What it does.
    pub(super) name: &'static str,
    /// What of it happens wholly or not at all.
    pub(super) parts: Parts,
}

/// A run that is over.
pub(super) struct Story {
    /// The disk as the run found it.
    pub(super) base: Vec<u8>,
    /// What happened on it.
    pub(super) events: Vec<Event>,
    /// What was done.
    pub(super) steps: Vec<Step>,
    /// What the store held before the first step, and after each.
    pub(super) contents: Vec<Contents>,
}

/// Opens a store on a disk.
pub(super) fn open(disk: &RecordingDisk) -> Result<Store, crate::OpenError> {
    let disk = disk.clone();
    // One chunk at a time, so that what is doomed takes several commits.
    let limits = StoreLimits { removal_chunks: 1, ..StoreLimits::default() };
    let room = Box::new(|| Ok(Room { free: u64::MAX, file: 0 }));
    open_with(Path::new("disk"), limits, room, |builder| builder.create_with_backend(disk))
}

/// Everything that a store holds when all that is doomed is removed.
pub(super) fn contents(store: &Store) -> Contents {
    let begun = Instant::now();
    loop {
        let contents = contents_of_this_moment(store);
        if !contents.keys().any(|(table, _)| *table == name_of(&DoomedRow::TABLE)) {
            return contents;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "the removal does not end");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn contents_of_this_moment(store: &Store) -> Contents {
    let snapshot = store.snapshot().unwrap();
    let mut contents = Contents::new();
    macro_rules! add {
        ($table:expr) => {
            add_table(&mut contents, snapshot.transaction(), &$table)
        };
    }
    for_each_table!(add);
    contents
}

fn add_table<K: FixedKey>(contents: &mut Contents, transaction: &ReadTransaction, table: &Table<K>) {
    for entry in transaction.open_table(table.definition()).unwrap().iter().unwrap() {
        let (key, value) = entry.unwrap();
        let key = <K as Value>::as_bytes(&key.value()).as_ref().to_vec();
        contents.insert((name_of(table), key), value.value().to_vec());
    }
}

struct Teller {
    disk: RecordingDisk,
    fixture: Fixture,
    steps: Vec<Step>,
    contents: Vec<Contents>,
}

impl Teller {
    fn step(&mut self, name: &'static str, run: impl FnOnce(&Fixture) -> Result<(), StoreError>) {
        self.steps_of(name, Parts::One, |fixture| {
            run(fixture).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        });
    }

    fn steps_of(&mut self, name: &'static str, parts: Parts, run: impl FnOnce(&Fixture)) {
        self.disk.mark(Event::Begun);
        run(&self.fixture);
        self.disk.mark(Event::Acknowledged);
        self.steps.push(Step { name, parts });
        self.contents.push(contents(self.fixture.store()));
    }

    /// Six blobs at once, which share commits.
    fn blobs_at_once(&mut self, credits: &[Credit]) {
        let blobs: Vec<_> = credits.iter().map(|credit| (TestBlob::new(1), credit.clone())).collect();
        let names = blobs
            .iter()
            .map(|(blob, credit)| vec![blob.id.as_bytes().to_vec(), sha256(&[credit.nonce()]).to_vec()]);
        self.steps_of("blobs at once", Parts::Named(names.collect()), |fixture| {
            let tasks: Vec<_> = blobs
                .iter()
                .map(|(blob, credit)| {
                    let message = blob.create_whole(credit.clone(), SizeClass::SMALLEST);
                    let body = BodyDigest::of(&codec::encode(&message).unwrap());
                    fixture.runtime.spawn(fixture.store().create_blob(
                        &message,
                        Payment::of_verified(&message.payment),
                        body,
                        TODAY,
                        &mut rand::rng(),
                    ))
                })
                .collect();
            tasks.into_iter().for_each(|task| fixture.wait(task).unwrap().map(drop).unwrap());
        });
    }

    fn close_and_open(&mut self) {
        let disk = self.disk.clone();
        self.disk.mark(Event::Begun);
        self.fixture.close();
        self.fixture.store = Some(open(&disk).unwrap());
        self.disk.mark(Event::Acknowledged);
        self.steps.push(Step { name: "close and open", parts: Parts::One });
        self.contents.push(contents(self.fixture.store()));
    }
}

fn invite(fixture: &Fixture, name: u8, expires: Day) -> Result<(), StoreError> {
    let invitation = token_hash(&registration(name).invitation);
    fixture.wait(fixture.store().issue_invitation(invitation, expires))
}

/// Accounts, credits, blobs small and long, tickets, logs, ends, closing and opening.
pub(super) fn tell() -> Story {
    let disk = RecordingDisk::default();
    // What is not complete is never put in place (`open`): the story begins on a complete store.
    drop(open(&disk).unwrap());
    let base = disk.bytes();
    let disk = RecordingDisk::holding(base.clone());
    let mut fixture = Fixture::new();
    fixture.close();
    fixture.store = Some(open(&disk).unwrap());
    let first = contents(fixture.store());
    let mut teller = Teller { disk, fixture, steps: Vec::new(), contents: vec![first] };
    tell_accounts(&mut teller);
    let session = random_token();
    let account = registration(1).account;
    teller.step("session", |fixture| fixture.open_session(account, &session));
    teller.step("credits", |fixture| fixture.draw(&session, 12, TODAY).map(drop));
    let credits = teller.fixture.credits(12);
    tell_blobs(&mut teller, &credits[..4]);
    teller.close_and_open();
    tell_log(&mut teller, &credits[4]);
    teller.blobs_at_once(&credits[5..11]);
    teller.step("end of all sessions", |fixture| {
        fixture.wait(fixture.store().end_sessions(token_hash(&session), TODAY))
    });
    teller.steps_of("sweep", Parts::Each, |fixture| {
        let cleared = fixture.wait(fixture.store().sweep(TODAY.plus(100))).unwrap();
        assert!(cleared >= 5, "{cleared}");
    });
    tell_changes(&mut teller, account);
    let Teller { disk, mut fixture, steps, contents } = teller;
    fixture.close();
    Story { base, events: disk.events(), steps, contents }
}

/// What opens an account changes, and the account goes.
fn tell_changes(teller: &mut Teller, account: AccountId) {
    let message = ChangeFinish {
        change: ChangeId::from_bytes([7; 16]),
        upload: [7; 192],
        master_key: vec![7; 115],
        recovery: RecoveryChange::Remove,
        keyring: Some(Keyring { version: 2, envelope: vec![7; 300] }),
    };
    teller.step("change", |fixture| {
        let begun_with = fixture.store().login_record(account)?.version;
        let change =
            AccountChange { account, begun_with, message: &message, body: BodyDigest::of(b"change") };
        fixture.wait(fixture.store().change_account(&change, &mut rand::rng()))
    });
    teller.step("removal", |fixture| fixture.wait(fixture.store().remove_account(account, None)));
}

fn tell_accounts(teller: &mut Teller) {
    teller.step("identity", |fixture| {
        fixture.wait(fixture.store().create_identity(b"set-up", &[9; 192], &mut rand::rng()))
    });
    for name in [1, 2] {
        teller.step("invitation", |fixture| invite(fixture, name, TODAY));
    }
    teller.step("registration", |fixture| fixture.register(&registration(1), TODAY));
    teller.step("registration with a taken id", |fixture| {
        let taken = nightdrop_wire::messages::account::RegisterFinish {
            account: registration(1).account,
            ..registration(2)
        };
        assert!(matches!(fixture.register(&taken, TODAY), Err(StoreError::Refused)));
        Ok(())
    });
}

fn tell_blobs(teller: &mut Teller, credits: &[Credit]) {
    let (whole, mut small, long) = (TestBlob::new(1), TestBlob::new(1), TestBlob::new(3));
    teller.step("whole blob", |fixture| {
        fixture.create(&whole.create_whole(credits[0].clone(), SizeClass::SMALLEST))
    });
    teller.step("open blob", |fixture| fixture.create(&small.create(credits[1].clone())));
    teller.step("chunk", |fixture| fixture.put(&small, 0, &small.chunks[0]));
    small.chunks[0] = random_bytes(SizeClass::SMALLEST.sealed());
    teller.step("chunk replaced", |fixture| fixture.put(&small, 0, &small.chunks[0]));
    teller.step("finished blob", |fixture| fixture.finish(&small, &small.finish()));
    let (ticket, _) = small.ticket();
    for message in [&ticket, &small.ticket().0] {
        teller.step("ticket", |fixture| fixture.ticket(message, &small.write_key));
    }
    // Of one the blob goes before the claim, of the other both stay until they are swept.
    for blob in [&small, &whole] {
        let (counted, token) = blob.ticket();
        let limits = TicketLimits { ends: None, downloads: NonZeroU16::new(1) };
        let counted = CreateTicket { limits, ..counted };
        teller.step("ticket that counts", |fixture| fixture.ticket(&counted, &blob.write_key));
        teller.step("claim", |fixture| {
            let claim = token_hash(&random_token());
            fixture.wait(fixture.store().take_claim(counted.ticket, &token, claim, NOW)).map(drop)
        });
    }
    let unfinished = TestBlob::new(2);
    teller.step("blob that is never finished", |fixture| {
        fixture.create(&unfinished.create(credits[3].clone()))
    });
    teller.step("its chunk", |fixture| fixture.put(&unfinished, 1, &unfinished.chunks[1]));
    teller.step("long blob", |fixture| fixture.create(&long.create(credits[2].clone())));
    for (n, chunk) in (0..).zip(&long.chunks) {
        teller.step("long chunk", |fixture| fixture.put(&long, n, chunk));
    }
    // Two credits at once, and what they pay for, or neither.
    let payment = vec![credit_worth(Denomination::Large, TODAY), credit_worth(Denomination::Smallest, TODAY)];
    let grow = GrowBlob { chunks: 272, payment };
    teller.step("growth", |fixture| fixture.grow(&long, &grow));
    teller.step("finished long blob", |fixture| fixture.finish(&long, &long.finish()));
    // Again several at once: what three chunks and a small manifest cost.
    let later = TODAY.plus(2 * season::DAYS);
    let worth = [Denomination::Small, Denomination::Small, Denomination::Small, Denomination::Smallest];
    let payment = worth.map(|denomination| credit_worth(denomination, later));
    let payment = Payment::of_verified(&payment);
    teller.step("longer lease", |fixture| {
        let (body, today) = (BodyDigest::of(b"lease"), TODAY.plus(season::DAYS));
        let extended = fixture.store().extend_lease(long.id, &long.write_key, payment, body, today);
        fixture.wait(extended).map(drop)
    });
    teller.step("end of a ticket", |fixture| {
        fixture.wait(fixture.store().end_ticket(ticket.ticket, &small.write_key))
    });
    for blob in [&small, &long] {
        teller.step("destroyed blob", |fixture| {
            fixture.wait(fixture.store().destroy_blob(blob.id, &blob.write_key, TODAY)).map(drop)
        });
        teller.step("refund", |fixture| {
            let (wanted, order) = (Assortment([15, 0, 0, 0]), BodyDigest::of(b"order"));
            fixture.wait(fixture.store().refund(blob.id, &blob.write_key, wanted, order, TODAY))
        });
    }
}

fn tell_log(teller: &mut Teller, credit: &Credit) {
    let mut log = TestLog::new();
    teller.step("log", |fixture| fixture.create_log(&log.create(credit.clone())));
    for count in [3, 40] {
        let append = log.append(entries(count, 512));
        teller.step("append", |fixture| fixture.append(&log, &append));
    }
    let mut short = TestLog::new();
    let one = vec![credit_worth(Denomination::Smallest, TODAY)];
    teller.step("log of one unit", |fixture| {
        fixture.create_log(&CreateLog { payment: one, ..short.create(credit.clone()) })
    });
    // Two credits at once, and the room that they pay for, or neither.
    let payment = vec![credit_worth(Denomination::Small, TODAY), credit_worth(Denomination::Smallest, TODAY)];
    let grow = GrowLog { held: 1, paid: 18, payment };
    teller.step("growth of a log", |fixture| fixture.grow_log(&short, &grow));
    let append = short.append(entries(60, 512));
    teller.step("append that needs it", |fixture| fixture.append(&short, &append));
}
