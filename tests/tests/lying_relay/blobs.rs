//! Lies about chunks: altered, cut, moved, denied, too long.

use crate::attack::{
    FULL, any_chunk, expect_caught, expect_caught_by, long_file, second_chunk, small_file, tampered,
};
use nightdrop_client::{ClientError, ExitCode};
use nightdrop_envelope::OpenError;
use nightdrop_tests::lying::{
    Asked, Stage,
    lies::{Append, AskInstead, FlipBit, Refuse, Replace, Substitute, Truncate, on},
    naive::Check,
};
use nightdrop_wire::{endpoint::Endpoint, refusal::Refusal};

/// Bits before the ciphertext of a chunk.
const NONCE_BITS: usize = 24 * 8;

#[tokio::test]
async fn m15_a_flipped_bit_in_a_chunk_is_an_error() {
    let (stage, file) = (Stage::set().await, long_file());
    stage.store(&[&file]).await;
    for bit in [0, NONCE_BITS, FULL * 4] {
        let checks = [Check::ChunkHash, Check::Tag];
        let lie = || on(second_chunk, FlipBit(bit));
        expect_caught_by(&stage, &file, lie, tampered(OpenError::WrongHash), &checks).await;
    }
    // A bit of the tag changes nothing for who does not look at the tag.
    let lie = || on(second_chunk, FlipBit(FULL * 8 - 1));
    expect_caught(&stage, &file, lie, tampered(OpenError::WrongHash)).await;
}

#[tokio::test]
async fn m15_a_flipped_bit_anywhere_in_a_small_file_is_an_error() {
    let (stage, file) = (Stage::set().await, small_file());
    stage.store(&[&file]).await;
    for bit in (0..file.chunks[0].len() * 8).step_by(251) {
        let lie = || on(any_chunk, FlipBit(bit));
        expect_caught(&stage, &file, lie, tampered(OpenError::WrongHash)).await;
    }
}

#[tokio::test]
async fn m16_a_truncated_chunk_is_an_error() {
    let (stage, file) = (Stage::set().await, long_file());
    stage.store(&[&file]).await;
    let checks = [Check::Length, Check::ChunkHash, Check::Tag];
    let lie = || on(second_chunk, Truncate(FULL / 2));
    expect_caught_by(&stage, &file, lie, tampered(OpenError::WrongHash), &checks).await;
    for length in [0, 1, 39, 40, FULL - 1] {
        let lie = || on(second_chunk, Truncate(length));
        expect_caught(&stage, &file, lie, tampered(OpenError::WrongHash)).await;
    }
}

#[tokio::test]
async fn m17_swapped_and_repeated_chunks_are_errors() {
    let (stage, file) = (Stage::set().await, long_file());
    stage.store(&[&file]).await;
    let moved = |to: fn(u32) -> u32| {
        AskInstead(move |asked: Asked| match asked.endpoint {
            Endpoint::GetChunk(blob, n) => Asked { endpoint: Endpoint::GetChunk(blob, to(n)), ..asked },
            _ => asked,
        })
    };
    let swapped = || moved(|n| if n < 2 { 1 - n } else { n });
    let checks = [Check::ChunkHash, Check::Tag];
    expect_caught_by(&stage, &file, swapped, tampered(OpenError::WrongHash), &checks).await;
    // The last chunk is not full, so its padding gives the lie away, too.
    let repeated = || moved(|_| 0);
    let checks = [Check::ChunkHash, Check::Tag, Check::Padding];
    expect_caught_by(&stage, &file, repeated, tampered(OpenError::WrongHash), &checks).await;
}

/// A reader that knows the size takes no notice of what follows, so there is nobody to fool; the client still says that no
/// relay sends such an answer.
#[tokio::test]
async fn m18_a_chunk_with_something_appended_is_an_error() {
    let (stage, file) = (Stage::set().await, long_file());
    stage.store(&[&file]).await;
    for more in [1, 16, FULL] {
        let lie = || on(second_chunk, Append(vec![0; more]));
        expect_caught(&stage, &file, lie, |error| matches!(error, ClientError::NotARelay)).await;
    }
}

#[tokio::test]
async fn m19_a_chunk_of_another_file_is_an_error() {
    let (stage, file, other) = (Stage::set().await, long_file(), long_file());
    stage.store(&[&file, &other]).await;
    let checks = [Check::ChunkHash, Check::Tag];
    let lie = || on(second_chunk, Replace(other.chunks[1].clone()));
    expect_caught_by(&stage, &file, lie, tampered(OpenError::WrongHash), &checks).await;
}

/// Each file has keys of its own, so a reader without any check finds no sense in another one's head; where the keys are
/// the same, see `m46`.
#[tokio::test]
async fn m20_the_whole_of_another_file_is_an_error() {
    let (stage, file, other) = (Stage::set().await, long_file(), long_file());
    stage.store(&[&file, &other]).await;
    let head_and_chunks = || Substitute::default().head(&other).chunks(&other);
    expect_caught(&stage, &file, head_and_chunks, tampered(OpenError::WrongHash)).await;
    let all = || head_and_chunks().ticket(&other);
    expect_caught(&stage, &file, all, tampered(OpenError::WrongHash)).await;
}

#[tokio::test]
async fn m34_a_head_in_a_chunks_place_is_an_error() {
    let (stage, file) = (Stage::set().await, small_file());
    stage.store(&[&file]).await;
    let lie = || on(any_chunk, Replace(file.manifest.clone()));
    let checks = [Check::ChunkHash, Check::Tag, Check::Padding];
    expect_caught_by(&stage, &file, lie, tampered(OpenError::WrongHash), &checks).await;
}

/// What a verified manifest lists and the relay denies is withheld, which is not the same as not found.
#[tokio::test]
async fn m38_a_denied_chunk_is_withheld() {
    let (stage, file) = (Stage::set().await, long_file());
    stage.store(&[&file]).await;
    for refusal in [Refusal::Refused, Refusal::Conflict] {
        let lie = || on(second_chunk, Refuse(refusal));
        let withheld = |error: &ClientError| {
            matches!(error, ClientError::Withheld) && error.explanation().exit == ExitCode::Tampered
        };
        expect_caught_by(&stage, &file, lie, withheld, &[Check::Presence]).await;
    }
}
