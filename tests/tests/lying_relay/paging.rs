//! Lies about how long a log is and how it is paged: what a reader can be made to ask for, keep and believe.

use crate::homes::{Reader, Scene, chain, put, reading};
use nightdrop_client::ClientError;
use nightdrop_envelope::space::ChainError;
use nightdrop_tests::{
    lying::{
        Asked, Honest, Lie,
        lies::{Alter, AskInstead, Flood, on},
        naive::{Check, Stopped},
    },
    memory::Device,
};
use nightdrop_wire::{
    endpoint::Endpoint,
    messages::log::{LogHead, LogPage},
};
use serde_bytes::ByteBuf;

pub(crate) fn paged(change: impl Fn(u64, &mut LogPage) + Send + Sync + 'static) -> impl Lie {
    let change = move |asked: &Asked, page: &mut LogPage| {
        if let Endpoint::ReadLog(_, from) = asked.endpoint {
            change(from, page);
        }
    };
    on(reading, Alter::<LogPage, _>::by(change))
}

pub(crate) fn not_a_relay(error: &ClientError) -> bool {
    matches!(error, ClientError::NotARelay)
}

/// Caught by the first page that is not as it should be.
async fn expect_one_page<L: Lie>(scene: &mut Scene, lie: impl Fn() -> L) {
    for reader in [Reader::New, Reader::Remembers] {
        scene.expect_caught(reader, lie(), not_a_relay).await;
    }
    let mut device = Device::another(&scene.person).await;
    scene.stage.liar.tell(lie());
    let (_earlier, sent) = (scene.stage.liar.take_asked(), scene.stage.liar.sent());
    device.open().await.unwrap_err();
    let pages = scene.stage.liar.take_asked().iter().filter(|asked| reading(&asked.endpoint)).count();
    assert_eq!(pages, 1, "no further page is asked for");
    assert!(scene.stage.liar.sent() - sent < 1 << 20);
}

#[tokio::test]
async fn m25_an_absurd_number_of_entries_is_refused_at_once() {
    let mut scene = Scene::set(vec![put("a")]).await;
    for count in [1_000_001, 1 << 32, 1 << 63, u64::MAX] {
        expect_one_page(&mut scene, || paged(move |_, page| page.head.count = count)).await;
    }
}

/// Each page holds one entry and promises more, within what a log may hold.
#[tokio::test]
async fn m25_pages_without_end_are_refused_at_once() {
    let mut scene = Scene::set(vec![put("a"), put("b")]).await;
    let endless = || {
        paged(|from, page| {
            page.entries.truncate(1);
            if from > 0 {
                page.entries = vec![ByteBuf::from(vec![0x5a; 512])];
            }
            page.head.count = from + 2;
        })
    };
    expect_one_page(&mut scene, endless).await;
    assert_eq!(scene.naive(endless(), None, &[]).await, Err(Stopped::By(Check::Bounds)));
    assert_eq!(scene.naive(endless(), None, &[Check::Bounds]).await, Err(Stopped::Never));
    assert_eq!(scene.naive(Honest, None, &[]).await.unwrap().files.len(), 2);
    // Genuine entries, one at a time.
    expect_one_page(&mut scene, || paged(|_, page| page.entries.truncate(1))).await;
    expect_one_page(&mut scene, || paged(|_, page| page.entries.clear())).await;
}

#[tokio::test]
async fn m25_m38_a_log_without_entries_is_not_taken_for_an_empty_home() {
    let mut scene = Scene::set(vec![put("a")]).await;
    let space = scene.keys.space;
    let empty = move || {
        paged(move |_, page| {
            *page = LogPage { head: LogHead::before_first(space), entries: vec![], ..page.clone() }
        })
    };
    expect_one_page(&mut scene, empty).await;
    assert_eq!(scene.naive(empty(), None, &[]).await, Err(Stopped::By(Check::Bounds)));
    assert!(scene.naive(empty(), None, &[Check::Bounds]).await.unwrap().files.is_empty());
}

#[tokio::test]
async fn m16_m18_entries_of_another_length_or_number_are_refused() {
    let mut scene = Scene::set(vec![put("a")]).await;
    expect_one_page(&mut scene, || paged(|_, page| page.entries[1].truncate(511))).await;
    expect_one_page(&mut scene, || paged(|_, page| page.entries[1].clear())).await;
    let more = || {
        paged(|_, page| {
            page.entries.resize(257, ByteBuf::from(vec![0x5a; 512]));
            page.head.count = 257;
        })
    };
    expect_one_page(&mut scene, more).await;
    for flood in [Flood::Declared((1_u64 << 40).to_string()), Flood::Undeclared, Flood::Chunked] {
        expect_one_page(&mut scene, || on(reading, flood.clone())).await;
    }
}

#[tokio::test]
async fn m28_a_head_that_the_entries_do_not_lead_to_is_an_error() {
    let mut scene = Scene::set(vec![put("a")]).await;
    let wrong_head = || chain(ChainError::WrongHead);
    for reader in [Reader::New, Reader::Remembers] {
        let fewer = paged(|_, page| page.head.count = 1);
        scene.expect_caught(reader, fewer, wrong_head()).await;
        let other = paged(|_, page| page.head.hash[31] ^= 1);
        scene.expect_caught(reader, other, wrong_head()).await;
    }
    // The newest is kept back, and the head is that of all.
    let head_of_all = || {
        paged(|_, page| {
            page.entries.truncate(1);
            page.head.count = 1;
        })
    };
    scene.expect_caught_by(Reader::New, head_of_all, wrong_head(), &[Check::Head]).await;
}

#[tokio::test]
async fn m30_a_page_from_elsewhere_in_the_log_is_a_chain_error() {
    let mut scene = Scene::set(vec![put("a"), put("b")]).await;
    let further = || {
        AskInstead(|asked: Asked| match asked.endpoint {
            Endpoint::ReadLog(space, from) => Asked { endpoint: Endpoint::ReadLog(space, from + 1), ..asked },
            _ => asked,
        })
    };
    for reader in [Reader::New, Reader::Remembers] {
        scene.expect_caught(reader, further(), chain(ChainError::Displaced(0))).await;
    }
}
