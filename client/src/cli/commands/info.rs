//! `nightdrop info NAME`

use crate::{
    ClientError,
    cli::{
        arguments::{Global, Name},
        opened::{Opened, path, with_account},
        print::Printer,
    },
};
use nightdrop_envelope::{layout::Layout, space::SpacePath};
use serde::Serialize;
use std::fmt::Write;

#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<i64>,
    links: Vec<String>,
    relay_sees: RelaySees,
}

/// What the relay can see of a file.
#[derive(Serialize)]
struct RelaySees {
    chunks: u32,
    bytes_per_chunk: usize,
    links: usize,
}

pub(in crate::cli) async fn run(
    global: &Global,
    arguments: Name,
    printer: &Printer,
) -> Result<(), ClientError> {
    let name = path(&arguments.name)?;
    let show = async |opened: &mut Opened<'_>| show(opened, &name, printer);
    with_account(global, printer.standard_input(), printer, show).await
}

fn show(opened: &Opened<'_>, name: &SpacePath, printer: &Printer) -> Result<(), ClientError> {
    let file = opened.file(name)?;
    let layout = Layout::of_size(file.size).map_err(ClientError::opened)?;
    let links: Vec<String> =
        file.tickets.iter().map(|ticket| ticket.link(opened.relay()).secret_text().to_string()).collect();
    let relay_sees =
        RelaySees { chunks: layout.chunks(), bytes_per_chunk: layout.class().sealed(), links: links.len() };
    let mut lines = format!(
        "name      {}\nsize      {} bytes\nthe relay sees {} sealed chunk(s) of {} bytes, {} link(s), and the day",
        name.as_str(),
        file.size,
        relay_sees.chunks,
        relay_sees.bytes_per_chunk,
        relay_sees.links
    );
    for link in &links {
        // Writing to a string cannot fail.
        let _ = write!(lines, "\nlink      {link}");
    }
    let shown = Shown { name: name.as_str(), size: file.size, modified: file.modified, links, relay_sees };
    printer.result(&shown, &lines)
}
