//! `nightdrop sessions`

use super::lock::lock_agent;
use crate::{
    ClientError, account,
    cli::{
        arguments::{Global, Sessions},
        opened::end_session,
        print::Printer,
    },
    limits::ClientLimits,
};
use nightdrop_wire::{ids::SessionId, messages::account::SessionFacts};
use serde::Serialize;
use std::fmt::Write;

#[derive(Serialize)]
struct Shown {
    sessions: Vec<ShownSession>,
}

#[derive(Serialize)]
struct ShownSession {
    session: String,
    began_days_ago: u32,
    ends_in_days: u32,
}

#[derive(Serialize)]
struct Ended {
    ended: &'static str,
}

pub(in crate::cli) async fn run(
    global: &Global,
    arguments: Sessions,
    printer: &Printer,
) -> Result<(), ClientError> {
    let ending = arguments.end.as_deref().map(parse).transpose()?;
    let home = global.open_home()?;
    let code = home.account()?;
    let password = printer.standard_input().existing_password(global)?;
    let tor = global.connect(&home, printer).await?;
    let bar = printer.bar("Asking the relay");
    bar.wait();
    let session = account::log_in(&tor, &code, &password, &ClientLimits::default()).await;
    bar.done();
    let mut session = session?;
    let outcome = match (ending, arguments.end_all) {
        (Some(ended), _) => end_one(&mut session, ended).await.map(|()| ended_one(printer)),
        (None, true) => session.end_at_relay(None).await.map(|()| ended_all(printer)),
        (None, false) => session.list().await.map(|list| show(&list, printer)),
    };
    end_session(session, printer).await;
    if arguments.end_all {
        lock_agent(&home).await?;
    }
    outcome?
}

fn parse(text: &str) -> Result<SessionId, ClientError> {
    text.parse().map_err(|_| ClientError::NoSuchSession(text.escape_debug().to_string()))
}

async fn end_one<T: crate::transport::Transport>(
    session: &mut account::Session<T>,
    ended: SessionId,
) -> Result<(), ClientError> {
    if session.list().await?.iter().all(|facts| facts.id != ended) {
        return Err(ClientError::NoSuchSession(ended.to_string()));
    }
    session.end_at_relay(Some(ended)).await
}

fn ended_one(printer: &Printer) -> Result<(), ClientError> {
    printer.result(
        &Ended { ended: "one" },
        "The session has ended. Whoever held it keeps what was read with it; see `nightdrop help rekey`.",
    )
}

fn ended_all(printer: &Printer) -> Result<(), ClientError> {
    printer.result(&Ended { ended: "all" }, "All sessions have ended, on all devices.")
}

/// The session of this command itself is no news.
fn show(list: &[SessionFacts], printer: &Printer) -> Result<(), ClientError> {
    let today = list.iter().find(|facts| facts.asking).map_or(0, |facts| facts.began);
    let others: Vec<ShownSession> = list
        .iter()
        .filter(|facts| !facts.asking)
        .map(|facts| ShownSession {
            session: facts.id.to_string(),
            began_days_ago: today.saturating_sub(facts.began),
            ends_in_days: facts.expires.saturating_sub(today),
        })
        .collect();
    let mut lines = String::new();
    for other in &others {
        // Writing into a string does not fail.
        let _ = writeln!(
            lines,
            "{}  began {} day(s) ago, ends in {} day(s)",
            other.session, other.began_days_ago, other.ends_in_days
        );
    }
    if others.is_empty() {
        lines.push_str("There is no session but that of this command.");
    }
    printer.result(&Shown { sessions: others }, lines.trim_end())
}
