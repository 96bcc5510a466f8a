//! `nightdrop mv FROM TO`

use crate::{
    ClientError,
    cli::{
        arguments::{Global, Mv},
        opened::{Opened, files_of, path},
        print::Printer,
    },
};
use nightdrop_envelope::space::{Operation, SpacePath, State};
use serde::Serialize;

#[derive(Serialize)]
struct Shown {
    moved: usize,
}

pub(in crate::cli) async fn run(
    global: &Global,
    arguments: Mv,
    printer: &Printer,
) -> Result<(), ClientError> {
    let (from, to) = (path(&arguments.from)?, path(&arguments.to)?);
    let mut opened = Opened::open(global, printer).await?;
    let mut moved = 0;
    opened
        .append(|state| {
            let operations = moves(state, &from, &to)?;
            moved = operations.len();
            Ok(operations)
        })
        .await?;
    printer.result(&Shown { moved }, &format!("Moved {moved} file(s)."));
    opened.close().await;
    Ok(())
}

/// A file gets the new name, or goes into a directory of that name; a directory takes all that is in it along.
fn moves(state: &State, from: &SpacePath, to: &SpacePath) -> Result<Vec<Operation>, ClientError> {
    let bad_path = || ClientError::BadPath(to.as_str().to_owned());
    let to = if state.is_directory(to) {
        path(&format!("{}/{}", to.as_str(), from.file_name()))?
    } else {
        to.clone()
    };
    if to.is_below(from) {
        return Err(bad_path());
    }
    let files = files_of(state, from);
    if files.is_empty() {
        return Err(ClientError::NoSuchFile(from.as_str().to_owned()));
    }
    if state.is_taken(&to) {
        return Err(ClientError::NameTaken(to.as_str().to_owned()));
    }
    let rename = |file: SpacePath| {
        let rest = file.as_str().strip_prefix(from.as_str()).unwrap_or_default();
        let to = path(&format!("{}{rest}", to.as_str()))?;
        Ok(Operation::Move { from: file, to })
    };
    files.into_iter().map(rename).collect()
}
