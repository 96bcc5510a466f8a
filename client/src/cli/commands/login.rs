//! `nightdrop login [CODE]`

use crate::{
    ClientError, Home,
    account::{self, Session},
    cli::{
        arguments::{Global, Login},
        kept_list::CHECKPOINT_WITHHELD,
        opened::end_session,
        print::Printer,
    },
    clock,
    limits::ClientLimits,
    local_copy::LocalCopy,
    opening::Found,
    space::HomeSpace,
    transport::Transport,
};
use nightdrop_envelope::{account_code::AccountCode, comparison::comparison_code};
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
    let Looked { shown, before, memory, space, mut copy, checkpoint_withheld, strays, closed_for } = looked?;
    let lock = home.lock()?;
    home.keep_account(&code, &lock)?;
    // Another command may have seen more meanwhile.
    let is_newest = home.memory()?.is_none_or(|there| Some(there) == before);
    if let Some(memory) = memory.filter(|_| is_newest) {
        // What the user compares is what this device goes on from.
        home.keep_memory(&memory, &lock)?;
    }
    if let (Some(space), None, true) = (space, closed_for, is_newest)
        && let Err(error) = copy.keep(&home, space.log(), &lock)
    {
        printer.warn(&format!("{error}; the next command reads more of your list from the relay"));
    }
    drop(lock);
    if checkpoint_withheld {
        printer.warn(CHECKPOINT_WITHHELD);
    }
    if strays > 0 {
        printer.warn(&format!("{strays} entries of your files are not as your devices write them"));
    }
    if let Some(next) = closed_for {
        // Whose other device was lost in the middle of a rekey goes on with it here.
        return Err(ClientError::Closed { next });
    }
    printer.result(&shown, &lines(&shown))?;
    arguments.qr.show(&code.secret_text(), printer)
}

/// What the relay gives.
struct Looked<T> {
    shown: Shown,
    /// What this device remembered.
    before: Option<Vec<u8>>,
    /// What this device is to remember of it; nothing of a list that the relay denies.
    memory: Option<Vec<u8>>,
    space: Option<HomeSpace<T>>,
    copy: LocalCopy,
    checkpoint_withheld: bool,
    /// Entries that are not as an honest device writes them.
    strays: u64,
    closed_for: Option<u64>,
}

async fn look<T: Transport>(
    transport: &T,
    session: &Session<T>,
    home: &Home,
    limits: &ClientLimits,
) -> Result<Looked<T>, ClientError> {
    let before = home.memory()?;
    let found = Found::on_disk(home, session).await?;
    let memory = found.memory;
    let (keyring, relay) = (session.keyring(), session.code().relay());
    let (space, copy, checkpoint_withheld) = match found.read_on((transport, relay, limits)).await {
        Ok((space, copy, withheld)) => (Some(space), copy, withheld),
        // An account without files has nothing to compare but its keyring.
        Err(ClientError::NoHomeSpace) => (None, LocalCopy::default(), false),
        Err(error) => return Err(error),
    };
    let never_written = HomeSpace::never_written(transport, relay, keyring.home_keys(), limits);
    let seen = space.as_ref().unwrap_or(&never_written);
    let shown = Shown {
        logged_in: true,
        keyring_version: keyring.version(),
        keyring_day: keyring.day(),
        entries: seen.head().count,
        comparison: comparison_code(keyring.version(), seen.state_hash()),
    };
    let (strays, closed_for) = (seen.reports().1, seen.state().closed_for());
    let memory = space.as_ref().map(|space| session.seal_memory(memory, space.head())).transpose()?;
    Ok(Looked { shown, before, memory, space, copy, checkpoint_withheld, strays, closed_for })
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
