//! `nightdrop logout [-y]`

use super::lock::lock_agent;
use crate::{
    ClientError,
    cli::{
        arguments::{Global, Logout},
        password::confirm,
        print::Printer,
    },
};
use serde::Serialize;

/// What is lost, and what is not.
const CONSEQUENCES: &str = "\
This device forgets the account: its account code, and what it remembers of the newest state of your files, without which a relay
could give it an older one unnoticed, and how far unfinished uploads are, of which the relay forgets what it has within two weeks
(`nightdrop transfers drop --all` frees it now). Your files at the relay, your links and your other devices stay as they are.
To open the account again you need the account code and the password, or the recovery phrase. If you have neither, it is lost.";

#[derive(Serialize)]
struct Shown {
    forgotten: bool,
}

pub(in crate::cli) async fn run(
    global: &Global,
    arguments: &Logout,
    printer: &Printer,
) -> Result<(), ClientError> {
    let home = global.open_home()?;
    home.account()?;
    if !arguments.yes {
        confirm(&format!("{CONSEQUENCES}\n\nForget the account on this device? Type `yes`: "))?;
    }
    // First the session, for which the agent is needed.
    lock_agent(&home).await?;
    let lock = home.lock()?;
    home.forget_account(&lock)?;
    printer.result(&Shown { forgotten: true }, "This device has forgotten the account.")
}
