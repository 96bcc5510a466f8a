//! The other end of the socket: whoever asks the agent for something.

use super::{
    frame::{self, SMALL_FRAME},
    limits::AgentLimits,
    message::{AgentStatus, FromAgent, FromCaller, Invocation, Piece, Request},
};
use crate::{ClientError, console::Console};
use std::{future::Future, path::Path, pin::pin, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncWrite, WriteHalf},
    sync::mpsc,
    task::{JoinHandle, spawn_blocking},
    time::{Instant, sleep_until, timeout},
};
use zeroize::Zeroizing;

/// Has the agent run a command and shows at `console` what it prints. Gives its exit code; `None` if the agent went before it began,
/// so that the command can be run without it.
///
/// When `interrupted` is done the command is ended, also while nobody reads what it printed. When this process ends otherwise, the
/// command goes on.
///
/// # Errors
/// [`ClientError::AgentBusy`], [`ClientError::Locked`] and [`ClientError::AgentOtherVersion`] if the command was not begun; [`ClientError::AgentLost`] if
/// nothing is known of its end; [`ClientError::Output`] if nobody reads what it prints.
pub async fn call<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    stream: S,
    invocation: Invocation,
    console: Arc<dyn Console>,
    interrupted: impl Future<Output = ()>,
    limits: &AgentLimits,
) -> Result<Option<u8>, ClientError> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    if frame::write(&mut writer, &Request::Run(invocation)).await.is_err() {
        return Ok(None);
    }
    match timeout(limits.greeting, frame::read(&mut reader, SMALL_FRAME)).await {
        Ok(Ok(Some(FromAgent::Accepted))) => {}
        Ok(Ok(Some(FromAgent::Busy))) => return Err(ClientError::AgentBusy),
        Ok(Ok(Some(FromAgent::Locked))) => return Err(ClientError::Locked),
        Ok(Ok(Some(FromAgent::OtherVersion))) => return Err(ClientError::AgentOtherVersion),
        Ok(Ok(None)) => return Ok(None),
        _ => return Err(ClientError::AgentLost),
    }
    let mut call = Call { writer, console, showing: None, reading: None };
    let mut messages = messages(reader);
    let (mut interrupted, mut give_up) = (pin!(interrupted), None);
    loop {
        let give_up_at = give_up.unwrap_or_else(Instant::now);
        tokio::select! {
            // One after the other: what has not been shown holds up what follows.
            message = messages.recv(), if call.showing.is_none() => match message {
                Some(FromAgent::Finished(exit)) => return Ok(Some(exit)),
                Some(message) => call.show(message)?,
                None => return Err(ClientError::AgentLost),
            },
            shown = done(&mut call.showing) => call.shown(shown?).await?,
            piece = done(&mut call.reading) => call.give(piece?).await?,
            () = &mut interrupted, if give_up.is_none() => {
                // An agent that is done already hears no more; what it said last follows.
                let _ = call.say(&FromCaller::Interrupt).await;
                // What is being shown may never be read, and then the end of the command would never be heard of.
                give_up = Some(Instant::now() + limits.ending);
            }
            () = sleep_until(give_up_at), if give_up.is_some() => return Err(ClientError::Stopped),
        }
    }
}

/// Asks the agent how it is; `None` if it does not answer.
pub async fn status(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    limits: &AgentLimits,
) -> Option<AgentStatus> {
    let ask = async {
        frame::write(&mut stream, &Request::Status).await?;
        frame::read(&mut stream, SMALL_FRAME).await
    };
    match timeout(limits.greeting, ask).await {
        Ok(Ok(Some(FromAgent::Status(status)))) => Some(status),
        _ => None,
    }
}

/// Has the agent lock the account, and returns when it has no keys any more.
///
/// # Errors
/// [`ClientError::AgentLost`] if it does not end in time.
pub async fn lock(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    limits: &AgentLimits,
) -> Result<(), ClientError> {
    let ask = async {
        // An agent that is gone has locked.
        if frame::write(&mut stream, &Request::Lock).await.is_ok() {
            let _ = frame::read::<FromAgent>(&mut stream, SMALL_FRAME).await;
        }
    };
    // Commands, the session, and then some.
    let longest = limits.ending * 2 + limits.greeting;
    timeout(longest, ask).await.map_err(|_elapsed| ClientError::AgentLost)
}

