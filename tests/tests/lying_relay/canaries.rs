//! Everything that a relay ever got, and everything on its disk, searched for what it must not have.

use crate::{attack::content, homes::path};
use nightdrop_client::{relay::RelayLane, transfer};
use nightdrop_envelope::space::Operation;
use nightdrop_tests::{
    lying::{Asked, Canaries, Stage, naive, speak},
    memory::{Device, PASSWORD, address, patient},
};
use nightdrop_wire::endpoint::Endpoint;
use std::{
    fs,
    path::{Path, PathBuf},
};

const NAME: &str = "minutes of the meeting.txt";
const MARKER: &str = "a line that stands in the file again and again";

fn file_with_marker(directory: &Path, size: usize) -> PathBuf {
    let path = directory.join(NAME);
    let lines = [MARKER.as_bytes(), b"\n"].concat();
    fs::write(&path, lines.iter().copied().cycle().take(size).collect::<Vec<u8>>()).unwrap();
    path
}

#[tokio::test]
async fn m40_the_relay_never_gets_a_name_a_content_a_password_or_a_key() {
    let (stage, directory) = (Stage::set().await, tempfile::tempdir().unwrap());
    let person = stage.person().await;
    let mut canaries = Canaries::default();
    canaries.add_text("password", PASSWORD);
    canaries.add_text("file name", NAME);
    canaries.add_text("content", MARKER);
    let code = person.code.secret_text();
    canaries.add_bytes("account key", person.code.secret_account_key());
    canaries.add_text("account code", code.rsplit('/').next().unwrap());
    let words = person.recovery.secret_words().unwrap();
    let words: Vec<&str> = words.split(' ').collect();
    for three in words.windows(3) {
        canaries.add_text("recovery words", &three.join(" "));
    }
    for size in [1_000, 2_500_000] {
        let (file, link) = person.put(&file_with_marker(directory.path(), size)).await.unwrap();
        canaries.add_bytes("file key", file.file_key().secret_bytes());
        canaries.add_bytes("link secret", link.secret.secret_bytes());
        let text = link.secret_text();
        canaries.add_text("link", text.rsplit('/').next().unwrap());
        canaries.add_text("link without its checksum", &text.rsplit('/').next().unwrap()[..70]);
        stage.get(&link).await.expect_content(&fs::read(directory.path().join(NAME)).unwrap());
        let mut lane = RelayLane::isolated(&stage.transport, &address(), &patient());
        transfer::make_ticket(&mut lane, &address(), &file, transfer::TicketTerms::default()).await.unwrap();
        assert!(is_heard(&stage, file.blob.to_string().as_bytes()), "what was sent is in what was heard");
    }

    assert_eq!(found_by_the_relay(&stage, &canaries), Vec::<String>::new());
    expect_that_each_would_be_found(&stage, &canaries).await;
}

#[tokio::test]
async fn m40_the_relay_never_gets_a_path_a_link_or_a_ticket_of_the_home_space() {
    const FOLDER: &str = "Folder of the strike committee";
    const OTHER: &str = "An archive of another name";
    let (stage, directory) = (Stage::set().await, tempfile::tempdir().unwrap());
    let person = stage.person().await;
    let mut canaries = Canaries::default();
    for (name, text) in [("folder", FOLDER), ("other folder", OTHER), ("file name", NAME)] {
        canaries.add_text(name, text);
    }
    let (file, link) = person.put(&file_with_marker(directory.path(), 1_000)).await.unwrap();
    canaries.add_bytes("file key", file.file_key().secret_bytes());
    canaries.add_bytes("SHA-256 of the content", &file.content);
    canaries.add_bytes("link secret", link.secret.secret_bytes());
    let mut lane = RelayLane::isolated(&stage.transport, &address(), &patient());
    let ticket =
        transfer::make_ticket(&mut lane, &address(), &file, transfer::TicketTerms::default()).await.unwrap();
    let text = ticket.link(&address()).secret_text();
    canaries.add_text("link", text.rsplit('/').next().unwrap());
    canaries.add_bytes("ticket secret", ticket.link(&address()).secret.secret_bytes());
    let account = naive::log_in(&stage.transport, &person.code, &[]).await.unwrap();
    canaries.add_bytes("identity seed", &account.identity);
    canaries.add_bytes("home secret", &account.home_secret);

    let mut device = Device::first(&person).await;
    device.create().await.unwrap();
    let (from, to) = (path(&format!("{FOLDER}/{NAME}")), path(&format!("{OTHER}/{NAME}")));
    let (blob, write_key) = (file.blob, file.write_key.clone());
    let id = ticket.id();
    device
        .append(vec![
            Operation::PutFile { path: from.clone(), file: Box::new(file) },
            Operation::Share { path: from.clone(), ticket },
            Operation::Move { from, to: to.clone() },
        ])
        .await
        .unwrap();
    let home = device.open().await.unwrap();
    assert_eq!(home.state().file(&to).unwrap().tickets[0].id(), id, "what is searched for was stored");
    // Ending shows the write key, as it must; nothing else.
    transfer::end_ticket(&mut lane, id, &write_key).await.unwrap();
    transfer::destroy(&mut lane, blob, &write_key).await.unwrap();
    device
        .append(vec![
            Operation::Unshare { path: to.clone(), ticket: id },
            Operation::Remove { path: to },
            Operation::Destroyed { blob },
        ])
        .await
        .unwrap();

    assert_eq!(found_by_the_relay(&stage, &canaries), Vec::<String>::new());
    expect_that_each_would_be_found(&stage, &canaries).await;
}

fn is_heard(stage: &Stage, bytes: &[u8]) -> bool {
    stage.liar.heard().iter().any(|heard| memchr::memmem::find(&heard.bytes(), bytes).is_some())
}

fn found_by_the_relay(stage: &Stage, canaries: &Canaries) -> Vec<String> {
    let mut found = canaries.found_below(stage.honest.directory());
    for heard in stage.liar.heard() {
        found.extend(canaries.found_in(&heard.bytes()));
    }
    found
}

/// A careless client sends every form of every secret, and a careless relay keeps one: the search finds them all.
async fn expect_that_each_would_be_found(stage: &Stage, canaries: &Canaries) {
    let mut body = content(100_000);
    for (_, form) in canaries.forms() {
        body.extend_from_slice(form);
    }
    let asked = Asked { body, ..Asked::plain(Endpoint::CreateBlob) };
    speak(stage.transport.stream(&address()).unwrap(), &asked).await;
    let mut found = found_by_the_relay(stage, canaries);
    for (name, _) in canaries.forms() {
        assert!(found.iter().any(|found| found == name), "{name}");
    }
    let before = found.len();
    let (_, form) = canaries.forms().next().unwrap();
    fs::write(stage.honest.directory().join("planted"), [b"xx", form].concat()).unwrap();
    found = found_by_the_relay(stage, canaries);
    assert_eq!(found.len(), before + 1, "and on the disk");
}
