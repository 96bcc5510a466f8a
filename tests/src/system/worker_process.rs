//! The relay's worker alone, started as the supervisor starts it, and the way to it without Tor: for tests that kill it often.

use super::{SystemError, io, program};
use command_fds::{CommandFdExt, FdMapping};
use nightdrop_client::transport::Transport;
use nightdrop_onion_config::{Lane, TorError};
use nightdrop_wire::onion::OnionAddress;
use std::{
    io::Write,
    os::{
        fd::OwnedFd,
        unix::{fs::DirBuilderExt, net::UnixListener},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use tokio::net::UnixStream;

/// A worker on a data directory. Its listeners outlive it, so who connects while it is being started again waits.
#[derive(Debug)]
pub struct WorkerProcess {
    data: PathBuf,
    address: OnionAddress,
    listener: UnixListener,
    admin: UnixListener,
    child: Child,
}

impl WorkerProcess {
    /// Starts one, as the relay with this address.
    ///
    /// # Errors
    /// [`SystemError`] if it cannot be started.
    pub fn start(data: &Path, address: OnionAddress) -> Result<Self, SystemError> {
        let run = data.join("run");
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&run)
            .map_err(io("make a directory"))?;
        let bind = |name: &str| {
            let path = run.join(name);
            // Left by an earlier relay on this directory.
            let _ = std::fs::remove_file(&path);
            UnixListener::bind(path).map_err(io("bind a socket"))
        };
        let (listener, admin) = (bind("worker.sock")?, bind("admin.sock")?);
        let child = spawn(data, &address, &listener, &admin)?;
        Ok(Self { data: data.to_owned(), address, listener, admin, child })
    }

    /// Kills it as nothing can prevent, and starts another on the same data.
    ///
    /// # Errors
    /// [`SystemError`] if it cannot be started.
    pub fn kill_and_restart(&mut self) -> Result<(), SystemError> {
        self.child.kill().map_err(io("kill the worker"))?;
        self.child.wait().map_err(io("wait for the worker"))?;
        self.child = spawn(&self.data, &self.address, &self.listener, &self.admin)?;
        Ok(())
    }

    /// Whether it runs.
    ///
    /// # Errors
    /// [`SystemError`] if that cannot be found out.
    pub fn is_running(&mut self) -> Result<bool, SystemError> {
        Ok(self.child.try_wait().map_err(io("look at the worker"))?.is_none())
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How many sockets it has open: a few of its own, and one for each connection that it holds.
    ///
    /// # Errors
    /// [`SystemError`] if that cannot be found out.
    pub fn sockets(&self) -> Result<usize, SystemError> {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.child.id()));
        let open = open.map_err(io("look at the worker's open files"))?;
        let targets = open.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
        Ok(targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count())
    }

    /// The way to it.
    #[must_use]
    pub fn transport(&self) -> SocketTransport {
        SocketTransport::to(&self.socket())
    }

    /// The socket that clients reach it on.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.data.join("run/worker.sock")
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(
    data: &Path,
    address: &OnionAddress,
    listener: &UnixListener,
    admin: &UnixListener,
) -> Result<Child, SystemError> {
    let inherit = |listener: &UnixListener, child_fd| {
        let parent_fd: OwnedFd = listener.try_clone().map_err(io("share a socket"))?.into();
        Ok::<_, SystemError>(FdMapping { parent_fd, child_fd })
    };
    let mut command = Command::new(program("nightdrop-relay")?);
    command
        .args(["worker", "--supervisor", &std::process::id().to_string(), "--data"])
        .arg(data)
        .env("LISTEN_FDS", "2")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .fd_mappings(vec![inherit(listener, 3)?, inherit(admin, 4)?])
        .map_err(|_| SystemError::Io {
            action: "map sockets".to_owned(),
            source: std::io::ErrorKind::InvalidInput.into(),
        })?;
    let mut child = command.spawn().map_err(io("start the worker"))?;
    let line = format!("{{\"address\":\"{address}\"}}\n");
    if let Some(input) = child.stdin.as_mut() {
        input.write_all(line.as_bytes()).map_err(io("tell the worker its address"))?;
    }
    Ok(child)
}

/// Connects to a worker's socket, whatever the address and the lane.
#[derive(Debug, Clone)]
pub struct SocketTransport {
    path: PathBuf,
}

impl SocketTransport {
    /// To the worker behind this socket.
    #[must_use]
    pub fn to(socket: &Path) -> Self {
        Self { path: socket.to_owned() }
    }
}

impl Transport for SocketTransport {
    type Stream = UnixStream;

    async fn connect(&self, _relay: &OnionAddress, _lane: &Lane) -> Result<UnixStream, TorError> {
        UnixStream::connect(&self.path).await.map_err(|_| TorError::ServiceUnreachable)
    }
}
