//! Lies about what is paid for a list: what they can cost, and that they are found out.

use crate::{
    homes::{Reader, Scene, appending, path, put},
    one_device::OneDevice,
    paging::{not_a_relay, paged},
};
use nightdrop_client::{ClientError, ExitCode};
use nightdrop_envelope::space::Operation;
use nightdrop_tests::lying::{
    Honest, Stage,
    lies::{Refuse, Swallow, on},
};
use nightdrop_wire::{
    codec,
    endpoint::Endpoint,
    messages::log::{GrowLog, LogRoom},
    price,
    refusal::Refusal,
};

fn growing(endpoint: &Endpoint) -> bool {
    matches!(endpoint, Endpoint::GrowLog(_))
}

fn files(name: &str, count: usize) -> Vec<Operation> {
    (0..count).map(|n| put(&format!("{name}/{n}"))).collect()
}

/// How many appends were asked for since the last call, and to what the list was to grow.
fn asked(stage: &Stage) -> (usize, Vec<u32>) {
    let asked = stage.liar.take_asked();
    let appends = asked.iter().filter(|asked| appending(&asked.endpoint)).count();
    let grown = asked.iter().filter(|asked| growing(&asked.endpoint));
    (appends, grown.map(|asked| codec::decode::<GrowLog>(&asked.body).unwrap().paid).collect())
}

fn is_denied(error: &ClientError) -> bool {
    matches!(error, ClientError::PaymentDenied) && error.explanation().exit == ExitCode::Tampered
}

/// The honest case: payments go ahead of what they are for, and double.
#[tokio::test]
async fn a_list_is_paid_for_ahead_in_steps_that_double() {
    let mut scene = Scene::set(vec![put("a")]).await;
    let _earlier = asked(&scene.stage);
    let mut steps = Vec::new();
    for turn in 0..10 {
        scene.device.append(files(&turn.to_string(), 20)).await.unwrap();
        let (appends, grown) = asked(&scene.stage);
        assert!(appends == 1 && grown.len() <= 1, "{grown:?}");
        steps.extend(grown);
    }
    assert_eq!(steps, [2, 4, 8, 16]);
    assert_eq!(Scene::listed(&mut scene.device).await.0.len(), 201);
}

#[tokio::test]
async fn a_relay_that_says_unpaid_of_what_is_paid_for_is_paid_nothing_more() {
    let mut scene = Scene::set(vec![put("a")]).await;
    let _earlier = asked(&scene.stage);
    scene.stage.liar.tell(on(appending, Swallow(Refusal::Unpaid.status())));
    let error = scene.device.append(vec![put("b")]).await.expect_err("it fits");
    assert!(is_denied(&error), "{error:?}");
    assert_eq!(asked(&scene.stage), (1, vec![]), "one append, and no payment");
    scene.stage.liar.tell(Honest);
    scene.device.append(vec![put("b")]).await.unwrap();
    assert_eq!(Scene::listed(&mut scene.device).await.0, ["a", "b"]);
}

/// Growth that is acknowledged and dropped, called a conflict, or called unpaid after all.
#[tokio::test]
async fn a_relay_that_takes_payments_and_denies_them_is_paid_once() {
    for (status, appends) in [(200, 1), (Refusal::Conflict.status(), 0)] {
        let mut scene = Scene::set(vec![put("a")]).await;
        let _earlier = asked(&scene.stage);
        scene.stage.liar.tell(on(growing, Swallow(status)));
        // More than the one unit that the honest relay knows of.
        let error = scene.device.append(files("more", 60)).await.expect_err("it is not paid for");
        assert!(is_denied(&error), "{status}: {error:?}");
        assert_eq!(asked(&scene.stage), (appends, vec![8]), "{status}");
        scene.stage.liar.tell(Honest);
        assert_eq!(Scene::listed(&mut scene.device).await.0, ["a"], "nothing of it was appended");
        scene.device.append(files("more", 60)).await.unwrap();
    }
}

