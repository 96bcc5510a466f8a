//! A slow line in front of a node, for networks that shall be as far apart as the real ones: a TCP proxy which hands
//! on every byte, unchanged and in order, a fixed time after it came.
//!
//! Memory is bounded: a line holds at most [`MAX_HELD`] in each direction and then reads no further, so its rate is
//! bounded by that much per delay. Threads, two per direction: there are only as many connections as pairs of nodes.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::error::{Error, Result};

/// 160 MB/s at 25 ms: more than any node relays.
const MAX_HELD: usize = 4 << 20;
const MAX_CHUNK: usize = 64 << 10;
/// What a held chunk costs beside its bytes, about.
const CHUNK_COST: usize = 64;

/// A listener whose connections are slow. Dropping it closes the listener; connections end when either side ends.
#[derive(Debug)]
pub(crate) struct SlowLine {
    near: SocketAddrV4,
    closed: Arc<AtomicBool>,
}

impl SlowLine {
    /// Hands on what is sent to `near` to `far`, and back, each way `delay` later.
    pub(crate) fn start(near: SocketAddrV4, far: SocketAddrV4, delay: Duration) -> Result<Self> {
        let listener = TcpListener::bind(near).map_err(Error::io("listen on", near.to_string()))?;
        let closed = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&closed);
        thread::spawn(move || {
            for connection in listener.incoming() {
                if seen.load(Ordering::Relaxed) {
                    return;
                }
                // A node that is not there yet is like one that refuses: the connection closes.
                if let (Ok(connection), Ok(onward)) = (connection, TcpStream::connect(far)) {
                    let _ = join(&connection, &onward, delay);
                }
            }
        });
        Ok(Self { near, closed })
    }
}

impl Drop for SlowLine {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        // Wakes the listener, which then looks.
        let _ = TcpStream::connect(self.near);
    }
}

fn join(one: &TcpStream, other: &TcpStream, delay: Duration) -> std::io::Result<()> {
    for end in [one, other] {
        // The delay is ours to give, not Nagle's.
        end.set_nodelay(true)?;
    }
    for (from, to) in [(one, other), (other, one)] {
        let held = Arc::new(Held::default());
        let (reader, also_from, writer) = (from.try_clone()?, from.try_clone()?, to.try_clone()?);
        let filled = Arc::clone(&held);
        thread::spawn(move || fill(reader, &filled, delay));
        thread::spawn(move || {
            drain(writer, &held);
            // Also ends a reader whose bytes have nowhere to go.
            held.end();
            let _ = also_from.shutdown(Shutdown::Read);
        });
    }
    Ok(())
}

/// The bytes that are on their way in one direction.
#[derive(Default)]
struct Held {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    chunks: VecDeque<(Instant, Vec<u8>)>,
    cost: usize,
    ended: bool,
}

impl Held {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is whole between any two statements, whoever panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for room; false if nobody takes any more.
    fn push(&self, due: Instant, chunk: Vec<u8>) -> bool {
        let mut state = self.lock();
        while MAX_HELD <= state.cost && !state.ended {
            state = self.wait(state);
        }
        if state.ended {
            return false;
        }
        state.cost += chunk.len() + CHUNK_COST;
        state.chunks.push_back((due, chunk));
        self.changed.notify_all();
        true
    }

    /// Waits for a chunk; none if there will be no more.
    fn pop(&self) -> Option<(Instant, Vec<u8>)> {
        let mut state = self.lock();
        loop {
            if let Some((due, chunk)) = state.chunks.pop_front() {
                state.cost -= chunk.len() + CHUNK_COST;
                self.changed.notify_all();
                return Some((due, chunk));
            }
            if state.ended {
                return None;
            }
            state = self.wait(state);
        }
    }

    /// No more chunks come; those that are held still go.
    fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }
}

fn fill(mut from: TcpStream, held: &Held, delay: Duration) {
    let mut buffer = vec![0; MAX_CHUNK];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let chunk = buffer.get(..count).unwrap_or_default().to_vec();
        if !held.push(Instant::now() + delay, chunk) {
            return;
        }
    }
    held.end();
}

fn drain(mut to: TcpStream, held: &Held) {
    while let Some((due, chunk)) = held.pop() {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if to.write_all(&chunk).is_err() {
            return;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: Duration = Duration::from_millis(50);

    fn free_address() -> SocketAddrV4 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let std::net::SocketAddr::V4(address) = listener.local_addr().unwrap() else { panic!("IPv4") };
        address
    }

    /// A line to a server that sends back whatever comes.
    fn line_to_echo() -> SlowLine {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let std::net::SocketAddr::V4(far) = server.local_addr().unwrap() else { panic!("IPv4") };
        thread::spawn(move || {
            for connection in server.incoming() {
                let connection = connection.unwrap();
                std::io::copy(&mut &connection, &mut &connection).unwrap();
                connection.shutdown(Shutdown::Write).unwrap();
            }
        });
        SlowLine::start(free_address(), far, DELAY).unwrap()
    }

    #[test]
    fn a_round_trip_takes_the_delay_twice() {
        let line = line_to_echo();
        let mut client = TcpStream::connect(line.near).unwrap();
        let started = Instant::now();
        client.write_all(b"ping").unwrap();
        let mut answer = [0; 4];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"ping");
        assert!(DELAY * 2 <= started.elapsed());
    }

    #[test]
    fn more_than_a_line_holds_comes_through_whole_and_in_order() {
        let line = line_to_echo();
        let sent: Vec<u8> = (0_u32..).map(|i| i.to_le_bytes()[i as usize % 4]).take(3 * MAX_HELD).collect();
        let mut client = TcpStream::connect(line.near).unwrap();
        let mut writer = client.try_clone().unwrap();
        let copy = sent.clone();
        let writing = thread::spawn(move || {
            writer.write_all(&copy).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut received = Vec::new();
        client.read_to_end(&mut received).unwrap();
        writing.join().unwrap();
        assert!(sent == received);
    }

    #[test]
    fn what_nobody_reads_is_not_held_without_bound() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let std::net::SocketAddr::V4(far) = server.local_addr().unwrap() else { panic!("IPv4") };
        let line = SlowLine::start(free_address(), far, DELAY).unwrap();
        let mut client = TcpStream::connect(line.near).unwrap();
        client.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
        let _unread = server.accept().unwrap();
        let chunk = vec![0; 1 << 20];
        // The line, and what the kernel buffers on both sides of it.
        let most = 64;
        assert!((0..most).any(|_| client.write_all(&chunk).is_err()), "{most} MiB were taken");
    }
}
