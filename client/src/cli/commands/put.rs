//! `nightdrop put PATH --link`

use super::login::end_session;
use crate::{
    ClientError, account,
    cli::{
        arguments::{Global, Put},
        password,
        print::Printer,
    },
    limits::ClientLimits,
    transfer::{self, Source},
};
use serde::Serialize;
use std::sync::Arc;

#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    link: &'a str,
}

pub(in crate::cli) async fn run(
    global: &Global,
    arguments: Put,
    printer: &Printer,
) -> Result<(), ClientError> {
    let source = Source::open(&arguments.path, arguments.name.as_deref())?;
    let home = global.open_home()?;
    let code = home.account()?;
    let password = password::existing(global)?;
    let tor = global.connect(&home, printer).await?.tor;
    let limits = ClientLimits::default();

    let bar = printer.bar("Logging in");
    bar.wait();
    let session = account::log_in(&tor, &code, &password, &limits).await;
    bar.done();
    let mut session = session?;
    let credits = session.fetch_credits(1).await?;
    let credit = credits.into_iter().next().ok_or(ClientError::NoCredits)?;

    let name = source.facts().name.as_str().to_owned();
    let bar = printer.bar("Uploading");
    let upload = transfer::upload(&tor, code.relay(), source, credit, &limits, Arc::new(bar.clone()));
    // The session is not needed any more; it ends while the file is on its way.
    let (uploaded, ()) = tokio::join!(upload, end_session(session, printer));
    bar.done();
    let link = uploaded?.link.secret_text();
    printer.result(&Shown { name: &name, link: &link }, &link);
    Ok(())
}
