//! `nightdrop rm NAME…`

use crate::{
    ClientError,
    cli::{
        arguments::{Global, Rm},
        opened::{Opened, files_of, path},
        print::Printer,
    },
};
use nightdrop_envelope::space::{Operation, SpacePath, State};
use serde::Serialize;
use std::collections::BTreeSet;

#[derive(Serialize)]
struct Shown {
    removed: usize,
}

/// First off the list, then destroyed at the relay, then confirmed in the list: a command that is cut off in between is finished
/// by the next one.
pub(in crate::cli) async fn run(
    global: &Global,
    arguments: Rm,
    printer: &Printer,
) -> Result<(), ClientError> {
    let names: Vec<SpacePath> = arguments.names.iter().map(|name| path(name)).collect::<Result<_, _>>()?;
    let mut opened = Opened::open(global, printer).await?;
    let mut removed = 0;
    opened
        .append(|state| {
            let files = files_to_remove(state, &names, arguments.recursive)?;
            removed = files.len();
            Ok(files.into_iter().map(|path| Operation::Remove { path }).collect())
        })
        .await?;
    opened.destroy_leaving().await?;
    printer.result(&Shown { removed }, &format!("Removed {removed} file(s), at the relay, too."));
    opened.close().await;
    Ok(())
}

fn files_to_remove(
    state: &State,
    names: &[SpacePath],
    recursive: bool,
) -> Result<BTreeSet<SpacePath>, ClientError> {
    let mut files = BTreeSet::new();
    for name in names {
        if state.is_directory(name) && !recursive {
            return Err(ClientError::IsDirectory(name.as_str().to_owned()));
        }
        let below = files_of(state, name);
        if below.is_empty() {
            return Err(ClientError::NoSuchFile(name.as_str().to_owned()));
        }
        files.extend(below);
    }
    Ok(files)
}
