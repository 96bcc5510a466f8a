//! Work that earns an invitation at a relay whose registration is open. There is no address to limit by, so whoever registers many
//! accounts pays for each with time of a processor.
//!
//! ```text
//! challenge = last second at which it counts (8) ‖ HMAC-SHA-256(the relay's work key, context ‖ that second)
//! seed      = SHA-256(context ‖ challenge ‖ account id)
//! part i    = a number n (8) for which SHA-256(seed ‖ i (1) ‖ n) begins with `work` zero bits
//! solution  = parts 0 to 15; many small parts take almost the same time for everyone, where one large part takes luck
//! ```
//! The relay keeps nothing for a challenge that it gives: what comes back says itself whether it is the relay's and still counts. The
//! work is for one account id and one challenge, so it can be neither collected for long nor used for another account. The invitation
//! follows from both and the work key: who sends the work again gets the same one, which registers once.

use crate::LoginError;
use hmac::{Hmac, Mac};
use nightdrop_wire::{
    contexts,
    ids::AccountId,
    limits::{WORK_CHALLENGE, WORK_PARTS, WORK_SOLUTION},
    token::Token,
};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Tries between two questions whether to go on.
const TRIES_AT_ONCE: u64 = 1 << 16;
const SECOND: usize = 8;

/// Makes a relay's challenges and knows them again. Erased when dropped; `Debug` shows nothing.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct WorkKey([u8; WorkKey::LENGTH]);

impl WorkKey {
    /// Length in bytes.
    pub const LENGTH: usize = 32;

    /// The key with these bytes, which must be random.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// A challenge that counts up to and with this second of the relay's clock.
    ///
    /// # Errors
    /// None that can happen: HMAC takes keys of any length.
    pub fn challenge(&self, until: u64) -> Result<[u8; WORK_CHALLENGE], LoginError> {
        let mark: [u8; 32] = self.mark(until)?.finalize().into_bytes().into();
        let mut challenge = [0; WORK_CHALLENGE];
        for (place, byte) in challenge.iter_mut().zip(until.to_be_bytes().into_iter().chain(mark)) {
            *place = byte;
        }
        Ok(challenge)
    }

    /// The invitation that work on a challenge earns for an account.
    ///
    /// # Errors
    /// [`LoginError::Refused`] if the challenge is not this key's or counts no more.
    pub fn invitation(
        &self,
        challenge: &[u8; WORK_CHALLENGE],
        account: AccountId,
        now: u64,
    ) -> Result<Token, LoginError> {
        let (until, mark) = challenge.split_first_chunk::<SECOND>().ok_or(LoginError::Malformed)?;
        let until = u64::from_be_bytes(*until);
        self.mark(until)?.verify_slice(mark).map_err(|_| LoginError::Refused)?;
        if now > until {
            return Err(LoginError::Refused);
        }
        let mut mac = self.mac(contexts::WORK_INVITATION)?;
        mac.update(challenge);
        mac.update(account.as_bytes());
        Ok(Token::from_bytes(mac.finalize().into_bytes().into()))
    }

    fn mark(&self, until: u64) -> Result<Hmac<Sha256>, LoginError> {
        let mut mac = self.mac(contexts::WORK_CHALLENGE)?;
        mac.update(&until.to_be_bytes());
        Ok(mac)
    }

    fn mac(&self, context: &[u8]) -> Result<Hmac<Sha256>, LoginError> {
        let mut mac = Hmac::new_from_slice(&self.0).map_err(|_| LoginError::Malformed)?;
        mac.update(context);
        Ok(mac)
    }
}

impl std::fmt::Debug for WorkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_) = self;
        f.write_str("WorkKey")
    }
}

/// The work for one account on one challenge.
#[derive(Debug, Clone)]
pub struct Puzzle {
    seed: [u8; 32],
    work: u32,
}

impl Puzzle {
    /// The work that a relay asks for.
    #[must_use]
    pub fn new(challenge: &[u8; WORK_CHALLENGE], account: AccountId, work: u8) -> Self {
        let mut seed = Sha256::new();
        seed.update(contexts::WORK_PUZZLE);
        seed.update(challenge);
        seed.update(account.as_bytes());
        Self { seed: seed.finalize().into(), work: work.into() }
    }

    /// Does the work. `go_on` is told how many of the parts are done, often, and ends the work by saying no.
    pub fn solve(&self, mut go_on: impl FnMut(usize) -> bool) -> Option<[u8; WORK_SOLUTION]> {
        let mut solution = [0; WORK_SOLUTION];
        for (part, place) in (0..).zip(solution.chunks_exact_mut(SECOND)) {
            place.copy_from_slice(&self.solve_part(part, || go_on(part.into()))?.to_be_bytes());
        }
        go_on(WORK_PARTS).then_some(solution)
    }

