//! The copy of the home space that a device keeps: it saves reading and weakens nothing, whoever lies: the relay, or a thief who can write to the disk.

use crate::{
    homes::{reading, rename},
    one_device::{OneDevice, Space, is_another_history, remember, write},
};
use nightdrop_client::{
    ClientError, Home, account::RecoveryWish, transport::AnyTransport, unlocked::Unlocked,
};
use nightdrop_envelope::space::ChainError;
use nightdrop_login::password::Password;
use nightdrop_tests::{
    lying::Honest,
    memory::{Device, Empty, PASSWORD, patient},
};
use nightdrop_wire::endpoint::Endpoint;
use std::{fs, os::unix::fs::symlink, path::PathBuf};

/// What one command of a device finds, after all that every command does.
async fn command(device: &OneDevice, entries: usize) -> Result<Vec<String>, ClientError> {
    let process = device.process().await?;
    let outcome = work(&process, entries).await;
    process.lock().await.unwrap();
    outcome
}

async fn work(process: &Unlocked, entries: usize) -> Result<Vec<String>, ClientError> {
    let mut space = process.space().await?;
    remember(process, &mut space).await?;
    let from = space.state().count();
    if entries > 0 {
        write(process, &mut space, &format!("from {from}"), entries).await;
        remember(process, &mut space).await?;
    }
    process.keep_copy(&space).await?;
    let names = names(&space);
    process.keep_space(space);
    Ok(names)
}

fn names(space: &Space) -> Vec<String> {
    space.state().files().map(|(path, _)| path.as_str().to_owned()).collect()
}

fn copy(device: &OneDevice) -> PathBuf {
    device.home.path().join("copy")
}

/// The entries from which on commands asked the relay for its log since the last call.
fn asked(device: &OneDevice) -> Vec<u64> {
    let asked = device.scene.stage.liar.take_asked();
    let read = asked.iter().filter(|asked| reading(&asked.endpoint));
    read.map(|asked| if let Endpoint::ReadLog(_, from) = asked.endpoint { from } else { 0 }).collect()
}

#[tokio::test]
async fn only_what_came_since_is_read() {
    let device = OneDevice::set().await;
    let _earlier = asked(&device);
    assert_eq!((command(&device, 0).await.unwrap().len(), asked(&device)), (1, vec![0]), "no copy yet");
    assert_eq!((command(&device, 2).await.unwrap().len(), asked(&device)), (3, vec![2]));
    assert_eq!((command(&device, 0).await.unwrap().len(), asked(&device)), (3, vec![4]));
    let mut other = Device::another(&device.scene.person).await;
    other.append(vec![rename("a", "b")]).await.unwrap();
    let _others = asked(&device);
    assert_eq!((command(&device, 0).await.unwrap()[0].as_str(), asked(&device)), ("b", vec![4]));
    assert_eq!((command(&device, 1).await.unwrap().len(), asked(&device)), (4, vec![5]));
}

#[tokio::test]
async fn what_a_command_costs_on_the_disk_is_what_it_changed() {
    let device = OneDevice::set().await;
    command(&device, 200).await.unwrap();
    let whole = fs::metadata(copy(&device)).unwrap().len();
    command(&device, 1).await.unwrap();
    let with_one = fs::metadata(copy(&device)).unwrap().len();
    assert!(whole > 3 * (with_one - whole) && with_one > whole, "{whole}, then {with_one}");
    command(&device, 0).await.unwrap();
    assert_eq!(fs::metadata(copy(&device)).unwrap().len(), with_one, "nothing changed");
    command(&device, 256).await.unwrap();
    let lengths = (fs::metadata(copy(&device)).unwrap().len(), command(&device, 0).await.unwrap().len());
    assert!(lengths.0 > with_one && lengths.1 == 458, "written anew: {lengths:?}");
}

