//! `nightdrop ls [DIR]`

use crate::{
    ClientError,
    cli::{
        arguments::{Global, Ls},
        opened::{Opened, path, with_account},
        print::Printer,
    },
};
use nightdrop_envelope::space::SpacePath;
use nightdrop_wire::quarter::QuarterHour;
use serde::Serialize;
use std::time::SystemTime;

#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<i64>,
    links: usize,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    lost: bool,
}

pub(in crate::cli) async fn run(
    global: &Global,
    arguments: Ls,
    printer: &Printer,
) -> Result<(), ClientError> {
    let directory = arguments.directory.as_deref().map(path).transpose()?;
    let list = async |opened: &mut Opened<'_>| list(opened, directory.as_ref(), printer);
    with_account(global, printer.standard_input(), printer, list).await
}

fn list(opened: &Opened<'_>, directory: Option<&SpacePath>, printer: &Printer) -> Result<(), ClientError> {
    let state = opened.space.state();
    let files: Vec<_> = match directory {
        None => state.files().collect(),
        Some(directory) => state.files_of(directory).collect(),
    };
    if let (Some(directory), true) = (directory, files.is_empty()) {
        return Err(ClientError::NoSuchFile(directory.as_str().to_owned()));
    }
    let now = QuarterHour::of(SystemTime::now());
    for (name, file) in files {
        let (name, links) =
            (name.as_str(), file.tickets.iter().filter(|ticket| ticket.limits().may_live(now)).count());
        let lost = state.is_lost(file.blob);
        let shown = Shown { name, size: file.size, modified: file.modified, links, lost };
        let linked = match (lost, links) {
            (true, _) => "  (lost: the relay takes no key of yours for it)",
            (false, 0) => "",
            (false, _) => "  (linked)",
        };
        printer.result(&shown, &format!("{:>12}  {name}{linked}", file.size))?;
    }
    Ok(())
}