    /// Whether this is the work.
    #[must_use]
    pub fn is_solved_by(&self, solution: &[u8; WORK_SOLUTION]) -> bool {
        (0..).zip(solution.chunks_exact(SECOND)).all(|(part, number)| {
            number.try_into().is_ok_and(|number| self.is_solved(part, u64::from_be_bytes(number)))
        })
    }

    fn solve_part(&self, part: u8, mut go_on: impl FnMut() -> bool) -> Option<u64> {
        let mut from = 0_u64;
        while go_on() {
            let tries = from..from + TRIES_AT_ONCE;
            if let Some(number) = tries.clone().find(|number| self.is_solved(part, *number)) {
                return Some(number);
            }
            from = tries.end;
        }
        None
    }

    fn is_solved(&self, part: u8, number: u64) -> bool {
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update([part]);
        hash.update(number.to_be_bytes());
        let hash: [u8; 32] = hash.finalize().into();
        hash.first_chunk().is_some_and(|start| u64::from_be_bytes(*start).leading_zeros() >= self.work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORK: u8 = 6;

    fn account(name: u8) -> AccountId {
        AccountId::from_bytes([name; 10])
    }

    #[test]
    fn a_challenge_counts_until_its_second_and_at_its_own_relay() {
        let (key, other) = (WorkKey::from_bytes([1; 32]), WorkKey::from_bytes([2; 32]));
        let challenge = key.challenge(100).unwrap();
        let invitation = key.invitation(&challenge, account(1), 100).unwrap();
        let again = key.invitation(&challenge, account(1), 0).unwrap();
        assert_eq!(again.secret_bytes(), invitation.secret_bytes(), "the same work earns the same");
        assert_eq!(key.invitation(&challenge, account(1), 101).err(), Some(LoginError::Refused));
        assert_eq!(other.invitation(&challenge, account(1), 100).err(), Some(LoginError::Refused));
        for place in 0..WORK_CHALLENGE {
            let mut changed = challenge;
            changed[place] ^= 1;
            assert_eq!(key.invitation(&changed, account(1), 0).err(), Some(LoginError::Refused), "{place}");
        }
        for other in [
            key.invitation(&challenge, account(2), 100),
            other.invitation(&other.challenge(100).unwrap(), account(1), 100),
        ] {
            assert_ne!(other.unwrap().secret_bytes(), invitation.secret_bytes());
        }
        assert_eq!(format!("{key:?}"), "WorkKey");
    }

    #[test]
    fn work_is_worth_something_for_its_own_account_and_challenge_only() {
        let puzzle = Puzzle::new(&[1; WORK_CHALLENGE], account(1), WORK);
        let solution = puzzle.solve(|_| true).unwrap();
        assert!(puzzle.is_solved_by(&solution));
        for other in [
            Puzzle::new(&[2; WORK_CHALLENGE], account(1), WORK),
            Puzzle::new(&[1; WORK_CHALLENGE], account(2), WORK),
            Puzzle::new(&[1; WORK_CHALLENGE], account(1), WORK + 12),
        ] {
            assert!(!other.is_solved_by(&solution));
        }
    }

    #[test]
    fn every_part_is_looked_at() {
        let puzzle = Puzzle::new(&[1; WORK_CHALLENGE], account(1), WORK);
        let solution = puzzle.solve(|_| true).unwrap();
        for part in 0..WORK_PARTS {
            // Once in 64 numbers another one solves it, too; no part has three in a row.
            let wrong = (0..3_u64).filter(|number| {
                let mut other = solution;
                other[part * SECOND..(part + 1) * SECOND].copy_from_slice(&number.to_be_bytes());
                !puzzle.is_solved_by(&other)
            });
            assert!(wrong.count() > 0, "{part}");
        }
    }

    #[test]
    fn work_tells_how_far_it_is_and_ends_when_it_is_told_to() {
        let mut told = Vec::new();
        let puzzle = Puzzle::new(&[1; WORK_CHALLENGE], account(1), WORK);
        puzzle.solve(|parts| {
            told.push(parts);
            true
        });
        assert_eq!(told, (0..=WORK_PARTS).collect::<Vec<_>>());
        let impossible = Puzzle::new(&[1; WORK_CHALLENGE], account(1), 64);
        let mut left = 3;
        assert_eq!(
            impossible.solve(|_| {
                left -= 1;
                left > 0
            }),
            None
        );
    }
}
