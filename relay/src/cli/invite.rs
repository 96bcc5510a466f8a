//! `invite new|ls|revoke`

use super::{operator::Operator, output};
use crate::{
    error::RelayError,
    worker::{AdminEndpoint, Environment},
};
use nightdrop_wire::{
    date::Date,
    ids::InvitationId,
    messages::admin::{
        InvitationFacts, InvitationPage, Invitations, ListInvitations, NewInvitations, RevokeInvitation,
    },
    refusal::Refusal,
};
use serde::Serialize;

/// Issues invitations and prints their codes.
pub(super) fn new(operator: &Operator, days: u16, count: u16, json: bool) -> Result<(), RelayError> {
    let message = NewInvitations { days, count };
    let Invitations { invitations } = operator.ask(AdminEndpoint::NewInvitations, &message)?;
    invitations.iter().try_for_each(|invitation| {
        let code = invitation.secret_text();
        if json {
            // A code is base32: nothing in it has to be escaped.
            output::line(&format!(r#"{{"invite":"{}"}}"#, *code))
        } else {
            output::line(&code)
        }
    })
}

/// Prints all invitations, page by page.
pub(super) fn ls(operator: &Operator, json: bool) -> Result<(), RelayError> {
    let today = Environment::system().today().0;
    let mut after = None;
    loop {
        let page: InvitationPage =
            operator.ask(AdminEndpoint::ListInvitations, &ListInvitations { after })?;
        for facts in &page.invitations {
            print(facts, today, json)?;
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// Ends an invitation.
pub(super) fn revoke(operator: &Operator, id: InvitationId, json: bool) -> Result<(), RelayError> {
    let message = RevokeInvitation { invitation: id };
    operator.ask::<_, ()>(AdminEndpoint::RevokeInvitation, &message).map_err(|error| match error {
        RelayError::OperatorRefused(Refusal::Refused) => RelayError::NoSuchInvitation { id },
        RelayError::OperatorRefused(Refusal::Conflict) => RelayError::InvitationSpent { id },
        error => error,
    })?;
    if json {
        output::json(&Revoked { revoked: id.to_string() })
    } else {
        output::line(&format!("{id} revoked"))
    }
}

#[derive(Serialize)]
struct Revoked {
    revoked: String,
}

/// An invitation in a list.
#[derive(Serialize)]
struct Listed {
    id: String,
    /// Last day on which it registers an account.
    expires: String,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Unspent,
    Spent,
    Expired,
}

impl State {
    const fn of(facts: &InvitationFacts, today: u32) -> Self {
        match facts {
            InvitationFacts { spent: true, .. } => Self::Spent,
            InvitationFacts { expires, .. } if *expires < today => Self::Expired,
            InvitationFacts { .. } => Self::Unspent,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Unspent => "unspent",
            Self::Spent => "spent",
            Self::Expired => "expired",
        }
    }
}

fn print(facts: &InvitationFacts, today: u32, json: bool) -> Result<(), RelayError> {
    let state = State::of(facts, today);
    let (id, expires) = (facts.id.to_string(), Date::of_day(facts.expires).to_string());
    if json {
        output::json(&Listed { id, expires, state })
    } else {
        output::line(&format!("{id}  until {expires}  {}", state.word()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_is_good_on_its_last_day() {
        let facts = |spent, expires| InvitationFacts { id: InvitationId::from_bytes([1; 5]), expires, spent };
        assert_eq!(State::of(&facts(false, 7), 7), State::Unspent);
        assert_eq!(State::of(&facts(false, 6), 7), State::Expired);
        assert_eq!(State::of(&facts(true, 6), 7), State::Spent);
    }
}
