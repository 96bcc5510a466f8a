//! `nightdrop get NAME|LINK [-o PATH]`

use crate::{
    ClientError,
    cli::{
        arguments::{Get, Global},
        opened::{Opened, path, with_account},
        print::{Bar, Printer},
    },
    limits::ClientLimits,
    transfer::{self, Downloaded, OutputPath},
};
use nightdrop_envelope::{
    file_name::FileName,
    link::{FileLink, SCHEME},
    space::SpacePath,
};
use serde::Serialize;
use std::{path::Path, sync::Arc};

#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    path: &'a str,
    size: u64,
}

pub(in crate::cli) async fn run(
    global: &Global,
    arguments: Get,
    printer: &Printer,
) -> Result<(), ClientError> {
    if arguments.output.as_deref() == Some(Path::new("-")) {
        let advice = "`-o -` (standard output) is not there yet: name a file";
        return Err(ClientError::Usage(advice.to_owned()));
    }
    let mut standard_input = printer.standard_input();
    let what = standard_input.argument(&arguments.what)?;
    let output = OutputPath::new(arguments.output.as_deref())?;
    let bar = printer.bar("Downloading");
    let is_link = what.trim().get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME));
    let downloaded = if is_link {
        get_link(global, &FileLink::from_text(&what)?, &output, &bar, printer).await
    } else {
        let name = path(what.trim_end_matches('\n'))?;
        let get = async |opened: &mut Opened<'_>| get_file(opened, &name, output, &bar).await;
        with_account(global, standard_input, printer, get).await
    };
    bar.done();
    let downloaded = downloaded?;
    let path = downloaded.path.to_string_lossy();
    printer.result(&Shown { name: &downloaded.name, path: &path, size: downloaded.size }, &path)
}

/// Needs no account.
async fn get_link(
    global: &Global,
    link: &FileLink,
    output: &OutputPath,
    bar: &Bar,
    printer: &Printer,
) -> Result<Downloaded, ClientError> {
    let transport = global.transport(printer).await?;
    bar.wait();
    let limits = ClientLimits::default();
    transfer::download_link(&transport, link, output, &limits, Arc::new(bar.clone())).await
}

async fn get_file(
    opened: &mut Opened<'_>,
    name: &SpacePath,
    output: OutputPath,
    bar: &Bar,
) -> Result<Downloaded, ClientError> {
    if opened.space.state().is_directory(name) {
        return Err(ClientError::IsDirectory(name.as_str().to_owned()));
    }
    let file = opened.file(name)?;
    // The name that it has among one's files, which need not be the one that it was stored with.
    let own_name =
        FileName::parse(name.file_name()).map_err(|_| ClientError::BadPath(name.as_str().to_owned()))?;
    let output = output.or_named(own_name);
    bar.wait();
    let (relay, progress) = (opened.relay(), Arc::new(bar.clone()));
    transfer::download_file(opened.transport(), relay, file, &output, opened.limits(), progress).await
}
