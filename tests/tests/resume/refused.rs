//! A relay that lies about what it holds of an upload gets nowhere: the manifest lists what the client itself sealed.

use crate::uploads::{Scene, chunks};
use nightdrop_client::{ClientError, ExitCode};
use nightdrop_tests::lying::{
    Answer, Asked, Honest, Lie,
    lies::{Append, Flood, Refuse, Replace, Swallow, Truncate, on},
};
use nightdrop_wire::{
    codec,
    endpoint::Endpoint,
    limits::MAX_HELD_CHUNKS,
    messages::blob::{HeldChunk, HeldChunks, Leased},
    refusal::Refusal,
};
use sha2::{Digest, Sha256};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

const SIZE: u64 = 5 << 20;

fn have(endpoint: &Endpoint) -> bool {
    matches!(endpoint, Endpoint::HeldChunks(..))
}

/// Another list than the honest one.
struct Lists<F>(F);

impl<F: Fn(Vec<HeldChunk>) -> Vec<HeldChunk> + Send + Sync + 'static> Lie for Lists<F> {
    fn answer(&self, asked: &Asked, honest: Answer) -> Answer {
        if !have(&asked.endpoint) || !honest.is_success() {
            return honest;
        }
        let HeldChunks { chunks } = codec::decode(&honest.body).unwrap();
        Answer::new(200, codec::encode(&HeldChunks { chunks: (self.0)(chunks) }).unwrap())
    }
}

/// Acknowledges one chunk and drops it; is busy after all others have come. Claims, when it is asked, to have it.
#[derive(Clone, Default)]
struct Drops {
    dropped: Arc<Mutex<Option<HeldChunk>>>,
    is_busy: bool,
    /// Whether it says that all is well at the end, too.
    finishes: bool,
}

impl Lie for Drops {
    fn ask(&self, asked: &Asked) -> Asked {
        match asked.endpoint {
            Endpoint::PutChunk(_, 1) => Asked::plain(Endpoint::EndSessions),
            Endpoint::FinishBlob(_) if self.is_busy => Asked::plain(Endpoint::EndSessions),
            _ => asked.clone(),
        }
    }

