//! `nightdrop transfers [--resume-all]`, `nightdrop transfers drop N|--all`: uploads that are not done.
//!
//! Downloads keep their journals beside the files that they write, wherever that is, so nobody can list them; typing the same `get` again goes on.

use super::put::told;
use crate::{
    ClientError,
    blocking::blocking,
    cli::{
        arguments::{DropTransfers, Global, Transfers, TransfersAction},
        failures::Failures,
        opened::{Opened, path, with_account},
        print::Printer,
        uploading::{BATCH, go_on, is_listed, is_same_place, require_free},
    },
    transfer::{Begun, Dropped, Unfinished, unfinished},
};
use nightdrop_envelope::space::{SpacePath, State};
use serde::Serialize;
use std::path::Path;

#[derive(Serialize)]
struct Shown<'a> {
    number: usize,
    direction: &'static str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    sent: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    began: Option<u64>,
}

/// How many uploads were dropped, and what became of them.
#[derive(Default, Serialize)]
struct Counted {
    dropped: usize,
    at_relay: usize,
    listed: usize,
    damaged: usize,
}

impl Counted {
    fn add(&mut self, dropped: Dropped) {
        self.dropped += 1;
        *match dropped {
            Dropped::AtRelay => &mut self.at_relay,
            Dropped::Done => &mut self.listed,
            Dropped::Damaged => &mut self.damaged,
        } += 1;
    }

    fn line(&self) -> String {
        let Self { dropped: _, at_relay, listed, damaged } = self;
        let mut line = format!("Dropped {at_relay} unfinished upload(s), at the relay, too.");
        if *listed > 0 {
            line += &format!(" {listed} other(s) were done: their files are listed, and stay.");
        }
        if *damaged > 0 {
            line += &format!(
                " {damaged} damaged one(s) are forgotten here; what the relay has of them, it forgets by itself within 14 days."
            );
        }
        line
    }
}

pub(in crate::cli) async fn run(
    global: &Global,
    arguments: Transfers,
    printer: &Printer,
) -> Result<(), ClientError> {
    if arguments.resume_all && arguments.action.is_some() {
        return Err(ClientError::Usage("either go on with all of them or drop some".to_owned()));
    }
    // Before there is anything to wait for.
    let chosen = match &arguments.action {
        Some(TransfersAction::Drop(which)) => global.gives_up(which.number),
        None => {
            if arguments.resume_all {
                global.goes_on_with_all();
            }
            None
        }
    };
    let work = async |opened: &mut Opened<'_>| match arguments {
        Transfers { resume_all: true, .. } => resume_all(opened, printer).await,
        Transfers { action: Some(TransfersAction::Drop(which)), .. } => {
            drop_some(opened, &which, chosen.as_deref(), printer).await
        }
        Transfers { resume_all: false, action: None } => show_all(opened, printer),
    };
    with_account(global, printer.standard_input(), printer, work).await
}

fn show_all(opened: &Opened<'_>, printer: &Printer) -> Result<(), ClientError> {
    let all = unfinished(&opened.journals()?)?;
    if all.is_empty() {
        printer.note("No upload of this device is unfinished. (A download goes on when the same `get` is typed again.)");
    }
    for (number, one) in (1..).zip(&all) {
        let shown = Shown {
            number,
            direction: "upload",
            state: state(one),
            name: one.name(),
            path: one.path().map(|path| path.display().to_string()),
            sent: one.sent(),
            size: one.size(),
            began: one.began(),
        };
        printer.result(&shown, &line(&shown))?;
    }
    Ok(())
}

fn state(one: &Unfinished) -> &'static str {
    match one {
        one if one.is_damaged() => "damaged",
        one if one.is_running() => "running",
        one if !one.can_go_on() => "lost",
        _ => "interrupted",
    }
}

fn line(shown: &Shown<'_>) -> String {
    let Shown { number, direction, state, name, path: _, sent, size, began } = shown;
    let Some(name) = name else {
        return format!("{number:>3}  {direction}  (what this device kept of it is damaged)");
    };
    let size = size.map_or_else(|| "?".to_owned(), |size| size.to_string());
    let since = began.map_or_else(String::new, |began| format!(", since {}", ago(began)));
    let state = if *state == "lost" { "a stream that was cut off: it can only be dropped" } else { state };
    format!("{number:>3}  {direction}  {name}  {sent} of {size} bytes{since}  ({state})")
}

