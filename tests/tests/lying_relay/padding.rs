//! M42: files of one size class look alike to the relay in all that passes. What it stores of them are the bodies that pass.

use nightdrop_client::transfer::TicketTerms;
use nightdrop_tests::{
    lying::{Answer, Asked, Lie, Stage},
    memory::patient,
};
use nightdrop_wire::size_class::SizeClass;
use std::sync::{Arc, Mutex};

/// One request and its answer, as far as their sizes go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Sizes {
    method_and_path: &'static str,
    path: usize,
    authorization: usize,
    body: usize,
    status: u16,
    answer: usize,
}

/// Lies about nothing, and notes sizes.
#[derive(Clone, Default)]
struct Note(Arc<Mutex<Vec<Sizes>>>);

impl Lie for Note {
    fn answer(&self, asked: &Asked, honest: Answer) -> Answer {
        self.0.lock().unwrap().push(Sizes {
            method_and_path: asked.endpoint.row().path,
            path: asked.endpoint.path().len(),
            authorization: asked.authorization.as_ref().map_or(0, String::len),
            body: asked.body.len(),
            status: honest.status,
            answer: honest.body.len(),
        });
        honest
    }
}

/// What the relay sees of a file: the sizes of all requests and answers of upload and download, and what passed in all.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    up: Vec<Sizes>,
    down: Vec<Sizes>,
    bytes_heard: usize,
    bytes_sent: u64,
}

async fn seen(name: &str, size: usize, byte: u8) -> Seen {
    let stage = Stage::set().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    // Of one byte: whatever compressed it would show.
    std::fs::write(&path, vec![byte; size]).unwrap();
    let person = stage.person().await;
    // What registration and logins cost is no matter of the file.
    let credit = person.credits(1).await.unwrap().remove(0);
    let before = (heard(&stage), stage.liar.sent());
    let note = Note::default();
    stage.liar.tell(note.clone());
    let (_, link) = person.put_with(credit, &path, TicketTerms::default()).await.unwrap();
    let up = std::mem::take(&mut *note.0.lock().unwrap());
    // Over one stream, so that how many connect is no matter of the machine.
    let limits =
        nightdrop_client::limits::ClientLimits { lanes: 1, most_lanes: 1, streams_per_lane: 1, ..patient() };
    stage.get_within(&link, &limits).await.expect_content(&vec![byte; size]);
    let down = std::mem::take(&mut *note.0.lock().unwrap());
    assert!(up.iter().chain(&down).all(|sizes| sizes.status == 200));
    let sorted = |mut sizes: Vec<Sizes>| {
        sizes.sort();
        sizes
    };
    Seen {
        up: sorted(up),
        down: sorted(down),
        bytes_heard: heard(&stage) - before.0,
        bytes_sent: stage.liar.sent() - before.1,
    }
}

fn heard(stage: &Stage) -> usize {
    stage.liar.heard().iter().map(|heard| heard.bytes().len()).sum()
}

#[tokio::test]
async fn m42_files_of_one_size_class_cannot_be_told_apart() {
    let full = SizeClass::FULL.chunk_plaintext();
    let long = "a name that is much longer than the other one, and ends in another way.tar.gz";
    let persian = "گزارش‌های محرمانه";
    let mut classes = Vec::new();
    for (one, other, third) in [
        (("a", 0, 0), ("b.txt", 1, 0), (long, 3_988, 7)),
        (("a", 3_989, 0), (long, 8_084, 0xff), (persian, 5_000, 1)),
        (("a", full / 2 + 1, 0), (long, full, 0xff), (persian, full - 1, 1)),
        (("a", full + 1, 0), (long, 2 * full, 0xff), (persian, 2 * full - 1, 1)),
        // Padded: 17 and 18 chunks are 18.
        (("a", 16 * full + 1, 0), (long, 18 * full, 0xff), (persian, 17 * full, 1)),
    ] {
        let first = seen(one.0, one.1, one.2).await;
        for (name, size, byte) in [other, third] {
            assert_eq!(seen(name, size, byte).await, first, "{size} bytes and {} bytes", one.1);
        }
        classes.push((one.1, first));
    }
    // The probe sees a difference wherever there is one.
    for (n, (size, one)) in classes.iter().enumerate() {
        for (other_size, other) in &classes[n + 1..] {
            assert_ne!(one.up, other.up, "{size} and {other_size}");
            assert_ne!(one.down, other.down, "{size} and {other_size}");
            assert_ne!(one.bytes_heard, other.bytes_heard, "{size} and {other_size}");
        }
    }
}
