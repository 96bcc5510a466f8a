//! `nightdrop rekey`

use super::lock::lock_agent_or_warn;
use crate::{
    ClientError,
    account::{self, NewAccess, RecoveryWish, Rekeyed},
    cli::{
        arguments::{Global, Rekey},
        opened::{Opened, with_password_over},
        print::Printer,
    },
    limits::ClientLimits,
    transport::AnyTransport,
};
use nightdrop_login::password::Password;
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
    let code = home.account()?;
    let password = printer.standard_input().existing_password(global)?;
    let recovery = if arguments.no_recovery { RecoveryWish::Remove } else { RecoveryWish::Replace };
    let transport = AnyTransport::new(global.connect(&home, printer).await?);
    lock_agent_or_warn(&home, printer).await;
    // Ends all sessions, so that whoever has one cannot use up what the rekey needs.
    let (bar, limits) = (printer.bar("Ending all sessions"), ClientLimits::default());
    bar.wait();
    let keep = RecoveryWish::Keep;
    let ended = account::change_password(&transport, &code, &password, &password, keep, &limits).await;
    bar.done();
    ended?;
    let rekeyed = rekey(transport.clone(), global, &password, recovery, printer).await;
    if matches!(rekeyed, Err(ClientError::ChangeUnknown | ClientError::ChangeRefused)) {
        printer.warn("the password stays what it was, but the recovery phrase may open nothing any more: run `nightdrop rekey` again");
    }
    show(&rekeyed?, printer)?;
    // Goes on with the files; what is cut off, every later command goes on with.
    with_password_over(transport, global, &password, printer, async |_opened: &mut Opened<'_>| Ok(())).await
}

async fn rekey(
    transport: AnyTransport,
    global: &Global,
    password: &Password,
    recovery: RecoveryWish,
    printer: &Printer,
) -> Result<Rekeyed, ClientError> {
    let rekey = async |opened: &mut Opened<'_>| {
        let bar = printer.bar("Replacing the keys");
        bar.wait();
        let rekeyed = opened.rekey(password, recovery).await;
        bar.done();
        rekeyed
    };
    with_password_over(transport, global, password, printer, rekey).await
}

fn show(rekeyed: &Rekeyed, printer: &Printer) -> Result<(), ClientError> {
    let Rekeyed { access: NewAccess { code: _, recovery }, files, left, memory: _, unkept } = rekeyed;
    if *left > 0 {
        printer.warn(&format!(
            "{left} removed file(s) could not be destroyed: the relay takes no key of yours for them"
        ));
    }
    if let Some(error) = unkept {
        printer.warn(&format!("{error}; the keys are replaced, but this device could not note it, and cannot notice if the relay gives what was before"));
    }
    let words = recovery.as_ref().map(|phrase| phrase.secret_words()).transpose()?;
    let words = words.as_ref().map(|words| words.as_str());
    let mut lines = Zeroizing::new(format!(
        "The keys are replaced, of {files} file(s), too; all sessions have ended. Password and account code stay, and so do listed links."
    ));
    if let Some(words) = words {
        lines.push_str("\n\nThe old recovery phrase opens nothing any more. The new one, to be written on paper; it is shown this once:\n\n  ");
        lines.push_str(words);
    }
    printer.result(&Shown { rekeyed: true, files: *files, recovery_phrase: words }, &lines)
}
