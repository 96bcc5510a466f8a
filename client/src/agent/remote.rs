//! The console of a command that the agent runs: the standard streams of whoever asked for it, over the socket.

use super::message::{FromAgent, Piece};
use crate::console::{BarState, Console};
use std::{
    io::{self, ErrorKind},
    sync::{Mutex, PoisonError},
};
use tokio::{sync::mpsc, task::block_in_place};
use zeroize::Zeroizing;

/// Messages that wait for the caller to read them. Beyond them a command waits, and progress is left out.
pub(super) const WAITING_MESSAGES: usize = 64;

/// Speaks to a caller, or to nobody if the caller is gone.
pub(super) struct RemoteConsole {
    outgoing: mpsc::Sender<FromAgent>,
    input: Mutex<Input>,
}

struct Input {
    pieces: mpsc::Receiver<Piece>,
    /// What was asked for and did not fit.
    rest: Option<(Piece, usize)>,
}

impl RemoteConsole {
    /// Sends by `outgoing`, and gets what it asks for by `pieces`.
    pub(super) const fn new(outgoing: mpsc::Sender<FromAgent>, pieces: mpsc::Receiver<Piece>) -> Self {
        Self { outgoing, input: Mutex::new(Input { pieces, rest: None }) }
    }

    /// Waits for room: this thread is the command's own.
    fn send(&self, message: FromAgent) -> io::Result<()> {
        block_in_place(|| self.outgoing.blocking_send(message)).map_err(|_| ErrorKind::BrokenPipe.into())
    }
}

impl Console for RemoteConsole {
    fn result(&self, bytes: &[u8]) -> io::Result<()> {
        bytes.chunks(Piece::LONGEST).try_for_each(|piece| self.send(FromAgent::Result(Piece::new(piece))))
    }

    fn message(&self, line: &str) {
        // Whoever is gone misses nothing.
        let longest = line.floor_char_boundary(Piece::LONGEST);
        let _ = self.send(FromAgent::Message(line.split_at(longest).0.to_owned()));
    }

    fn bar(&self, number: u32, state: BarState) {
        let message = FromAgent::Bar { number, state };
        if matches!(message, FromAgent::Bar { state: BarState::Done, .. }) {
            let _ = self.send(message);
        } else {
            let _ = self.outgoing.try_send(message);
        }
    }

    fn read_input(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        let (piece, start) = match input.rest.take() {
            Some(rest) => rest,
            None => {
                self.send(FromAgent::WantInput)?;
                (input.next()?, 0)
            }
        };
        let unread = piece.secret_bytes().get(start..).unwrap_or_default();
        let count = unread.len().min(buffer.len());
        if let (Some(target), Some(source)) = (buffer.get_mut(..count), unread.get(..count)) {
            target.copy_from_slice(source);
        }
        if count < unread.len() {
            input.rest = Some((piece, start + count));
        }
        Ok(count)
    }

    fn ask_secret(&self, question: &str) -> io::Result<Zeroizing<String>> {
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        self.send(FromAgent::WantSecret(question.to_owned()))?;
        let piece = input.next()?;
        let text = str::from_utf8(piece.secret_bytes()).map_err(|_| ErrorKind::InvalidData)?;
        Ok(Zeroizing::new(text.to_owned()))
    }
}

impl Input {
    fn next(&mut self) -> io::Result<Piece> {
        let piece = block_in_place(|| self.pieces.blocking_recv());
        piece.ok_or_else(|| ErrorKind::BrokenPipe.into())
    }
}

impl std::fmt::Debug for RemoteConsole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RemoteConsole")
    }
}
