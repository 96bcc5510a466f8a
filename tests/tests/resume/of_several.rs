//! Of several files, one that fails keeps none of the others; the command tells which, and ends as the gravest failure does.

use crate::{batches::says, desk::Desk};
use nightdrop_client::transfer::{self, Source};
use nightdrop_envelope::space::SpacePath;
use nightdrop_tests::lying::{
    Honest, Lie,
    lies::{FlipBit, Refuse, on, once},
};
use nightdrop_wire::{endpoint::Endpoint, refusal::Refusal};
use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt};

const NAMES: [&str; 4] = ["docs/a", "docs/b", "docs/c", "docs/d"];

/// A desk with files that are not listed.
async fn with_files() -> Desk {
    let desk = Desk::set().await;
    for (name, size) in NAMES.iter().zip(1_000..) {
        desk.file(name, size);
    }
    desk
}

fn there(desk: &Desk, root: &str) -> usize {
    NAMES.iter().filter(|name| desk.directory.path().join(name.replace("docs", root)).exists()).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn m38_a_file_that_is_withheld_or_tampered_with_keeps_no_other_of_a_directory() {
    let desk = with_files().await;
    desk.succeeds(&["put", "docs"]).await;
    let heads = |endpoint: &Endpoint| matches!(endpoint, Endpoint::GetHead(_));
    let lies: [(&str, Box<dyn Lie>); 2] = [
        ("withheld", Box::new(once(heads, Refuse(Refusal::Refused)))),
        ("tampered", Box::new(once(heads, FlipBit(600)))),
    ];
    for (root, lie) in lies {
        desk.liar().tell(lie);
        // In nobody's way but its own, and less grave.
        let theirs = desk.directory.path().join(root).join("d");
        fs::create_dir(theirs.parent().unwrap()).unwrap();
        fs::write(&theirs, "theirs").unwrap();
        let ended = desk.types(&["get", "docs", "-o", root]).await;
        desk.liar().tell(Honest);
        assert!(ended.exit == 6 && says(&ended, "2 files failed"), "{ended:?}");
        assert!(says(&ended, "docs/d: ") && !says(&ended, "No file was written"), "{ended:?}");
        assert_eq!((ended.results.len(), there(&desk, root)), (2, 3), "{root}: {ended:?}");
        assert_eq!(fs::read_to_string(&theirs).unwrap(), "theirs");
        fs::remove_file(&theirs).unwrap();
        let rest = desk.succeeds(&["get", "docs", "-o", root]).await;
        assert_eq!((rest.len(), there(&desk, root)), (2, 4));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_breaks_ends_a_directory_as_a_whole() {
    let desk = with_files().await;
    desk.succeeds(&["put", "docs"]).await;
    let heads = |endpoint: &Endpoint| matches!(endpoint, Endpoint::GetHead(_));
    desk.liar().tell(on(heads, Refuse(Refusal::Busy)));
    let ended = desk.types(&["get", "docs", "-o", "back"]).await;
    assert!(ended.exit == 5 && !says(&ended, "failed"), "{ended:?}");
    desk.liar().tell(Honest);
    assert_eq!(desk.succeeds(&["get", "docs", "-o", "back"]).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_put_keeps_no_other_of_a_directory() {
    let desk = with_files().await;
    desk.file("docs/b", 3 << 20);
    desk.cut_off(1, &["put", "docs/b", "--to", "docs"]).await;
    unreachable_name(&desk);
    let path = desk.directory.path().join("docs/b");
    let (source, name) = (Source::open(&path, None).unwrap(), SpacePath::parse("docs/b").unwrap());
    let held = transfer::find(&desk.unlocked.journals().unwrap(), source, name, None).unwrap();
    let ended = desk.types(&["put", "docs"]).await;
    assert!(ended.exit == 1 && says(&ended, "2 files failed"), "{ended:?}");
    assert!(says(&ended, "docs/b: another command") && says(&ended, "cannot be stored"), "{ended:?}");
    assert_eq!(desk.names().await, ["docs/a", "docs/c", "docs/d"]);
    drop(held);
    assert_eq!(desk.types(&["put", "docs"]).await.exit, 1);
    assert_eq!(desk.names().await, NAMES);
}

fn unreachable_name(desk: &Desk) {
    fs::write(desk.directory.path().join("docs").join(OsStr::from_bytes(b"\xff")), "").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_taken_keeps_none_of_the_files_that_are_typed_beside_it() {
    let desk = with_files().await;
    let first = desk.file("other/b", 10);
    desk.succeeds(&["put", "other/b", "--to", "docs"]).await;
    let words = ["put", "docs/a", "docs/b", "docs/c", "--to", "docs"];
    let ended = desk.types(&words).await;
    assert!(ended.exit == 4 && says(&ended, "docs/b: there is a docs/b"), "{ended:?}");
    assert_eq!((ended.results.len(), desk.names().await.len()), (2, 3));
    desk.expect("docs/b", &first).await;
}
