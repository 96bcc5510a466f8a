//! Starting the agent: this same program once more, detached from the terminal, with the password handed over by a socket pair.
//!
//! ```text
//! unlock   password ──▶ agent          (never in its arguments or its environment)
//!          ◀── messages, progress, and at the end whether the account is open
//! ```
//! If `unlock` ends before that, the agent ends, too. Afterwards nothing ties it to the terminal or to who started it.

use super::{
    frame::{self, SMALL_FRAME},
    limits::AgentLimits,
    message::{FromAgent, Piece},
    remote::{RemoteConsole, WAITING_MESSAGES},
};
use crate::{ClientError, console::Console};
use nightdrop_login::password::Password;
use nix::unistd::{dup2_stdin, geteuid, setsid};
use std::{
    ffi::OsString,
    fs::File,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::process::CommandExt,
    },
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};
use tokio::{net::UnixStream, sync::mpsc, task::JoinHandle, time::timeout};

/// What of the environment an agent gets: where things are, and nothing that somebody put there for another program.
const ENVIRONMENT: [&str; 6] =
    ["HOME", "PATH", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_DATA_HOME", "FS_MISTRUST_DISABLE_PERMISSIONS_CHECKS"];

/// Starts an agent with these arguments and returns when it says how that went: the exit code, 0 if the account is open. What it has to
/// say meanwhile is shown at `console`.
///
/// # Errors
/// [`ClientError::AgentLost`] if it ended without a word; [`ClientError::File`] if it could not be started.
pub async fn launch(
    arguments: &[OsString],
    password: &Password,
    console: &dyn Console,
) -> Result<u8, ClientError> {
    let mut agent = start(arguments).map_err(ClientError::file("start", Path::new("the agent")))?;
    let password = Piece::new(password.secret_text().as_bytes());
    frame::write(&mut agent, &password).await.map_err(|_| ClientError::AgentLost)?;
    loop {
        match frame::read(&mut agent, SMALL_FRAME).await {
            Ok(Some(FromAgent::Message(line))) => console.message(&line),
            Ok(Some(FromAgent::Bar { number, state })) => console.bar(number, state),
            Ok(Some(FromAgent::Finished(exit))) => return Ok(exit),
            _ => return Err(ClientError::AgentLost),
        }
    }
}

fn start(arguments: &[OsString]) -> io::Result<UnixStream> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    let environment = ENVIRONMENT.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    // This program's own file, even if an upgrade has replaced its path meanwhile.
    Command::new("/proc/self/exe")
        .arg0("nightdrop")
        .args(arguments)
        .env_clear()
        .envs(environment)
        .current_dir("/")
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    ours.set_nonblocking(true)?;
    UnixStream::from_std(ours)
}

/// The agent's end, from its start until the account is open or cannot be opened.
#[derive(Debug)]
pub struct Launch {
    outgoing: mpsc::Sender<FromAgent>,
    writing: JoinHandle<()>,
    reading: JoinHandle<()>,
    console: Arc<dyn Console>,
}

impl Launch {
    /// Leaves the terminal behind and takes the password over from whoever started this process.
    ///
    /// # Errors
    /// [`ClientError::Usage`] if this process was not started by [`launch`].
    pub async fn receive(limits: &AgentLimits) -> Result<(Self, Password), ClientError> {
        let by_hand = |_| ClientError::Usage("the agent is started by `nightdrop unlock`".to_owned());
        let stream = take_standard_input().map_err(by_hand)?;
        let (mut reader, mut writer) = stream.into_split();
        let piece = timeout(limits.greeting, frame::read::<Piece>(&mut reader, SMALL_FRAME)).await;
        let Ok(Ok(Some(piece))) = piece else { return Err(by_hand(io::ErrorKind::InvalidData.into())) };
        let text = std::str::from_utf8(piece.secret_bytes());
        let password = Password::new(text.map_err(|_| by_hand(io::ErrorKind::InvalidData.into()))?);
        let (outgoing, mut messages) = mpsc::channel(WAITING_MESSAGES);
        let writing = tokio::spawn(async move {
            while let Some(message) = messages.recv().await {
                if frame::write(&mut writer, &message).await.is_err()
                    || matches!(message, FromAgent::Finished(_))
                {
                    return;
                }
            }
        });
        // Nothing more is said, so whatever comes is the end.
        let reading = tokio::spawn(async move {
            let _ = frame::read::<Piece>(&mut reader, 0).await;
        });
        // No standard input: who asks for it finds its end.
        let console = Arc::new(RemoteConsole::new(outgoing.clone(), mpsc::channel(1).1));
        Ok((Self { outgoing, writing, reading, console }, password))
    }

    /// Where to say what happens meanwhile.
    #[must_use]
    pub fn console(&self) -> Arc<dyn Console> {
        Arc::clone(&self.console)
    }

    /// Returns when whoever started this process is gone.
    pub async fn abandoned(&mut self) {
        let _ = (&mut self.reading).await;
    }

    /// Says how it went, which lets whoever started this process go.
    pub async fn finish(self, exit: u8) {
        if self.outgoing.send(FromAgent::Finished(exit)).await.is_ok() {
            let _ = self.writing.await;
        }
        self.reading.abort();
    }
}

/// Standard input as the socket that it is, while this process gets an empty one and a terminal session of its own.
fn take_standard_input() -> io::Result<UnixStream> {
    let owned = io::stdin().as_fd().try_clone_to_owned()?;
    let stream = std::os::unix::net::UnixStream::from(owned);
    // Nothing else than a socket pair of the same user is believed to be whoever started this process.
    stream.set_nonblocking(true)?;
    let stream = UnixStream::from_std(stream)?;
    if stream.peer_cred()?.uid() != geteuid().as_raw() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    dup2_stdin(File::open("/dev/null")?)?;
    setsid()?;
    Ok(stream)
}
