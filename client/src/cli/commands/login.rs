//! `nightdrop login [CODE]`

use crate::{
    ClientError, Home,
    account::{self, Session},
    cli::{
        arguments::{Global, Login},
        opened::end_session,
        print::Printer,
    },
    clock,
    limits::ClientLimits,
    space::HomeSpace,
    transport::Transport,
};
use nightdrop_envelope::{account_code::AccountCode, comparison::comparison_code};
use nightdrop_wire::messages::log::LogHead;
use serde::Serialize;

#[derive(Serialize)]
struct Shown {
    logged_in: bool,
    keyring_version: u64,
    keyring_day: u32,
    entries: u64,
    comparison: String,
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
    let limits = ClientLimits::default();
    let session = account::log_in(&tor, &code, &password, &limits).await;
    bar.done();
    let session = session?;
    let looked = look(&tor, &session, &home, &limits).await;
    end_session(session, printer).await;
    if matches!(looked, Ok(_) | Err(ClientError::Closed { .. })) {
        // With a closed list, too: whose other device was lost in the middle of a rekey goes on with it here.
        home.keep_account(&code, &home.lock()?)?;
    }
    let shown = looked?;
    printer.result(&shown, &lines(&shown))?;
    arguments.qr.show(&code.secret_text(), printer)
}

/// What the relay gives, for comparison with another device. An account without files has nothing to compare but its keyring.
async fn look<T: Transport>(
    transport: &T,
    session: &Session<T>,
    home: &Home,
    limits: &ClientLimits,
) -> Result<Shown, ClientError> {
    let memory = session.open_memory(home.memory()?.as_deref())?;
    let (keyring, relay) = (session.keyring(), session.code().relay());
    let keys = keyring.home_keys();
    let never_written = LogHead::before_first(keys.space());
    let space = HomeSpace::open(transport, relay, keys, memory.home_head, limits).await;
    let head = match space {
        Ok(space) => match space.state().closed_for() {
            Some(next) => return Err(ClientError::Closed { next }),
            None => space.head(),
        },
        Err(ClientError::NoHomeSpace) => never_written,
        Err(error) => return Err(error),
    };
    Ok(Shown {
        logged_in: true,
        keyring_version: keyring.version(),
        keyring_day: keyring.day(),
        entries: head.count,
        comparison: comparison_code(keyring.version(), &head),
    })
}

fn lines(shown: &Shown) -> String {
    let Shown { logged_in: _, keyring_version, keyring_day, entries, comparison } = shown;
    let days = clock::today().saturating_sub(*keyring_day);
    format!(
        "Logged in. This device remembers the account.\n\n  {comparison}   keyring {keyring_version}, {days} day(s) old; {entries} entries\n\n\
         If another device of yours shows another code for `nightdrop login`, with nothing written in between, the relay gives one of \
         them an older state."
    )
}
