//! Where the agent is found.
//!
//! ```text
//! HOME/agent                                       the place of the socket; locked by the agent as long as it lives
//! $XDG_RUNTIME_DIR/nightdrop/HASH-OF-HOME.sock     0600 in a directory of mode 0700; or, where there is no such directory:
//! HOME/run/agent.sock
//! ```
//! A killed agent leaves a socket on which nobody listens, and no lock: the next one replaces it. Sockets are named through
//! `/proc/self/fd`, because the name of a socket may have no more than 108 bytes.

use crate::{ClientError, Home};
use nix::{
    fcntl::{Flock, FlockArg},
    unistd::{Uid, geteuid},
};
use sha2::{Digest, Sha256};
use std::{
    fs::{DirBuilder, File, OpenOptions, Permissions},
    io::{ErrorKind, Read, Write},
    os::{
        fd::AsRawFd,
        unix::{
            ffi::{OsStrExt, OsStringExt},
            fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
        },
    },
    path::{Path, PathBuf},
};
use tokio::net::{UnixListener, UnixStream};

const OTHERS: u32 = 0o077;
/// Longest path of a socket that is believed.
const LONGEST_PATH: u64 = 4096;

/// The right to be the agent of a home directory.
#[derive(Debug)]
pub struct Claim {
    file: Flock<File>,
    path: PathBuf,
}

/// A socket on which the agent listens. Dropped, it is gone.
#[derive(Debug)]
pub struct Listening {
    listener: UnixListener,
    directory: PathBuf,
    name: String,
    claim: Claim,
}

impl Claim {
    /// Takes it; `None` while another process has it.
    ///
    /// # Errors
    /// [`ClientError::File`].
    pub fn take(home: &Home) -> Result<Option<Self>, ClientError> {
        let path = home.agent_file();
        let file = OpenOptions::new().create(true).append(true).read(true).mode(0o600).open(&path);
        let file = file.map_err(ClientError::file("open", &path))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(file) => Ok(Some(Self { file, path })),
            Err((_, nix::Error::EWOULDBLOCK)) => Ok(None),
            Err((_, error)) => Err(ClientError::file("lock", &path)(error.into())),
        }
    }

    /// Listens, and says where. `runtime` is the user's runtime directory, if there is one.
    ///
    /// # Errors
    /// [`ClientError::File`].
    pub fn listen(mut self, home: &Home, runtime: Option<&Path>) -> Result<Listening, ClientError> {
        let (directory, name) = place(home, runtime)?;
        let path = directory.join(&name);
        let failed = || ClientError::file("listen on", &path);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed()(error)),
            _ => {}
        }
        let opened = File::open(&directory).map_err(failed())?;
        let listener = UnixListener::bind(through(&opened, &name)).map_err(failed())?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(failed())?;
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.write_all(path.as_os_str().as_bytes())
        };
        write(&mut self.file).map_err(ClientError::file("write", &self.path))?;
        Ok(Listening { listener, directory, name, claim: self })
    }
}

impl Listening {
    /// The next caller, if it is a process of the same user.
    ///
    /// # Errors
    /// If there is none to be had.
    pub(super) async fn accept(&self) -> std::io::Result<Option<UnixStream>> {
        let (stream, _unnamed) = self.listener.accept().await?;
        Ok(is_of(&stream, geteuid()).then_some(stream))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // Left over, both are harmless: nobody listens.
        let _ = std::fs::remove_file(self.directory.join(&self.name));
        let _ = self.claim.file.set_len(0);
    }
}

/// Connects to the agent of a home directory, if there is one.
pub async fn connect(home: &Home) -> Option<UnixStream> {
    let mut place = Vec::new();
    File::open(home.agent_file()).ok()?.take(LONGEST_PATH).read_to_end(&mut place).ok()?;
    let place = PathBuf::from(std::ffi::OsString::from_vec(place));
    let directory = File::open(place.parent()?).ok()?;
    let stream = UnixStream::connect(through(&directory, place.file_name()?.to_str()?)).await.ok()?;
    is_of(&stream, geteuid()).then_some(stream)
}

/// Whether the kernel says that the other end is a process of this user.
fn is_of(stream: &UnixStream, user: Uid) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == user.as_raw())
}

/// A short name for a socket in an open directory.
fn through(directory: &File, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{name}", directory.as_raw_fd()))
}

/// The directory of the socket, which exists and is closed to others, and the socket's name in it.
fn place(home: &Home, runtime: Option<&Path>) -> Result<(PathBuf, String), ClientError> {
    if let Some(runtime) = runtime.filter(|path| path.is_absolute() && require_closed(path).is_ok()) {
        let directory = runtime.join("nightdrop");
        make(&directory)?;
        let home = std::fs::canonicalize(home.path()).map_err(ClientError::file("find", home.path()))?;
        let hash = Sha256::digest(home.as_os_str().as_bytes());
        let name = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>() + ".sock";
        return Ok((directory, name));
    }
    let directory = home.path().join("run");
    make(&directory)?;
    Ok((directory, "agent.sock".to_owned()))
}

