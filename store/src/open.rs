//! Opening the store: directory, file, lock, schema version.

use crate::{
    database::{Contained, contained},
    error::{Cause, Failure, OpenError},
    limits::StoreLimits,
    room::{AskRoom, Gauge, Room},
    row::Row,
    schema::{META, ONLY, SCHEMA_VERSION, for_each_table},
    store::Store,
    transaction::Snapshot,
    volume,
    writer::Writer,
};
use redb::{Builder, Database, DatabaseError, ReadableTable, WriteTransaction};
use std::{
    fs::{DirBuilder, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::{
    runtime,
    sync::{mpsc, watch},
};

/// The database inside the store's directory.
const FILE_NAME: &str = "nightdrop.redb";

impl Store {
    /// Opens the store in `directory` (0700) as `nightdrop.redb` (0600), making both if they are not there.
    ///
    /// # Errors
    /// [`OpenError`]; a store of a later schema, in use elsewhere, or that is none is left as it is.
    pub fn open(directory: &Path, limits: StoreLimits) -> Result<Self, OpenError> {
        let file = directory.join(FILE_NAME);
        Self::open_asking(directory, limits, Box::new(move || Room::of(&file)))
    }

    /// [`Store::open`] with another source of how much room there is.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_asking(directory: &Path, limits: StoreLimits, room: Box<AskRoom>) -> Result<Self, OpenError> {
        let path = directory.join(FILE_NAME);
        let _preparing = prepare_directory(directory).map_err(on(directory))?;
        if !path.try_exists().map_err(on(&path))? {
            create(directory, &path, limits)?;
        }
        let file = open_private(&path).map_err(on(&path))?;
        // redb would make a new database of it, and with it every account would be gone without a word.
        if file.metadata().map_err(on(&path))?.len() == 0 {
            return Err(not_a_store(&path));
        }
        open_with(&path, limits, room, |builder| builder.create_file(file))
    }
}

/// Makes the store aside and puts it in its place when it is complete: what a crash leaves of the making is no
/// database, and would stand in the way.
fn create(directory: &Path, path: &Path, limits: StoreLimits) -> Result<(), OpenError> {
    let aside = path.with_extension("new");
    match std::fs::remove_file(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(on(&aside)(error)),
        Ok(()) | Err(_) => {}
    }
    let file = open_private(&aside).map_err(on(&aside))?;
    drop(open_with(&aside, limits, Box::new(no_room), |builder| builder.create_file(file))?);
    std::fs::rename(&aside, path).map_err(on(path))?;
    // An entry that was never synced is gone after a power cut, with all that was acknowledged.
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(on(directory))
}

/// A store that is made aside takes nothing but its tables.
fn no_room() -> io::Result<Room> {
    Ok(Room { free: 0, file: 0 })
}

/// Opens the store on a database that `create` opens. The path stands in errors only.
pub(crate) fn open_with(
    path: &Path,
    limits: StoreLimits,
    room: Box<AskRoom>,
    create: impl FnOnce(&Builder) -> Result<Database, DatabaseError>,
) -> Result<Store, OpenError> {
    let damaged = || broken(path)(Failure::damaged_page());
    let opened = contained(|| create(Builder::new().set_cache_size(limits.cache_bytes)));
    let database = opened.ok_or_else(damaged)?.map_err(|error| cannot_open(path, error))?;
    let database = Contained::new(database);
    contained(|| prepare_tables(&database, path)).unwrap_or_else(|| Err(damaged()))?;
    start(database, path, limits, room)
}

fn start(
    database: Contained,
    path: &Path,
    limits: StoreLimits,
    room: Box<AskRoom>,
) -> Result<Store, OpenError> {
    // Without a count, all of the file is taken to be in use.
    let counted = Snapshot::take(&database).and_then(|rows| volume::kept(&rows)).ok().flatten();
    let held = match counted {
        Some(held) => held,
        None => room().map_err(on(path))?.file,
    };
    let database = Arc::new(database);
    let runtime = runtime::Builder::new_current_thread().enable_time().build().map_err(OpenError::Thread)?;
    let (sender, queue) = mpsc::channel(limits.queue_operations.max(1));
    let (alarm, failed) = watch::channel(false);
    let writer = Writer {
        database: Arc::clone(&database),
        queue,
        runtime,
        limits,
        room,
        gauge: Gauge::default(),
        held,
        held_at_first: held,
        failed: alarm,
    };
    let thread = std::thread::Builder::new()
        .name("store-writer".to_owned())
        .spawn(move || writer.run())
        .map_err(OpenError::Thread)?;
    Ok(Store::new(database, limits, failed, sender, thread))
}

/// The directory, made and private; locked against another process that prepares it as long as it is held.
fn prepare_directory(directory: &Path) -> io::Result<File> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    std::fs::set_permissions(directory, Permissions::from_mode(0o700))?;
    let directory = File::open(directory)?;
    directory.lock()?;
    Ok(directory)
}

