//! `nightdrop passwd`

use super::lock::lock_agent_or_warn;
use crate::{
    ClientError,
    account::{self, RecoveryWish},
    cli::{
        arguments::{Global, Passwd},
        password::generated,
        print::Printer,
    },
    limits::ClientLimits,
    password_policy,
};
use serde::Serialize;

#[derive(Serialize)]
struct Shown<'a> {
    changed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
}

pub(in crate::cli) async fn run(
    global: &Global,
    arguments: Passwd,
    printer: &Printer,
) -> Result<(), ClientError> {
    let home = global.open_home()?;
    let code = home.account()?;
    let mut standard_input = printer.standard_input();
    let password = standard_input.existing_password(global)?;
    let (new, generated) = if arguments.generate {
        let (new, words) = generated();
        (new, Some(words))
    } else {
        let new = standard_input.replacing_password(arguments.new_password_file.as_deref())?;
        password_policy::check(&new)?;
        (new, None)
    };
    let tor = global.connect(&home, printer).await?;
    let bar = printer.bar("Changing the password");
    bar.wait();
    let limits = ClientLimits::default();
    let changed = account::change_password(&tor, &code, &password, &new, RecoveryWish::Keep, &limits).await;
    bar.done();
    let words = generated.as_ref().map(|words| words.as_str());
    if let (Err(_), Some(words)) = (&changed, words) {
        // Nobody else knows it, should the change have been made all the same.
        printer.warn(&format!("should the relay have made the change, the new password is: {words}"));
    }
    changed?;
    lock_agent_or_warn(&home, printer).await;
    let shown = Shown { changed: true, password: words };
    let lines = match words {
        None => "The password is changed; all sessions have ended. Account code and recovery phrase stay."
            .to_owned(),
        Some(words) => format!("The password is changed; all sessions have ended. It is:\n\n  {words}"),
    };
    printer.result(&shown, &lines)
}
