//! The real store, asked.

use super::{
    Answer, LIMITS,
    asked::{Asked, Expected, Paying, Reading, Shape},
    names::{
        DECOY, FIRST_DAY, Role, account_id, blob_id, chunk, credit_of, hash, log_entries, manifest,
        registration, shown, space_id, ticket_envelope, ticket_id, token,
    },
};
use crate::Fixed;
use nightdrop_store::{
    BodyDigest, Day, NewSession, Payment, Queued, Registration, Store, StoreError, StoreLimits, session_id,
};
use nightdrop_wire::{
    authorization::Authorization,
    codec,
    denomination::{Assortment, UNIT},
    messages::{
        blob::{CreateBlob, ExtendLease, FinishBlob, GrowBlob, WholeBlob},
        credit::Credit,
        log::{Append, CreateLog, GrowLog, LogHead, LogPage},
        ticket::{CreateTicket, TicketLimits},
    },
    season,
};
use serde::Serialize;
use serde_bytes::ByteBuf;
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, num::NonZeroU16};
use tempfile::TempDir;
use tokio::runtime::Runtime;

pub(super) struct Stored {
    directory: TempDir,
    /// `None` only while it is opened again.
    store: Option<Store>,
    runtime: Runtime,
    today: Day,
    rng: Fixed,
    /// What an uploader remembers: how many chunks a blob has, and which it put last.
    uploads: BTreeMap<u8, (u32, BTreeMap<u32, Vec<u8>>)>,
}

