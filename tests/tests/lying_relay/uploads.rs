//! Lies while something is stored.

use nightdrop_client::ClientError;
use nightdrop_tests::{
    lying::{
        Answer, Asked, Honest, Lie, Stage,
        lies::{AskInstead, Replace, Say, on},
    },
    memory::Person,
};
use nightdrop_wire::endpoint::Endpoint;
use std::path::PathBuf;
use tempfile::TempDir;

fn put_chunk(endpoint: &Endpoint) -> bool {
    matches!(endpoint, Endpoint::PutChunk(_, 1))
}

fn create_blob(endpoint: &Endpoint) -> bool {
    matches!(endpoint, Endpoint::CreateBlob)
}

/// Somebody with a file of several chunks.
async fn author(stage: &Stage) -> (Person, TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("minutes.txt");
    std::fs::write(&path, crate::attack::content(2_500_000)).unwrap();
    (stage.person().await, directory, path)
}

/// The upload fails under the lie, and passes without it.
async fn expect_refused(lie: impl Lie, expected: impl Fn(&ClientError) -> bool) {
    let stage = Stage::set().await;
    let (person, _directory, path) = author(&stage).await;
    stage.liar.tell(lie);
    let error = person.put(&path).await.err().unwrap();
    assert!(expected(&error), "{error:?}");
    stage.liar.tell(Honest);
    let (_, link) = person.put(&path).await.unwrap();
    stage.get(&link).await.expect_content(&std::fs::read(&path).unwrap());
}

/// What the store took is not what was sent: the digest of all chunks at the end tells.
#[tokio::test]
async fn m15_a_chunk_that_is_altered_on_its_way_up_fails_the_upload() {
    let altered = on(
        put_chunk,
        AskInstead(|mut asked: Asked| {
            asked.body[1_000] ^= 1;
            asked
        }),
    );
    expect_refused(altered, |error| matches!(error, ClientError::UploadRefused)).await;
}

/// Nothing was stored, and the relay says that it was.
#[tokio::test]
async fn m17_a_chunk_that_is_acknowledged_and_dropped_fails_the_upload() {
    struct Forget;
    impl Lie for Forget {
        fn ask(&self, _asked: &Asked) -> Asked {
            Asked::plain(Endpoint::EndSessions)
        }

        fn answer(&self, asked: &Asked, honest: Answer) -> Answer {
            Replace(Vec::new()).answer(asked, honest)
        }
    }
    expect_refused(on(put_chunk, Forget), |error| matches!(error, ClientError::UploadRefused)).await;
}

#[tokio::test]
async fn m15_an_answer_to_an_upload_that_no_relay_sends_is_an_error() {
    let not_a_relay = |error: &ClientError| matches!(error, ClientError::NotARelay);
    for which in [put_chunk, create_blob] {
        expect_refused(on(which, Replace(vec![1, 1])), not_a_relay).await;
        expect_refused(on(which, Say(202)), not_a_relay).await;
    }
}
