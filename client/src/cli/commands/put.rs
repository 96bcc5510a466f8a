//! `nightdrop put PATH… [--to DIR] [--link]`

use super::share::{Shown, share};
use crate::{
    ClientError,
    cli::{
        arguments::{Global, Put},
        opened::{Opened, path},
        print::Printer,
    },
    transfer::{self, Source},
};
use nightdrop_envelope::space::{FileRecord, Operation, SpacePath, State};
use serde::Serialize;
use std::sync::Arc;

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
    // All of them are opened before any is sent, so that a mistyped name costs nothing.
    let mut sources = Vec::with_capacity(arguments.paths.len());
    for file in &arguments.paths {
        let source = Source::open(file, arguments.name.as_deref())?;
        let name = SpacePath::from(source.facts().name.clone());
        let name = match &arguments.to {
            None => name,
            Some(directory) => path(&format!("{}/{}", path(directory)?.as_str(), name.as_str()))?,
        };
        sources.push((name, source));
    }
    let mut opened = Opened::open(global, printer).await?;
    for (name, source) in sources {
        put(&mut opened, &name, source, &arguments, printer).await?;
    }
    opened.destroy_leaving().await?;
    opened.close().await;
    Ok(())
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
        printer.result(&Shown { name: name.as_str(), link: &link }, &link);
    } else {
        let done = if uploaded { "stored" } else { "is there already" };
        printer.result(&Stored { name: name.as_str(), uploaded }, &format!("{} {done}", name.as_str()));
    }
    Ok(())
}

async fn upload(
    opened: &mut Opened<'_>,
    name: &SpacePath,
    source: Source,
    replace: bool,
    printer: &Printer,
) -> Result<FileRecord, ClientError> {
    let require_free = |state: &State| {
        let taken = state.is_directory(name) || (!replace && state.is_taken(name));
        if taken { Err(ClientError::NameTaken(name.as_str().to_owned())) } else { Ok(()) }
    };
    require_free(opened.space.state())?;
    let credit = opened.credits(1).await?.pop().ok_or(ClientError::NoCredits)?;
    let bar = printer.bar("Uploading");
    let relay = opened.relay().clone();
    let stored =
        transfer::upload(&opened.tor, &relay, source, credit, &opened.limits, Arc::new(bar.clone())).await;
    bar.done();
    let file = stored?;
    let listed = opened
        .append(|state| {
            // Another device may have taken the name while this one was uploading.
            require_free(state)?;
            Ok(vec![Operation::PutFile { path: name.clone(), file: Box::new(file.clone()) }])
        })
        .await;
    if let Err(error) = listed {
        // Not listed, it could never be found again. Best effort: the line may be what failed.
        let _ = transfer::destroy(&mut opened.lane(), file.blob, &file.write_key).await;
        return Err(error);
    }
    Ok(file)
}
