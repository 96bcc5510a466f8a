//! Registering without an invitation, where the relay's registration is open: an invitation is earned by work.
//!
//! ```text
//! GET /v1/relay         who can register, how much work it is, a challenge
//! work                  on this machine, for one account id and this challenge
//! POST /v1/invitations  the work, and for it an invitation, which registers like any other
//! ```

use super::register::{Prepared, prepare_on};
use crate::{
    ClientError,
    limits::ClientLimits,
    random,
    relay::{RelayLane, RequestError},
    relay_info::{ask_relay, issuing_key},
    transport::Transport,
};
use nightdrop_envelope::account_code::AccountCode;
use nightdrop_login::{password::Password, work::Puzzle};
use nightdrop_wire::{
    endpoint::Endpoint,
    ids::AccountId,
    limits::{MAX_WORK, WORK_PARTS, WORK_SOLUTION},
    messages::credit::BLINDED,
    messages::relay::{EarnInvitation, EarnedInvitation, Registration, RelayInfo},
    onion::OnionAddress,
    refusal::Refusal,
    token::Token,
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Is told how many percent of the work are done.
pub type WorkProgress = Arc<dyn Fn(u8) + Send + Sync>;

/// A relay whose registration is open.
#[derive(Debug)]
pub struct OpenRelay<T> {
    lane: RelayLane<T>,
    relay: OnionAddress,
    info: RelayInfo,
    /// Asked for apart from the challenge, which is shown again and so says who asked.
    issuing_key: [u8; BLINDED],
}

impl<T: Transport> OpenRelay<T> {
    /// Asks a relay what it says of itself.
    ///
    /// # Errors
    /// [`ClientError::InvitationNeeded`], [`ClientError::RegistrationClosed`], and [`ClientError::AbsurdWork`] for more work than any
    /// honest relay asks for: then none is done.
    pub async fn ask(
        transport: &T,
        relay: &OnionAddress,
        limits: &ClientLimits,
    ) -> Result<Self, ClientError> {
        let info = ask_relay(transport, relay, limits).await?;
        match info.registration {
            Registration::Invite => Err(ClientError::InvitationNeeded),
            Registration::Closed => Err(ClientError::RegistrationClosed),
            Registration::Open if info.work > MAX_WORK => Err(ClientError::AbsurdWork),
            Registration::Open => {
                let lane = RelayLane::isolated(transport, relay, limits);
                let issuing_key = issuing_key(transport, relay, limits).await?;
                Ok(Self { lane, relay: relay.clone(), info, issuing_key })
            }
        }
    }

    /// What it says of itself.
    #[must_use]
    pub const fn info(&self) -> &RelayInfo {
        &self.info
    }

    /// Earns an invitation and prepares an account with it, as [`super::prepare`] does with one that was given.
    ///
    /// # Errors
    /// [`ClientError::RegistrationsUsedUp`] if the relay takes no more accounts in this hour.
    pub async fn prepare(
        mut self,
        password: Password,
        with_recovery: bool,
        progress: WorkProgress,
    ) -> Result<Prepared, ClientError> {
        let code = AccountCode::generate(self.relay.clone(), &mut random::system());
        let invitation = self.earn_invitation(code.account(), progress).await?;
        let issuing_key = self.issuing_key;
        prepare_on(&mut self.lane, code, invitation, password, with_recovery, issuing_key).await
    }

    async fn earn_invitation(
        &mut self,
        account: AccountId,
        progress: WorkProgress,
    ) -> Result<Token, ClientError> {
        let RelayInfo { challenge, work, .. } = self.info;
        let puzzle = Puzzle::new(&challenge, account, work);
        let solution = do_work(puzzle, progress).await?;
        let request = EarnInvitation { account, challenge, solution };
        match self.lane.call::<_, EarnedInvitation>(Endpoint::EarnInvitation, None, &request).await {
            Ok(earned) => Ok(earned.invitation),
            Err(RequestError::Refused(Refusal::Conflict)) => Err(ClientError::RegistrationsUsedUp),
            Err(error) => Err(ClientError::work(error)),
        }
    }
}

/// Does the work on a thread of its own, which ends soon after nobody waits for it any more.
async fn do_work(puzzle: Puzzle, progress: WorkProgress) -> Result<[u8; WORK_SOLUTION], ClientError> {
    let wanted = Wanted(Arc::new(AtomicBool::new(true)));
    let is_wanted = Arc::clone(&wanted.0);
    let work = move || {
        let mut shown = None;
        puzzle.solve(|parts| {
            let percent = u8::try_from(parts * 100 / WORK_PARTS).unwrap_or(100);
            if shown.replace(percent) != Some(percent) {
                progress(percent);
            }
            is_wanted.load(Ordering::Relaxed)
        })
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.ok().flatten().ok_or(ClientError::Stopped)
}

/// Ends the work when dropped.
struct Wanted(Arc<AtomicBool>);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}
