//! `nightdrop get LINK [-o PATH]`

use crate::{
    ClientError,
    cli::{
        arguments::{Get, Global},
        password,
        print::Printer,
    },
    limits::ClientLimits,
    transfer::{self, OutputPath},
};
use nightdrop_envelope::link::FileLink;
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
    let link = FileLink::from_text(&password::argument(&arguments.link)?)?;
    let output = OutputPath::new(arguments.output.as_deref())?;
    let home = global.open_home()?;
    let tor = global.connect(&home, printer).await?.tor;
    let bar = printer.bar("Downloading");
    bar.wait();
    let limits = ClientLimits::default();
    let downloaded = transfer::download(&tor, &link, &output, &limits, Arc::new(bar.clone())).await;
    bar.done();
    let downloaded = downloaded?;
    let shown = Shown { name: &downloaded.name, path: &downloaded.path, size: downloaded.size };
    printer.result(&shown, &downloaded.path.display().to_string());
    Ok(())
}
