//! The model: what the protocol page says, over maps in memory. It knows nothing of transactions, seals or files.

use super::{
    Answer, LIMITS,
    asked::{Asked, Expected, Paying, Reading, Shape, Shown},
    names::{
        DECOY, FIRST_DAY, Role, chunk, credit_of, last_day, log_entries, manifest, master_key, registration,
        shown, space_id, ticket_envelope,
    },
    tickets::Tickets,
};
use nightdrop_store::Day;
use nightdrop_wire::{denomination::UNIT, limits::PERIOD_DAYS, season};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug)]
pub(super) struct Model {
    today: Day,
    invitations: BTreeMap<u8, Invitation>,
    /// Account and which variant registered it.
    accounts: BTreeMap<u8, u8>,
    sessions: BTreeMap<u8, (u8, Day)>,
    /// Sessions of an account, oldest first.
    sessions_of: BTreeMap<u8, Vec<u8>>,
    spent: BTreeSet<u8>,
    drawn: BTreeMap<u8, Drawn>,
    blobs: BTreeMap<u8, Blob>,
    /// Ended blobs, and the write key that ended them.
    ended_blobs: BTreeMap<u8, [u8; 32]>,
    /// What they give back.
    refunds: BTreeMap<u8, Refund>,
    tickets: Tickets,
    logs: BTreeMap<u8, Log>,
}

/// What an account drew in a period: units in all, and by its last request.
#[derive(Debug)]
struct Drawn {
    period: u32,
    all: u64,
    request: (u8, [u8; 2]),
    last: [u16; 2],
    repeats: u8,
}

#[derive(Debug)]
struct Invitation {
    expires: Day,
    spent: bool,
    /// Account and variant that it registered.
    registered: Option<(u8, u8)>,
}

#[derive(Debug)]
struct Refund {
    units: u32,
    expires: Day,
    /// The order that was answered, and how often again.
    asked: Option<((u8, u8), u8)>,
}

#[derive(Debug)]
struct Blob {
    created_by: (Paying, Shape),
    /// Units.
    paid: u32,
    /// For which number of chunks, if it was not for a longer lease, and what paid.
    paid_by: Option<(Option<u32>, Paying)>,
    /// The last day of its lease.
    until: u32,
    /// What it was made for decides the size of its chunks.
    made_for: u32,
    /// How many it may have, and has once it is finished.
    chunks: u32,
    held: BTreeMap<u32, Vec<u8>>,
    /// Its manifest, once it is finished.
    finished: Option<u8>,
}

#[derive(Debug)]
struct Log {
    created_by: (Paying, u32, u8, u8),
    entries: Vec<Vec<u8>>,
    /// Units.
    paid: u32,
    grown_by: Option<(u32, u32, Paying)>,
}

/// A request that has no effect, for a reason.
type Outcome = Result<Answer, Answer>;

impl Model {
    pub(super) fn new() -> Self {
        Self {
            today: FIRST_DAY,
            invitations: BTreeMap::new(),
            accounts: BTreeMap::new(),
            sessions: BTreeMap::new(),
            sessions_of: BTreeMap::new(),
            spent: BTreeSet::new(),
            drawn: BTreeMap::new(),
            blobs: BTreeMap::new(),
            ended_blobs: BTreeMap::new(),
            refunds: BTreeMap::new(),
            tickets: Tickets::default(),
            logs: BTreeMap::new(),
        }
    }

    pub(super) fn answer(&mut self, asked: &Asked) -> Answer {
        self.outcome(asked).unwrap_or_else(|refusal| refusal)
    }

