//! `nightdrop put DIR`: the files of a directory, in batches. What is there already with the same content is not sent again.
//!
//! A batch is paid for, stored over a few lanes side by side, and listed by one append. Cut off, the next run goes on with what is not listed yet,
//! within its files, too.

use super::put::{same_file, told};
use crate::{
    ClientError,
    blocking::blocking,
    cli::{
        failures::Failures,
        opened::Opened,
        print::Printer,
        tree::Tree,
        uploading::{self, BATCH, ToStore, to_replace},
    },
    transfer::Source,
};
use nightdrop_envelope::space::{SpacePath, State};
use std::path::PathBuf;

/// Stores a tree and lists its files under their names; what is replaced was there when it began. Gives what failed.
///
/// # Errors
/// [`ClientError`] if nobody can be told; the files of earlier batches are stored and listed.
pub(super) async fn put_tree(
    opened: &mut Opened<'_>,
    tree: Tree,
    (began, replace): (&State, bool),
    printer: &Printer,
) -> Result<Failures, ClientError> {
    for path in &tree.left_out {
        printer.warn(&format!("{} is left out: it is neither a file nor a directory", path.display()));
    }
    for path in &tree.empty {
        printer.warn(&format!("{} is left out: it is empty", path.display()));
    }
    let mut failures = Failures::default();
    for (path, error) in tree.unreadable {
        failures.note(&path.to_string_lossy(), error);
    }
    let mut files = tree.files.into_iter().peekable();
    while files.peek().is_some() && !failures.has_ended() {
        let mut changed = Vec::new();
        while changed.len() < BATCH
            && let Some((name, path)) = files.next()
        {
            match open_changed(opened, &name, path, (began, replace)).await {
                Ok(None) => told(&name, false, printer)?,
                Ok(Some(file)) => changed.push(file),
                Err(error) => failures.note(name.as_str(), error),
            }
        }
        if changed.is_empty() || failures.has_ended() {
            continue;
        }
        let (listed, failed) = uploading::upload(opened, changed, printer).await;
        for (name, _) in &listed {
            told(name, true, printer)?;
        }
        failures.add(failed);
    }
    Ok(failures)
}

/// The file, unless it is listed with the same content.
async fn open_changed(
    opened: &Opened<'_>,
    name: &SpacePath,
    path: PathBuf,
    (began, replace): (&State, bool),
) -> Result<Option<ToStore>, ClientError> {
    let open = move || Source::open_found(&path);
    let source = blocking(open).await??;
    if same_file(opened.space.state(), name, &source).is_some() {
        return Ok(None);
    }
    let replaces = to_replace(began, name, replace)?;
    Ok(Some(ToStore { name: name.clone(), content: source.into(), replaces }))
}
