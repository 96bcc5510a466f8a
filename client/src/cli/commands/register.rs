//! `nightdrop register RELAY --invite CODE`

use crate::{
    ClientError,
    account::{self, Registered, RegistrationStep},
    cli::{
        arguments::{Global, Register},
        password,
        print::Printer,
    },
    limits::ClientLimits,
    password_policy,
};
use nightdrop_wire::{onion::OnionAddress, token::Token};
use serde::Serialize;
use zeroize::Zeroizing;

#[derive(Serialize)]
struct Shown<'a> {
    account_code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_phrase: Option<&'a str>,
}

pub(in crate::cli) async fn run(
    global: &Global,
    arguments: Register,
    printer: &Printer,
) -> Result<(), ClientError> {
    let relay: OnionAddress = arguments.relay.parse().map_err(|_| ClientError::BadRelay)?;
    let invitation = Token::from_typed_text(&password::argument(&arguments.invite)?)
        .map_err(|_| ClientError::BadInvitation)?;
    let home = global.open_home()?;
    home.require_empty()?;
    let password = password::new(global)?;
    password_policy::check(&password)?;
    let tor = global.connect(&home, printer).await?.tor;
    let bar = printer.bar("Registering");
    bar.wait();
    let limits = ClientLimits::default();
    let outcome =
        account::register(&tor, &relay, invitation, password, !arguments.no_recovery, &limits, |step| {
            match step {
                RegistrationStep::BeforeCommit(code) => home.keep_pending(code),
            }
        })
        .await;
    bar.done();
    let registered = match outcome {
        Ok(registered) => registered,
        // The relay said no, so there is no account to find again.
        Err(error @ ClientError::InvitationRefused) => {
            if home.pending_account()?.is_some() {
                home.drop_pending()?;
            }
            return Err(error);
        }
        Err(error) => {
            if home.pending_account()?.is_some() {
                printer
                    .note("It is not known whether the relay made the account. `nightdrop login` finds out.");
            }
            return Err(error);
        }
    };
    home.keep_account(&registered.code)?;
    show(&registered, printer);
    Ok(())
}

fn show(registered: &Registered, printer: &Printer) {
    let code = registered.code.secret_text();
    let words = registered.recovery.as_ref().and_then(|phrase| phrase.secret_words().ok());
    let shown = Shown { account_code: &code, recovery_phrase: words.as_ref().map(|words| words.as_str()) };
    let mut lines = Zeroizing::new(format!(
        "Your account is made.\n\n\
         Account code, needed with your password to log in on another device:\n\n  {}\n",
        *code
    ));
    if let Some(words) = &words {
        lines.push_str(
            "\nRecovery phrase. Write it on paper: it opens the account when the password is forgotten,\n\
             for you and for anybody who finds it. It is shown this once:\n\n  ",
        );
        lines.push_str(words);
        lines.push('\n');
    }
    printer.result(&shown, &lines);
}