impl Stored {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut stored = Self {
            directory,
            store: None,
            runtime,
            today: FIRST_DAY,
            rng: Fixed::new(0),
            uploads: BTreeMap::new(),
        };
        stored.open();
        let identity = stored.store().create_identity(b"set-up", &DECOY, &mut stored.rng.clone());
        stored.runtime.block_on(identity).unwrap();
        stored
    }

    fn open(&mut self) {
        self.store = None;
        let limits = StoreLimits {
            sessions_per_account: LIMITS.sessions_per_account,
            quota_bytes: LIMITS.quota_units * UNIT,
            log_entries: LIMITS.log_entries,
            claims_per_blob: LIMITS.claims_per_blob,
            ..StoreLimits::default()
        };
        self.store = Some(Store::open(&self.directory.path().join("store"), limits).unwrap());
    }

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    fn wait(&self, queued: Queued<()>) -> Answer {
        self.runtime.block_on(queued).map_or_else(refusal, |()| Answer::Done)
    }

    fn wait_for_day(&self, queued: Queued<Day>) -> Answer {
        self.runtime.block_on(queued).map_or_else(refusal, |until| Answer::Until(until.0))
    }

    pub(super) fn answer(&mut self, asked: &Asked) -> Answer {
        match *asked {
            Asked::NextDay => {
                self.today = self.today.plus(1);
                Answer::Done
            }
            Asked::NextSeason => {
                self.today = self.today.plus(season::DAYS);
                Answer::Done
            }
            Asked::Reopen => {
                self.open();
                Answer::Done
            }
            Asked::Invite { .. }
            | Asked::CheckInvitation { .. }
            | Asked::Register { .. }
            | Asked::OpenAccount { .. }
            | Asked::LoginRecord { .. }
            | Asked::StartSession { .. }
            | Asked::Authenticate { .. }
            | Asked::EndSession { .. }
            | Asked::DrawCredits { .. } => self.account_plane(asked),
            Asked::CreateLog { .. }
            | Asked::GrowLog { .. }
            | Asked::Append { .. }
            | Asked::ReadLog { .. } => self.logs(asked),
            _ => self.blobs(asked),
        }
    }

    fn account_plane(&mut self, asked: &Asked) -> Answer {
        let today = self.today;
        match *asked {
            Asked::Invite { invitation, days } => {
                self.wait(self.store().issue_invitation(hash(Role::Invitation, invitation), today.plus(days)))
            }
            Asked::CheckInvitation { invitation } => {
                let checked = self.store().check_invitation(&hash(Role::Invitation, invitation), today);
                checked.map_or_else(refusal, |()| Answer::Done)
            }
            Asked::Register { account, invitation, variant } => {
                let message = registration(account, invitation, variant);
                let invitation = hash(Role::Invitation, invitation);
                let registration = Registration { invitation, message: &message, body: digest(&message) };
                let mut rng = self.rng();
                self.wait(self.store().register(&registration, today, &mut rng))
            }
            Asked::OpenAccount { account } => {
                let account_id = account_id(account);
                let held = self.store().login_record(account_id).unwrap().version;
                let opened = self.store().account_envelopes(account_id, &held);
                opened.map_or_else(refusal, |envelopes| {
                    assert_eq!(
                        (envelopes.keyring.version, envelopes.keyring.envelope),
                        (1, vec![account; 300])
                    );
                    Answer::Bytes(envelopes.master_key)
                })
            }
            Asked::LoginRecord { account } => {
                let record = self.store().login_record(account_id(account));
                record.map_or_else(refusal, |record| Answer::Bytes(record.record.to_vec()))
            }
            Asked::StartSession { account, session, days } => {
                let (account, session) = (account_id(account), hash(Role::Session, session));
                let proved_by = self.store().login_record(account).unwrap().version;
                let expires = today.plus(days);
                let new = NewSession { account, session, began: today, expires, proved_by };
                self.wait(self.store().create_session(new))
            }
            Asked::Authenticate { session } => {
                let owner = self.store().authenticate(&hash(Role::Session, session), today);
                owner.map_or_else(refusal, |account| Answer::Account(account.as_bytes()[0]))
            }
            Asked::EndSession { session } => {
                let session = hash(Role::Session, session);
                self.wait(self.store().end_session(session, today, session_id(&session)))
            }
            Asked::DrawCredits { session, request, wanted } => {
                let [smallest, small] = wanted;
                let body = BodyDigest::of(&[request, smallest, small]);
                let (session, wanted) =
                    (hash(Role::Session, session), Assortment([smallest.into(), small.into(), 0, 0]));
                let drawn = self.store().draw_credits(session, wanted, body, today);
                let drawn = self.runtime.block_on(drawn);
                drawn.map_or_else(refusal, |Assortment([smallest, small, ..])| {
                    Answer::Drawn([smallest, small])
                })
            }
            _ => unreachable!("not of the account plane"),
        }
    }

    fn blobs(&mut self, asked: &Asked) -> Answer {
        let mut rng = self.rng();
        match *asked {
            Asked::CreateBlob { blob, paying, shape } => self.create_blob(blob, paying, shape),
            Asked::GrowBlob { blob, shown: which, chunks, paying } => {
                let key = shown(which, Role::Write, Role::Read, blob);
                let message = GrowBlob { chunks, payment: credits(paying) };
                let (payment, body) = (Payment::of_verified(&message.payment), digest(&message));
                let (store, today) = (self.store(), self.today);
                self.wait(store.grow_blob(blob_id(blob), &key, &message, payment, body, today))
            }
            Asked::ExtendLease { blob, shown: which, paying } => {
                let key = shown(which, Role::Write, Role::Read, blob);
                let message = ExtendLease { payment: credits(paying) };
                let (payment, body) = (Payment::of_verified(&message.payment), digest(&message));
                let extended = self.store().extend_lease(blob_id(blob), &key, payment, body, self.today);
                self.wait_for_day(extended)
            }
            Asked::PutChunk { blob, n, shown: which, contents, right_size } => {
                let chunk = chunk(self.chunks_of(blob), contents, right_size);
                let key = shown(which, Role::Write, Role::Read, blob);
                let put = self.store().put_chunk(
                    blob_id(blob),
                    n,
                    &key,
                    chunk.as_slice().into(),
                    self.today,
                    &mut rng,
                );
                let answer = self.wait(put);
                if answer == Answer::Done {
                    self.uploads.entry(blob).or_default().1.insert(n, chunk);
                }
                answer
            }
            Asked::FinishBlob { blob, shown: which, right_digest, manifest: body } => {
                let key = shown(which, Role::Write, Role::Read, blob);
                let chunks_digest = if right_digest { self.digest_of_chunks(blob) } else { [0; 32] };
                let message = FinishBlob { chunks_digest, manifest: manifest(body) };
                let finished = self.store().finish_blob(blob_id(blob), &key, &message, self.today, &mut rng);
                self.wait_for_day(finished)
            }
            Asked::HeldChunks { blob, shown: which, from } => {
                let key = shown(which, Role::Write, Role::Read, blob);
                let held = self.store().held_chunks(blob_id(blob), &key, from, self.today);
                held.map_or_else(refusal, |held| {
                    Answer::Held(held.chunks.into_iter().map(|chunk| (chunk.index, chunk.hash)).collect())
                })
            }
            Asked::ReadChunk { blob, n, reading } => {
                let (shown, now) = (authorization(blob, reading), self.today.begins());
                let chunk = self.store().read_chunk(blob_id(blob), n, &shown, now);
                chunk.map_or_else(refusal, |bytes| Answer::Bytes(bytes.to_vec()))
            }
            Asked::ReadManifest { blob, reading } => {
                let (shown, now) = (authorization(blob, reading), self.today.begins());
                let manifest = self.store().read_manifest(blob_id(blob), &shown, now);
                manifest.map_or_else(refusal, |bytes| Answer::Bytes(bytes.to_vec()))
            }
            Asked::DestroyBlob { blob, shown: which } => {
                let key = shown(which, Role::Write, Role::Read, blob);
                let destroyed = self.store().destroy_blob(blob_id(blob), &key, self.today);
                self.runtime.block_on(destroyed).map_or_else(refusal, Answer::Units)
            }
            Asked::Refund { blob, shown: which, order, units } => {
                let key = shown(which, Role::Write, Role::Read, blob);
                let (wanted, body) = (Assortment([units.into(), 0, 0, 0]), BodyDigest::of(&[order, units]));
                self.wait(self.store().refund(blob_id(blob), &key, wanted, body, self.today))
            }
            Asked::CreateTicket { ticket, blob, shown: which, terms } => {
                let message = CreateTicket {
                    ticket: ticket_id(ticket),
                    token: hash(Role::Ticket, ticket),
                    blob: blob_id(blob),
                    limits: TicketLimits {
                        ends: terms.ends.map(|day| Day(day).begins()),
                        downloads: NonZeroU16::new(terms.downloads.into()),
                    },
                    envelope: ticket_envelope(terms.variant),
                };
                let key = shown(which, Role::Write, Role::Read, blob);
                let (body, today) = (digest(&message), self.today);
                self.wait(self.store().create_ticket(&message, body, &key, today, &mut rng))
            }
            Asked::ReadTicket { ticket, shown: which } => {
                let token = shown(which, Role::Ticket, Role::Write, ticket);
                let envelope = self.store().read_ticket(ticket_id(ticket), &token, self.today.begins());
                envelope.map_or_else(refusal, |bytes| Answer::Bytes(bytes.to_vec()))
            }
            Asked::TakeClaim { ticket, shown: which, claim } => {
                let token = shown(which, Role::Ticket, Role::Write, ticket);
                let (claim, now) = (hash(Role::Claim, claim), self.today.begins());
                let taken = self.store().take_claim(ticket_id(ticket), &token, claim, now);
                let envelope = self.runtime.block_on(taken);
                envelope.map_or_else(refusal, |bytes| Answer::Bytes(bytes.to_vec()))
            }
            Asked::EndTicket { ticket, blob, shown: which } => {
                let key = shown(which, Role::Write, Role::Read, blob);
                self.wait(self.store().end_ticket(ticket_id(ticket), &key))
            }
            _ => unreachable!("not of blobs"),
        }
    }

    fn create_blob(&mut self, blob: u8, paying: Paying, shape: Shape) -> Answer {
        let whole = |contents, right_size| {
            Some(WholeBlob { chunk: chunk(1, contents, right_size), manifest: manifest(0) })
        };
        let (chunks, whole) = match shape {
            Shape::Open(chunks) => (chunks, None),
            Shape::Whole(contents) => (1, whole(contents, true)),
            Shape::WholeOfNoClass => (1, whole(0, false)),
            Shape::WholeOfTwo => (2, whole(0, true)),
        };
        let message = CreateBlob {
            blob: blob_id(blob),
            payment: credits(paying),
            read_token: hash(Role::Read, blob),
            write_key: hash(Role::Write, blob),
            chunks,
            whole,
        };
        let mut rng = self.rng();
        let payment = Payment::of_verified(&message.payment);
        let made = self.store().create_blob(&message, payment, digest(&message), self.today, &mut rng);
        let answer = self.wait_for_day(made);
        if matches!(answer, Answer::Until(_)) && !self.uploads.contains_key(&blob) {
            let held = message.whole.map(|whole| (0, whole.chunk)).into_iter().collect();
            self.uploads.insert(blob, (chunks, held));
        }
        answer
    }

    fn logs(&mut self, asked: &Asked) -> Answer {
        let mut rng = self.rng();
        match *asked {
            Asked::CreateLog { log, paying, paid, entries, contents } => {
                let message = CreateLog {
                    space: space_id(log),
                    payment: credits(paying),
                    paid,
                    read_token: hash(Role::LogRead, log),
                    append_token: hash(Role::LogAppend, log),
                    entries: bytes(log_entries(entries, contents)),
                };
                let payment = Payment::of_verified(&message.payment);
                self.wait(self.store().create_log(&message, payment, digest(&message), self.today, &mut rng))
            }
            Asked::GrowLog { log, shown: which, held, paid, paying } => {
                let message = GrowLog { held, paid, payment: credits(paying) };
                let token = shown(which, Role::LogAppend, Role::LogRead, log);
                let (payment, body) = (Payment::of_verified(&message.payment), digest(&message));
                let grown = self.store().grow_log(space_id(log), &token, &message, payment, body, self.today);
                self.wait(grown)
            }
            Asked::Append { log, shown: which, expected, entries, contents } => {
                let message = Append {
                    expected: self.expected(log, expected),
                    entries: bytes(log_entries(entries, contents)),
                };
                let token = shown(which, Role::LogAppend, Role::LogRead, log);
                self.wait(self.store().append(space_id(log), &token, &message, &mut rng))
            }
            Asked::ReadLog { log, shown: which, from } => {
                let token = shown(which, Role::LogRead, Role::LogAppend, log);
                self.store().read_log(space_id(log), &token, from).map_or_else(refusal, |page| {
                    let LogPage { head, room, entries } = page;
                    let entries = entries.into_iter().map(ByteBuf::into_vec).collect();
                    Answer::Page(entries, head.count, head.hash, (room.paid, room.taken))
                })
            }
            _ => unreachable!("not of logs"),
        }
    }

    /// The head that an appender names, from what it reads.
    fn expected(&self, log: u8, expected: Expected) -> LogHead {
        let page = self.store().read_log(space_id(log), &token(Role::LogRead, log), 0);
        let Ok(LogPage { head, entries, .. }) = page else { return LogHead::before_first(space_id(log)) };
        match expected {
            Expected::Here => head,
            Expected::OtherHash => LogHead { hash: [7; 32], ..head },
            Expected::Beyond => LogHead { count: u64::from(u32::MAX), ..head },
            Expected::Before(back) => {
                let count = head.count.saturating_sub(back);
                let read = entries.iter().take(usize::try_from(count).unwrap());
                read.fold(LogHead::before_first(space_id(log)), |head, entry| {
                    let hash = Sha256::new().chain_update(head.hash).chain_update(entry).finalize();
                    LogHead { count: head.count + 1, hash: hash.into() }
                })
            }
        }
    }

    fn chunks_of(&self, blob: u8) -> u32 {
        self.uploads.get(&blob).map_or(1, |(chunks, _)| *chunks)
    }

    fn digest_of_chunks(&self, blob: u8) -> [u8; 32] {
        let held = self.uploads.get(&blob).map(|(_, held)| held.values()).into_iter().flatten();
        let hashes: Vec<u8> = held.flat_map(Sha256::digest).collect();
        Sha256::digest(hashes).into()
    }

    /// Randomness for one operation.
    fn rng(&mut self) -> Fixed {
        let _: [u8; 32] = self.rng.bytes();
        let number = u32::from_be_bytes(self.rng.bytes());
        Fixed::new(number)
    }
}

