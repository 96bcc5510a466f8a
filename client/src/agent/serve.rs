//! The agent at work: callers, commands, and the end of it all.

use super::{
    Clock, IdleLimit, MemoryProtection,
    frame::{self, SMALL_FRAME},
    idle::Idle,
    limits::AgentLimits,
    message::{AgentStatus, FromAgent, FromCaller, Invocation, Piece, Request, TorStatus},
    protection::LockedPages,
    remote::{RemoteConsole, WAITING_MESSAGES},
    socket::Listening,
};
use crate::{ClientError, console::Console, transfer::Moved, unlocked::Unlocked};
use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{Semaphore, mpsc, oneshot, watch},
    task::JoinHandle,
    time::{interval, sleep, timeout},
};

/// Runs commands. The agent knows none.
pub trait Execute: Send + Sync + 'static {
    /// Runs a command to its end and gives its exit code; when `stopped` is done it ends early, with that error. It has a thread of its
    /// own, which it may block.
    fn execute(
        &self,
        invocation: Invocation,
        console: Arc<dyn Console>,
        stopped: impl Future<Output = ClientError>,
    ) -> impl Future<Output = u8>;

    /// Goes on with the uploads that the network cut off in commands, as a command would, and shows nobody what comes of it; `moved` hears of
    /// everything that the relay takes. When `stopped` is done it ends early. It has a thread of its own, too.
    fn go_on(&self, moved: Moved, stopped: impl Future<Output = ClientError>) -> impl Future<Output = ()>;
}

/// Keeps one account open and runs commands on it. Clones are the same agent.
pub struct Agent<E> {
    inner: Arc<Inner<E>>,
}

pub(super) struct Inner<E> {
    pub(super) execute: E,
    /// Of what follows, so that it is dropped first.
    #[expect(dead_code, reason = "held, not read")]
    pages: Option<LockedPages>,
    pub(super) unlocked: Arc<Unlocked>,
    tor: Box<dyn Fn() -> TorStatus + Send + Sync>,
    clock: Clock,
    pub(super) limits: AgentLimits,
    memory: MemoryProtection,
    idle: Mutex<Idle>,
    /// Callers whose command has not been answered to the end.
    served: watch::Sender<u32>,
    stage: watch::Sender<Stage>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Open,
    /// No command begins any more, and those that run are ended.
    Locking,
    /// There are no keys.
    Locked,
}

impl<E: Execute> Agent<E> {
    /// An agent for an open account. `all_memory_locked` is what [`super::lock_all_memory`] returned.
    pub fn new(
        execute: E,
        unlocked: Arc<Unlocked>,
        tor: impl Fn() -> TorStatus + Send + Sync + 'static,
        all_memory_locked: bool,
        idle: IdleLimit,
        clock: Clock,
        limits: AgentLimits,
    ) -> Self {
        let pages = if all_memory_locked { None } else { LockedPages::of(&unlocked) };
        let memory = match (all_memory_locked, &pages) {
            (true, _) => MemoryProtection::All,
            (false, Some(_)) => MemoryProtection::Keys,
            (false, None) => MemoryProtection::None,
        };
        let idle = Mutex::new(Idle::new(idle, limits.moving, clock()));
        let (served, stage) = (watch::Sender::new(0), watch::Sender::new(Stage::Open));
        let tor = Box::new(tor);
        Self {
            inner: Arc::new(Inner {
                execute,
                unlocked,
                tor,
                clock,
                limits,
                memory,
                pages,
                idle,
                served,
                stage,
            }),
        }
    }

    /// Serves callers until the account is locked: by a caller, by [`Self::lock`], or because nothing was asked for too long.
    pub async fn serve(&self, listening: Listening) {
        let Inner { limits, .. } = &*self.inner;
        let callers = Arc::new(Semaphore::new(limits.callers));
        let chores = tokio::spawn(self.clone().do_chores());
        let going_on = tokio::spawn(self.clone().go_on());
        // Goes on whatever callers do: asking for the status every second must not keep the account open.
        let mut looks = interval(limits.idle_check);
        loop {
            let accepted = async {
                let room = Arc::clone(&callers).acquire_owned().await;
                (room, listening.accept().await)
            };
            tokio::select! {
                () = self.reached(Stage::Locking) => break,
                _ = looks.tick() => self.lock_if_idle(),
                (room, stream) = accepted => match stream {
                    Ok(Some(stream)) => {
                        let agent = self.clone();
                        tokio::spawn(async move {
                            agent.attend(stream).await;
                            drop(room);
                        });
                    }
                    Ok(None) => {}
                    // Room for descriptors, perhaps; it comes back when callers leave.
                    Err(_) => sleep(limits.idle_check).await,
                },
            }
        }
        drop(listening);
        chores.abort();
        self.end(going_on).await;
    }

