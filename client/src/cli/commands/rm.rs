//! `nightdrop rm NAME…`

use crate::{
    ClientError,
    cli::{
        arguments::{Global, Rm},
        opened::{Opened, files_of, path, with_account},
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

pub(in crate::cli) async fn run(
    global: &Global,
    arguments: Rm,
    printer: &Printer,
) -> Result<(), ClientError> {
    let names: Vec<SpacePath> = arguments.names.iter().map(|name| path(name)).collect::<Result<_, _>>()?;
    let remove = async |opened: &mut Opened<'_>| remove(opened, &names, arguments.recursive).await;
    let removed = with_account(global, printer.standard_input(), printer, remove).await?;
    printer.result(&Shown { removed }, &format!("Removed {removed} file(s), at the relay, too."))
}

/// First off the list, then destroyed at the relay, then confirmed in the list: a command that is cut off in between is finished
/// by the next one.
async fn remove(opened: &mut Opened<'_>, names: &[SpacePath], recursive: bool) -> Result<usize, ClientError> {
    let files = files_to_remove(opened.space.state(), names, recursive)?;
    opened
        .append(|state| {
            let left = files.iter().filter(|path| state.file(path).is_some());
            Ok(left.map(|path| Operation::Remove { path: path.clone() }).collect())
        })
        .await?;
    opened.destroy_leaving().await?;
    Ok(files.len())
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