    fn outcome(&mut self, asked: &Asked) -> Outcome {
        match *asked {
            Asked::NextDay => self.pass(1),
            Asked::NextSeason => self.pass(season::DAYS),
            Asked::Reopen => {}
            Asked::Invite { invitation, days } => {
                refuse_if(self.invitations.contains_key(&invitation), Answer::Conflict)?;
                let expires = self.today.plus(days);
                self.invitations.insert(invitation, Invitation { expires, spent: false, registered: None });
            }
            Asked::CheckInvitation { invitation } => {
                refuse_if(!self.invites(invitation), Answer::Refused)?;
            }
            Asked::Register { account, invitation, variant } => {
                self.register(account, invitation, variant)?;
            }
            Asked::OpenAccount { account } => {
                let variant = self.accounts.get(&account).ok_or(Answer::Refused)?;
                return Ok(Answer::Bytes(master_key(account, *variant)));
            }
            Asked::LoginRecord { account } => {
                let record = match self.accounts.get(&account) {
                    Some(variant) => registration(account, 0, *variant).upload,
                    None => DECOY,
                };
                return Ok(Answer::Bytes(record.to_vec()));
            }
            Asked::StartSession { account, session, days } => self.start_session(account, session, days)?,
            Asked::Authenticate { session } => return Ok(Answer::Account(self.owner(session)?)),
            Asked::EndSession { session } => {
                let account = self.owner(session)?;
                self.sessions.remove(&session);
                self.sessions_of.entry(account).or_default().retain(|other| *other != session);
            }
            Asked::DrawCredits { session, request, wanted } => {
                return self.draw(session, request, wanted).map(Answer::Drawn);
            }
            Asked::CreateBlob { blob, paying, shape } => {
                return self.create_blob(blob, paying, shape).map(Answer::Until);
            }
            Asked::ExtendLease { blob, shown, paying } => {
                return self.extend(blob, shown, paying).map(Answer::Until);
            }
            Asked::GrowBlob { blob, shown, chunks, paying } => self.grow(blob, shown, chunks, paying)?,
            Asked::PutChunk { blob, n, shown, contents, right_size } => {
                self.put_chunk(blob, n, shown, contents, right_size)?;
            }
            Asked::FinishBlob { blob, shown, right_digest, manifest } => {
                return self.finish(blob, shown, right_digest, manifest).map(Answer::Until);
            }
            Asked::HeldChunks { blob, shown, from } => {
                let open = self.writable(blob, shown)?;
                refuse_if(open.finished.is_some(), Answer::Refused)?;
                let held = open.held.range(from..).map(|(n, chunk)| (*n, Sha256::digest(chunk).into()));
                return Ok(Answer::Held(held.collect()));
            }
            Asked::ReadChunk { blob, n, reading } => {
                let chunk = self.readable(blob, reading)?.held.get(&n).ok_or(Answer::Refused)?;
                return Ok(Answer::Bytes(chunk.clone()));
            }
            Asked::ReadManifest { blob, reading } => {
                let finished = self.readable(blob, reading)?.finished.ok_or(Answer::Refused)?;
                return Ok(Answer::Bytes(manifest(finished)));
            }
            Asked::DestroyBlob { blob, shown } => return self.destroy(blob, shown).map(Answer::Units),
            Asked::Refund { blob, shown, order, units } => self.refund(blob, shown, (order, units))?,
            Asked::CreateTicket { ticket, blob, shown, terms } => {
                refuse_if(terms.variant == 2, Answer::Refused)?;
                let finished = self.writable(blob, shown)?.finished.is_some();
                self.tickets.create(ticket, blob, finished, terms)?;
            }
            Asked::ReadTicket { ticket, shown } => {
                return self.tickets.read(ticket, shown, self.today).map(ticket_envelope).map(Answer::Bytes);
            }
            Asked::TakeClaim { ticket, shown, claim } => {
                let taken = self.tickets.take(ticket, shown, claim, self.today);
                return taken.map(ticket_envelope).map(Answer::Bytes);
            }
            Asked::EndTicket { ticket, blob, shown } => self.end_ticket(ticket, &write_key(shown, blob))?,
            Asked::CreateLog { log, paying, paid, entries, contents } => {
                self.create_log(log, paying, paid, entries, contents)?;
            }
            Asked::GrowLog { log, shown, held, paid, paying } => {
                self.grow_log(log, shown, (held, paid), paying)?;
            }
            Asked::Append { log, shown, expected, entries, contents } => {
                let entries = well_formed(entries, contents)?;
                self.append(log, shown, expected, &entries)?;
            }
            Asked::ReadLog { log, shown, from } => return self.read_log(log, shown, from),
        }
        Ok(Answer::Done)
    }