    /// Locks the account: no command begins any more, those that run are ended, [`Self::serve`] returns.
    pub fn lock(&self) {
        self.inner.stage.send_if_modified(|stage| {
            let open = *stage == Stage::Open;
            *stage = (*stage).max(Stage::Locking);
            open
        });
    }

    /// Locks the account if nothing was asked for too long.
    pub fn lock_if_idle(&self) {
        // Whoever still reads what a command said hears it to the end.
        if !self.is_in_use() && *self.inner.served.borrow() == 0 {
            self.lock();
        }
    }

    /// Serves one caller until it goes, or its command ends.
    pub async fn attend(&self, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
        let Inner { limits, .. } = &*self.inner;
        let (mut reader, mut writer) = tokio::io::split(stream);
        let request = timeout(limits.greeting, frame::read(&mut reader, limits.request)).await;
        let Ok(Ok(Some(request))) = request else { return };
        match request {
            Request::Lock => {
                self.lock();
                // Then the connection ends, which is the answer.
                self.reached(Stage::Locked).await;
            }
            Request::Status => {
                let status = FromAgent::Status(self.status());
                // Who does not read it does not need it.
                let _ = timeout(limits.greeting, frame::write(&mut writer, &status)).await;
            }
            Request::Run(invocation) => match self.begin(&invocation) {
                Ok(begun) => self.run(begun, invocation, reader, writer).await,
                Err(refusal) => {
                    let _ = timeout(limits.greeting, frame::write(&mut writer, &refusal)).await;
                }
            },
        }
    }

    fn begin(&self, invocation: &Invocation) -> Result<Begun<E>, FromAgent> {
        if invocation.version != env!("CARGO_PKG_VERSION") {
            return Err(FromAgent::OtherVersion);
        }
        let mut idle = self.idle();
        // It may not have been looked for a while: the machine slept, or was busy.
        if idle.is_too_long((self.inner.clock)()) {
            self.lock();
        }
        // Asked under the same lock that counts commands, so that none begins unseen when the end has come.
        if *self.inner.stage.borrow() != Stage::Open {
            return Err(FromAgent::Locked);
        }
        if idle.running() as usize >= self.inner.limits.commands {
            return Err(FromAgent::Busy);
        }
        idle.begin();
        self.inner.served.send_modify(|served| *served += 1);
        Ok(Begun { served: Served { agent: self.clone() }, running: Running { agent: self.clone() } })
    }

    async fn run(
        &self,
        begun: Begun<E>,
        invocation: Invocation,
        reader: impl AsyncRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
    ) {
        let (outgoing, to_write) = mpsc::channel(WAITING_MESSAGES);
        let (pieces_in, pieces) = mpsc::channel(1);
        let (interrupt, interrupted) = oneshot::channel();
        // There is room: it is empty.
        let _ = outgoing.try_send(FromAgent::Accepted);
        let writing = tokio::spawn(write_messages(to_write, writer, self.inner.limits.unread));
        let reading = tokio::spawn(self.clone().read_caller(reader, pieces_in, interrupt));
        let console = Arc::new(RemoteConsole::new(outgoing.clone(), pieces));
        let agent = self.clone();
        let command = move || {
            let stopped = async {
                tokio::select! {
                    Ok(()) = interrupted => ClientError::Stopped,
                    () = agent.reached(Stage::Locking) => ClientError::Locked,
                }
            };
            tokio::runtime::Handle::current()
                .block_on(agent.inner.execute.execute(invocation, console, stopped))
        };
        let exit = tokio::task::spawn_blocking(command).await.unwrap_or(crate::ExitCode::Failed as u8);
        reading.abort();
        // Before the caller hears of the end: its next command must find all as this one left it.
        drop(begun.running);
        if self.inner.unlocked.session_has_ended() {
            self.lock();
        }
        if outgoing.send(FromAgent::Finished(exit)).await.is_ok() {
            let _ = writing.await;
        }
        drop(begun.served);
    }