fn on(path: &Path) -> impl Fn(io::Error) -> OpenError {
    move |source| match Cause::of(&source) {
        Cause::NoSpace => {
            OpenError::NoSpace { path: path.to_owned(), source: Failure::of(redb::Error::Io(source)) }
        }
        Cause::Disk | Cause::Damage => OpenError::Files { path: path.to_owned(), source },
    }
}

fn open_private(path: &Path) -> io::Result<File> {
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

fn cannot_open(path: &Path, error: DatabaseError) -> OpenError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::InUse,
        error => broken(path)(Failure::of(error)),
    }
}

/// Makes the tables of an empty database; refuses one whose version is not ours.
fn prepare_tables(database: &Contained, path: &Path) -> Result<(), OpenError> {
    let broken = broken(path);
    let transaction = database.begin_write().map_err(&broken)?;
    match schema_version(&transaction).map_err(&broken)? {
        Version::None => {}
        Version::Found(SCHEMA_VERSION) => {
            return transaction.abort().map_err(|error| broken(Failure::of(error)));
        }
        Version::Found(found) if found > SCHEMA_VERSION => {
            return Err(OpenError::NewerSchema { found, known: SCHEMA_VERSION });
        }
        Version::Found(_) | Version::Unreadable => return Err(not_a_store(path)),
    }
    make_tables(&transaction).map_err(&broken)?;
    transaction.commit().map_err(|error| broken(Failure::of(error)))
}

/// The error of a file that redb does not open.
fn broken(path: &Path) -> impl Fn(Failure) -> OpenError {
    move |source| {
        let path = path.to_owned();
        match source.cause() {
            Cause::NoSpace => OpenError::NoSpace { path, source },
            Cause::Disk => OpenError::Disk { path, source },
            Cause::Damage => OpenError::Database { path, source },
        }
    }
}

fn not_a_store(path: &Path) -> OpenError {
    OpenError::NotAStore { path: PathBuf::from(path) }
}

/// What the file says of its schema.
enum Version {
    /// The database is empty.
    None,
    Found(u32),
    /// There are tables, but no version.
    Unreadable,
}

fn schema_version(transaction: &WriteTransaction) -> Result<Version, Failure> {
    if transaction.list_tables().map_err(Failure::of)?.next().is_none() {
        return Ok(Version::None);
    }
    let meta = transaction.open_table(META.definition()).map_err(Failure::of)?;
    let version = meta.get(&ONLY).map_err(Failure::of)?;
    let bytes = version.and_then(|version| <[u8; 4]>::try_from(version.value()).ok());
    Ok(bytes.map_or(Version::Unreadable, |bytes| Version::Found(u32::from_le_bytes(bytes))))
}

fn make_tables(transaction: &WriteTransaction) -> Result<(), Failure> {
    macro_rules! make {
        ($table:expr) => {
            transaction.open_table($table.definition()).map_err(Failure::of)?
        };
    }
    for_each_table!(make);
    let version = SCHEMA_VERSION.to_le_bytes();
    let mut meta = transaction.open_table(META.definition()).map_err(Failure::of)?;
    meta.insert(&ONLY, version.as_slice()).map_err(Failure::of)?;
    Ok(())
}
