//! `nightdrop put PATH… [--to DIR] [--link]`

use super::share::{Shown, share};
use crate::{
    ClientError,
    cli::{
        arguments::{Global, Put},
        opened::{Opened, path, with_account},
        print::Printer,
    },
    transfer::{self, Source},
};
use nightdrop_envelope::space::{FileRecord, Operation, SpacePath, State};
use serde::Serialize;
use std::{path::PathBuf, sync::Arc};

#[derive(Serialize)]
struct Stored<'a> {
    name: &'a str,
    uploaded: bool,
}

pub(in crate::cli) async fn run(
    global: &Global,
    arguments: Put,
    printer: &Printer,
) -> Result<(), ClientError> {
    if arguments.name.is_some() && arguments.paths.len() > 1 {
        return Err(ClientError::Usage("--name names one file, but several are given".to_owned()));
    }
    if arguments.qr.is_wanted() && (!arguments.link || arguments.paths.len() > 1) {
        return Err(ClientError::Usage(
            "a QR code shows the link of one file: put one, with --link".to_owned(),
        ));
    }
    arguments.qr.check(printer)?;
    // All of them are opened before any is sent, so that a mistyped name costs nothing.
    let mut sources = Vec::with_capacity(arguments.paths.len());
    for file in &arguments.paths {
        let source = open(file.clone(), arguments.name.clone(), printer).await?;
        let name = SpacePath::from(source.facts().name.clone());
        let name = match &arguments.to {
            None => name,
            Some(directory) => path(&format!("{}/{}", path(directory)?.as_str(), name.as_str()))?,
        };
        sources.push((name, source));
    }
    let put_all = async |opened: &mut Opened<'_>| {
        for (name, source) in sources {
            put(opened, &name, source, &arguments, printer).await?;
        }
        // The files are stored; what they replaced is destroyed now, or by a later command.
        if let Err(error) = opened.destroy_leaving().await {
            printer.warn(&format!("what was replaced could not be destroyed at the relay: {error}"));
        }
        Ok(())
    };
    with_account(global, printer.standard_input(), printer, put_all).await
}

/// Opens and hashes a file, which takes a while for a long one.
async fn open(file: PathBuf, name: Option<String>, printer: &Printer) -> Result<Source, ClientError> {
    let bar = printer.bar("Reading");
    bar.wait();
    let open = move || Source::open(&file, name.as_deref());
    let source = tokio::task::spawn_blocking(open).await.map_err(|_| ClientError::Stopped);
    bar.done();
    source?
}

async fn put(
    opened: &mut Opened<'_>,
    name: &SpacePath,
    source: Source,
    arguments: &Put,
    printer: &Printer,
) -> Result<(), ClientError> {
    let listed = opened.space.state().file(name);
    let same = listed.filter(|file| file.content == *source.content() && file.size == source.facts().size);
    let (file, uploaded) = match same.cloned() {
        Some(file) => (file, false),
        None => (upload(opened, name, source, arguments.replace, printer).await?, true),
    };
    if arguments.link {
        let link = share(opened, name, &file).await?;
        printer.result(&Shown { name: name.as_str(), link: &link }, &link)?;
        return arguments.qr.show(&link, printer);
    }
    let done = if uploaded { "stored" } else { "is there already" };
    printer.result(&Stored { name: name.as_str(), uploaded }, &format!("{} {done}", name.as_str()))
}

async fn upload(
    opened: &mut Opened<'_>,
    name: &SpacePath,
    source: Source,
    replace: bool,
    printer: &Printer,
) -> Result<FileRecord, ClientError> {
    require_free(opened.space.state(), name, replace)?;
    let credit = opened.credits(1).await?.pop().ok_or(ClientError::NoCredits)?;
    let bar = printer.bar("Uploading");
    let relay = opened.relay().clone();
    let stored =
        transfer::upload(opened.transport(), &relay, source, credit, opened.limits(), Arc::new(bar.clone()))
            .await;
    bar.done();
    let file = stored?;
    list(opened, name, &file, replace).await?;
    Ok(file)
}

/// Lists what was stored. If it cannot be listed for good, it is destroyed again, because it could never be found.
async fn list(
    opened: &mut Opened<'_>,
    name: &SpacePath,
    file: &FileRecord,
    replace: bool,
) -> Result<(), ClientError> {
    let mut refused = false;
    let listed = opened
        .append(|state| {
            // Another device may have taken the name while this one was uploading.
            require_free(state, name, replace).inspect_err(|_| refused = true)?;
            Ok(vec![Operation::PutFile { path: name.clone(), file: Box::new(file.clone()) }])
        })
        .await;
    if refused {
        // Only then is it certain that it is not listed: after a lost answer it may be. Best effort, as the line may be gone.
        let _ = transfer::destroy(&mut opened.lane().once(), file.blob, &file.write_key).await;
    }
    listed
}

fn require_free(state: &State, name: &SpacePath, replace: bool) -> Result<(), ClientError> {
    let taken = state.is_directory(name) || (!replace && state.is_taken(name));
    if taken { Err(ClientError::NameTaken(name.as_str().to_owned())) } else { Ok(()) }
}
