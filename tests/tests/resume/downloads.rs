//! Downloads whose line breaks.

use crate::cut::Stops;
use nightdrop_client::{
    ClientError,
    transfer::{self, OutputPath, Source},
};
use nightdrop_envelope::space::FileRecord;
use nightdrop_tests::{
    lying::{
        Honest, Stage,
        lies::{FlipBit, on},
    },
    memory::{Person, address, patient},
    system::make_sample,
};
use nightdrop_wire::endpoint::Endpoint;
use std::{fs, path::Path, sync::Arc};

async fn get(person: &Person, file: &FileRecord, path: &Path) -> Result<(), ClientError> {
    let (output, relay, limits) = (OutputPath::new(Some(path)).unwrap(), address(), patient());
    transfer::download_file(&person.transport, &relay, file, &output, &limits, Arc::new(())).await.map(drop)
}

async fn stored(person: &Person, path: &Path) -> FileRecord {
    person.store(Source::open(path, None).unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn m27_what_arrived_before_the_line_broke_is_not_fetched_again() {
    let (stage, directory) = (Stage::set().await, tempfile::tempdir().unwrap());
    let person = stage.person().await;
    let sample = directory.path().join("sample");
    make_sample(&sample, 30 << 20).unwrap();
    let file = stored(&person, &sample).await;
    let (out, mut fetched) = (directory.path().join("out"), 0);
    for after in [1, 9, 9] {
        let stops = Stops::after(after);
        stage.liar.tell(stops.clone());
        let broken = get(&person, &file, &out).await.unwrap_err();
        assert!(matches!(broken, ClientError::RelayBusy), "{broken:?}");
        assert!(!out.exists());
        fetched += stops.moved();
    }
    let rest = Stops::after(u32::MAX);
    stage.liar.tell(rest.clone());
    get(&person, &file, &out).await.unwrap();
    assert!(fs::read(&out).unwrap() == fs::read(&sample).unwrap());
    let chunks = nightdrop_envelope::layout::Layout::of_size(30 << 20).unwrap().chunks();
    fetched += rest.moved();
    // A chunk that came when its stream was ended is fetched again: at most one for each stream of each run that was cut off.
    let limits = patient();
    let streams = u32::try_from(limits.most_lanes * limits.streams_per_lane).unwrap();
    assert!((chunks..=chunks + 3 * streams).contains(&fetched), "{fetched} for {chunks}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2, "nothing else is left");
}

/// What a liar gave ends the download and leaves nothing, also of what was right before.
#[tokio::test(flavor = "multi_thread")]
async fn m15_after_a_lie_nothing_is_kept() {
    let (stage, directory) = (Stage::set().await, tempfile::tempdir().unwrap());
    let person = stage.person().await;
    let sample = directory.path().join("sample");
    make_sample(&sample, 5 << 20).unwrap();
    let file = stored(&person, &sample).await;
    stage.liar.tell(on(|endpoint| matches!(endpoint, Endpoint::GetChunk(_, 4)), FlipBit(99)));
    let lied = get(&person, &file, &directory.path().join("out")).await.unwrap_err();
    assert!(matches!(lied, ClientError::Tampered(_)), "{lied:?}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    stage.liar.tell(Honest);
    get(&person, &file, &directory.path().join("out")).await.unwrap();
}
