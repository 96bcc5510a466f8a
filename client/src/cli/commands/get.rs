//! `nightdrop get NAME|LINK [-o PATH]`; a name may be a directory.

use super::get_directory::get_tree;
use crate::{
    ClientError,
    blocking::blocking,
    cli::{
        arguments::{Get, Global},
        opened::{Opened, path, with_account},
        password::StandardInput,
        print::{Bar, Printer},
    },
    console::Console,
    lease,
    limits::ClientLimits,
    relay::RelayLane,
    transfer::{self, Downloaded, OpenedLink, Output, OutputPath, Progress},
    transport::AnyTransport,
};
use nightdrop_envelope::{
    file_name::FileName,
    link::{FileLink, SCHEME},
    space::{FileRecord, SpacePath},
};
use serde::Serialize;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

#[derive(Serialize)]
pub(super) struct Shown<'a> {
    pub(super) name: &'a str,
    pub(super) path: &'a str,
    pub(super) size: u64,
}

pub(in crate::cli) async fn run(
    global: &Global,
    arguments: Get,
    printer: &Printer,
) -> Result<(), ClientError> {
    let mut standard_input = printer.standard_input();
    let what = standard_input.argument(&arguments.what)?;
    let place = match arguments.output.as_deref() {
        Some(path) if path == Path::new("-") => Place::StandardOutput(printer.console()),
        path => Place::Path(OutputPath::new(path)?),
    };
    let streamed = matches!(place, Place::StandardOutput(_));
    let here = arguments.here.clone().unwrap_or_else(|| PathBuf::from("."));
    // Where it was typed, or exactly where the user says.
    let root = arguments.output.clone().filter(|output| Some(output) != arguments.here.as_ref());
    let bar = printer.bar("Downloading");
    let is_link = what.trim().get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME));
    let downloaded = if is_link {
        let link = FileLink::from_text(&what).map_err(ClientError::BadLink)?;
        let link = open_link(link, arguments.link_password_file.as_deref(), &mut standard_input).await?;
        get_link(global, &link, place, &bar, printer).await.map(Some)
    } else if arguments.link_password_file.is_some() {
        Err(ClientError::Usage("--link-password-file is for a link, and this is none".to_owned()))
    } else {
        let name = path(what.trim_end_matches('\n'))?;
        let get = async |opened: &mut Opened<'_>| {
            get_own(opened, &name, place, (root.as_deref(), &here), &bar, printer).await
        };
        with_account(global, standard_input, printer, get).await
    };
    bar.done();
    if !streamed && downloaded.as_ref().is_err_and(ClientError::is_passing) {
        printer.note("What arrived is kept beside the file's place: the same command goes on with it.");
    }
    // Of a directory each file was told.
    let Some(downloaded) = downloaded? else { return Ok(()) };
    // What was asked for is the only thing on standard output.
    let Some(path) = downloaded.path else { return Ok(()) };
    let path = path.to_string_lossy();
    printer.result(&Shown { name: &downloaded.name, path: &path, size: downloaded.size }, &path)
}

/// Where the user wants it.
enum Place {
    Path(OutputPath),
    StandardOutput(Arc<dyn Console>),
}

impl Place {
    /// For a file that may have a name that its owner chose.
    fn of(self, name: Option<FileName>) -> Output {
        match (self, name) {
            (Self::Path(path), Some(name)) => Output::File(path.or_named(name)),
            (Self::Path(path), None) => Output::File(path),
            (Self::StandardOutput(console), _) => {
                Output::Stream(Arc::new(move |bytes| console.result(bytes)))
            }
        }
    }
}

/// A link with its password, which is asked for only if there is one.
async fn open_link(
    link: FileLink,
    file: Option<&Path>,
    standard_input: &mut StandardInput,
) -> Result<OpenedLink, ClientError> {
    let asked = link.needs_password || file.is_some();
    let password = if asked { Some(standard_input.link_password(file)?) } else { None };
    let open = move || OpenedLink::open(&link, password.as_ref());
    blocking(open).await?
}

/// Needs no account.
async fn get_link(
    global: &Global,
    link: &OpenedLink,
    place: Place,
    bar: &Bar,
    printer: &Printer,
) -> Result<Downloaded, ClientError> {
    let transport = global.transport(printer).await?;
    bar.wait();
    let limits = ClientLimits::default();
    let (claims, progress) = (global.open_home()?.claims(), Arc::new(bar.clone()));
    transfer::download_link(&transport, link, &claims, place.of(None), &limits, progress).await
}

/// A file, or all that lies in a directory.
async fn get_own(
    opened: &Opened<'_>,
    name: &SpacePath,
    place: Place,
    (root, here): (Option<&Path>, &Path),
    bar: &Bar,
    printer: &Printer,
) -> Result<Option<Downloaded>, ClientError> {
    if !opened.space.state().is_directory(name) {
        return get_file(opened, name, place, bar).await.map(Some);
    }
    if matches!(place, Place::StandardOutput(_)) {
        return Err(ClientError::IsDirectory(name.as_str().to_owned()));
    }
    // Run again after it was cut off, it is there.
    let root = root.map_or_else(|| here.join(name.file_name()), Path::to_owned);
    get_tree(opened, name, &root, printer).await.map(|()| None)
}

async fn get_file(
    opened: &Opened<'_>,
    name: &SpacePath,
    place: Place,
    bar: &Bar,
) -> Result<Downloaded, ClientError> {
    let file = opened.file(name)?;
    // The name that it has among one's files, which need not be the one that it was stored with.
    let own_name =
        FileName::parse(name.file_name()).map_err(|_| ClientError::BadPath(name.as_str().to_owned()))?;
    let output = place.of(Some(own_name));
    bar.wait();
    let (lane, progress) = (opened.lane(), Arc::new(bar.clone()));
    let wanted = Wanted::of(opened, name, file);
    wanted.fetch(lane, opened.limits(), output, progress).await.map(|(downloaded, _lane)| downloaded)
}

/// A file of one's own that is to be fetched.
pub(super) struct Wanted {
    pub(super) name: SpacePath,
    pub(super) file: FileRecord,
    /// With what it had before a rekey, if it is not certain that it has its new tokens.
    held: Option<FileRecord>,
}

impl Wanted {
    pub(super) fn of(opened: &Opened<'_>, name: &SpacePath, file: &FileRecord) -> Self {
        let held = opened.space.state().held(file.blob).map(|held| file.holding(held));
        Self { name: name.clone(), file: file.clone(), held }
    }

    pub(super) async fn fetch(
        &self,
        mut lane: RelayLane<AnyTransport>,
        limits: &ClientLimits,
        output: impl Into<Output>,
        progress: Arc<dyn Progress>,
    ) -> Result<(Downloaded, RelayLane<AnyTransport>), ClientError> {
        let file = match &self.held {
            // Which of its tokens it has by now, the relay knows.
            Some(held) if !transfer::is_readable(&mut lane, &self.file).await? => held,
            _ => &self.file,
        };
        let downloaded = transfer::download_file_over(lane, limits, file, output, progress).await;
        downloaded.map_err(|error| lease::explain(error, self.name.as_str(), self.file.lease))
    }
}
