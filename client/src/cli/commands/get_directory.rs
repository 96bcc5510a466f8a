//! `nightdrop get DIR`: all files below a name, into a directory. A file that is there already with the same content is not fetched again.

use super::get::Shown;
use crate::{
    ClientError,
    blocking::blocking,
    cli::{
        opened::Opened,
        print::{Part, Printer},
        side_by_side::{Way, side_by_side},
        tree::place_below,
    },
    lease,
    relay::RelayLane,
    transfer::{self, OutputPath, Progress, Source},
    transport::AnyTransport,
};
use nightdrop_envelope::{
    file_name::FileName,
    layout::Layout,
    space::{FileRecord, SpacePath},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

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
    let mut waiting = Vec::new();
    for (name, file) in opened.space.state().files_of(directory) {
        let place = place_below(root, directory, name)?;
        if is_there(place.clone(), file.clone()).await? {
            printer.note(&format!("{} is there already", place.display()));
        } else {
            waiting.push(Wanted { name: name.clone(), file: file.clone(), place });
        }
    }
    let sealed =
        |wanted: &Wanted| Layout::of_size(wanted.file.size).map_or(0, |layout| layout.sealed_bytes());
    let bar = printer.bar("Downloading");
    bar.begin(waiting.iter().map(sealed).sum());
    let (fetched, error) = side_by_side(opened, waiting, &bar, fetch).await;
    bar.done();
    for Wanted { name, file, place } in &fetched {
        let path = place.to_string_lossy();
        printer.result(&Shown { name: name.as_str(), path: &path, size: file.size }, &path)?;
    }
    error.map_or(Ok(()), Err)
}

/// Whether the file is there with this content; another one under its name is an error later.
async fn is_there(place: PathBuf, file: FileRecord) -> Result<bool, ClientError> {
    let look = move || {
        let size = place.symlink_metadata().ok().filter(std::fs::Metadata::is_file).map(|held| held.len());
        let same = |source: Source| *source.content() == file.content;
        size == Some(file.size) && Source::open_found(&place).is_ok_and(same)
    };
    blocking(look).await
}

async fn fetch(
    lane: RelayLane<AnyTransport>,
    way: Way,
    wanted: Wanted,
) -> Result<(Wanted, RelayLane<AnyTransport>), ClientError> {
    let own_name = FileName::parse(wanted.name.file_name());
    let own_name = own_name.map_err(|_| ClientError::BadPath(wanted.name.as_str().to_owned()))?;
    let output = OutputPath::exactly(&wanted.place)?.or_named(own_name);
    let progress = Arc::<Part>::clone(&way.progress);
    let fetched = transfer::download_file_over(lane, &way.limits, &wanted.file, &output, progress).await;
    match fetched {
        Ok((_downloaded, lane)) => Ok((wanted, lane)),
        Err(error) => Err(lease::explain(error, wanted.name.as_str(), wanted.file.lease)),
    }
}
