//! The model's tickets and claims.

use super::{
    Answer, LIMITS,
    asked::{Reading, Shown, TicketTerms},
    names::CLAIM_DAYS,
};
use nightdrop_store::Day;
use std::collections::BTreeMap;

/// Tickets of all blobs, those that ended among them.
#[derive(Debug, Default)]
pub(super) struct Tickets {
    living: BTreeMap<u8, Ticket>,
    /// Ended ones, and the write key that ended them.
    ended: BTreeMap<u8, [u8; 32]>,
}

#[derive(Debug)]
struct Ticket {
    blob: u8,
    terms: TicketTerms,
    /// First day on which it is over.
    ends: Option<Day>,
    /// Claims that were taken, and the last day of each.
    claims: BTreeMap<u8, Day>,
}

impl Tickets {
    /// Makes one of a blob whose write key was shown.
    pub(super) fn create(
        &mut self,
        ticket: u8,
        blob: u8,
        finished: bool,
        terms: TicketTerms,
    ) -> Result<(), Answer> {
        match self.living.get(&ticket) {
            Some(held) if held.blob == blob && held.terms == terms => return Ok(()),
            Some(_) => return Err(Answer::Conflict),
            None => {}
        }
        let given = |ticket: &Ticket| u32::from(ticket.terms.downloads);
        let claims: u32 = self.living.values().filter(|held| held.blob == blob).map(given).sum();
        let too_many = claims + u32::from(terms.downloads) > LIMITS.claims_per_blob;
        if !finished || self.ended.contains_key(&ticket) || too_many {
            return Err(Answer::Conflict);
        }
        let ends = terms.ends.map(Day);
        self.living.insert(ticket, Ticket { blob, terms, ends, claims: BTreeMap::new() });
        Ok(())
    }

    /// The variant of a ticket that needs no claim.
    pub(super) fn read(&self, ticket: u8, shown: Shown, today: Day) -> Result<u8, Answer> {
        let held = self.shown(ticket, shown, today)?;
        if held.terms.downloads == 0 { Ok(held.terms.variant) } else { Err(Answer::Refused) }
    }

    /// Takes a claim, and gives the variant.
    pub(super) fn take(&mut self, ticket: u8, shown: Shown, claim: u8, today: Day) -> Result<u8, Answer> {
        let held = self.shown(ticket, shown, today)?;
        let (variant, taken) = (held.terms.variant, held.claims.get(&claim).copied());
        let left = usize::from(held.terms.downloads) > held.claims.len();
        match taken {
            Some(last) if last >= today => {}
            None if left => {
                let claims = self.living.get_mut(&ticket).map(|held| &mut held.claims);
                claims.ok_or(Answer::Refused)?.insert(claim, today.plus(CLAIM_DAYS - 1));
            }
            _ => return Err(Answer::Refused),
        }
        Ok(variant)
    }

    /// Whether it reads a blob.
    pub(super) fn admit(&self, reading: Reading, blob: u8, today: Day) -> bool {
        match reading {
            Reading::Token(shown) => shown == Shown::Right,
            Reading::Ticket(ticket, shown) => {
                let held = self.shown(ticket, shown, today);
                held.is_ok_and(|held| held.blob == blob && held.terms.downloads == 0)
            }
            Reading::Claim(ticket, shown, claim) => {
                let held = self.shown(ticket, shown, today);
                let lasts = |held: &Ticket| held.claims.get(&claim).is_some_and(|last| *last >= today);
                held.is_ok_and(|held| held.blob == blob && lasts(held))
            }
        }
    }

    /// The blob of a ticket that is not ended; one that is over may still be.
    pub(super) fn blob(&self, ticket: u8) -> Option<u8> {
        self.living.get(&ticket).map(|held| held.blob)
    }

    pub(super) fn was_ended_by(&self, ticket: u8, key: &[u8; 32]) -> bool {
        self.ended.get(&ticket) == Some(key)
    }

    pub(super) fn end(&mut self, ticket: u8, key: [u8; 32]) {
        self.living.remove(&ticket);
        self.ended.insert(ticket, key);
    }

    pub(super) fn end_all_of(&mut self, blob: u8, key: [u8; 32]) {
        for (ticket, _) in self.living.extract_if(.., |_, held| held.blob == blob) {
            self.ended.insert(ticket, key);
        }
    }

    /// The blob's time has passed, and theirs with it.
    pub(super) fn pass_all_of(&mut self, blob: u8, today: Day) {
        for held in self.living.values_mut().filter(|held| held.blob == blob) {
            held.ends = Some(today);
        }
    }

    fn shown(&self, ticket: u8, shown: Shown, today: Day) -> Result<&Ticket, Answer> {
        let held = self.living.get(&ticket).filter(|_| shown == Shown::Right);
        held.filter(|held| held.ends.is_none_or(|ends| today < ends)).ok_or(Answer::Refused)
    }
}
