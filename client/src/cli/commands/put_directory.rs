//! `nightdrop put DIR`: the files of a directory, in batches. What is there already with the same content is not sent again.
//!
//! A batch is paid for, stored over a few lanes side by side, and listed by one append. Cut off, the next run goes on with what is not listed yet.

use super::put::{list, require_free, same_file, told};
use crate::{
    ClientError,
    cli::{
        opened::Opened,
        print::{Part, Printer},
        side_by_side::{Way, side_by_side},
        tree::Tree,
    },
    relay::RelayLane,
    transfer::{self, Progress, Source},
    transport::AnyTransport,
};
use nightdrop_envelope::space::{FileRecord, SpacePath};
use nightdrop_wire::{limits::MAX_CREDITS_PER_REQUEST, messages::credit::Credit};
use std::{path::PathBuf, sync::Arc};

/// Files that are paid for, and listed, together: one request for credits, of which a new home space takes one.
const BATCH: usize = MAX_CREDITS_PER_REQUEST as usize - 1;

/// Stores a tree and lists its files under their names.
///
/// # Errors
/// [`ClientError`]; the files of earlier batches are stored and listed.
pub(super) async fn put_tree(
    opened: &mut Opened<'_>,
    tree: Tree,
    replace: bool,
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
                    require_free(opened.space.state(), &name, replace)?;
                    changed.push((name, source));
                }
            }
        }
        put_batch(opened, changed, replace, printer).await?;
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
    let source = tokio::task::spawn_blocking(open).await.map_err(|_| ClientError::Stopped)??;
    let same = same_file(opened.space.state(), name, &source).is_some();
    Ok((!same).then_some(source))
}

async fn put_batch(
    opened: &mut Opened<'_>,
    files: Vec<(SpacePath, Source)>,
    replace: bool,
    printer: &Printer,
) -> Result<(), ClientError> {
    let Ok(count @ 1..) = u16::try_from(files.len()) else { return Ok(()) };
    let credits = opened.credits(count).await?;
    let bar = printer.bar("Uploading");
    bar.begin(files.iter().map(|(_, source)| source.layout().sealed_bytes()).sum());
    let waiting = files.into_iter().zip(credits).map(|((name, source), credit)| (name, source, credit));
    let (mut stored, error) = side_by_side(opened, waiting.collect(), &bar, store).await;
    stored.sort_by(|(one, _), (other, _)| one.cmp(other));
    bar.done();
    let listed = list(opened, &stored, replace).await;
    if listed.is_ok() {
        for (name, _) in &stored {
            told(name, true, printer)?;
        }
    }
    match error {
        Some(error) => Err(error),
        None => listed,
    }
}

async fn store(
    mut lane: RelayLane<AnyTransport>,
    way: Way,
    (name, source, credit): (SpacePath, Source, Credit),
) -> Result<((SpacePath, FileRecord), RelayLane<AnyTransport>), ClientError> {
    let progress = Arc::<Part>::clone(&way.progress);
    let file = transfer::upload_over(&mut lane, way.parts(), source, credit, progress).await?;
    Ok(((name, file), lane))
}
