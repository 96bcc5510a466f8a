//! `nightdrop put DIR`: the files of a directory, in batches. What is there already with the same content is not sent again.
//!
//! A batch is paid for, stored over a few lanes side by side, and listed by one append. Cut off, the next run goes on with what is not listed yet,
//! within its files, too.

use super::put::{same_file, told};
use crate::{
    ClientError,
    blocking::blocking,
    cli::{
        opened::Opened,
        print::Printer,
        tree::Tree,
        uploading::{self, BATCH, ToStore, to_replace},
    },
    transfer::Source,
};
use nightdrop_envelope::space::{SpacePath, State};
use std::path::PathBuf;

/// Stores a tree and lists its files under their names; what is replaced was there when it began.
///
/// # Errors
/// [`ClientError`]; the files of earlier batches are stored and listed.
pub(super) async fn put_tree(
    opened: &mut Opened<'_>,
    tree: Tree,
    (began, replace): (&State, bool),
    printer: &Printer,
) -> Result<(), ClientError> {
    for path in &tree.left_out {
        printer.warn(&format!("{} is left out: it is neither a file nor a directory", path.display()));
    }
    for path in &tree.empty {
        printer.warn(&format!("{} is left out: it is empty", path.display()));
    }
    let mut files = tree.files.into_iter().peekable();
    while files.peek().is_some() {
        let mut changed = Vec::new();
        while changed.len() < BATCH
            && let Some((name, path)) = files.next()
        {
            match open_changed(opened, &name, path).await? {
                None => told(&name, false, printer)?,
                Some(source) => {
                    let replaces = to_replace(began, &name, replace)?;
                    changed.push(ToStore { name, content: source.into(), replaces });
                }
            }
        }
        put_batch(opened, changed, printer).await?;
    }
    Ok(())
}

/// The file, unless it is listed with the same content.
async fn open_changed(
    opened: &Opened<'_>,
    name: &SpacePath,
    path: PathBuf,
) -> Result<Option<Source>, ClientError> {
    let open = move || Source::open_found(&path);
    let source = blocking(open).await??;
    let same = same_file(opened.space.state(), name, &source).is_some();
    Ok((!same).then_some(source))
}

async fn put_batch(
    opened: &mut Opened<'_>,
    files: Vec<ToStore>,
    printer: &Printer,
) -> Result<(), ClientError> {
    if files.is_empty() {
        return Ok(());
    }
    let (listed, error) = uploading::upload(opened, files, printer).await;
    for (name, _) in &listed {
        told(name, true, printer)?;
    }
    error.map_or(Ok(()), Err)
}
