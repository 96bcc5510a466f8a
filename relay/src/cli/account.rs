//! `account ls|quota|remove`: what the operator can see and do about accounts, which is not much, by design.

use super::{arguments::Quota, operator::Operator, output, size::Size};
use crate::{error::RelayError, worker::AdminEndpoint};
use nightdrop_wire::{
    ids::AccountId,
    messages::admin::{AccountFacts, AccountPage, ListAccounts, RemoveAccount, SetQuota},
    refusal::Refusal,
};
use serde::Serialize;
use std::io::{BufRead, IsTerminal, Write};

/// What removing an account does and does not do.
const WHAT_REMOVING_DOES: &str = "\
Nobody can open the account again: its owner neither, and there is no way back.
The files that were stored with it stay: the relay does not know which they are.";

/// Prints all accounts, page by page.
pub(super) fn ls(operator: &Operator, json: bool) -> Result<(), RelayError> {
    let mut after = None;
    loop {
        let page: AccountPage = operator.ask(AdminEndpoint::ListAccounts, &ListAccounts { after })?;
        for facts in &page.accounts {
            print(facts, page.default_quota, json)?;
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// Says how much an account may store.
pub(super) fn quota(
    operator: &Operator,
    account: AccountId,
    quota: Quota,
    json: bool,
) -> Result<(), RelayError> {
    let quota = match quota {
        Quota::Default => None,
        Quota::Bytes(bytes) => Some(bytes),
    };
    operator.ask::<_, ()>(AdminEndpoint::SetQuota, &SetQuota { account, quota }).map_err(unknown(account))?;
    if json {
        return output::json(&QuotaSet { account: account.to_string(), quota });
    }
    match quota {
        Some(bytes) => output::line(&format!("{account} may store {} in half a year", Size(bytes))),
        None => output::line(&format!("{account} may store as much as every account")),
    }
}

/// Removes an account, after asking.
pub(super) fn remove(
    operator: &Operator,
    account: AccountId,
    yes: bool,
    json: bool,
) -> Result<(), RelayError> {
    if !yes {
        confirm(account)?;
    }
    let message = RemoveAccount { account };
    operator.ask::<_, ()>(AdminEndpoint::RemoveAccount, &message).map_err(unknown(account))?;
    if json {
        output::json(&Removed { removed: account.to_string() })
    } else {
        output::line(&format!("{account} removed"))
    }
}

fn unknown(account: AccountId) -> impl FnOnce(RelayError) -> RelayError {
    move |error| match error {
        RelayError::OperatorRefused(Refusal::Refused) => RelayError::NoSuchAccount { account },
        error => error,
    }
}

fn confirm(account: AccountId) -> Result<(), RelayError> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        return Err(RelayError::NotConfirmed);
    }
    // A question that cannot be shown gets no answer below, and so removes nothing.
    let question = format!("{WHAT_REMOVING_DOES}\nRemove {account}? Type `yes`: ");
    let _closed = std::io::stderr().write_all(question.as_bytes());
    is_yes(input.lock())
}

fn is_yes(mut input: impl BufRead) -> Result<(), RelayError> {
    let mut answer = String::new();
    match input.read_line(&mut answer) {
        Ok(_) if answer.trim() == "yes" => Ok(()),
        Ok(_) | Err(_) => Err(RelayError::NotConfirmed),
    }
}

#[derive(Serialize)]
struct QuotaSet {
    account: String,
    /// Bytes in a period; nothing: as many as every account.
    quota: Option<u64>,
}

#[derive(Serialize)]
struct Removed {
    removed: String,
}

/// An account in a list.
#[derive(Serialize)]
struct Listed {
    account: String,
    /// Nothing: what is stored of the account is damaged.
    keyring_version: Option<u64>,
    sessions: u32,
    /// Bytes for which it drew credits in this period of half a year.
    drawn: u64,
    /// Bytes for which it may.
    quota: u64,
    /// Whether the operator set `quota` for this account.
    quota_set: bool,
}

fn print(facts: &AccountFacts, default_quota: u64, json: bool) -> Result<(), RelayError> {
    let AccountFacts { account, keyring_version, sessions, drawn, quota } = *facts;
    let most = quota.unwrap_or(default_quota);
    if json {
        return output::json(&Listed {
            account: account.to_string(),
            keyring_version,
            sessions,
            drawn,
            quota: most,
            quota_set: quota.is_some(),
        });
    }
    let keyring =
        keyring_version.map_or_else(|| "damaged".to_owned(), |version| format!("keyring {version}"));
    let set = if quota.is_some() { " (set)" } else { "" };
    let (drawn, most) = (Size(drawn), Size(most));
    output::line(&format!("{account}  {keyring}  sessions {sessions}  drawn {drawn} of {most}{set}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        is_yes(b"yes\n".as_slice()).unwrap();
        for no in ["", "\n", "y\n", "no\n", "yes please\n", "YES\n"] {
            assert!(matches!(is_yes(no.as_bytes()), Err(RelayError::NotConfirmed)), "{no}");
        }
    }
}
