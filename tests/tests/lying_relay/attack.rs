//! One attack on the reader of a file, carried out on the client and on readers that lack checks.

use nightdrop_client::{ClientError, ExitCode};
use nightdrop_envelope::OpenError;
use nightdrop_tests::lying::{
    Honest, KnownFile, Lie, Stage,
    naive::{Check, NaiveFile, NaiveReader, Stopped},
};
use nightdrop_wire::{endpoint::Endpoint, size_class::SizeClass};

/// Bytes of a sealed chunk of a long file.
pub(crate) const FULL: usize = SizeClass::FULL.sealed();

/// A file of three chunks, no two alike.
pub(crate) fn long_file() -> KnownFile {
    let size = 2 * SizeClass::FULL.chunk_plaintext() + 100_000;
    KnownFile::new("minutes.txt", &content(size))
}

/// A file of one chunk, sealed in 4,028 bytes, as is its head.
pub(crate) fn small_file() -> KnownFile {
    KnownFile::new("minutes.txt", &content(1_000))
}

/// Bytes of which no two stretches are alike.
pub(crate) fn content(size: usize) -> Vec<u8> {
    let mut content = vec![0; size];
    rand::Rng::fill_bytes(&mut rand::rng(), &mut content);
    content
}

pub(crate) fn any_chunk(endpoint: &Endpoint) -> bool {
    matches!(endpoint, Endpoint::GetChunk(..))
}

pub(crate) fn second_chunk(endpoint: &Endpoint) -> bool {
    matches!(endpoint, Endpoint::GetChunk(_, 1))
}

pub(crate) fn head(endpoint: &Endpoint) -> bool {
    matches!(endpoint, Endpoint::GetHead(_))
}

pub(crate) fn ticket(endpoint: &Endpoint) -> bool {
    matches!(endpoint, Endpoint::GetTicket(_) | Endpoint::TakeClaim(_))
}

/// The client finds that something was tampered with, by this check.
pub(crate) fn tampered(with: OpenError) -> impl Fn(&ClientError) -> bool {
    move |error| {
        matches!(error, ClientError::Tampered(found) if *found == with)
            && error.explanation().exit == ExitCode::Tampered
    }
}

/// The client finds that the author made something wrongly, by this check: every hash on the way to it was right.
pub(crate) fn badly_made(found: OpenError) -> impl Fn(&ClientError) -> bool {
    move |error| {
        matches!(error, ClientError::BadlyMade(by) if *by == found)
            && error.explanation().exit == ExitCode::Failed
    }
}

/// The client fails as expected under a lie and succeeds without it.
pub(crate) async fn expect_caught<L: Lie>(
    stage: &Stage,
    file: &KnownFile,
    lie: impl Fn() -> L,
    expected: impl Fn(&ClientError) -> bool,
) {
    stage.liar.tell(lie());
    let gotten = stage.get(&file.link()).await;
    let error = gotten.expect_error();
    assert!(expected(error), "{error:?}");
    stage.liar.tell(Honest);
    stage.get(&file.link()).await.expect_content(&file.content);
}

/// The same, and it is exactly these checks that stand against the lie: a reader without them takes something else for the
/// file, and each one of them alone would have stopped it.
pub(crate) async fn expect_caught_by<L: Lie>(
    stage: &Stage,
    file: &KnownFile,
    lie: impl Fn() -> L,
    expected: impl Fn(&ClientError) -> bool,
    checks: &[Check],
) {
    expect_caught(stage, file, &lie, expected).await;
    assert_eq!(read_without(stage, file, Honest, &[]).await, Ok(honest(file)));
    assert!(read_without(stage, file, lie(), &[]).await.is_err(), "a whole reader finds it");
    for alone in checks {
        let others: Vec<Check> = checks.iter().copied().filter(|check| check != alone).collect();
        let stopped = read_without(stage, file, lie(), &others).await;
        assert!(stopped.is_err(), "{alone:?} alone stops it");
    }
    let fooled = read_without(stage, file, lie(), checks).await;
    assert!(matches!(&fooled, Ok(taken) if *taken != honest(file)), "the lie has an effect: {fooled:?}");
}

async fn read_without(
    stage: &Stage,
    file: &KnownFile,
    lie: impl Lie,
    checks: &[Check],
) -> Result<NaiveFile, Stopped> {
    stage.liar.tell(lie);
    NaiveReader::without(&stage.transport, checks).read(&file.link()).await
}

/// What an honest reader takes for the file.
pub(crate) fn honest(file: &KnownFile) -> NaiveFile {
    let KnownFile { name, content, .. } = file;
    let size = content.len() as u64;
    NaiveFile { name: name.clone(), size, modified: Some(KnownFile::MODIFIED), content: content.clone() }
}