/// Neither a rollback nor a fork behind or beside the copy is believed, with the device's memory and without it.
#[tokio::test]
async fn m28_m29_a_relay_that_does_not_go_on_from_the_copy_is_caught() {
    let device = OneDevice::set().await;
    let old = device.scene.log().await;
    let fork = device.scene.serving(old.clone());
    device.scene.stage.liar.tell(fork.clone());
    let mut theirs = Device::another(&device.scene.person).await;
    theirs.append(vec![rename("a", "theirs")]).await.unwrap();
    theirs.append(vec![rename("theirs", "and on")]).await.unwrap();
    device.scene.stage.liar.tell(Honest);
    command(&device, 1).await.unwrap();

    let memory = device.home.path().join("memory");
    let kept = fs::read(&memory).unwrap();
    let older = device.scene.serving(old.clone());
    for with_memory in [true, false] {
        for lie in [&older, &fork] {
            if !with_memory {
                fs::remove_file(&memory).unwrap();
            }
            device.scene.stage.liar.tell(lie.clone());
            let error = command(&device, 0).await.expect_err("it is another history");
            assert!(is_another_history(&error), "{error:?}");
            fs::write(&memory, &kept).unwrap();
            device.scene.stage.liar.tell(Honest);
            assert_eq!(command(&device, 0).await.unwrap().len(), 2, "the honest log goes on");
        }
    }
    let naive = device.scene.naive(older.clone(), None, &[]).await.unwrap();
    assert_eq!(naive.files.len(), 1, "who has neither memory nor copy believes it");

    // Rollback behind the copy: with the copy of that time put back, the memory decides.
    let newest = fs::read(copy(&device)).unwrap();
    let other = OneDevice {
        home: Home::open(&device.scene.person.directory.path().join("other")).unwrap(),
        ..device
    };
    other.home.keep_account(&other.scene.person.code, &other.home.lock().unwrap()).unwrap();
    other.scene.stage.liar.tell(older.clone());
    command(&other, 0).await.unwrap();
    let of_that_time = fs::read(copy(&other)).unwrap();
    fs::write(other.home.path().join("memory"), &kept).unwrap();
    let error = command(&other, 0).await.unwrap_err();
    assert!(matches!(error, ClientError::Chain(ChainError::Rollback { seen: 3, given: 2 })), "{error:?}");
    other.scene.stage.liar.tell(Honest);
    assert_eq!(command(&other, 0).await.unwrap().len(), 2, "an older copy is one from which more is read");
    assert_ne!(of_that_time, newest);
}

/// A copy that somebody spoilt is no copy: the list is right, and the next command has one again.
#[tokio::test]
async fn m15_m34_a_copy_that_a_thief_or_a_crash_left_is_ignored_and_replaced() {
    let device = OneDevice::set().await;
    command(&device, 1).await.unwrap();
    let whole = fs::metadata(copy(&device)).unwrap().len();
    command(&device, 1).await.unwrap();
    let (good, names) = (fs::read(copy(&device)).unwrap(), command(&device, 0).await.unwrap());
    let whole = usize::try_from(whole).unwrap();
    assert!(good.len() > whole && names.len() == 3);
    let _earlier = asked(&device);
    let other = OneDevice::set().await;
    command(&other, 3).await.unwrap();
    let flipped = |position: usize| {
        let mut bytes = good.clone();
        bytes[position] ^= 1;
        bytes
    };
    let foreign = fs::read(copy(&other)).unwrap();
    let mixed = [&good[..whole], &foreign[whole..]].concat();
    // What is there, and from where the relay is asked.
    for (spoilt, from) in [
        (Vec::new(), 0),
        (vec![0; 3], 0),
        (vec![0xff; 4_096], 0),
        (flipped(0), 0),
        (flipped(100), 0),
        (flipped(whole - 1), 0),
        (good[..whole - 1].to_vec(), 0),
        (foreign, 0),
        // Of changes that a crash cut off, and of those that are another's, nothing is used.
        (good[..whole].to_vec(), 3),
        (good[..whole + 2].to_vec(), 3),
        (good[..good.len() - 1].to_vec(), 3),
        (flipped(whole + 1), 3),
        (flipped(good.len() - 1), 3),
        (mixed, 3),
        ([&good[..], &good[whole..]].concat(), 4),
        ([&good[..], &[0; 700]].concat(), 4),
        (good.clone(), 4),
    ] {
        fs::write(copy(&device), &spoilt).unwrap();
        assert_eq!(command(&device, 0).await.unwrap(), names);
        assert_eq!(asked(&device), [from], "{} bytes", spoilt.len());
        assert_eq!(command(&device, 0).await.unwrap(), names);
        assert_eq!(asked(&device), [4], "it was replaced");
    }
}