    fn pass(&mut self, days: u32) {
        self.today = self.today.plus(days);
        for (blob, _) in self.blobs.iter().filter(|(_, held)| held.until < self.today.0) {
            self.tickets.pass_all_of(*blob, self.today);
        }
    }

    fn invites(&self, invitation: u8) -> bool {
        let held = self.invitations.get(&invitation);
        held.is_some_and(|held| !held.spent && held.expires >= self.today)
    }

    fn register(&mut self, account: u8, invitation: u8, variant: u8) -> Result<(), Answer> {
        let invites = self.invites(invitation);
        let held = self.invitations.get_mut(&invitation).ok_or(Answer::Refused)?;
        if held.registered == Some((account, variant)) {
            return Ok(());
        }
        refuse_if(!invites, Answer::Refused)?;
        // Also by a registration of what is taken.
        held.spent = true;
        let recovers = |account, variant| registration(account, 0, variant).recovery.is_some();
        let recovery_taken = self.accounts.iter().any(|(account, variant)| recovers(*account, *variant));
        let taken = self.accounts.contains_key(&account) || (recovers(account, variant) && recovery_taken);
        refuse_if(taken, Answer::Refused)?;
        held.registered = Some((account, variant));
        self.accounts.insert(account, variant);
        Ok(())
    }

    fn start_session(&mut self, account: u8, session: u8, days: u32) -> Result<(), Answer> {
        refuse_if(!self.accounts.contains_key(&account), Answer::Refused)?;
        refuse_if(self.sessions.contains_key(&session), Answer::Conflict)?;
        self.sessions.insert(session, (account, self.today.plus(days)));
        let list = self.sessions_of.entry(account).or_default();
        list.push(session);
        if list.len() > LIMITS.sessions_per_account {
            self.sessions.remove(&list.remove(0));
        }
        Ok(())
    }

    fn owner(&self, session: u8) -> Result<u8, Answer> {
        let (account, expires) = self.sessions.get(&session).ok_or(Answer::Refused)?;
        if *expires >= self.today { Ok(*account) } else { Err(Answer::Refused) }
    }

    fn draw(&mut self, session: u8, request: u8, wanted: [u8; 2]) -> Result<[u16; 2], Answer> {
        let account = self.owner(session)?;
        let period = self.today.0 / PERIOD_DAYS;
        let before = self.drawn.get_mut(&account).filter(|before| before.period == period);
        let all = before.as_ref().map_or(0, |before| before.all);
        if let Some(before) = before.filter(|before| before.request == (request, wanted)) {
            refuse_if(before.repeats == 16, Answer::QuotaReached)?;
            before.repeats += 1;
            return Ok(before.last);
        }
        let (mut left, mut last) = (LIMITS.quota_units - all, [0; 2]);
        for (place, (wanted, worth)) in last.iter_mut().zip(wanted.into_iter().zip([1, 16])) {
            while *place < u16::from(wanted) && left >= worth {
                (*place, left) = (*place + 1, left - worth);
            }
        }
        refuse_if(last == [0, 0], Answer::QuotaReached)?;
        let all = LIMITS.quota_units - left;
        self.drawn.insert(account, Drawn { period, all, request: (request, wanted), last, repeats: 0 });
        Ok(last)
    }