struct Call<S> {
    writer: WriteHalf<S>,
    console: Arc<dyn Console>,
    /// What is being shown, on a thread of its own: whoever is to read it may let it wait.
    showing: Option<JoinHandle<std::io::Result<()>>>,
    /// What is being waited for, of standard input or of the terminal.
    reading: Option<JoinHandle<Result<Piece, ClientError>>>,
}

impl<S: AsyncWrite> Call<S> {
    fn show(&mut self, message: FromAgent) -> Result<(), ClientError> {
        let console = Arc::clone(&self.console);
        match message {
            FromAgent::Result(_) | FromAgent::Message(_) | FromAgent::Bar { .. } => {
                self.showing = Some(spawn_blocking(move || show(&*console, message)));
            }
            FromAgent::WantInput if self.reading.is_none() => {
                self.reading = Some(spawn_blocking(move || read_piece(&*console)));
            }
            FromAgent::WantSecret(question) if self.reading.is_none() => {
                self.reading = Some(spawn_blocking(move || ask_secret(&*console, &question)));
            }
            _ => return Err(ClientError::AgentLost),
        }
        Ok(())
    }

    async fn shown(&mut self, shown: std::io::Result<()>) -> Result<(), ClientError> {
        self.showing = None;
        if let Err(error) = shown {
            // The command need not go on for nobody. Whether it hears of that makes no difference here.
            let _ = self.say(&FromCaller::Interrupt).await;
            return Err(ClientError::Output(error));
        }
        Ok(())
    }

    async fn give(&mut self, piece: Result<Piece, ClientError>) -> Result<(), ClientError> {
        self.reading = None;
        match piece {
            Ok(piece) => self.say(&FromCaller::Input(piece)).await,
            Err(error) => {
                let _ = self.say(&FromCaller::Interrupt).await;
                Err(error)
            }
        }
    }

    async fn say(&mut self, message: &FromCaller) -> Result<(), ClientError> {
        frame::write(&mut self.writer, message).await.map_err(|_| ClientError::AgentLost)
    }
}

fn show(console: &dyn Console, message: FromAgent) -> std::io::Result<()> {
    match message {
        FromAgent::Result(piece) => console.result(piece.secret_bytes())?,
        FromAgent::Message(line) => console.message(&line),
        FromAgent::Bar { number, state } => console.bar(number, state),
        _ => {}
    }
    Ok(())
}

fn read_piece(console: &dyn Console) -> Result<Piece, ClientError> {
    let mut buffer = Zeroizing::new(vec![0; Piece::LONGEST]);
    let count = console.read_input(&mut buffer);
    let count = count.map_err(ClientError::file("read", Path::new("standard input")))?;
    Ok(Piece::new(buffer.get(..count).unwrap_or_default()))
}

fn ask_secret(console: &dyn Console, question: &str) -> Result<Piece, ClientError> {
    let typed = console.ask_secret(question).map_err(|_| ClientError::NoTerminal)?;
    if typed.len() > Piece::LONGEST {
        return Err(ClientError::Usage("that is longer than a password can be".to_owned()));
    }
    Ok(Piece::new(typed.as_bytes()))
}

/// What came of work that may block; for ever nothing if there is none.
async fn done<R>(work: &mut Option<JoinHandle<R>>) -> Result<R, ClientError> {
    match work {
        Some(work) => work.await.map_err(|_| ClientError::Stopped),
        None => std::future::pending().await,
    }
}

/// The messages of the agent, read by a task of their own, so that none is lost half-read.
fn messages(mut reader: impl AsyncRead + Send + Unpin + 'static) -> mpsc::Receiver<FromAgent> {
    let (sender, messages) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Ok(Some(message)) = frame::read(&mut reader, SMALL_FRAME).await {
            if sender.send(message).await.is_err() {
                return;
            }
        }
    });
    messages
}
