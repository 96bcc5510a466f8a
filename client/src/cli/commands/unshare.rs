//! `nightdrop unshare NAME`

use crate::{
    ClientError,
    cli::{
        arguments::{Global, Name},
        opened::{Opened, path, with_account},
        print::Printer,
    },
    transfer,
};
use nightdrop_envelope::space::{FileRecord, Operation, SpacePath, State, TicketRecord};
use nightdrop_wire::quarter::QuarterHour;
use serde::Serialize;
use std::time::SystemTime;

#[derive(Serialize)]
struct Shown {
    ended: usize,
}

pub(in crate::cli) async fn run(
    global: &Global,
    arguments: Name,
    printer: &Printer,
) -> Result<(), ClientError> {
    let name = path(&arguments.name)?;
    let unshare = async |opened: &mut Opened<'_>| unshare(opened, &name).await;
    let ended = with_account(global, printer.standard_input(), printer, unshare).await?;
    printer.result(&Shown { ended }, &format!("Ended {ended} link(s) of {}.", name.as_str()))
}

/// Whether a ticket may have ended by its limits, of a file that nobody took over.
fn may_have_ended(state: &State, file: &FileRecord, ticket: &TicketRecord) -> bool {
    let limits = ticket.limits();
    let is_over = !limits.may_live(QuarterHour::of(SystemTime::now())) || limits.downloads.is_some();
    is_over && state.held(file.blob).is_none()
}

/// Ended at the relay first: a link that is listed but ended is harmless, the other way round it would be forgotten.
async fn unshare(opened: &mut Opened<'_>, name: &SpacePath) -> Result<usize, ClientError> {
    let file = opened.file(name)?.clone();
    if file.tickets.is_empty() {
        return Err(ClientError::NotShared(name.as_str().to_owned()));
    }
    let mut lane = opened.lane();
    let mut ended = Vec::with_capacity(file.tickets.len());
    let mut outcome = Ok(());
    for ticket in &file.tickets {
        match transfer::end_ticket(&mut lane, ticket.id(), &file.write_key).await {
            Ok(()) => ended.push(ticket.id()),
            // It ended by itself, and that may have been forgotten with the write key of that time.
            Err(ClientError::Withheld) if may_have_ended(opened.space.state(), &file, ticket) => {
                ended.push(ticket.id());
            }
            // The others are to end all the same.
            Err(error @ ClientError::Withheld) => outcome = Err(error),
            Err(error) => {
                outcome = Err(error);
                break;
            }
        }
    }
    opened
        .append(|state| {
            let listed = state.file(name).map(|file| file.tickets.as_slice()).unwrap_or_default();
            let ended = listed.iter().filter(|listed| ended.contains(&listed.id()));
            Ok(ended.map(|ticket| Operation::Unshare { path: name.clone(), ticket: ticket.id() }).collect())
        })
        .await?;
    outcome.map(|()| ended.len())
}