    /// Whether what is shown is a payment of this price, and unspent; then what it is worth.
    fn pays(&self, paying: Paying, price: u32) -> Result<u32, Answer> {
        let credits = paying.credits();
        let worth = |credit: &u8| credit_of(*credit).denomination().units();
        let sum: u32 = credits.iter().map(worth).sum();
        let without_one = credits.iter().map(|credit| sum - worth(credit)).max();
        let covers = sum >= price && without_one.is_none_or(|sum| sum < price);
        let different = credits.iter().collect::<BTreeSet<_>>().len() == credits.len();
        let good = |credit: &u8| !self.spent.contains(credit) && last_day(*credit) >= self.today;
        if covers && different && credits.iter().all(good) { Ok(sum) } else { Err(Answer::Refused) }
    }

    fn create_blob(&mut self, blob: u8, paying: Paying, shape: Shape) -> Result<u32, Answer> {
        let (chunks, price, held, finished) = match shape {
            Shape::Open(chunks @ 1..=2) => (chunks, chunks * 16 + 1, BTreeMap::new(), None),
            Shape::Whole(contents) => (1, 1, BTreeMap::from([(0, chunk(1, contents, true))]), Some(0)),
            Shape::Open(_) | Shape::WholeOfNoClass | Shape::WholeOfTwo => return Err(Answer::Refused),
        };
        let created_by = (paying, shape);
        let (today, until) = (self.today.0, season::end_of_lease(self.today.0));
        let again = |made: &&Blob| made.created_by == created_by && made.until >= today;
        if let Some(made) = self.blobs.get(&blob).filter(again) {
            return Ok(made.until);
        }
        let paid = self.pays(paying, price)?;
        let taken = self.blobs.contains_key(&blob) || self.ended_blobs.contains_key(&blob);
        refuse_if(taken, Answer::Conflict)?;
        self.spent.extend(paying.credits());
        let made = Blob { created_by, paid, paid_by: None, until, made_for: chunks, chunks, held, finished };
        self.blobs.insert(blob, made);
        Ok(until)
    }

    fn grow(&mut self, blob: u8, shown: Shown, chunks: u32, paying: Paying) -> Result<(), Answer> {
        refuse_if(chunks > 16_384, Answer::Refused)?;
        let held = self.writable(blob, shown)?;
        if held.paid_by == Some((Some(chunks), paying)) {
            return Ok(());
        }
        let (paid, finished, before) = (held.paid, held.finished, held.chunks);
        let more = self.pays(paying, (chunks * 16 + 1).saturating_sub(paid))?;
        refuse_if(finished.is_some() || before == 1 || chunks <= before, Answer::Conflict)?;
        self.spent.extend(paying.credits());
        let held = self.writable(blob, shown)?;
        (held.paid, held.chunks, held.paid_by) = (paid + more, chunks, Some((Some(chunks), paying)));
        Ok(())
    }

    fn extend(&mut self, blob: u8, shown: Shown, paying: Paying) -> Result<u32, Answer> {
        let until = season::end_of_lease(self.today.0);
        let held = self.writable(blob, shown)?;
        refuse_if(held.finished.is_none(), Answer::Conflict)?;
        if held.paid_by == Some((None, paying)) || held.until >= until {
            return Ok(held.until);
        }
        let price = if held.made_for == 1 { 1 } else { held.chunks * 16 + 1 };
        let paid = self.pays(paying, price)?;
        self.spent.extend(paying.credits());
        let held = self.writable(blob, shown)?;
        (held.paid, held.until, held.paid_by) = (paid, until, Some((None, paying)));
        Ok(until)
    }

    fn writable(&mut self, blob: u8, shown: Shown) -> Result<&mut Blob, Answer> {
        let today = self.today.0;
        let held = self.blobs.get_mut(&blob).filter(|held| shown == Shown::Right && held.until >= today);
        held.ok_or(Answer::Refused)
    }

