//! Invitations: each registers one account, once, until its last day.

use crate::{
    accounts::Registration,
    day::Day,
    error::StoreError,
    operation::Checked,
    room::{Need, scattered},
    row::{self, Row},
    schema::{InvitationRow, InvitationState},
    store::{Queued, Store},
    transaction::{Changes, Rows},
};
use nightdrop_wire::{ids::InvitationId, messages::admin::InvitationFacts, token::TokenHash};
use std::ops::ControlFlow;

/// Invitations of a list, and where the list goes on if there are more.
pub type InvitationList = (Vec<InvitationFacts>, Option<TokenHash>);

impl Store {
    /// Keeps a new invitation. [`StoreError::Conflict`] if this token was issued before.
    #[must_use]
    pub fn issue_invitation(&self, invitation: TokenHash, expires: Day) -> Queued<()> {
        self.issue_invitations(vec![invitation], expires)
    }

    /// Keeps new invitations, all of them or none. [`StoreError::Conflict`] if one of the tokens was issued before.
    #[must_use]
    pub fn issue_invitations(&self, invitations: Vec<TokenHash>, expires: Day) -> Queued<()> {
        self.queue(scattered(invitations.len()), move |rows| {
            for invitation in &invitations {
                if rows.holds(&InvitationRow::TABLE, invitation.as_bytes())? {
                    return Err(StoreError::Conflict);
                }
            }
            Ok(Checked::Write(move |changes: &Changes<'_>| {
                let row = InvitationRow { expires, state: InvitationState::Unspent };
                invitations.iter().try_for_each(|invitation| changes.put(invitation.as_bytes(), &row))
            }))
        })
    }

    /// Whether an invitation registers an account today.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if it is unknown, spent or past its last day.
    pub fn check_invitation(&self, invitation: &TokenHash, today: Day) -> Result<(), StoreError> {
        unspent(&self.snapshot()?, invitation, today).map(|_| ())
    }

    /// Whether these bytes made an account before.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if they did not.
    pub fn is_registered(&self, registration: &Registration<'_>) -> Result<(), StoreError> {
        let row = self.snapshot()?.guard::<InvitationRow>(registration.invitation.as_bytes())?;
        let made = row.is_some_and(|row| row.state == InvitationState::Spent(registration.body.0));
        if made { Ok(()) } else { Err(StoreError::Refused) }
    }

    /// Up to `most` invitations that come after this one in the order of their hashes. Damaged and revoked ones are left
    /// out; they are refused to everyone.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn list_invitations(
        &self,
        after: Option<TokenHash>,
        most: usize,
    ) -> Result<InvitationList, StoreError> {
        let start = after.map_or([0; TokenHash::LENGTH], |after| *after.as_bytes());
        let (mut listed, mut last, mut more) = (Vec::new(), None, false);
        self.snapshot()?.each(&InvitationRow::TABLE, start..=[0xff; TokenHash::LENGTH], |hash, bytes| {
            if after.is_some_and(|after| *after.as_bytes() == hash) {
                return Ok(ControlFlow::Continue(()));
            }
            if listed.len() >= most {
                more = true;
                return Ok(ControlFlow::Break(()));
            }
            last = Some(TokenHash::from_bytes(hash));
            let row = row::decode::<InvitationRow>(&hash, bytes).ok();
            if let Some(row) = row.filter(|row| row.state != InvitationState::Revoked) {
                let spent = row.state != InvitationState::Unspent;
                listed.push(InvitationFacts { id: id_of(&hash), expires: row.expires.0, spent });
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok((listed, last.filter(|_| more)))
    }

    /// Ends an invitation that was not spent. It is remembered as long as a spent one, so that nothing issues it again.
    ///
    /// [`StoreError::Refused`] if there is none with this id, [`StoreError::Conflict`] if it was spent (or if the id
    /// stands for two that are not).
    #[must_use]
    pub fn revoke_invitation(&self, invitation: InvitationId) -> Queued<()> {
        self.queue_for(Need::Least, 0, move |rows| {
            let (mut unspent, mut spent) = (Vec::new(), false);
            rows.each(&InvitationRow::TABLE, hashes_of(invitation), |hash, bytes| {
                match row::decode::<InvitationRow>(&hash, bytes) {
                    Ok(InvitationRow { expires, state: InvitationState::Unspent }) => {
                        unspent.push((hash, expires));
                    }
                    Ok(InvitationRow { state: InvitationState::Spent(_), .. }) => spent = true,
                    Ok(InvitationRow { state: InvitationState::Revoked, .. }) => {}
                    // A damaged one is refused to everyone, so nothing is lost with it; nothing says for how long it
                    // could be issued again.
                    Err(_) => unspent.push((hash, Day(u32::MAX))),
                }
                Ok(ControlFlow::Continue(()))
            })?;
            match unspent.as_slice() {
                &[(hash, expires)] => Ok(Checked::Write(move |changes: &Changes<'_>| {
                    changes.put(&hash, &InvitationRow { expires, state: InvitationState::Revoked })
                })),
                [] if !spent => Err(StoreError::Refused),
                _ => Err(StoreError::Conflict),
            }
        })
    }
}

/// The invitation, if it registers an account today.
pub(crate) fn unspent(
    rows: &impl Rows,
    invitation: &TokenHash,
    today: Day,
) -> Result<InvitationRow, StoreError> {
    rows.guard::<InvitationRow>(invitation.as_bytes())?
        .filter(|row| row.state == InvitationState::Unspent && row.expires >= today)
        .ok_or(StoreError::Refused)
}

fn id_of(hash: &[u8; TokenHash::LENGTH]) -> InvitationId {
    InvitationId::of(&TokenHash::from_bytes(*hash))
}

/// All hashes that begin with the id.
fn hashes_of(id: InvitationId) -> std::ops::RangeInclusive<[u8; TokenHash::LENGTH]> {
    let filled = |rest| {
        let mut hash = [rest; TokenHash::LENGTH];
        for (place, byte) in hash.iter_mut().zip(id.as_bytes()) {
            *place = *byte;
        }
        hash
    };
    filled(0)..=filled(0xff)
}