/// What stands in the copy's place and is no file is never followed or waited for.
#[tokio::test]
async fn m26_something_else_in_the_copys_place_is_not_followed() {
    let device = OneDevice::set().await;
    command(&device, 1).await.unwrap();
    let elsewhere = device.scene.person.directory.path().join("elsewhere");
    fs::rename(copy(&device), &elsewhere).unwrap();
    let moved = fs::read(&elsewhere).unwrap();
    let _earlier = asked(&device);
    symlink(&elsewhere, copy(&device)).unwrap();
    assert_eq!((command(&device, 1).await.unwrap().len(), asked(&device)), (3, vec![0]));
    assert!(copy(&device).symlink_metadata().unwrap().is_file());
    assert_eq!(fs::read(&elsewhere).unwrap(), moved, "nothing is written behind a link");
    fs::remove_file(copy(&device)).unwrap();
    nix::unistd::mkfifo(&copy(&device), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!((command(&device, 0).await.unwrap().len(), asked(&device)), (3, vec![0]));
    // A directory cannot be replaced: that is told, and fails no command's own work.
    fs::remove_file(copy(&device)).unwrap();
    fs::create_dir(copy(&device)).unwrap();
    assert!(matches!(command(&device, 0).await, Err(ClientError::File { .. })));
    let process = device.process().await.unwrap();
    assert_eq!(names(&process.space().await.unwrap()).len(), 3);
}

#[tokio::test]
async fn commands_at_once_keep_one_copy_and_it_is_right() {
    let device = OneDevice::set().await;
    command(&device, 1).await.unwrap();
    let (one, two) = (device.process().await.unwrap(), device.process().await.unwrap());
    for process in [&one, &two, &one, &one, &two] {
        work(process, 1).await.unwrap();
    }
    let _earlier = asked(&device);
    let names = command(&device, 0).await.unwrap();
    assert_eq!(names.len(), 7);
    let _from_wherever_it_was = asked(&device);
    assert_eq!((command(&device, 0).await.unwrap(), asked(&device)), (names, vec![8]));
}

/// Only what the device remembers is kept, so that no command goes on from a history that another one knows to be a fork.
#[tokio::test]
async fn m29_a_history_that_the_device_refused_is_not_kept() {
    let device = OneDevice::set().await;
    command(&device, 0).await.unwrap();
    let (one, two) = (device.process().await.unwrap(), device.process().await.unwrap());
    let (mut first, mut second) = (one.space().await.unwrap(), two.space().await.unwrap());
    remember(&two, &mut second).await.unwrap();
    let fork = device.scene.serving(device.scene.log().await);
    write(&Empty, &mut first, "ours", 1).await;
    remember(&one, &mut first).await.unwrap();
    device.scene.stage.liar.tell(fork);
    write(&Empty, &mut second, "theirs", 2).await;
    assert!(is_another_history(&remember(&two, &mut second).await.unwrap_err()));
    let before = fs::read(copy(&device)).unwrap();
    two.keep_copy(&second).await.unwrap();
    assert_eq!(fs::read(copy(&device)).unwrap(), before);
    one.keep_copy(&first).await.unwrap();
    assert_ne!(fs::read(copy(&device)).unwrap(), before, "the other one's is");
    device.scene.stage.liar.tell(Honest);
    assert_eq!(command(&device, 0).await.unwrap(), ["a", "ours/0"]);
}

/// Of what a device was told to forget, a command that still runs writes nothing anew.
#[tokio::test]
async fn a_command_beside_a_logout_or_a_rekey_leaves_no_copy() {
    let device = OneDevice::set().await;
    let [beside, rekeying] = [device.process().await.unwrap(), device.process().await.unwrap()];
    let mut read = beside.space().await.unwrap();
    remember(&beside, &mut read).await.unwrap();
    beside.keep_copy(&read).await.unwrap();
    assert!(copy(&device).exists(), "as it does with nobody beside it");
    let mut space = rekeying.space().await.unwrap();
    remember(&rekeying, &mut space).await.unwrap();
    rekeying.rekey(&mut space, &Password::new(PASSWORD), RecoveryWish::Keep).await.unwrap();
    beside.keep_copy(&read).await.unwrap();
    assert!(!copy(&device).exists(), "it would be under the keys that were replaced");

    let late = device.process().await.unwrap();
    let mut read = late.space().await.unwrap();
    device.home.forget_account(&device.home.lock().unwrap()).unwrap();
    assert!(matches!(remember(&late, &mut read).await, Err(ClientError::NoAccount { .. })));
    late.keep_copy(&read).await.unwrap();
    late.lock().await.unwrap();
    let left = ["account", "memory", "copy", "credits"].map(|name| device.home.path().join(name).exists());
    assert_eq!(left, [false; 4]);
}

/// After a rekey nothing on the disk opens with what a stolen device held.
#[tokio::test]
async fn a_rekey_takes_the_copy_away() {
    let device = OneDevice::set().await;
    command(&device, 1).await.unwrap();
    let old = fs::read(copy(&device)).unwrap();
    let process = device.process().await.unwrap();
    let mut space = process.space().await.unwrap();
    remember(&process, &mut space).await.unwrap();
    process.rekey(&mut space, &Password::new(PASSWORD), RecoveryWish::Keep).await.unwrap();
    assert!(!copy(&device).exists());
    process.keep_copy(&space).await.unwrap();
    assert!(!copy(&device).exists(), "a closed list is not kept");
    // A crash between the change and that: the next command replaces it.
    fs::write(copy(&device), &old).unwrap();
    let again = device.process().await.unwrap();
    assert_eq!(work(&again, 0).await.unwrap().len(), 2);
    let _earlier = asked(&device);
    assert_eq!((command(&device, 0).await.unwrap().len(), asked(&device)), (2, vec![3]));
    assert_ne!(fs::read(copy(&device)).unwrap(), old);
    let transport = AnyTransport::new(device.scene.stage.transport.clone());
    let (home, password) = (device.home.clone(), Password::new(PASSWORD));
    Unlocked::unlock(transport, home, &device.scene.person.code, &password, patient()).await.unwrap();
}
