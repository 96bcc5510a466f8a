//! The console of what the agent does by itself: nobody hears it, and nobody answers.

use crate::console::{BarState, Console};
use std::io::{self, ErrorKind};
use zeroize::Zeroizing;

#[derive(Debug)]
pub(super) struct Unheard;

impl Console for Unheard {
    fn result(&self, _bytes: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn message(&self, _line: &str) {}

    fn bar(&self, _number: u32, _state: BarState) {}

    fn read_input(&self, _buffer: &mut [u8]) -> io::Result<usize> {
        Err(ErrorKind::NotFound.into())
    }

    fn ask_secret(&self, _question: &str) -> io::Result<Zeroizing<String>> {
        Err(ErrorKind::NotFound.into())
    }
}
