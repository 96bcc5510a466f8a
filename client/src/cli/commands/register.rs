//! `nightdrop register RELAY [--invite CODE]`

use crate::{
    ClientError, Home, HomeLock, PendingRegistration,
    account::{self, OpenRelay, Prepared},
    cli::{
        arguments::{Global, Register},
        password,
        print::Printer,
    },
    limits::ClientLimits,
    password_policy,
};
use nightdrop_envelope::{account_code::AccountCode, recovery::RecoveryPhrase};
use nightdrop_onion_config::Tor;
use nightdrop_wire::{messages::relay::RelayInfo, onion::OnionAddress, token::Token};
use serde::Serialize;
use std::sync::Arc;
use zeroize::Zeroizing;

#[derive(Serialize)]
struct Shown<'a> {
    account_code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_phrase: Option<&'a str>,
}

pub(in crate::cli) async fn run(
    global: &Global,
    arguments: Register,
    printer: &Printer,
) -> Result<(), ClientError> {
    arguments.qr.check(printer)?;
    let relay: OnionAddress = arguments.relay.parse().map_err(|_| ClientError::BadRelay)?;
    let mut standard_input = printer.standard_input();
    let invitation = match &arguments.invite {
        None => None,
        Some(code) => Some(
            Token::from_typed_text(&standard_input.argument(code)?)
                .map_err(|_| ClientError::BadInvitation)?,
        ),
    };
    let home = global.open_home()?;
    let lock = home.lock()?;
    if home.account().is_ok() {
        return Err(ClientError::AccountExists { path: global.home_path()? });
    }
    let (password, words) = if arguments.generate {
        let (password, words) = password::generated();
        (password, Some(words))
    } else {
        let password = standard_input.new_password(global)?;
        password_policy::check(&password)?;
        (password, None)
    };
    let tor = global.connect(&home, printer).await?;
    let bar = printer.bar("Registering");
    bar.wait();
    let outcome = async {
        if let Some(code) = finish_pending(&tor, &home, &lock).await? {
            return Ok((code, None, false));
        }
        let limits = ClientLimits::default();
        let with_recovery = !arguments.no_recovery;
        let prepared = match invitation {
            Some(invitation) => {
                account::prepare(&tor, &relay, invitation, password, with_recovery, &limits).await?
            }
            None => {
                let open = OpenRelay::ask(&tor, &relay, &limits).await?;
                let RelayInfo { quota, session_days, .. } = open.info();
                let quota = quota >> 20;
                printer.note(&format!(
                    "This relay is open to everyone. An account stores up to {quota} MiB in half a year, \
                     and a login lasts up to {session_days} days."
                ));
                let bar = bar.clone();
                let progress = Arc::new(move |percent| bar.percent(percent));
                open.prepare(password, with_recovery, progress).await?
            }
        };
        make(&tor, &home, &lock, prepared).await.map(|(code, recovery)| (code, recovery, true))
    };
    let outcome = outcome.await;
    bar.done();
    let (code, recovery, by_this_run) = outcome?;
    // The account of an earlier run has the password of that run.
    let words = words.filter(|_| by_this_run);
    show(&code, words.as_ref().map(|words| words.as_str()), recovery.as_ref(), printer)?;
    arguments.qr.show(&code.secret_text(), printer)
}

/// An earlier run was cut off: the same bytes again make the account, or find that it was made.
async fn finish_pending(tor: &Tor, home: &Home, lock: &HomeLock) -> Result<Option<AccountCode>, ClientError> {
    let Some(pending) = home.registration()? else { return Ok(None) };
    match account::commit(tor, pending.code.relay(), &pending.request, &ClientLimits::default()).await {
        Ok(()) => {
            home.keep_account(&pending.code, lock)?;
            Ok(Some(pending.code))
        }
        // There is no such account, so this run may make one.
        Err(ClientError::InvitationRefused) => home.drop_registration(lock).map(|()| None),
        Err(error) => Err(error),
    }
}

async fn make(
    tor: &Tor,
    home: &Home,
    lock: &HomeLock,
    prepared: Prepared,
) -> Result<(AccountCode, Option<RecoveryPhrase>), ClientError> {
    let Prepared { code, recovery, request, memory } = prepared;
    let pending = PendingRegistration { code, request };
    // First the memory: a registration that is finished by a later run must find it.
    home.keep_memory(&memory, lock)?;
    home.keep_registration(&pending, lock)?;
    match account::commit(tor, pending.code.relay(), &pending.request, &ClientLimits::default()).await {
        Ok(()) => {
            home.keep_account(&pending.code, lock)?;
            Ok((pending.code, recovery))
        }
        // The relay said no, so there is no account to find again.
        Err(error @ (ClientError::InvitationRefused | ClientError::RelayFull)) => {
            home.drop_registration(lock)?;
            Err(error)
        }
        Err(error) => Err(error),
    }
}

fn show(
    code: &AccountCode,
    password: Option<&str>,
    recovery: Option<&RecoveryPhrase>,
    printer: &Printer,
) -> Result<(), ClientError> {
    let code = code.secret_text();
    let words = recovery.and_then(|phrase| phrase.secret_words().ok());
    let shown =
        Shown { account_code: &code, password, recovery_phrase: words.as_ref().map(|words| words.as_str()) };
    let mut lines = Zeroizing::new(format!(
        "Your account is made.\n\n\
         Account code, needed with your password to log in on another device:\n\n  {}\n",
        *code
    ));
    if let Some(password) = password {
        lines.push_str("\nPassword. It is shown this once:\n\n  ");
        lines.push_str(password);
        lines.push('\n');
    }
    match &words {
        Some(words) => {
            lines.push_str(
                "\nRecovery phrase. Write it on paper: it opens the account when the password is forgotten,\n\
                 for you and for anybody who finds it. It is shown this once:\n\n  ",
            );
            lines.push_str(words);
            lines.push('\n');
        }
        None => lines.push_str(
            "\nThere is no recovery phrase that anybody has seen: without the password the account is lost.\n",
        ),
    }
    printer.result(&shown, &lines)
}