    fn put_chunk(&mut self, blob: u8, n: u32, shown: Shown, contents: u8, right: bool) -> Result<(), Answer> {
        refuse_if(!right, Answer::Refused)?;
        let blob = self.writable(blob, shown)?;
        refuse_if(n >= blob.chunks, Answer::Conflict)?;
        let chunk = chunk(blob.made_for, contents, right);
        let changed = blob.finished.is_some() && blob.held.get(&n) != Some(&chunk);
        refuse_if(changed, Answer::Conflict)?;
        blob.held.insert(n, chunk);
        Ok(())
    }

    fn finish(&mut self, blob: u8, shown: Shown, right_digest: bool, manifest: u8) -> Result<u32, Answer> {
        refuse_if(manifest == 2, Answer::Refused)?;
        let blob = self.writable(blob, shown)?;
        let held = u32::try_from(blob.held.len()).unwrap();
        let complete = held > 0 && (0..held).all(|n| blob.held.contains_key(&n));
        let other = blob.finished.is_some_and(|finished| finished != manifest);
        refuse_if(!right_digest || !complete || other, Answer::Conflict)?;
        blob.finished = Some(manifest);
        blob.chunks = held;
        Ok(blob.until)
    }

    fn readable(&self, blob: u8, reading: Reading) -> Result<&Blob, Answer> {
        let admitted = self.tickets.admit(reading, blob, self.today);
        let lasts = |held: &&Blob| held.finished.is_some() && held.until >= self.today.0;
        let held = self.blobs.get(&blob).filter(|held| admitted && lasts(held));
        held.ok_or(Answer::Refused)
    }

    fn destroy(&mut self, blob: u8, shown: Shown) -> Result<u32, Answer> {
        let key = write_key(shown, blob);
        if self.ended_blobs.get(&blob) == Some(&key) {
            let owed = self.refunds.get(&blob).filter(|owed| owed.asked.is_none());
            return Ok(owed.filter(|owed| owed.expires >= self.today).map_or(0, |owed| owed.units));
        }
        let held = self.blobs.get(&blob).filter(|_| shown == Shown::Right).ok_or(Answer::Refused)?;
        let share = match held.finished {
            _ if held.until < self.today.0 => 0,
            None => held.paid,
            Some(_) => held.paid * season::left(self.today.0, held.until).min(2) / 2,
        };
        let units = share.saturating_sub(1);
        self.blobs.remove(&blob);
        self.ended_blobs.insert(blob, key);
        self.tickets.end_all_of(blob, key);
        self.refunds.insert(blob, Refund { units, expires: self.today.plus(14), asked: None });
        Ok(units)
    }

    fn refund(&mut self, blob: u8, shown: Shown, order: (u8, u8)) -> Result<(), Answer> {
        refuse_if(self.ended_blobs.get(&blob) != Some(&write_key(shown, blob)), Answer::Refused)?;
        let owed = self.refunds.get_mut(&blob).filter(|owed| owed.units > 0 && owed.expires >= self.today);
        let owed = owed.ok_or(Answer::Conflict)?;
        match &mut owed.asked {
            Some((asked, repeats)) => {
                refuse_if(*asked != order || *repeats == 16, Answer::Conflict)?;
                *repeats += 1;
            }
            None => {
                refuse_if(u32::from(order.1) > owed.units, Answer::Conflict)?;
                owed.asked = Some((order, 0));
            }
        }
        Ok(())
    }

    fn end_ticket(&mut self, ticket: u8, key: &[u8; 32]) -> Result<(), Answer> {
        if self.tickets.was_ended_by(ticket, key) {
            return Ok(());
        }
        let blob = self.tickets.blob(ticket).ok_or(Answer::Refused)?;
        refuse_if(*key != write_key(Shown::Right, blob), Answer::Refused)?;
        self.tickets.end(ticket, *key);
        Ok(())
    }

