//! `nightdrop info NAME`

use super::share::ShownLink;
use crate::{
    ClientError,
    cli::{
        arguments::{Global, Name},
        leases::in_words,
        opened::{Opened, path, with_account},
        print::Printer,
    },
    clock,
};
use nightdrop_envelope::{layout::Layout, manifest::manifest_class, space::SpacePath};
use nightdrop_wire::date::Date;
use serde::Serialize;
use std::fmt::Write;

#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<i64>,
    /// The last day on which the relay keeps it.
    kept_until: String,
    /// Whether that day is put off as long as the account is used.
    is_extended: bool,
    links: Vec<ShownLink>,
    relay_sees: RelaySees,
}

/// What the relay can see of a file.
#[derive(Serialize)]
struct RelaySees {
    chunks: u32,
    bytes_per_chunk: usize,
    /// Of the sealed manifest.
    bytes_of_manifest: usize,
    /// What it stores, in all.
    stored_bytes: u64,
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
    let links: Vec<_> = file.tickets.iter().map(|ticket| ShownLink::of(ticket, opened.relay())).collect();
    let manifest = manifest_class(&layout).map_err(ClientError::opened)?;
    let per_chunk = layout.class().stored() as u64;
    let relay_sees = RelaySees {
        chunks: layout.chunks(),
        bytes_per_chunk: layout.class().sealed(),
        bytes_of_manifest: manifest.sealed(),
        stored_bytes: per_chunk * u64::from(layout.chunks()) + manifest.stored() as u64,
        links: links.len(),
    };
    let mut lines = format!(
        "name      {}\nsize      {} bytes\nkept      {}\n\
         the relay sees {} sealed chunk(s) of {} bytes and a sealed manifest of {}, {} bytes as it stores them;\n\
         \x20         {} link(s) with their limits, and the week; no name, no content, and of the size no more than that",
        name.as_str(),
        file.size,
        in_words(file.lease),
        relay_sees.chunks,
        relay_sees.bytes_per_chunk,
        relay_sees.bytes_of_manifest,
        relay_sees.stored_bytes,
        relay_sees.links
    );
    let kept_until = Date::of_day(file.lease.until).to_string();
    let is_extended = !file.lease.is_last && file.lease.days_left(clock::today()).is_some();
    for link in &links {
        // Writing to a string cannot fail.
        let _ = write!(lines, "\nlink      {}", *link.link);
        let limits = link.limits_in_words();
        if !limits.is_empty() {
            let _ = write!(lines, "\n          {limits}");
        }
    }
    let shown = Shown {
        name: name.as_str(),
        size: file.size,
        modified: file.modified,
        kept_until,
        is_extended,
        links,
        relay_sees,
    };
    printer.result(&shown, &lines)
}