fn make(directory: &Path) -> Result<(), ClientError> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(ClientError::file("make the directory", directory)(error))
        }
        _ => require_closed(directory),
    }
}

/// A directory, not a link to one, of this user, in which nobody else can do anything.
fn require_closed(directory: &Path) -> Result<(), ClientError> {
    let metadata = std::fs::symlink_metadata(directory).map_err(ClientError::file("read", directory))?;
    let closed = metadata.is_dir() && metadata.uid() == geteuid().as_raw() && metadata.mode() & OTHERS == 0;
    if closed { Ok(()) } else { Err(ClientError::OpenHome { path: directory.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::symlink_metadata(path).unwrap().mode() & 0o777
    }

    fn runtime_directory(parent: &Path) -> PathBuf {
        let runtime = parent.join("runtime");
        DirBuilder::new().mode(0o700).create(&runtime).unwrap();
        runtime
    }

    #[tokio::test]
    async fn one_agent_at_a_time_in_the_runtime_directory() {
        let parent = tempfile::tempdir().unwrap();
        let runtime = runtime_directory(parent.path());
        let home = Home::open(&parent.path().join("home")).unwrap();
        assert!(connect(&home).await.is_none());
        let claim = Claim::take(&home).unwrap().unwrap();
        assert!(Claim::take(&home).unwrap().is_none(), "two agents for one home");
        let listening = claim.listen(&home, Some(&runtime)).unwrap();
        let socket = listening.directory.join(&listening.name);
        assert_eq!(listening.directory, runtime.join("nightdrop"));
        assert_eq!((mode(&listening.directory), mode(&socket)), (0o700, 0o600));
        assert_eq!(mode(&home.agent_file()), 0o600);
        let (connected, accepted) = tokio::join!(connect(&home), listening.accept());
        assert!(connected.is_some() && accepted.unwrap().is_some());
        drop(listening);
        assert!(!socket.exists() && connect(&home).await.is_none());
        assert!(Claim::take(&home).unwrap().is_some());
    }

    #[tokio::test]
    async fn a_runtime_directory_that_others_can_enter_is_not_used() {
        let parent = tempfile::tempdir().unwrap();
        let runtime = runtime_directory(parent.path());
        std::fs::set_permissions(&runtime, Permissions::from_mode(0o755)).unwrap();
        let home = Home::open(&parent.path().join("home")).unwrap();
        let listening = Claim::take(&home).unwrap().unwrap().listen(&home, Some(&runtime)).unwrap();
        assert_eq!(listening.directory, home.path().join("run"));
        assert_eq!(mode(&listening.directory), 0o700);
        assert!(connect(&home).await.is_some());
    }

    #[tokio::test]
    async fn a_directory_that_somebody_else_prepared_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let runtime = runtime_directory(parent.path());
        let home = Home::open(&parent.path().join("home")).unwrap();
        let elsewhere = parent.path().join("elsewhere");
        DirBuilder::new().mode(0o700).create(&elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, runtime.join("nightdrop")).unwrap();
        let refused = Claim::take(&home).unwrap().unwrap().listen(&home, Some(&runtime));
        assert!(matches!(refused, Err(ClientError::OpenHome { .. })));
        std::fs::remove_file(runtime.join("nightdrop")).unwrap();
        Claim::take(&home).unwrap().unwrap().listen(&home, Some(&runtime)).unwrap();
    }

    #[tokio::test]
    async fn the_other_end_belongs_to_who_made_it() {
        let (one, _other) = UnixStream::pair().unwrap();
        assert!(is_of(&one, geteuid()));
        assert!(!is_of(&one, Uid::from_raw(geteuid().as_raw() + 1)));
    }

    #[tokio::test]
    async fn what_a_killed_agent_left_is_replaced() {
        let parent = tempfile::tempdir().unwrap();
        // Longer than a socket's name may be.
        let deep = parent.path().join("d".repeat(120));
        let home = Home::open(&deep).unwrap();
        let killed = Claim::take(&home).unwrap().unwrap().listen(&home, None).unwrap();
        let socket = killed.directory.join(&killed.name);
        let kept = parent.path().join("kept");
        std::fs::rename(&socket, &kept).unwrap();
        drop(killed);
        std::fs::rename(&kept, &socket).unwrap();
        std::fs::write(home.agent_file(), socket.as_os_str().as_bytes()).unwrap();
        assert!(connect(&home).await.is_none(), "nobody listens");
        let _next = Claim::take(&home).unwrap().unwrap().listen(&home, None).unwrap();
        assert!(connect(&home).await.is_some());
    }
}
