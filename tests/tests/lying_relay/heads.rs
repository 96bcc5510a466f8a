//! Lies about the head of a file: its sealed manifest.

use crate::attack::{any_chunk, badly_made, expect_caught, expect_caught_by, head, small_file, tampered};
use nightdrop_client::{ClientError, ExitCode};
use nightdrop_envelope::OpenError;
use nightdrop_tests::lying::{
    Stage,
    lies::{Append, FlipBit, Refuse, Replace, Truncate, on},
    naive::Check,
};
use nightdrop_wire::{endpoint::Endpoint, limits::MAX_MANIFEST, refusal::Refusal};

/// Where a head's name begins: after header, version, length of the body, length of the name.
const NAME: usize = 67 + 1 + 4 + 1;
/// Where the size stands: 1,000 as a variable-length integer of two bytes, after the name `minutes.txt`.
const SIZE: usize = NAME + 11;
/// Where the time stands: after the size and the byte that says that there is one.
const MODIFIED: usize = SIZE + 2 + 1;

#[tokio::test]
async fn m15_a_flipped_bit_anywhere_in_a_head_is_an_error() {
    let (stage, file) = (Stage::set().await, small_file());
    stage.store(&[&file]).await;
    for bit in (0..file.manifest.len() * 8).step_by(251) {
        let lie = || on(head, FlipBit(bit));
        expect_caught(&stage, &file, lie, tampered(OpenError::WrongHash)).await;
    }
}

/// A stream cipher lets whoever knows the plaintext choose another: without hash and tag the relay picks name, size and
/// time.
#[tokio::test]
async fn m21_another_name_size_or_time_is_an_error() {
    let (stage, file) = (Stage::set().await, small_file());
    stage.store(&[&file]).await;
    for bit in [NAME * 8, SIZE * 8, MODIFIED * 8 + 1] {
        let lie = || on(head, FlipBit(bit));
        let checks = [Check::ManifestHash, Check::Tag];
        expect_caught_by(&stage, &file, lie, tampered(OpenError::WrongHash), &checks).await;
    }
}

/// Without its end a head has no tag and no sense for any reader.
#[tokio::test]
async fn m16_m18_a_head_of_another_length_is_an_error() {
    let (stage, file) = (Stage::set().await, small_file());
    stage.store(&[&file]).await;
    for length in [0, 66, 82, file.manifest.len() - 1] {
        let lie = || on(head, Truncate(length));
        expect_caught(&stage, &file, lie, tampered(OpenError::WrongHash)).await;
    }
    let longer = || on(head, Append(vec![0]));
    expect_caught(&stage, &file, longer, tampered(OpenError::WrongHash)).await;
    let too_long = || on(head, Append(vec![0; MAX_MANIFEST]));
    expect_caught(&stage, &file, too_long, |error| matches!(error, ClientError::NotARelay)).await;
}

/// Nothing of what stands in the wrong place makes sense there, with or without checks.
#[tokio::test]
async fn m34_something_else_in_a_heads_place_is_an_error() {
    let (stage, file) = (Stage::set().await, small_file());
    stage.store(&[&file]).await;
    for other in [&file.chunks[0], &file.envelope] {
        let lie = || on(head, Replace(other.clone()));
        expect_caught(&stage, &file, lie, tampered(OpenError::WrongHash)).await;
    }
}

#[tokio::test]
async fn m38_a_denied_head_is_withheld() {
    let (stage, file) = (Stage::set().await, small_file());
    stage.store(&[&file]).await;
    let lie = || on(head, Refuse(Refusal::Refused));
    let withheld = |error: &ClientError| {
        matches!(error, ClientError::Withheld) && error.explanation().exit == ExitCode::Tampered
    };
    expect_caught(&stage, &file, lie, withheld).await;
}

/// The author lies, too: every hash and tag is right. A reader that believes the size makes room for it.
#[tokio::test]
async fn m25_a_head_that_claims_an_absurd_size_is_refused_before_anything_is_written() {
    let stage = Stage::set().await;
    stage.store(&[&small_file().claiming(1_000)]).await;
    let claims = [1 << 40, 1 << 52, 1 << 63, u64::MAX].map(|size| small_file().claiming(size));
    for (credit, file) in stage.credits(4).await.into_iter().zip(&claims) {
        file.store(&stage.transport, credit).await.unwrap();
        let _earlier = stage.liar.take_asked();
        let gotten = stage.get(&file.link()).await;
        let error = gotten.expect_error();
        assert!(badly_made(OpenError::Inconsistent)(error), "{error:?}");
        let asked = stage.liar.take_asked();
        assert!(!asked.iter().any(|asked| any_chunk(&asked.endpoint)), "no chunk is asked for");
        assert!(asked.iter().any(|asked| matches!(asked.endpoint, Endpoint::GetHead(_))));
    }
}
