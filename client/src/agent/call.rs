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
/// When `interrupted` is done the command is ended. When this process ends otherwise, the command goes on.
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
    let mut call = Call { writer, console, reading: None };
    let mut messages = messages(reader);
    let (mut interrupted, mut give_up) = (pin!(interrupted), None);
    loop {
        let give_up_at = give_up.unwrap_or_else(Instant::now);
        tokio::select! {
            message = messages.recv() => match message {
                Some(FromAgent::Finished(exit)) => return Ok(Some(exit)),
                Some(message) => call.show(message).await?,
                None => return Err(ClientError::AgentLost),
            },
            piece = next_piece(&mut call.reading) => call.give(piece?).await?,
            () = &mut interrupted, if give_up.is_none() => {
                call.say(&FromCaller::Interrupt).await?;
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
    /// Standard input that is being waited for.
    reading: Option<JoinHandle<std::io::Result<Piece>>>,
}

impl<S: AsyncWrite> Call<S> {
    async fn show(&mut self, message: FromAgent) -> Result<(), ClientError> {
        match message {
            FromAgent::Result(piece) => {
                if let Err(error) = self.console.result(piece.secret_bytes()) {
                    // The command need not go on for nobody. Whether it hears of that makes no difference here.
                    let _ = self.say(&FromCaller::Interrupt).await;
                    return Err(ClientError::Output(error));
                }
            }
            FromAgent::Message(line) => self.console.message(&line),
            FromAgent::Bar { number, state } => self.console.bar(number, state),
            FromAgent::WantInput if self.reading.is_none() => {
                let console = Arc::clone(&self.console);
                self.reading = Some(spawn_blocking(move || read_piece(&*console)));
            }
            _ => return Err(ClientError::AgentLost),
        }
        Ok(())
    }

    async fn give(&mut self, piece: std::io::Result<Piece>) -> Result<(), ClientError> {
        self.reading = None;
        match piece {
            Ok(piece) => self.say(&FromCaller::Input(piece)).await,
            Err(error) => {
                let _ = self.say(&FromCaller::Interrupt).await;
                Err(ClientError::file("read", Path::new("standard input"))(error))
            }
        }
    }

    async fn say(&mut self, message: &FromCaller) -> Result<(), ClientError> {
        frame::write(&mut self.writer, message).await.map_err(|_| ClientError::AgentLost)
    }
}

fn read_piece(console: &dyn Console) -> std::io::Result<Piece> {
    let mut buffer = Zeroizing::new(vec![0; Piece::LONGEST]);
    let count = console.read_input(&mut buffer)?;
    Ok(Piece::new(buffer.get(..count).unwrap_or_default()))
}

/// Waits for standard input, for ever if none is wanted.
async fn next_piece(
    reading: &mut Option<JoinHandle<std::io::Result<Piece>>>,
) -> Result<std::io::Result<Piece>, ClientError> {
    match reading {
        Some(reading) => reading.await.map_err(|_| ClientError::Stopped),
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