fn authorization(blob: u8, reading: Reading) -> Authorization {
    match reading {
        Reading::Token(which) => Authorization::Bearer(shown(which, Role::Read, Role::Write, blob)),
        Reading::Ticket(ticket, which) => {
            Authorization::Ticket(ticket_id(ticket), shown(which, Role::Ticket, Role::Write, ticket))
        }
        Reading::Claim(ticket, which, claim) => {
            let right = shown(which, Role::Ticket, Role::Write, ticket);
            Authorization::Claim(ticket_id(ticket), right, token(Role::Claim, claim))
        }
    }
}

fn digest(message: &impl Serialize) -> BodyDigest {
    BodyDigest::of(&codec::encode(message).unwrap())
}

fn credits(paying: Paying) -> Vec<Credit> {
    paying.credits().into_iter().map(credit_of).collect()
}

fn bytes(entries: Vec<Vec<u8>>) -> Vec<ByteBuf> {
    entries.into_iter().map(ByteBuf::from).collect()
}

fn refusal(error: StoreError) -> Answer {
    match error {
        StoreError::Refused => Answer::Refused,
        StoreError::Conflict => Answer::Conflict,
        StoreError::Unpaid => Answer::Unpaid,
        StoreError::QuotaReached => Answer::QuotaReached,
        other => unreachable!("{other}"),
    }
}