    /// Hears what the caller says. A caller that is gone has interrupted nothing.
    async fn read_caller(
        self,
        mut reader: impl AsyncRead + Unpin,
        pieces: mpsc::Sender<Piece>,
        interrupt: oneshot::Sender<()>,
    ) {
        loop {
            let message = tokio::select! {
                message = frame::read(&mut reader, SMALL_FRAME) => message,
                () = self.reached(Stage::Locking) => return,
            };
            match message {
                // There is room for one, which was asked for.
                Ok(Some(FromCaller::Input(piece))) => {
                    if pieces.try_send(piece).is_err() {
                        break;
                    }
                }
                Ok(Some(FromCaller::Interrupt)) => {
                    let _ = interrupt.send(());
                    return;
                }
                _ => break,
            }
        }
        drop(pieces);
        // Dropping `interrupt` would be an answer, too.
        self.reached(Stage::Locking).await;
    }

    /// After this there are no keys, and the relay has ended the session if it can be reached in time.
    async fn end(&self, going_on: JoinHandle<()>) {
        let Inner { limits, unlocked, stage, served, .. } = &*self.inner;
        let mut served = served.subscribe();
        // Those that do not end in time end with the process.
        let ended = async {
            drop(served.wait_for(|served| *served == 0).await);
            let _ = going_on.await;
        };
        let _ = timeout(limits.ending, ended).await;
        // The keys go at once, and the session expires if the relay cannot be told.
        let _ = timeout(limits.ending, unlocked.lock()).await;
        stage.send_replace(Stage::Locked);
    }

    fn status(&self) -> AgentStatus {
        let Inner { clock, tor, memory, unlocked, .. } = &*self.inner;
        let idle = self.idle();
        AgentStatus {
            process: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commands: idle.running(),
            locks_in: idle.left(clock()).map(|left| left.as_secs()),
            goes_on_with: u32::try_from(unlocked.cut_off().count()).unwrap_or(u32::MAX),
            tor: tor(),
            memory: *memory,
        }
    }

    pub(super) async fn reached(&self, stage: Stage) {
        // It cannot be closed: the sender is ours.
        let _ = self.inner.stage.subscribe().wait_for(|now| *now >= stage).await;
    }
}

impl<E> Agent<E> {
    pub(super) fn inner(&self) -> &Inner<E> {
        &self.inner
    }

    /// Whether it has not idled for too long.
    pub(super) fn is_in_use(&self) -> bool {
        !self.idle().is_too_long((self.inner.clock)())
    }

    /// The relay took something of what the agent goes on with by itself.
    pub(super) fn note_moved(&self) {
        self.idle().moved((self.inner.clock)());
    }

    pub(super) fn idle(&self) -> MutexGuard<'_, Idle> {
        self.inner.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E> Clone for Agent<E> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<E> std::fmt::Debug for Agent<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Agent")
    }
}

/// A command that began.
struct Begun<E> {
    running: Running<E>,
    served: Served<E>,
}

/// Shows that a command runs. Dropped, it has ended.
struct Running<E> {
    agent: Agent<E>,
}

impl<E> Drop for Running<E> {
    fn drop(&mut self) {
        self.agent.idle().end((self.agent.inner.clock)());
    }
}

/// Shows that a caller is to hear more. Dropped, it has heard all, or is gone.
struct Served<E> {
    agent: Agent<E>,
}

impl<E> Drop for Served<E> {
    fn drop(&mut self) {
        self.agent.inner.served.send_modify(|served| *served -= 1);
    }
}

/// Until the last message, or until the caller does not read. Then senders find that nobody is there.
async fn write_messages(
    mut messages: mpsc::Receiver<FromAgent>,
    mut writer: impl AsyncWrite + Unpin,
    unread: Duration,
) {
    while let Some(message) = messages.recv().await {
        let written = timeout(unread, frame::write(&mut writer, &message)).await;
        if !matches!(written, Ok(Ok(()))) || matches!(message, FromAgent::Finished(_)) {
            return;
        }
    }
}
