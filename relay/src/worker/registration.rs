//! Who can register, and invitations that are earned by work where registration is open.
//!
//! What always holds:
//! - Work is looked at before anything is kept or written, and nothing is kept for a challenge that is given.
//! - In any hour no more invitations are earned than the limit says, however many ask at once. That is counted in memory: a worker that
//!   starts again counts anew, but work that was begun before is worth nothing then, because its key is gone.
//! - Work that is sent again earns what it earned, and takes no other's place. An earned invitation is an invitation: kept as a hash,
//!   spent once, gone after the next day. One that was spent or revoked stays so, because the store remembers it for longer than its
//!   challenge counts.

use super::{
    refusals::refusal_of,
    service::{Inner, Service, decode, encode},
};
use bytes::Bytes;
use nightdrop_login::work::{Puzzle, WorkKey};
use nightdrop_store::{StoreError, token_hash};
use nightdrop_wire::{
    PROTOCOL_VERSION,
    messages::relay::{EarnInvitation, EarnedInvitation, Registration, RelayInfo},
    refusal::Refusal,
    token::TokenHash,
};
use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Within this time no more invitations are earned than the limit says. Longer than a challenge counts, so that all that can be
/// sent again is remembered.
const WINDOW: Duration = Duration::from_secs(60 * 60);
/// Days after today on which an earned invitation still registers an account.
const EARNED_DAYS: u32 = 1;

/// Who can register, and what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegistrationLimits {
    /// Who can register. Default: whoever was given an invitation.
    pub registration: Registration,
    /// Leading zero bits of each part of the work. Default: 20, about two seconds of one core.
    pub work: u8,
    /// Invitations that are earned in an hour, by all together. Default: 60.
    pub earned_per_hour: u32,
    /// How long a challenge counts, at most an hour. Default: 30 minutes.
    pub challenge_time: Duration,
}

impl Default for RegistrationLimits {
    fn default() -> Self {
        Self {
            registration: Registration::Invite,
            work: 20,
            earned_per_hour: 60,
            challenge_time: Duration::from_secs(30 * 60),
        }
    }
}

/// What a worker keeps for open registration while it runs.
pub(super) struct OpenRegistration {
    key: WorkKey,
    started: Instant,
    earned: Mutex<Earned>,
}

impl OpenRegistration {
    /// Nothing was earned yet.
    pub(super) fn new(key: WorkKey, started: Instant) -> Self {
        Self { key, started, earned: Mutex::default() }
    }

    /// Seconds of this worker.
    fn second(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.started).as_secs()
    }
}

/// The invitations that were earned within the last hour, oldest first.
#[derive(Debug, Default)]
struct Earned(VecDeque<(Instant, TokenHash)>);

impl Earned {
    /// Takes a place for an invitation, unless it has one; `false` if there is none.
    fn take_place(&mut self, invitation: TokenHash, most: u32, now: Instant) -> bool {
        while self.0.front().is_some_and(|(since, _)| now.saturating_duration_since(*since) >= WINDOW) {
            self.0.pop_front();
        }
        if self.0.iter().any(|(_, earned)| *earned == invitation) {
            return true;
        }
        let is_place = u32::try_from(self.0.len()).is_ok_and(|taken| taken < most);
        if is_place {
            self.0.push_back((now, invitation));
        }
        is_place
    }
}

impl Service {
    /// `GET /v1/relay`.
    pub(super) fn relay_info(&self) -> Result<Bytes, Refusal> {
        let Inner { store, environment, limits, open_registration: open, .. } = &*self.inner;
        let until = open.second(environment.now()) + limits.registration.challenge_time.min(WINDOW).as_secs();
        encode(&RelayInfo {
            version: PROTOCOL_VERSION,
            registration: limits.registration.registration,
            work: limits.registration.work,
            challenge: open.key.challenge(until).map_err(|_| Refusal::Busy)?,
            quota: store.limits().quota_bytes,
            issuing_key: self.inner.issuer.public_key(),
            session_days: limits.session_days,
        })
    }

    /// `POST /v1/invitations`.
    pub(super) async fn earn_invitation(&self, body: &[u8]) -> Result<Bytes, Refusal> {
        let EarnInvitation { account, challenge, solution } = decode(body)?;
        let Inner { store, environment, limits, open_registration: open, .. } = &*self.inner;
        let limits = limits.registration;
        if limits.registration != Registration::Open {
            return Err(Refusal::Refused);
        }
        let now = environment.now();
        let invitation =
            open.key.invitation(&challenge, account, open.second(now)).map_err(|_| Refusal::Refused)?;
        if !Puzzle::new(&challenge, account, limits.work).is_solved_by(&solution) {
            return Err(Refusal::Refused);
        }
        let hash = token_hash(&invitation);
        let has_place = open.earned.lock().unwrap_or_else(PoisonError::into_inner).take_place(
            hash,
            limits.earned_per_hour,
            now,
        );
        if !has_place {
            return Err(Refusal::Conflict);
        }
        match store.issue_invitation(hash, environment.today().plus(EARNED_DAYS)).await {
            // It was issued when the work came first, whatever became of it since.
            Ok(()) | Err(StoreError::Conflict) => encode(&EarnedInvitation { invitation }),
            Err(error) => Err(refusal_of(&error)),
        }
    }

    /// Whether anybody can register.
    pub(super) fn is_closed(&self) -> bool {
        self.inner.limits.registration.registration == Registration::Closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(name: u8) -> TokenHash {
        TokenHash::from_bytes([name; 32])
    }

    #[test]
    fn places_are_given_back_after_an_hour() {
        let (mut earned, start) = (Earned::default(), Instant::now());
        assert!(earned.take_place(hash(1), 2, start));
        assert!(earned.take_place(hash(2), 2, start + WINDOW / 2));
        assert!(!earned.take_place(hash(3), 2, start + WINDOW / 2));
        assert!(earned.take_place(hash(1), 2, start + WINDOW / 2), "its own place");
        assert!(earned.take_place(hash(3), 2, start + WINDOW));
        assert!(!earned.take_place(hash(4), 2, start + WINDOW), "the second one has its place still");
        assert!(!Earned::default().take_place(hash(1), 0, start));
    }
}
