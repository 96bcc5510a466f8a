//! Streams that end or fall silent in mid-file.

use crate::attack::{FULL, any_chunk, long_file, second_chunk};
use nightdrop_client::{ClientError, ExitCode, limits::ClientLimits};
use nightdrop_tests::{
    lying::{
        Honest, KnownFile, Lie, Stage,
        lies::{EndAfter, FallSilent, on, once},
    },
    memory::{patient, quick},
};

/// The download fails as one on a bad line does, and the next run completes.
async fn expect_broken(stage: &Stage, file: &KnownFile, lie: impl Lie, limits: &ClientLimits) {
    stage.liar.tell(lie);
    let gotten = stage.get_within(&file.link(), limits).await;
    let error = gotten.expect_error();
    assert!(matches!(error, ClientError::Broken), "{error:?}");
    assert_eq!(error.explanation().exit, ExitCode::Network);
    stage.liar.tell(Honest);
    stage.get(&file.link()).await.expect_content(&file.content);
}

#[tokio::test]
async fn m27_a_stream_that_is_cut_in_mid_file_leaves_nothing_and_the_next_run_completes() {
    let (stage, file) = (Stage::set().await, long_file());
    stage.store(&[&file]).await;
    for sent in [0, 1, FULL / 2, FULL - 1] {
        expect_broken(&stage, &file, on(second_chunk, EndAfter(sent)), &patient()).await;
    }
    expect_broken(&stage, &file, on(any_chunk, EndAfter(FULL / 2)), &patient()).await;
}

#[tokio::test]
async fn m27_a_relay_that_falls_silent_in_mid_file_leaves_nothing_and_the_next_run_completes() {
    let (stage, file) = (Stage::set().await, long_file());
    stage.store(&[&file]).await;
    for sent in [0, FULL / 2] {
        expect_broken(&stage, &file, on(second_chunk, FallSilent(sent)), &quick()).await;
    }
}

#[tokio::test]
async fn m27_a_stream_that_is_cut_once_costs_a_new_attempt_only() {
    let (stage, file) = (Stage::set().await, long_file());
    stage.store(&[&file]).await;
    stage.liar.tell(once(second_chunk, EndAfter(FULL / 2)));
    stage.get(&file.link()).await.expect_content(&file.content);
}
