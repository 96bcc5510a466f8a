//! `nightdrop recover`: a new password with the recovery phrase; `--new`: a new phrase with the password.

use super::lock::lock_agent_or_warn;
use crate::{
    ClientError, Home,
    account::{self, RecoveryWish},
    cli::{
        arguments::{Global, Recover},
        print::Printer,
    },
    limits::ClientLimits,
    password_policy,
};
use nightdrop_wire::onion::OnionAddress;
use serde::Serialize;
use zeroize::Zeroizing;

#[derive(Serialize)]
struct Recovered<'a> {
    account_code: &'a str,
}

#[derive(Serialize)]
struct Replaced<'a> {
    recovery_phrase: &'a str,
}

pub(in crate::cli) async fn run(
    global: &Global,
    arguments: Recover,
    printer: &Printer,
) -> Result<(), ClientError> {
    if arguments.new {
        return replace(global, printer).await;
    }
    let home = global.open_home()?;
    let relay = relay(&home, arguments.relay.as_deref())?;
    let mut standard_input = printer.standard_input();
    let phrase = standard_input.phrase(arguments.phrase_file.as_deref())?;
    let password = standard_input.new_password(global)?;
    password_policy::check(&password)?;
    let tor = global.connect(&home, printer).await?;
    let bar = printer.bar("Recovering the account");
    bar.wait();
    let access = account::recover(&tor, &relay, &phrase, &password, &ClientLimits::default()).await;
    bar.done();
    let code = access?.code;
    lock_agent_or_warn(&home, printer).await;
    // The old code opens nothing any more; without a kept account this device takes the recovered one.
    let kept = match home.account() {
        Ok(kept) if kept.account() != code.account() => {
            Err(ClientError::AccountExists { path: global.home_path()? })
        }
        Ok(_) | Err(ClientError::NoAccount { .. }) => {
            home.lock().and_then(|lock| home.keep_account(&code, &lock))
        }
        Err(error) => Err(error),
    };
    if let Err(error) = kept {
        printer.warn(&format!("this device does not keep the account: {error}"));
    }
    let code = code.secret_text();
    let lines = Zeroizing::new(format!(
        "The account has a new password, and a new account code in place of the old one:\n\n  {}\n\n\
         All sessions have ended. The recovery phrase stays good.",
        *code
    ));
    printer.result(&Recovered { account_code: &code }, &lines)
}

fn relay(home: &Home, typed: Option<&str>) -> Result<OnionAddress, ClientError> {
    match typed {
        Some(relay) => relay.parse().map_err(|_| ClientError::BadRelay),
        None => home.account().map(|code| code.relay().clone()).map_err(|error| match error {
            ClientError::NoAccount { .. } => {
                ClientError::Usage("name the relay of the account with `--relay ADDRESS`".to_owned())
            }
            error => error,
        }),
    }
}

/// A new phrase in place of the old one; the password stays.
async fn replace(global: &Global, printer: &Printer) -> Result<(), ClientError> {
    let home = global.open_home()?;
    let code = home.account()?;
    let password = printer.standard_input().existing_password(global)?;
    let tor = global.connect(&home, printer).await?;
    let bar = printer.bar("Replacing the recovery phrase");
    bar.wait();
    let limits = ClientLimits::default();
    let access =
        account::change_password(&tor, &code, &password, &password, RecoveryWish::Replace, &limits).await;
    bar.done();
    let phrase = access?.recovery.ok_or(ClientError::Stopped)?;
    lock_agent_or_warn(&home, printer).await;
    let words = phrase.secret_words()?;
    let lines = Zeroizing::new(format!(
        "The old recovery phrase opens nothing any more. The new one, to be written on paper; it is shown this once:\n\n  {}",
        *words
    ));
    printer.result(&Replaced { recovery_phrase: &words }, &lines)
}
