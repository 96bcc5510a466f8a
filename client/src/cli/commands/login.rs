//! `nightdrop login [CODE]`

use crate::{
    ClientError, account,
    cli::{
        arguments::{Global, Login},
        opened::end_session,
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
    arguments.qr.check(printer)?;
    let home = global.open_home()?;
    let mut standard_input = printer.standard_input();
    let code = match &arguments.code {
        Some(code) => {
            let code = standard_input.argument(code)?;
            let code = AccountCode::from_text(&code).map_err(ClientError::BadAccountCode)?;
            match home.account() {
                // The same code again is a login like any other; another one would replace an account.
                Ok(kept) if kept.secret_text() != code.secret_text() => {
                    return Err(ClientError::AccountExists { path: global.home_path()? });
                }
                Ok(_) | Err(ClientError::NoAccount { .. }) => code,
                Err(error) => return Err(error),
            }
        }
        None => home.account()?,
    };
    let password = standard_input.existing_password(global)?;
    let tor = global.connect(&home, printer).await?;
    let bar = printer.bar("Logging in");
    bar.wait();
    let session = account::log_in(&tor, &code, &password, &ClientLimits::default()).await;
    bar.done();
    let session = session?;
    let kept = session.open_memory(home.memory()?.as_deref()).and_then(|_| {
        let lock = home.lock()?;
        home.keep_account(&code, &lock)
    });
    let shown = Shown { logged_in: true, keyring_version: session.keyring().version() };
    end_session(session, printer).await;
    kept?;
    printer.result(&shown, "Logged in. This device remembers the account.")?;
    arguments.qr.show(&code.secret_text(), printer)
}