fn ago(began: u64) -> String {
    let minutes = crate::clock::seconds().saturating_sub(began) / 60;
    match minutes {
        0..60 => format!("{minutes} minute(s)"),
        60..2_880 => format!("{} hour(s)", minutes / 60),
        _ => format!("{} day(s)", minutes / 1_440),
    }
}

/// Goes on with all that can be gone on with, or, by the agent itself, with those that are left to it; the first failure is told at the end.
async fn resume_all(opened: &mut Opened<'_>, printer: &Printer) -> Result<(), ClientError> {
    let mut all = unfinished(&opened.journals()?)?;
    all.retain(Unfinished::is_for_this_run);
    let (mut failures, mut waiting) = (Failures::default(), Vec::new());
    for one in all.iter().filter(|one| !one.is_damaged()) {
        waiting.push((path(one.name().unwrap_or_default())?, one));
    }
    while !waiting.is_empty() && !failures.has_ended() {
        let mut begun = Vec::new();
        for (name, one) in next_batch(&mut waiting) {
            match begin(opened.space.state(), name, one).await {
                Ok(found) => begun.extend(found),
                Err(error) => {
                    one.leave();
                    failures.note(one.name().unwrap_or_default(), error);
                }
            }
        }
        let (listed, failed) = go_on(opened, begun, printer).await;
        for (name, _) in listed {
            told(&name, true, printer)?;
        }
        failures.add(failed);
    }
    if !failures.has_ended()
        && let Err(error) = opened.destroy_leaving().await
    {
        printer.warn(&format!("what was replaced could not be destroyed at the relay: {error}"));
    }
    failures.told(printer)
}

/// The oldest that can be listed together. Two may be of one name, from files in two places: the second waits, and then finds its name taken.
fn next_batch<'a>(waiting: &mut Vec<(SpacePath, &'a Unfinished)>) -> Vec<(SpacePath, &'a Unfinished)> {
    let mut batch: Vec<(SpacePath, &Unfinished)> = Vec::new();
    for (name, one) in std::mem::take(waiting) {
        if batch.len() < BATCH && !batch.iter().any(|(taken, _)| is_same_place(taken, &name)) {
            batch.push((name, one));
        } else {
            waiting.push((name, one));
        }
    }
    batch
}

async fn begin(
    state: &State,
    name: SpacePath,
    one: &Unfinished,
) -> Result<Option<(SpacePath, Begun)>, ClientError> {
    // Before anything is sent. Its own file may have the name already.
    if !one.blob().is_some_and(|blob| is_listed(state, blob)) {
        require_free(state, &name, one.replaces())?;
    }
    let one = one.clone();
    let begun = blocking(move || one.begin()).await??;
    Ok(begun.map(|begun| (name, begun)))
}

async fn drop_some(
    opened: &mut Opened<'_>,
    which: &DropTransfers,
    chosen: Option<&Path>,
    printer: &Printer,
) -> Result<(), ClientError> {
    let all = unfinished(&opened.journals()?)?;
    let chosen: Vec<&Unfinished> = match which.number {
        None => all.iter().collect(),
        Some(number) => {
            let one = match chosen {
                Some(chosen) => all.iter().find(|one| one.journal() == chosen),
                None => number.checked_sub(1).and_then(|position| all.get(position)),
            };
            vec![one.ok_or(ClientError::NoSuchTransfer(number))?]
        }
    };
    let (counted, failed) = drop_each(opened, &chosen).await;
    if counted.dropped > 0 || failed.is_none() {
        printer.result(&counted, &counted.line())?;
    }
    failed.map_or(Ok(()), Err)
}

/// Drops these; one that a command is at is an error when all others are dropped.
pub(super) async fn drop_all(opened: &mut Opened<'_>, chosen: &[&Unfinished]) -> Result<(), ClientError> {
    drop_each(opened, chosen).await.1.map_or(Ok(()), Err)
}

/// Gives what it dropped, too.
async fn drop_each(opened: &mut Opened<'_>, chosen: &[&Unfinished]) -> (Counted, Option<ClientError>) {
    let (mut lane, mut counted, mut failed) = (opened.lane(), Counted::default(), None);
    for one in chosen {
        one.give_up();
        let is_listed = async |blob| {
            opened.refresh().await?;
            Ok(is_listed(opened.space.state(), blob))
        };
        match one.drop_it(&mut lane, is_listed).await {
            Ok(dropped) => counted.add(dropped),
            Err(error @ ClientError::TransferRunning) => failed = Some(error),
            Err(error) => return (counted, Some(error)),
        }
    }
    (counted, failed)
}
