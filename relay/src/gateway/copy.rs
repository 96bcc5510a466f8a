//! Copies both ways between a client's stream and the worker.
//!
//! - Tor knows no half-closed stream, so the client's end is the end of everything.
//! - The worker's end means that it has said everything: what it said is delivered first, then the stream is closed.
//! - A worker that stops reading (it refused an upload early) may still be answering: its answer is delivered.

use super::activity::Activity;
use crate::settings::RelayLimits;
use futures::FutureExt;
use std::{io, pin::pin};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    time::timeout,
};

/// Who ended one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// No more comes.
    Reader,
    /// No more is taken.
    Writer,
}

/// Returns when the stream is over for whatever reason; both sides are closed then.
pub(crate) async fn copy_both<C, W>(client: C, worker: W, activity: &Activity, limits: &RelayLimits)
where
    C: AsyncRead + AsyncWrite,
    W: AsyncRead + AsyncWrite,
{
    let (client_reader, client_writer) = split(client);
    let (worker_reader, worker_writer) = split(worker);
    let mut up = pin!(copy(client_reader, worker_writer, limits, activity));
    let mut down = pin!(copy(worker_reader, client_writer, limits, activity));
    let mut idle = pin!(activity.idle(limits.first_byte, limits.stream_idle));
    tokio::select! {
        _ = &mut down => return,
        () = &mut idle => return,
        ended = &mut up => if ended == Ended::Reader { return },
    }
    tokio::select! {
        _ = down => {}
        () = idle => {}
    }
}

/// Copies one direction until it ends; if no more comes, the writer has been flushed and closed.
async fn copy<R, W>(mut reader: R, mut writer: W, limits: &RelayLimits, activity: &Activity) -> Ended
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut buffer = vec![0; limits.copy_buffer];
    loop {
        let read = read_what_is_there(&mut reader, &mut buffer).await.unwrap_or(0);
        activity.touch();
        let data = match buffer.get(..read) {
            Some(data) if !data.is_empty() => data,
            _ => break,
        };
        if writer.write_all(data).await.is_err() {
            return Ended::Writer;
        }
        // A full buffer means that more is coming at once; a flush would send a half-empty cell for nothing.
        if read < limits.copy_buffer && writer.flush().await.is_err() {
            return Ended::Writer;
        }
        activity.touch();
    }
    // The other side may be gone or stuck; either way nothing can be done for it any more.
    let _closed_or_gone = timeout(limits.stream_drain, writer.shutdown()).await;
    Ended::Reader
}

/// Waits for the first bytes, then takes as many more as are there: Tor hands out one cell of 498 bytes per read, and
/// a system call for each would cost more than the copying.
async fn read_what_is_there<R>(reader: &mut R, buffer: &mut [u8]) -> io::Result<usize>
where
    R: AsyncRead + Unpin,
{
    let mut filled = reader.read(buffer).await?;
    while filled > 0 {
        let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) else { break };
        // An end or an error is seen again by the next call's first read.
        match reader.read(rest).now_or_never() {
            Some(Ok(more)) if more > 0 => filled += more,
            _ => break,
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::io::{DuplexStream, duplex};

    /// A client and a worker with the gateway between them.
    fn between(limits: RelayLimits) -> (DuplexStream, DuplexStream, tokio::task::JoinHandle<()>) {
        let (client, near_client) = duplex(1024);
        let (worker, near_worker) = duplex(1024);
        let copying = tokio::spawn(async move {
            copy_both(near_client, near_worker, &Activity::begin(), &limits).await;
        });
        (client, worker, copying)
    }

    #[tokio::test]
    async fn bytes_go_both_ways_unchanged() {
        let (mut client, mut worker, _copying) = between(RelayLimits::default());
        let sent: Vec<u8> = (0..100_000_u32).map(|i| i.to_le_bytes()[0]).collect();
        for swap in [false, true] {
            let (from, to) = if swap { (&mut worker, &mut client) } else { (&mut client, &mut worker) };
            let mut received = vec![0; sent.len()];
            let (wrote, read) = tokio::join!(from.write_all(&sent), to.read_exact(&mut received));
            wrote.unwrap();
            read.unwrap();
            assert!(received == sent);
        }
    }

    #[tokio::test]
    async fn the_clients_end_ends_everything() {
        let (client, mut worker, copying) = between(RelayLimits::default());
        drop(client);
        copying.await.unwrap();
        assert_eq!(worker.read(&mut [0; 8]).await.unwrap(), 0);
        assert!(worker.write_all(b"late").await.is_err());
    }

    #[tokio::test]
    async fn the_workers_last_words_arrive_before_the_end() {
        let (mut client, mut worker, copying) = between(RelayLimits::default());
        worker.write_all(b"answer").await.unwrap();
        drop(worker);
        let mut received = Vec::new();
        client.read_to_end(&mut received).await.unwrap();
        assert_eq!(received, b"answer");
        copying.await.unwrap();
    }

    #[tokio::test]
    async fn a_worker_that_refuses_an_upload_early_is_still_heard() {
        let (mut client, near_client) = duplex(1024);
        let (near_worker, worker) = std::os::unix::net::UnixStream::pair().unwrap();
        for side in [&near_worker, &worker] {
            side.set_nonblocking(true).unwrap();
        }
        let near_worker = tokio::net::UnixStream::from_std(near_worker).unwrap();
        let mut worker = tokio::net::UnixStream::from_std(worker).unwrap();
        let copying = tokio::spawn(async move {
            copy_both(near_client, near_worker, &Activity::begin(), &RelayLimits::default()).await;
        });
        client.write_all(b"the beginning of a long upload").await.unwrap();
        worker.readable().await.unwrap();
        worker.write_all(b"refused").await.unwrap();
        // With unread bytes in it, so that the gateway's next write meets an error.
        drop(worker);
        let _upload_may_fail = client.write_all(&[0; 900]).await;
        let mut received = Vec::new();
        client.read_to_end(&mut received).await.unwrap();
        assert_eq!(received, b"refused");
        copying.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_stream_is_closed_and_a_slow_one_is_not() {
        let limit = Duration::from_secs(60);
        let limits = RelayLimits { stream_idle: limit, first_byte: limit, ..RelayLimits::default() };
        let (mut client, mut worker, copying) = between(limits);
        for _ in 0..5 {
            tokio::time::sleep(limit / 2).await;
            client.write_all(b"x").await.unwrap();
            worker.read_exact(&mut [0]).await.unwrap();
        }
        assert!(!copying.is_finished(), "two and a half limits with a byte now and then");
        tokio::time::sleep(limit * 2).await;
        assert!(copying.is_finished());
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    }
    #[tokio::test(start_paused = true)]
    async fn a_stream_on_which_nothing_comes_is_closed_long_before_an_idle_one() {
        let limits = RelayLimits::default();
        let (first_byte, idle) = (limits.first_byte, limits.stream_idle);
        let ((mut mute, _its_worker, ended), (mut client, _worker, copying)) =
            (between(limits.clone()), between(limits));
        client.write_all(b"x").await.unwrap();
        tokio::time::sleep(first_byte + Duration::from_secs(1)).await;
        assert!(ended.is_finished());
        assert_eq!(mute.read(&mut [0]).await.unwrap(), 0);
        tokio::time::sleep(idle / 2).await;
        assert!(!copying.is_finished());
    }
}
