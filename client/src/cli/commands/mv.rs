//! `nightdrop mv FROM TO`

use crate::{
    ClientError,
    cli::{
        arguments::{Global, Mv},
        opened::{Opened, files_of, path, with_account},
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
    let rename = async |opened: &mut Opened<'_>| rename(opened, &from, &to).await;
    let moved = with_account(global, printer.standard_input(), printer, rename).await?;
    printer.result(&Shown { moved }, &format!("Moved {moved} file(s)."))
}

async fn rename(opened: &mut Opened<'_>, from: &SpacePath, to: &SpacePath) -> Result<usize, ClientError> {
    // Decided once, on what the user saw: a part of it may be done when another device was faster with something else.
    let plan = plan(opened.space.state(), from, to)?;
    opened.make_room(plan.len(), 0).await?;
    opened
        .append(|state| {
            let left = plan.iter().filter(|(from, _)| state.file(from).is_some());
            Ok(left.map(|(from, to)| Operation::Move { from: from.clone(), to: to.clone() }).collect())
        })
        .await?;
    Ok(plan.len())
}

/// A file gets the new name, or goes into a directory of that name; a directory takes all that is in it along.
fn plan(state: &State, from: &SpacePath, to: &SpacePath) -> Result<Vec<(SpacePath, SpacePath)>, ClientError> {
    let to = if state.is_directory(to) {
        path(&format!("{}/{}", to.as_str(), from.file_name()))?
    } else {
        to.clone()
    };
    if to.is_below(from) {
        return Err(ClientError::BadPath(to.as_str().to_owned()));
    }
    let files = files_of(state, from);
    if files.is_empty() {
        return Err(ClientError::NoSuchFile(from.as_str().to_owned()));
    }
    if state.is_taken(&to) {
        return Err(ClientError::NameTaken(to.as_str().to_owned()));
    }
    let target = |file: SpacePath| {
        let rest = file.as_str().strip_prefix(from.as_str()).unwrap_or_default();
        Ok((file.clone(), path(&format!("{}{rest}", to.as_str()))?))
    };
    files.into_iter().map(target).collect()
}
