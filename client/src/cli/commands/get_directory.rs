//! `nightdrop get DIR`: all files below a name, into a directory. A file that is there already with the same content is not fetched again.

use super::get::{Shown, Wanted};
use crate::{
    ClientError,
    blocking::blocking,
    cli::{
        failures::Failures,
        opened::Opened,
        print::{Part, Printer},
        side_by_side::{Way, side_by_side},
        tree::place_below,
    },
    relay::RelayLane,
    transfer::{OutputPath, Progress, Source},
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

/// Fetches all files below `directory` into `root`, which is made if it is not there. One that cannot be had keeps none of the others.
///
/// # Errors
/// [`ClientError`], the gravest; files that were fetched are whole, and stay.
pub(super) async fn get_tree(
    opened: &Opened<'_>,
    directory: &SpacePath,
    root: &Path,
    printer: &Printer,
) -> Result<(), ClientError> {
    let (mut waiting, mut failures) = (Vec::new(), Failures::default());
    // What is in the way here is in the way of all.
    place_below(root, directory, directory)?;
    for (name, file) in opened.space.state().files_of(directory) {
        let place = match place_below(root, directory, name) {
            Ok(place) => place,
            Err(error) => {
                failures.note(name.as_str(), error);
                continue;
            }
        };
        if is_there(place.clone(), file.clone()).await? {
            printer.note(&format!("{} is there already", place.display()));
        } else {
            waiting.push((name.clone(), (Wanted::of(opened, name, file), place)));
        }
    }
    let sealed = |file: &FileRecord| Layout::of_size(file.size).map_or(0, |layout| layout.sealed_bytes());
    let bar = printer.bar("Downloading");
    bar.begin(waiting.iter().map(|(_, (wanted, _))| sealed(&wanted.file)).sum());
    let (fetched, failed) = side_by_side(opened, waiting, &bar, fetch).await;
    bar.done();
    failures.add(failed);
    for (name, (size, place)) in &fetched {
        let path = place.to_string_lossy();
        printer.result(&Shown { name: name.as_str(), path: &path, size: *size }, &path)?;
    }
    failures.told(printer)
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

/// Gives its size, and where it is.
async fn fetch(
    lane: RelayLane<AnyTransport>,
    way: Way,
    (wanted, place): (Wanted, PathBuf),
) -> Result<((u64, PathBuf), RelayLane<AnyTransport>), ClientError> {
    let own_name = FileName::parse(wanted.name.file_name());
    let own_name = own_name.map_err(|_| ClientError::BadPath(wanted.name.as_str().to_owned()))?;
    let output = OutputPath::exactly(&place)?.or_named(own_name);
    let progress = Arc::<Part>::clone(&way.progress);
    let (downloaded, lane) = wanted.fetch(lane, &way.limits, &output, progress).await?;
    Ok(((downloaded.size, place), lane))
}
