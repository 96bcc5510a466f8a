//! `nightdrop rekey`

use super::lock::lock_agent;
use crate::{
    ClientError,
    account::{RecoveryWish, Rekeyed},
    cli::{
        arguments::{Global, Rekey},
        opened::{Opened, with_password},
        print::Printer,
    },
};
use serde::Serialize;
use zeroize::Zeroizing;

#[derive(Serialize)]
struct Shown<'a> {
    rekeyed: bool,
    files: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_phrase: Option<&'a str>,
}

pub(in crate::cli) async fn run(
    global: &Global,
    arguments: &Rekey,
    printer: &Printer,
) -> Result<(), ClientError> {
    let home = global.open_home()?;
    home.account()?;
    let password = printer.standard_input().existing_password(global)?;
    let recovery = if arguments.no_recovery { RecoveryWish::Remove } else { RecoveryWish::Replace };
    let rekey = async |opened: &mut Opened<'_>| {
        let bar = printer.bar("Replacing the keys");
        bar.wait();
        let rekeyed = opened.rekey(&password, recovery).await;
        bar.done();
        rekeyed
    };
    let rekeyed = with_password(global, &password, printer, rekey).await;
    if matches!(rekeyed, Err(ClientError::ChangeUnknown | ClientError::ChangeRefused)) {
        printer.warn("the password stays what it was; run `nightdrop rekey` again");
    }
    let Rekeyed { access, files } = rekeyed?;
    if let Err(error) = lock_agent(&home).await {
        printer.warn(&format!("the agent did not lock: {error}"));
    }
    let words = access.recovery.as_ref().map(|phrase| phrase.secret_words()).transpose()?;
    let words = words.as_ref().map(|words| words.as_str());
    // The phrase is shown whatever becomes of the rest, which every later command goes on with.
    let renewed = with_password(global, &password, printer, async |_opened: &mut Opened<'_>| Ok(())).await;
    let mut lines = Zeroizing::new(format!(
        "The keys are replaced, of {files} file(s), too; all sessions have ended. Password and account code stay, and so do links."
    ));
    if let Some(words) = words {
        lines.push_str("\n\nThe old recovery phrase opens nothing any more. The new one, to be written on paper; it is shown this once:\n\n  ");
        lines.push_str(words);
    }
    printer.result(&Shown { rekeyed: true, files, recovery_phrase: words }, &lines)?;
    renewed
}
