//! `nightdrop get NAME|LINK [-o PATH]`

use crate::{
    ClientError,
    cli::{
        arguments::{Get, Global},
        opened::{Opened, path},
        password,
        print::Printer,
    },
    limits::ClientLimits,
    transfer::{self, Downloaded, OutputPath},
};
use nightdrop_envelope::link::{FileLink, SCHEME};
use serde::Serialize;
use std::{path::Path, sync::Arc};

#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    path: &'a Path,
    size: u64,
}

pub(in crate::cli) async fn run(
    global: &Global,
    arguments: Get,
    printer: &Printer,
) -> Result<(), ClientError> {
    let what = password::argument(&arguments.what)?;
    let output = OutputPath::new(arguments.output.as_deref())?;
    let is_link = what.trim().get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME));
    let downloaded = if is_link {
        get_link(global, &FileLink::from_text(&what)?, &output, printer).await?
    } else {
        get_file(global, &what, &output, printer).await?
    };
    let shown = Shown { name: &downloaded.name, path: &downloaded.path, size: downloaded.size };
    printer.result(&shown, &downloaded.path.display().to_string());
    Ok(())
}

/// Needs no account.
async fn get_link(
    global: &Global,
    link: &FileLink,
    output: &OutputPath,
    printer: &Printer,
) -> Result<Downloaded, ClientError> {
    let home = global.open_home()?;
    let tor = global.connect(&home, printer).await?.tor;
    let bar = printer.bar("Downloading");
    bar.wait();
    let limits = ClientLimits::default();
    let downloaded = transfer::download_link(&tor, link, output, &limits, Arc::new(bar.clone())).await;
    bar.done();
    downloaded
}

async fn get_file(
    global: &Global,
    name: &str,
    output: &OutputPath,
    printer: &Printer,
) -> Result<Downloaded, ClientError> {
    let name = path(name.trim_end_matches('\n'))?;
    let opened = Opened::open(global, printer).await?;
    let state = opened.space.state();
    let file = state.file(&name).ok_or_else(|| match state.is_directory(&name) {
        true => ClientError::IsDirectory(name.as_str().to_owned()),
        false => ClientError::NoSuchFile(name.as_str().to_owned()),
    })?;
    let bar = printer.bar("Downloading");
    bar.wait();
    let progress = Arc::new(bar.clone());
    let relay = opened.relay();
    let downloaded =
        transfer::download_file(&opened.tor, relay, file, output, &opened.limits, progress).await;
    bar.done();
    opened.close().await;
    downloaded
}
