//! `nightdrop put DIR`: the files of a directory, in batches. What is there already with the same content is not sent again.
//!
//! A batch is paid for, stored over a few lanes side by side, and listed by one append. Cut off, the next run goes on with what is not listed yet.

use super::put::{Stored, require_free, same_file};
use crate::{
    ClientError,
    cli::{
        opened::Opened,
        print::{Bar, Part, Printer},
        tree::Tree,
    },
    limits::ClientLimits,
    relay::RelayLane,
    transfer::{self, Progress, Source},
    transport::AnyTransport,
};
use nightdrop_envelope::space::{FileRecord, Operation, SpacePath};
use nightdrop_wire::{limits::MAX_CREDITS_PER_REQUEST, onion::OnionAddress, token::Token};
use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::task::JoinSet;

/// Files that are paid for, and listed, together: one request for credits, of which a new home space takes one.
const BATCH: usize = MAX_CREDITS_PER_REQUEST as usize - 1;

/// What is to be stored, and what pays for it.
type Waiting = VecDeque<(SpacePath, Source, Token)>;

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
    let (stored, error) = store_all(opened, waiting.collect(), &bar).await;
    bar.done();
    let listed = list_all(opened, &stored, replace).await;
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

/// Stores the files over a few lanes; what is stored when one of them fails, and why it failed.
async fn store_all(
    opened: &Opened<'_>,
    waiting: Waiting,
    bar: &Bar,
) -> (Vec<(SpacePath, FileRecord)>, Option<ClientError>) {
    let lanes = opened.limits().lanes.clamp(1, waiting.len().max(1));
    let waiting = Arc::new(Mutex::new(waiting));
    let mut running = JoinSet::new();
    for _ in 0..lanes {
        running.spawn(store_some(
            (opened.transport().clone(), opened.lane()),
            opened.relay().clone(),
            opened.limits().one_of_several(),
            Arc::clone(&waiting),
            Arc::new(bar.part()),
        ));
    }
    let (mut stored, mut error) = (Vec::new(), None);
    while let Some(ended) = running.join_next().await {
        let (some, failed) = ended.unwrap_or_else(|_| (Vec::new(), Some(ClientError::Stopped)));
        stored.extend(some);
        if failed.is_some() {
            // What the others have under way is finished, and nothing is begun.
            waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        error = error.or(failed);
    }
    stored.sort_by(|(one, _), (other, _)| one.cmp(other));
    (stored, error)
}

/// The work of one lane.
async fn store_some(
    (transport, mut lane): (AnyTransport, RelayLane<AnyTransport>),
    relay: OnionAddress,
    limits: ClientLimits,
    waiting: Arc<Mutex<Waiting>>,
    progress: Arc<Part>,
) -> (Vec<(SpacePath, FileRecord)>, Option<ClientError>) {
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let mut stored = Vec::new();
    while let Some((name, source, credit)) = next() {
        let way = (&transport, &relay, &limits);
        let progress = Arc::<Part>::clone(&progress);
        match transfer::upload_over(&mut lane, way, source, credit, progress).await {
            Ok(file) => stored.push((name, file)),
            Err(error) => return (stored, Some(error)),
        }
    }
    (stored, None)
}

/// Lists what was stored. What cannot be listed for good is destroyed again.
async fn list_all(
    opened: &mut Opened<'_>,
    stored: &[(SpacePath, FileRecord)],
    replace: bool,
) -> Result<(), ClientError> {
    let listed = opened
        .append(|state| {
            stored.iter().try_for_each(|(name, _)| require_free(state, name, replace))?;
            let put = |(path, file): &(SpacePath, FileRecord)| Operation::PutFile {
                path: path.clone(),
                file: Box::new(file.clone()),
            };
            Ok(stored.iter().map(put).collect())
        })
        .await;
    if matches!(listed, Err(ClientError::NameTaken(_))) {
        // Another device was faster; none of them is listed. Best effort, as the line may be gone.
        let mut lane = opened.lane().once();
        for (_, file) in stored {
            let _ = transfer::destroy(&mut lane, file.blob, &file.write_key).await;
        }
    }
    listed
}

fn told(name: &SpacePath, uploaded: bool, printer: &Printer) -> Result<(), ClientError> {
    let done = if uploaded { "stored" } else { "is there already" };
    printer.result(&Stored { name: name.as_str(), uploaded }, &format!("{} {done}", name.as_str()))
}
