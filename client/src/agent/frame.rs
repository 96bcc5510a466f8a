//! Messages on a stream.
//!
//! ```text
//! length (4, big-endian) ‖ canonical postcard of one message
//! ```
//! A length above what is expected is an error before there is room made for it.

use nightdrop_wire::codec;
use serde::{Serialize, de::DeserializeOwned};
use std::io::{self, ErrorKind};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use zeroize::Zeroizing;

/// Bytes of every message but a request.
pub(super) const SMALL_FRAME: usize = 64 * 1024;

/// Reads a message; `None` where the stream ends between two. Not to be dropped before it is done: half a message would be lost.
///
/// # Errors
/// If the stream breaks, or carries what is no message.
pub(super) async fn read<M: Serialize + DeserializeOwned>(
    from: &mut (impl AsyncRead + Unpin),
    longest: usize,
) -> io::Result<Option<M>> {
    let mut length = [0; 4];
    match from.read(&mut length[..1]).await? {
        0 => return Ok(None),
        _ => from.read_exact(&mut length[1..]).await?,
    };
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > longest {
        return Err(ErrorKind::InvalidData.into());
    }
    let mut body = Zeroizing::new(vec![0; length]);
    from.read_exact(&mut body).await?;
    codec::decode(&body).map(Some).map_err(|_| ErrorKind::InvalidData.into())
}

/// Writes a message.
///
/// # Errors
/// If the stream breaks.
pub(super) async fn write<M: Serialize>(to: &mut (impl AsyncWrite + Unpin), message: &M) -> io::Result<()> {
    let body = Zeroizing::new(codec::encode(message).map_err(|_| io::Error::from(ErrorKind::InvalidInput))?);
    let length = u32::try_from(body.len()).map_err(|_| io::Error::from(ErrorKind::InvalidInput))?;
    to.write_all(&length.to_be_bytes()).await?;
    to.write_all(&body).await?;
    to.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_come_back_and_an_end_between_them_is_no_error() {
        let (mut one, mut other) = tokio::io::duplex(16);
        let sent = tokio::spawn(async move {
            for text in ["first", "", "a longer one than the pipe holds"] {
                write(&mut one, &text.to_owned()).await.unwrap();
            }
        });
        for text in ["first", "", "a longer one than the pipe holds"] {
            assert_eq!(read::<String>(&mut other, 100).await.unwrap().as_deref(), Some(text));
        }
        assert!(read::<String>(&mut other, 100).await.unwrap().is_none());
        sent.await.unwrap();
    }

    #[tokio::test]
    async fn r05_a_length_of_four_gigabytes_is_refused_before_there_is_room_for_it() {
        let mut claims = &[0xff, 0xff, 0xff, 0xff, 0][..];
        let refused = read::<String>(&mut claims, SMALL_FRAME).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidData);
        let mut too_long = &[0, 0, 0, 3, 2, b'a', b'b'][..];
        assert!(read::<String>(&mut too_long, 2).await.is_err());
        let mut fits = &[0, 0, 0, 3, 2, b'a', b'b'][..];
        assert_eq!(read::<String>(&mut fits, 3).await.unwrap().as_deref(), Some("ab"));
    }

    #[tokio::test]
    async fn what_is_cut_off_or_followed_by_more_is_refused() {
        for bytes in [&[0, 0][..], &[0, 0, 0, 3, 2, b'a'], &[0, 0, 0, 4, 2, b'a', b'b', b'c'], &[0, 0, 0, 0]]
        {
            let mut stream = bytes;
            assert!(read::<String>(&mut stream, 100).await.is_err(), "{bytes:?}");
        }
    }
}
