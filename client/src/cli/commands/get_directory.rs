//! `nightdrop get DIR`: all files below a name, into a directory. A file that is there already with the same content is not fetched again.

use super::get::Shown;
use crate::{
    ClientError,
    cli::{
        opened::Opened,
        print::{Part, Printer},
        tree::place_below,
    },
    limits::ClientLimits,
    relay::RelayLane,
    transfer::{self, OutputPath, Progress, Source},
    transport::AnyTransport,
};
use nightdrop_envelope::{
    file_name::FileName,
    layout::Layout,
    space::{FileRecord, SpacePath},
};
use nightdrop_wire::onion::OnionAddress;
use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::task::JoinSet;

/// A file to be fetched, and where it goes.
struct Wanted {
    name: SpacePath,
    file: FileRecord,
    place: PathBuf,
}

/// Fetches all files below `directory` into `root`, which is made if it is not there.
///
/// # Errors
/// [`ClientError`]; files that were fetched until then are whole, and stay.
pub(super) async fn get_tree(
    opened: &Opened<'_>,
    directory: &SpacePath,
    root: &Path,
    printer: &Printer,
) -> Result<(), ClientError> {
    let mut waiting = VecDeque::new();
    for (name, file) in opened.space.state().files().filter(|(name, _)| name.is_below(directory)) {
        let place = place_below(root, directory, name)?;
        if is_there(place.clone(), file.clone()).await? {
            printer.note(&format!("{} is there already", place.display()));
        } else {
            waiting.push_back(Wanted { name: name.clone(), file: file.clone(), place });
        }
    }
    let lanes = opened.limits().lanes.clamp(1, waiting.len().max(1));
    let sealed =
        |wanted: &Wanted| Layout::of_size(wanted.file.size).map_or(0, |layout| layout.sealed_bytes());
    let bar = printer.bar("Downloading");
    bar.begin(waiting.iter().map(sealed).sum());
    let waiting = Arc::new(Mutex::new(waiting));
    let mut running = JoinSet::new();
    for _ in 0..lanes {
        let way = (opened.transport().clone(), opened.relay().clone(), opened.limits().one_of_several());
        running.spawn(fetch_some(opened.lane(), way, Arc::clone(&waiting), Arc::new(bar.part())));
    }
    let mut error = None;
    while let Some(ended) = running.join_next().await {
        let (fetched, failed) = ended.unwrap_or_else(|_| (Vec::new(), Some(ClientError::Stopped)));
        for Wanted { name, file, place } in &fetched {
            let path = place.to_string_lossy();
            printer.result(&Shown { name: name.as_str(), path: &path, size: file.size }, &path)?;
        }
        if failed.is_some() {
            // What the others have under way is finished, and nothing is begun.
            waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        error = error.or(failed);
    }
    bar.done();
    error.map_or(Ok(()), Err)
}

/// Whether the file is there with this content; another one under its name is an error later.
async fn is_there(place: PathBuf, file: FileRecord) -> Result<bool, ClientError> {
    let look = move || {
        let size = place.symlink_metadata().ok().filter(std::fs::Metadata::is_file).map(|held| held.len());
        let same = |source: Source| *source.content() == file.content;
        size == Some(file.size) && Source::open_found(&place).is_ok_and(same)
    };
    tokio::task::spawn_blocking(look).await.map_err(|_| ClientError::Stopped)
}

/// The work of one lane.
async fn fetch_some(
    lane: RelayLane<AnyTransport>,
    (transport, relay, limits): (AnyTransport, OnionAddress, ClientLimits),
    waiting: Arc<Mutex<VecDeque<Wanted>>>,
    progress: Arc<Part>,
) -> (Vec<Wanted>, Option<ClientError>) {
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let (mut lane, mut fetched) = (lane, Vec::new());
    while let Some(wanted) = next() {
        let way = (&transport, &relay, &limits);
        match fetch(lane, way, &wanted, Arc::clone(&progress)).await {
            Ok(free) => lane = free,
            Err(error) => return (fetched, Some(error)),
        }
        fetched.push(wanted);
    }
    (fetched, None)
}

async fn fetch(
    lane: RelayLane<AnyTransport>,
    way: (&AnyTransport, &OnionAddress, &ClientLimits),
    wanted: &Wanted,
    progress: Arc<Part>,
) -> Result<RelayLane<AnyTransport>, ClientError> {
    let own_name = FileName::parse(wanted.name.file_name());
    let own_name = own_name.map_err(|_| ClientError::BadPath(wanted.name.as_str().to_owned()))?;
    let output = OutputPath::exactly(&wanted.place)?.or_named(own_name);
    let fetched = transfer::download_file_over(lane, way, &wanted.file, &output, progress).await;
    fetched.map(|(_downloaded, lane)| lane)
}
