//! Leases: how long the relay keeps what is listed, and making that longer in time.
//!
//! ```text
//! lease is due ──ask, with no credit──▶ the relay says what holds          noted; nothing was paid
//!                     └──conflict──▶ pay ──▶ the relay says until when     noted
//! ```
//! So whoever is cut off between a payment and the note of it asks again, is told what holds, and pays nothing twice. Each request shows one write key
//! over lanes that carry nothing else. What the relay says is believed only as far as it could be so by this device's clock: a longer lease than that
//! would be noticed to have ended when it is too late.

use crate::{
    ClientError, clock,
    limits::ClientLimits,
    payment::{Payment, Purse},
    relay::{RelayLane, RequestError},
    space::HomeSpace,
    spread::{Spread, spread},
    transport::Transport,
};
use nightdrop_envelope::space::{Lease, LeaseNews, Operation, State, price_of};
use nightdrop_wire::{
    authorization::Authorization,
    date::Date,
    endpoint::Endpoint,
    ids::BlobId,
    messages::blob::{ExtendLease, Leased},
    onion::OnionAddress,
    refusal::Refusal,
    season,
    token::Token,
};
use rand::{Rng, seq::SliceRandom};

/// Days before its end from which on people are told.
pub(crate) const NEAR: u32 = 28;

/// The last day of a blob of which a relay says this today.
pub(crate) fn believed(said: Leased) -> u32 {
    let today = clock::today();
    said.until.clamp(today, season::end_of_lease(today))
}

/// What a refusal means for a file of one's own with this name and lease.
pub(crate) fn explain(error: ClientError, name: &str, lease: Lease) -> ClientError {
    match error {
        ClientError::Withheld if lease.days_left(clock::today()).is_none() => {
            ClientError::LeaseOver { name: name.to_owned(), until: Date::of_day(lease.until) }
        }
        error => error,
    }
}

/// A blob whose lease is to be made longer.
#[derive(Debug)]
pub(crate) struct Due {
    blob: BlobId,
    write_key: Token,
    lease: Lease,
    price: u32,
}

impl Due {
    /// The last day of its lease.
    pub(crate) const fn until(&self) -> u32 {
        self.lease.until
    }
}

/// All that is due. What a rekey has not brought its new keys yet comes later.
pub(crate) fn due(state: &State, today: u32) -> Vec<Due> {
    if state.closed_for().is_some() {
        return Vec::new();
    }
    let due = state.leased().filter(|file| file.lease.is_due(today) && state.held(file.blob).is_none());
    let due = due.filter_map(|file| {
        let price = price_of(file.size).ok()?;
        Some(Due { blob: file.blob, write_key: file.write_key.clone(), lease: file.lease, price })
    });
    due.collect()
}

/// Chooses some by chance, and as many of those that are urgent as `urgent` says; those that end first come first.
pub(crate) fn choose(
    mut due: Vec<Due>,
    today: u32,
    (few, urgent): (usize, usize),
    rng: &mut impl Rng,
) -> Vec<Due> {
    due.shuffle(rng);
    let is_urgent = |due: &Due| due.lease.is_urgent(today);
    let (mut chosen, rest): (Vec<_>, Vec<_>) = due.into_iter().partition(is_urgent);
    chosen.sort_by_key(|due| due.lease.until);
    chosen.truncate(urgent);
    let room = few.saturating_sub(chosen.len());
    chosen.extend(rest.into_iter().take(room));
    chosen
}

/// How the leases of one's files stand.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ending {
    /// Files that end soon, and whose leases can be made longer.
    pub(crate) soon: usize,
    /// Files that end soon, whatever is paid.
    pub(crate) for_good: usize,
    /// Files that ended.
    pub(crate) over: usize,
    /// The last day of the one that ends first.
    pub(crate) first: Option<u32>,
}

/// How the leases of one's files stand.
pub(crate) fn ending(state: &State, today: u32) -> Ending {
    let mut ending = Ending::default();
    for (_, file) in state.files() {
        match file.lease.days_left(today) {
            None => ending.over += 1,
            Some(left) if left < NEAR => {
                *if file.lease.is_last { &mut ending.for_good } else { &mut ending.soon } += 1;
                let first = ending.first.unwrap_or(u32::MAX);
                ending.first = Some(first.min(file.lease.until));
            }
            Some(_) => {}
        }
    }
    ending
}

/// Makes leases longer, and notes what the relay says. Gives how many became longer, and the first failure; what was confirmed until then is kept.
pub(crate) async fn extend<T: Transport>(
    (transport, relay, limits): (&T, &OnionAddress, &ClientLimits),
    space: &mut HomeSpace<T>,
    chosen: Vec<Due>,
    purse: &impl Purse,
) -> (usize, Option<ClientError>) {
    let lanes = limits.lanes.clamp(1, chosen.len().max(1));
    let lanes: Vec<_> = (0..lanes).map(|_| RelayLane::isolated(transport, relay, limits)).collect();
    let asked = chosen.into_iter().map(|due| Asking { due, payment: Payment::default() }).collect();
    let Spread { done, lanes, mut error } =
        spread(lanes, asked, |lane, asking| Box::pin(ask(lane, asking))).await;
    let (mut heard, mut unpaid) = (Vec::new(), Vec::new());
    for answer in done {
        match answer {
            Answer::Heard(one) => heard.push(one),
            Answer::Unpaid(due) => unpaid.push(due),
            Answer::Denied => {}
        }
    }
    unpaid.sort_by_key(|due| due.lease.until);
    let mut paid = Vec::new();
    for due in unpaid {
        match purse.pay(due.price).await {
            Ok(payment) => paid.push(Asking { due, payment }),
            // What ends first was paid first.
            Err(lacking) => {
                error = error.or(Some(lacking));
                break;
            }
        }
    }
    let answered = spread(lanes, paid, |lane, asking| Box::pin(ask(lane, asking))).await;
    error = error.or(answered.error);
    for answer in answered.done {
        let is_longer = match answer {
            Answer::Heard(one) => {
                let is_longer = !one.news.lease.is_last;
                heard.push(one);
                is_longer
            }
            Answer::Unpaid(_) | Answer::Denied => false,
        };
        error = error.or((!is_longer).then_some(ClientError::LeaseRefused));
    }
    match note(space, purse, &heard).await {
        Ok(longer) => (longer, error),
        Err(unnoted) => (0, error.or(Some(unnoted))),
    }
}