    fn create_log(
        &mut self,
        log: u8,
        paying: Paying,
        paid: u32,
        entries: u8,
        contents: u8,
    ) -> Result<(), Answer> {
        let created_by = (paying, paid, entries, contents);
        let entries = well_formed(entries, contents)?;
        refuse_if(paid == 0 || taken(&entries) > u64::from(paid) * UNIT, Answer::Refused)?;
        if self.logs.get(&log).is_some_and(|held| held.created_by == created_by) {
            return Ok(());
        }
        let worth = self.pays(paying, paid)?;
        let taken = self.logs.contains_key(&log) || entries.len() > LIMITS.log_entries as usize;
        refuse_if(taken, Answer::Conflict)?;
        self.spent.extend(paying.credits());
        self.logs.insert(log, Log { created_by, entries, paid: worth, grown_by: None });
        Ok(())
    }

    fn grow_log(
        &mut self,
        log: u8,
        shown: Shown,
        (before, paid): (u32, u32),
        paying: Paying,
    ) -> Result<(), Answer> {
        let held = self.logs.get(&log).filter(|_| shown == Shown::Right).ok_or(Answer::Refused)?;
        if held.grown_by == Some((before, paid, paying)) {
            return Ok(());
        }
        refuse_if(paid > 16_384 || paid <= before, Answer::Refused)?;
        refuse_if(before != held.paid, Answer::Conflict)?;
        let more = self.pays(paying, paid - held.paid)?;
        self.spent.extend(paying.credits());
        let held = self.logs.get_mut(&log).ok_or(Answer::Refused)?;
        (held.paid, held.grown_by) = (held.paid + more, Some((before, paid, paying)));
        Ok(())
    }

    fn append(&mut self, log: u8, shown: Shown, expected: Expected, new: &[Vec<u8>]) -> Result<(), Answer> {
        let held = self.logs.get_mut(&log).filter(|_| shown == Shown::Right).ok_or(Answer::Refused)?;
        let back = match expected {
            Expected::Here => 0,
            Expected::Before(back) => usize::try_from(back).unwrap(),
            Expected::OtherHash | Expected::Beyond => return Err(Answer::Conflict),
        };
        let (_, after) = held.entries.split_at(held.entries.len().saturating_sub(back));
        if !after.is_empty() {
            // Sent again after its answer was lost.
            return refuse_if(!after.starts_with(new), Answer::Conflict);
        }
        refuse_if(held.entries.len() + new.len() > LIMITS.log_entries as usize, Answer::Conflict)?;
        refuse_if(taken(&held.entries) + taken(new) > u64::from(held.paid) * UNIT, Answer::Unpaid)?;
        held.entries.extend_from_slice(new);
        Ok(())
    }

    fn read_log(&self, log: u8, shown: Shown, from: u64) -> Outcome {
        let held = self.logs.get(&log).filter(|_| shown == Shown::Right).ok_or(Answer::Refused)?;
        let chained = held.entries.iter().fold(*space_id(log).as_bytes(), |hash, entry| {
            Sha256::new().chain_update(hash).chain_update(entry).finalize().into()
        });
        let skipped = usize::try_from(from).unwrap_or(usize::MAX).min(held.entries.len());
        let room = (held.paid, taken(&held.entries));
        Ok(Answer::Page(held.entries[skipped..].to_vec(), held.entries.len() as u64, chained, room))
    }
}

fn refuse_if(refused: bool, answer: Answer) -> Result<(), Answer> {
    if refused { Err(answer) } else { Ok(()) }
}

/// The key that is shown as the write key of a blob.
fn write_key(which: Shown, blob: u8) -> [u8; 32] {
    *shown(which, Role::Write, Role::Read, blob).secret_bytes()
}

/// What entries take, as the protocol page has it.
fn taken(entries: &[Vec<u8>]) -> u64 {
    entries.iter().map(|entry| 2 * entry.len() as u64 + 160).sum()
}

fn well_formed(count: u8, contents: u8) -> Result<Vec<Vec<u8>>, Answer> {
    if count == 0 || contents == 3 { Err(Answer::Refused) } else { Ok(log_entries(count, contents)) }
}
