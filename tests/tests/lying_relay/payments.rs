//! What pays for uploads: once for each blob, also when it was refused, and step by step for what has no length.

use nightdrop_client::{
    ClientError,
    payment::Payment,
    relay::RelayLane,
    transfer::{NewUpload, Source, Stream, with_funds},
};
use nightdrop_envelope::{file_name::FileName, space::SpacePath};
use nightdrop_tests::{
    lying::{
        Asked, Honest, Stage,
        lies::{Swallow, on},
    },
    memory::{address, patient},
    uploads,
};
use nightdrop_wire::{
    codec,
    denomination::Assortment,
    endpoint::Endpoint,
    messages::{
        blob::{CreateBlob, GrowBlob},
        credit::Credit,
    },
    refusal::Refusal,
};
use std::{cell::RefCell, fs, io::Read, sync::Arc};

/// The payments of all blobs that the relay was asked for.
fn shown(asked: &[Asked]) -> Vec<Vec<Credit>> {
    let creations = asked.iter().filter(|asked| asked.endpoint == Endpoint::CreateBlob);
    creations.map(|asked| codec::decode::<CreateBlob>(&asked.body).unwrap().payment).collect()
}

/// A relay that has no room costs nothing: what was shown pays for the same blob later, and what was taken for it then goes unshown.
#[tokio::test]
async fn a_refused_creation_is_paid_with_the_same_credits_later() {
    let (stage, directory) = (Stage::set().await, tempfile::tempdir().unwrap());
    let person = stage.person().await;
    let creating = |endpoint: &Endpoint| matches!(endpoint, Endpoint::CreateBlob);
    for size in [100, 3_000_000] {
        let mut credits = person.credits(2).await.unwrap();
        let (second, first) = (credits.remove(0), credits.remove(0));
        let file = directory.path().join(size.to_string());
        let (relay, limits) = (address(), patient());
        let way = (&person.transport, &relay, &limits);
        let store = async |name: &str, credit: &Credit| {
            let file = file.with_extension(name);
            fs::write(&file, vec![7; size]).unwrap();
            let source = Source::open(&file, None).unwrap();
            uploads::store(way, &person.journals(), source, credit.clone(), Arc::new(())).await
        };
        // Written once: its times are those of the first run.
        let again = async |credit: &Credit| {
            let source = Source::open(&file.with_extension("one"), None).unwrap();
            uploads::store(way, &person.journals(), source, credit.clone(), Arc::new(())).await
        };
        stage.liar.tell(on(creating, Swallow(Refusal::Full.status())));
        drop(stage.liar.take_asked());
        let full = store("one", &first).await;
        assert!(matches!(full, Err(ClientError::RelayFull)), "{full:?}");
        assert_eq!(shown(&stage.liar.take_asked()), [[first.clone()]]);
        stage.liar.tell(Honest);
        again(&second).await.unwrap();
        assert_eq!(shown(&stage.liar.take_asked()), [[first]], "the same again, and no other");
        store("other", &second).await.expect("which pays for something else");
    }
}

/// A stream pays for what it turns out to be, step by step.
#[tokio::test]
async fn a_stream_pays_as_it_comes() {
    const SIZE: u64 = 40 << 20;
    let stage = Stage::set().await;
    let person = stage.person().await;
    let mut session = person.log_in().await.unwrap();
    let drawn = session.fetch_credits(Assortment([4, 0, 4, 0])).await.unwrap();
    let purse = RefCell::new(drawn);
    let take = |price: u32| {
        let mut left = price;
        let mut purse = purse.borrow_mut();
        let mut paid = Vec::new();
        for place in (0..purse.len()).rev() {
            let worth = purse[place].denomination().units();
            if worth <= left {
                left -= worth;
                paid.push(purse.remove(place));
            }
        }
        assert_eq!(left, 0, "{price} is paid exactly");
        Payment::from(paid)
    };
    let name = FileName::parse("stream").unwrap();
    let stream = Stream::begin(std::io::repeat(7).take(SIZE), name).unwrap();
    let new = NewUpload::new(&person.journals(), stream, SpacePath::parse("stream").unwrap(), None);
    let first = new.price().unwrap();
    assert_eq!(first, 257, "16 chunks and a manifest");
    let (relay, limits) = (address(), patient());
    let way = (&person.transport, &relay, &limits);
    let mut lane = RelayLane::isolated(&person.transport, &relay, &limits);
    let carry_out =
        async |funds| new.pay(take(first)).with_funds(funds).carry_out(&mut lane, way, Arc::new(())).await;
    let asked_for = RefCell::new(Vec::new());
    let pay = async |price| {
        asked_for.borrow_mut().push(price);
        Ok(take(price))
    };
    let file = with_funds(carry_out, pay).await.unwrap().done().unwrap();
    assert_eq!(file.size, SIZE);
    // 32 chunks, then 64.
    assert_eq!(*asked_for.borrow(), [256, 512]);
    let asked = stage.liar.take_asked();
    let grown = asked.iter().filter(|asked| matches!(asked.endpoint, Endpoint::GrowBlob(_)));
    let grown: Vec<u32> = grown.map(|asked| codec::decode::<GrowBlob>(&asked.body).unwrap().chunks).collect();
    assert_eq!(grown, [32, 64]);
}
