//! Denials: what the log lists is withheld, and what it does not list is not found.

use crate::{
    attack::content,
    homes::{Reader, Scene, path, put, reading},
};
use nightdrop_client::{
    ClientError, ExitCode,
    relay::RelayLane,
    transfer::{self, OutputPath},
};
use nightdrop_envelope::space::Operation;
use nightdrop_tests::{
    lying::{
        Honest,
        lies::{Refuse, on},
        naive::Check,
    },
    memory::{address, patient},
};
use nightdrop_wire::{endpoint::Endpoint, refusal::Refusal};
use std::sync::Arc;

fn withheld(error: &ClientError) -> bool {
    matches!(error, ClientError::Withheld) && error.explanation().exit == ExitCode::Tampered
}

/// What `ls`, `info` and every other command on one's own files begin with.
#[tokio::test]
async fn m38_a_denied_log_is_withheld_and_never_an_empty_one() {
    let mut scene = Scene::set(vec![put("a")]).await;
    let denied = || on(reading, Refuse(Refusal::Refused));
    scene.expect_caught_by(Reader::Remembers, denied, withheld, &[Check::Presence]).await;
    // Who never read it cannot know whether it was ever written, and is not told that there are no files, either.
    let unknown = |error: &ClientError| matches!(error, ClientError::NoHomeSpace);
    scene.expect_caught_by(Reader::New, denied, unknown, &[Check::Presence]).await;
}

#[tokio::test]
async fn m38_a_listed_file_that_is_denied_is_withheld_and_one_that_is_not_listed_is_not_found() {
    let mut scene = Scene::set(vec![put("a")]).await;
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    std::fs::write(&source, content(3_000)).unwrap();
    let (file, _) = scene.person.put(&source).await.unwrap();
    let listed = Operation::PutFile { path: path("docs/file"), file: Box::new(file) };
    scene.device.append(vec![listed]).await.unwrap();

    let home = scene.device.open().await.unwrap();
    assert!(home.state().file(&path("docs/other")).is_none());
    assert_eq!(ClientError::NoSuchFile("docs/other".to_owned()).explanation().exit, ExitCode::NotFound);
    let file = home.state().file(&path("docs/file")).unwrap();
    let get = async |name: &str| {
        let output = OutputPath::new(Some(&directory.path().join(name))).unwrap();
        let relay = address();
        let transport = &scene.stage.transport;
        transfer::download_file(transport, &relay, file, &output, &patient(), Arc::new(())).await
    };
    let share = async || {
        let mut lane = RelayLane::isolated(&scene.stage.transport, &address(), &patient());
        transfer::make_ticket(&mut lane, &address(), file, transfer::TicketTerms::default()).await
    };
    for denied in [
        |endpoint: &Endpoint| matches!(endpoint, Endpoint::GetHead(_)),
        |endpoint: &Endpoint| matches!(endpoint, Endpoint::GetChunk(..)),
    ] {
        scene.stage.liar.tell(on(denied, Refuse(Refusal::Refused)));
        let error = get("denied").await.expect_err("the relay denies a part of it");
        assert!(withheld(&error), "{error:?}");
        assert!(!directory.path().join("denied").exists());
    }
    let tickets = |endpoint: &Endpoint| matches!(endpoint, Endpoint::CreateTicket);
    scene.stage.liar.tell(on(tickets, Refuse(Refusal::Refused)));
    let error = share().await.expect_err("the relay denies the file");
    assert!(withheld(&error), "{error:?}");

    scene.stage.liar.tell(Honest);
    get("honest").await.unwrap();
    assert_eq!(std::fs::read(directory.path().join("honest")).unwrap(), std::fs::read(&source).unwrap());
    share().await.unwrap();
}
