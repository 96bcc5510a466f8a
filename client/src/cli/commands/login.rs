//! `nightdrop login [CODE]`

use crate::{
    ClientError, account,
    cli::{
        arguments::{Global, Login},
        opened::end_session,
        password,
        print::Printer,
    },
    limits::ClientLimits,
};
use nightdrop_envelope::account_code::AccountCode;
use serde::Serialize;

#[derive(Serialize)]
struct Shown {
    logged_in: bool,
    keyring_version: u64,
}

pub(in crate::cli) async fn run(
    global: &Global,
    arguments: Login,
    printer: &Printer,
) -> Result<(), ClientError> {
    let home = global.open_home()?;
    let code = match arguments.code {
        Some(code) => {
            let code =
                AccountCode::from_text(&password::argument(&code)?).map_err(ClientError::BadAccountCode)?;
            // The same code again is a login like any other; another one would replace an account.
            match home.account() {
                Ok(kept) if kept.secret_text() != code.secret_text() => return home.require_empty(),
                Ok(_) | Err(ClientError::NoAccount { .. }) => code,
                Err(error) => return Err(error),
            }
        }
        None => match home.pending_account()? {
            Some(code) => code,
            None => home.account()?,
        },
    };
    let password = password::existing(global)?;
    let tor = global.connect(&home, printer).await?.tor;
    let bar = printer.bar("Logging in");
    bar.wait();
    let session = account::log_in(&tor, &code, &password, &ClientLimits::default()).await;
    bar.done();
    let session = session?;
    session.open_memory(home.memory()?.as_deref())?;
    home.keep_account(&code)?;
    let shown = Shown { logged_in: true, keyring_version: session.keyring().version() };
    end_session(session, printer).await;
    printer.result(&shown, "Logged in. This device remembers the account.");
    Ok(())
}