/// As after a lost answer, or when another device paid in the same moment.
#[tokio::test]
async fn a_growth_that_is_carried_out_and_called_a_conflict_counts() {
    let mut scene = Scene::set(vec![put("a")]).await;
    let _earlier = asked(&scene.stage);
    scene.stage.liar.tell(on(growing, Refuse(Refusal::Conflict)));
    scene.device.append(files("more", 60)).await.unwrap();
    assert_eq!(asked(&scene.stage), (1, vec![8]));
    assert_eq!(Scene::listed(&mut scene.device).await.0.len(), 61);
}

/// What is listed can be taken off all the same, in the room that is kept free for that, and nothing is paid for it.
#[tokio::test]
async fn a_refused_growth_is_an_error_but_for_what_takes_something_off() {
    let mut scene = Scene::set(vec![put("a"), put("b"), put("c")]).await;
    for (refusal, name) in [(Refusal::Refused, "a"), (Refusal::Full, "b")] {
        scene.stage.liar.tell(on(growing, Swallow(refusal.status())));
        let _earlier = asked(&scene.stage);
        let error = scene.device.append(files("more", 60)).await.expect_err("there is no room");
        let expected = matches!(
            (refusal, &error),
            (Refusal::Refused, ClientError::ListUnpaid) | (Refusal::Full, ClientError::RelayFull)
        );
        assert!(expected, "{error:?}");
        assert_eq!(asked(&scene.stage), (0, vec![8]));
        // It would fit, into what is kept free.
        let error = scene.device.append(files("few", 15)).await.expect_err("there is no room for it");
        assert!(matches!(error, ClientError::ListUnpaid | ClientError::RelayFull), "{error:?}");
        let _earlier = asked(&scene.stage);
        scene.device.append(vec![Operation::Remove { path: path(name) }]).await.unwrap();
        assert_eq!(asked(&scene.stage), (1, vec![]));
    }
    assert_eq!(Scene::listed(&mut scene.device).await.0, ["c"]);
}

#[tokio::test]
async fn m25_room_that_no_log_of_so_many_entries_has_is_refused() {
    let mut scene = Scene::set(vec![put("a")]).await;
    let (least, most) = price::bounds_of_entries(2);
    let honest = LogRoom { paid: 1, taken: least };
    for room in [
        LogRoom { taken: least - 1, ..honest },
        LogRoom { taken: most + 1, ..honest },
        LogRoom { taken: u64::MAX, paid: u32::MAX },
        LogRoom { taken: 0, ..honest },
        LogRoom { paid: 0, ..honest },
    ] {
        for reader in [Reader::New, Reader::Remembers] {
            scene.expect_caught(reader, paged(move |_, page| page.room = room), not_a_relay).await;
        }
    }
    // As much as two entries could take is believed, and costs no more than that.
    scene.stage.liar.tell(paged(move |_, page| page.room = LogRoom { taken: most, ..honest }));
    let _earlier = asked(&scene.stage);
    scene.device.append(vec![put("b")]).await.unwrap();
    assert_eq!(asked(&scene.stage), (1, vec![]), "{most} bytes and what is kept free are within a unit");
}

/// One process is not made to pay for the same room twice, whatever the relay says in between.
#[tokio::test]
async fn what_a_process_paid_is_not_paid_again() {
    let device = OneDevice::set().await;
    let process = Box::pin(device.process()).await.unwrap();
    let mut space = process.space().await.unwrap();
    let stage = &device.scene.stage;
    let _earlier = asked(stage);
    space.append(&process, |_| Ok(files("first", 20))).await.unwrap();
    assert_eq!(asked(stage), (1, vec![2]));
    stage.liar.tell(paged(|_, page| page.room.paid = 1));
    let error = space.refresh().await.expect_err("two units are paid for");
    assert!(is_denied(&error), "{error:?}");
    process.keep_space(space);
    let error = process.space().await.expect_err("the process remembers");
    assert!(is_denied(&error), "{error:?}");
    assert_eq!(asked(stage), (0, vec![]));
    stage.liar.tell(Honest);
    let mut space = process.space().await.unwrap();
    space.append(&process, |_| Ok(files("second", 1))).await.unwrap();
    assert_eq!(asked(stage), (1, vec![]));
}
