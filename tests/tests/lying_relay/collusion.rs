//! A relay that works together with one reader of a file, who holds all its keys: whatever is sealed again opens, and only
//! what the author bound tells the difference.

use crate::attack::{FULL, content, expect_caught_by, long_file, second_chunk, tampered};
use nightdrop_envelope::OpenError;
use nightdrop_tests::lying::{
    KnownFile, Stage,
    lies::{Replace, Substitute, on},
    naive::Check,
};

/// A file, stored, and what a reader made of it.
async fn stored_and_rewritten() -> (Stage, KnownFile, KnownFile) {
    let (stage, file) = (Stage::set().await, long_file());
    let rewritten = file.rewritten(&content(file.content.len()));
    stage.store(&[&file]).await;
    (stage, file, rewritten)
}

#[tokio::test]
async fn m46_a_chunk_that_a_reader_sealed_again_is_an_error() {
    let (stage, file, rewritten) = stored_and_rewritten().await;
    assert_eq!(rewritten.chunks[1].len(), FULL);
    let lie = || on(second_chunk, Replace(rewritten.chunks[1].clone()));
    expect_caught_by(&stage, &file, lie, tampered(OpenError::WrongHash), &[Check::ChunkHash]).await;
}

#[tokio::test]
async fn m46_a_head_that_a_reader_sealed_again_is_an_error() {
    let (stage, file, rewritten) = stored_and_rewritten().await;
    let lie = || Substitute::default().head(&rewritten).chunks(&rewritten);
    expect_caught_by(&stage, &file, lie, tampered(OpenError::WrongHash), &[Check::ManifestHash]).await;
}

#[tokio::test]
async fn m46_a_ticket_that_a_reader_sealed_again_is_an_error() {
    let (stage, file, rewritten) = stored_and_rewritten().await;
    let lie = || Substitute::default().ticket(&rewritten).head(&rewritten).chunks(&rewritten);
    expect_caught_by(&stage, &file, lie, tampered(OpenError::WrongHash), &[Check::TicketDigest]).await;
}