/// Another device may have noted something meanwhile, which stays unless this says more.
async fn note<T: Transport>(
    space: &mut HomeSpace<T>,
    purse: &impl Purse,
    heard: &[Heard],
) -> Result<usize, ClientError> {
    let mut longer = 0;
    let decide = |state: &State| {
        let until = |blob: BlobId| state.lease_of(blob).map(|lease| lease.until);
        let says_more = |heard: &&Heard| {
            let Heard { known, news: LeaseNews { blob, lease } } = heard;
            state
                .lease_of(*blob)
                .is_some_and(|held| held != *lease && (held.until == *known || lease.until > held.until))
        };
        let news: Vec<LeaseNews> = heard.iter().filter(says_more).map(|heard| heard.news).collect();
        longer = news.iter().filter(|news| Some(news.lease.until) > until(news.blob)).count();
        let nothing = state.closed_for().is_some();
        Ok(if nothing { Vec::new() } else { batches(&news) })
    };
    space.append(purse, decide).await?;
    Ok(longer)
}

/// As many as fit an entry.
fn batches(blobs: &[LeaseNews]) -> Vec<Operation> {
    blobs.chunks(64).map(|blobs| Operation::Leased { blobs: blobs.to_vec() }).collect()
}

struct Asking {
    due: Due,
    /// Empty, to ask what holds.
    payment: Payment,
}

enum Answer {
    Heard(Heard),
    /// The relay takes no key for it: it is gone, or the relay's clock or disk is wrong for a while. Only its own day ends a lease.
    Denied,
    /// It would become longer, for its price.
    Unpaid(Due),
}

/// What the relay said of a lease.
struct Heard {
    /// Until when the blob was known to be kept.
    known: u32,
    news: LeaseNews,
}

async fn ask<T: Transport>(lane: &mut RelayLane<T>, asking: Asking) -> Result<Answer, ClientError> {
    let Asking { due, payment } = asking;
    let shown = Authorization::Bearer(due.write_key.clone());
    let is_paid = payment.units() > 0;
    let message = ExtendLease { payment: payment.show() };
    let until = match lane.call(Endpoint::ExtendLease(due.blob), Some(&shown), &message).await {
        Ok(said) => believed(said),
        Err(RequestError::Refused(Refusal::Conflict)) => return Ok(Answer::Unpaid(due)),
        Err(RequestError::Refused(Refusal::Refused)) if is_paid => return Ok(Answer::Unpaid(due)),
        Err(RequestError::Refused(Refusal::Refused)) => return Ok(Answer::Denied),
        Err(error) => return Err(ClientError::listed(error)),
    };
    let lease = Lease { until, is_last: until <= due.lease.until };
    Ok(Answer::Heard(Heard { known: due.lease.until, news: LeaseNews { blob: due.blob, lease } }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng, rngs::StdRng};

    fn due(until: u32) -> Due {
        let (blob, write_key) = (BlobId::from_bytes([1; 16]), Token::from_bytes([2; 32]));
        Due { blob, write_key, lease: Lease::until(until), price: 1 }
    }

    fn chosen(ends: impl IntoIterator<Item = u32>, most: (usize, usize), seed: u64) -> Vec<u32> {
        let all = ends.into_iter().map(due).collect();
        choose(all, 100, most, &mut StdRng::seed_from_u64(seed)).iter().map(|due| due.lease.until).collect()
    }

    #[test]
    fn what_is_urgent_comes_first_and_of_the_rest_chance_takes_a_few() {
        assert_eq!(chosen([150, 113, 114, 100, 105], (0, usize::MAX), 1), [100, 105, 113]);
        assert_eq!(chosen([150, 113, 114, 100, 105], (0, 2), 1), [100, 105]);
        let many = || 120..180;
        assert_eq!(chosen(many(), (16, 16), 1).len(), 16);
        assert_ne!(chosen(many(), (16, 16), 1), chosen(many(), (16, 16), 2), "by chance");
        assert_eq!(chosen(many().chain([101, 102]), (3, 16), 1)[..2], [101, 102]);
        assert_eq!(chosen(many().chain([101, 102]), (3, 16), 1).len(), 3);
    }

    #[test]
    fn a_relay_is_believed_as_far_as_it_can_be_so() {
        let today = clock::today();
        let end = season::end_of_lease(today);
        for (said, expected) in [
            (end, end),
            (today, today),
            (today + 30, today + 30),
            (end + 1, end),
            (end + season::DAYS, end),
            (u32::MAX, end),
            (today - 1, today),
            (0, today),
        ] {
            assert_eq!(believed(Leased { until: said }), expected, "{said}");
        }
    }
}