    fn answer(&self, asked: &Asked, honest: Answer) -> Answer {
        match asked.endpoint {
            Endpoint::PutChunk(_, 1) => {
                let hash = Sha256::digest(&asked.body).into();
                *self.dropped.lock().unwrap() = Some(HeldChunk { index: 1, hash });
                Answer::new(200, Vec::new())
            }
            Endpoint::FinishBlob(_) if self.is_busy => Answer::new(Refusal::Busy.status(), Vec::new()),
            Endpoint::FinishBlob(_) if self.finishes => {
                Answer::new(200, codec::encode(&Leased { until: u32::MAX }).unwrap())
            }
            Endpoint::HeldChunks(..) => {
                let HeldChunks { mut chunks } = codec::decode(&honest.body).unwrap();
                chunks.extend(*self.dropped.lock().unwrap());
                chunks.sort_by_key(|chunk| chunk.index);
                Answer::new(200, codec::encode(&HeldChunks { chunks }).unwrap())
            }
            _ => honest,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn m17_a_chunk_that_is_claimed_and_absent_is_an_error_and_never_a_wrong_file() {
    for finishes in [false, true] {
        let scene = Scene::set(SIZE).await;
        let drops = Drops { is_busy: true, ..Drops::default() };
        scene.stage.liar.tell(drops.clone());
        assert!(matches!(scene.put().await, Err(ClientError::RelayBusy)));
        let first = scene.sent();
        assert_eq!(first.chunks.len(), chunks(SIZE));
        scene.stage.liar.tell(Drops { is_busy: false, finishes, ..drops });
        let outcome = scene.put().await;
        let sent = scene.sent();
        assert!(sent.chunks.is_empty(), "it was believed as far as it can be: {}", sent.count());
        if finishes {
            // The relay said that all is well; whoever reads it finds that it is not.
            let error = scene.get(&outcome.unwrap()).await.unwrap_err();
            assert_eq!(error.explanation().exit, ExitCode::Tampered, "{error:?}");
        } else {
            assert!(matches!(outcome, Err(ClientError::UploadRefused)), "{outcome:?}");
            assert_eq!((sent.destroyed, scene.unfinished()), (first.blobs(), 0));
        }
        scene.stage.liar.tell(Honest);
        let file = scene.put().await.unwrap();
        scene.expect(&file).await;
    }
}

/// A chunk of an earlier run comes only now, and takes the place of this one's.
struct Late {
    early: Mutex<Option<Vec<u8>>>,
    asked: AtomicBool,
}

impl Lie for Late {
    fn ask(&self, asked: &Asked) -> Asked {
        let mut early = self.early.lock().unwrap();
        match (asked.endpoint, early.take()) {
            (Endpoint::PutChunk(_, 0), Some(body)) => Asked { body, ..asked.clone() },
            (_, other) => {
                *early = other;
                asked.clone()
            }
        }
    }

    fn answer(&self, asked: &Asked, honest: Answer) -> Answer {
        let is_first = have(&asked.endpoint) && !self.asked.swap(true, Ordering::Relaxed);
        if is_first { Lists(|_| Vec::new()).answer(asked, honest) } else { honest }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c08_a_chunk_that_comes_late_is_sent_again() {
    let scene = Scene::set(SIZE).await;
    scene.put_until(3).await;
    let mut sent = scene.sent();
    let ((blob, _), early) = sent.chunks.iter().find(|((_, index), _)| *index == 0).unwrap();
    let (blob, early) = (*blob, early[0].clone());
    scene.stage.liar.tell(Late { early: Mutex::new(Some(early)), asked: AtomicBool::new(false) });
    let file = scene.put().await.unwrap();
    let asked = scene.stage.liar.take_asked();
    let first = asked.iter().filter(|asked| matches!(asked.endpoint, Endpoint::PutChunk(_, 0))).count();
    assert_eq!((first, file.blob), (2, blob), "once more than the others");
    sent.add(asked);
    sent.assert_no_nonce_twice();
    scene.expect(&file).await;
}

/// The end that an earlier run sent comes only now, right before this one's.
struct LateEnd(Mutex<Option<Vec<u8>>>);

impl Lie for LateEnd {
    fn ask(&self, asked: &Asked) -> Asked {
        let mut early = self.0.lock().unwrap();
        match (asked.endpoint, &mut *early) {
            (Endpoint::FinishBlob(_), Some(early)) => Asked { body: early.clone(), ..asked.clone() },
            _ => asked.clone(),
        }
    }

    fn answer(&self, asked: &Asked, honest: Answer) -> Answer {
        let is_end = matches!(asked.endpoint, Endpoint::FinishBlob(_));
        if is_end { Answer::new(Refusal::Conflict.status(), Vec::new()) } else { honest }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c08_an_end_that_comes_late_finishes_the_upload() {
    let scene = Scene::set(SIZE).await;
    let finish = |endpoint: &Endpoint| matches!(endpoint, Endpoint::FinishBlob(_));
    scene.stage.liar.tell(on(finish, Swallow(Refusal::Busy.status())));
    drop(scene.put().await.unwrap_err());
    let asked = scene.stage.liar.take_asked();
    let early = asked.into_iter().find(|asked| finish(&asked.endpoint)).unwrap().body;
    scene.stage.liar.tell(LateEnd(Mutex::new(Some(early))));
    let file = scene.put().await.unwrap();
    let sent = scene.sent();
    assert_eq!((sent.created, sent.count(), sent.destroyed.len()), (0, 0, 0));
    scene.stage.liar.tell(Honest);
    scene.expect(&file).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn m15_chunks_that_are_denied_or_said_to_be_others_are_sealed_again_under_fresh_nonces() {
    let other = |mut chunks: Vec<HeldChunk>| {
        chunks.iter_mut().for_each(|chunk| chunk.hash[0] ^= 1);
        chunks
    };
    let swapped = |mut chunks: Vec<HeldChunk>| {
        let (first, second) = (chunks[0].hash, chunks[1].hash);
        (chunks[0].hash, chunks[1].hash) = (second, first);
        chunks
    };
    let denied = |mut chunks: Vec<HeldChunk>| chunks.split_off(chunks.len());
    let lies: [(&str, Box<dyn Lie>, usize); 3] = [
        ("other", Box::new(Lists(other)), chunks(SIZE)),
        ("denied", Box::new(Lists(denied)), chunks(SIZE)),
        ("swapped", Box::new(Lists(swapped)), 2),
    ];
    for (why, lie, again) in lies {
        let scene = Scene::set(SIZE).await;
        scene.put_until(4).await;
        let mut sent = scene.sent();
        scene.stage.liar.tell(lie);
        let file = scene.put().await.unwrap();
        let asked = scene.stage.liar.take_asked();
        let resent = asked.iter().filter(|asked| matches!(asked.endpoint, Endpoint::PutChunk(..))).count();
        assert!(resent >= again, "{why}: {resent}");
        sent.add(asked);
        sent.assert_no_nonce_twice();
        assert_eq!((sent.created, sent.destroyed.len(), sent.blobs().len()), (1, 0, 1), "{why}");
        scene.stage.liar.tell(Honest);
        scene.expect(&file).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn m18_a_list_that_no_relay_sends_is_an_error_and_the_upload_can_still_go_on() {
    let count = u32::try_from(chunks(SIZE)).unwrap();
    let beyond = move |_: Vec<HeldChunk>| vec![HeldChunk { index: count, hash: [0; 32] }];
    let repeated = |chunks: Vec<HeldChunk>| vec![chunks[0], chunks[0]];
    let backwards = |mut chunks: Vec<HeldChunk>| {
        chunks.reverse();
        chunks
    };
    let endless = |chunks: Vec<HeldChunk>| vec![chunks[0]; MAX_HELD_CHUNKS];
    let too_many = |chunks: Vec<HeldChunk>| vec![chunks[0]; MAX_HELD_CHUNKS + 1];
    let lies: [(&str, Box<dyn Lie>); 9] = [
        ("beyond", Box::new(Lists(beyond))),
        ("repeated", Box::new(Lists(repeated))),
        ("backwards", Box::new(Lists(backwards))),
        ("endless", Box::new(Lists(endless))),
        ("too many", Box::new(Lists(too_many))),
        ("something appended", Box::new(on(have, Append(vec![0])))),
        ("cut", Box::new(on(have, Truncate(20)))),
        ("not a list", Box::new(on(have, Replace(vec![0xff; 40])))),
        ("flood", Box::new(on(have, Flood::Declared("99999999999".to_owned())))),
    ];
    let scene = Scene::set(SIZE).await;
    scene.put_until(3).await;
    let old = scene.sent().blobs();
    let mut kept = None;
    for (why, lie) in lies {
        scene.stage.liar.tell(lie);
        let error = scene.put().await.unwrap_err();
        assert!(matches!(error, ClientError::NotARelay), "{why}: {error:?}");
        assert_eq!((scene.sent().destroyed.len(), scene.unfinished()), (0, 1), "{why}");
        let journal = scene.journal();
        assert!(kept.is_none_or(|kept| kept == journal), "{why}: nothing was sealed for it");
        kept = Some(journal);
    }
    scene.stage.liar.tell(Honest);
    let file = scene.put().await.unwrap();
    assert!(scene.sent().created == 0 && old.contains(&file.blob), "it was gone on with");
    scene.expect(&file).await;
}

/// Only this device can have finished the blob, so another manifest is the relay's doing.
#[tokio::test(flavor = "multi_thread")]
async fn m20_another_head_than_the_one_that_was_sealed_is_tampered_with() {
    let scene = Scene::set(SIZE).await;
    let finish = |endpoint: &Endpoint| matches!(endpoint, Endpoint::FinishBlob(_));
    let head = |endpoint: &Endpoint| matches!(endpoint, Endpoint::GetHead(_));
    scene.stage.liar.tell(on(finish, Refuse(Refusal::Busy)));
    drop(scene.put().await.unwrap_err());
    scene.stage.liar.tell(on(head, Replace(vec![7; 4_028])));
    let error = scene.put().await.unwrap_err();
    assert!(matches!(error, ClientError::Tampered(_)), "{error:?}");
    assert_eq!(scene.unfinished(), 1);
    scene.stage.liar.tell(Honest);
    let file = scene.put().await.unwrap();
    scene.expect(&file).await;
}
