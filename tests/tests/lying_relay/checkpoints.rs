//! Checkpoints in the log: a new device reads from the last one on, and whatever the relay makes of that costs work at most, or is an error.

use crate::{
    attack::{any_chunk, head},
    homes::{path, put, reading},
    one_device::{OneDevice, Space, is_another_history, remember},
};
use nightdrop_client::{
    ClientError, Home, account::RecoveryWish, relay::RelayLane, transfer, transport::AnyTransport,
    unlocked::Unlocked,
};
use nightdrop_envelope::{
    capability::BlobCapabilities,
    space::{ChainError, Fault, Operation, Report},
};
use nightdrop_login::password::Password;
use nightdrop_tests::{
    lying::{
        Honest, Lie,
        lies::{FlipBit, Refuse, on},
    },
    memory::{Device, Empty, PASSWORD, address, patient},
};
use nightdrop_wire::{endpoint::Endpoint, limits::MAX_LOG_ENTRIES, refusal::Refusal};

/// Entries with which a checkpoint is due: the first entry, one file, and these.
const FILES: usize = 510;

/// A person with many files, and a checkpoint of them.
struct Stage {
    device: OneDevice,
    process: Unlocked,
    space: Space,
    /// Where the checkpoint is.
    place: u64,
}

impl Stage {
    async fn set() -> Self {
        let device = Box::pin(OneDevice::set()).await;
        let process = Box::pin(device.process()).await.unwrap();
        let mut space = process.space().await.unwrap();
        remember(&process, &mut space).await.unwrap();
        let files = |count: usize| (0..count).map(|n| put(&format!("files/{n}"))).collect::<Vec<_>>();
        space.append(&process, |_| Ok(files(FILES - 1))).await.unwrap();
        assert!(!process.write_checkpoint(&mut space).await.unwrap(), "it is not worth it yet");
        space.append(&process, |_| Ok(vec![put("last")])).await.unwrap();
        let place = space.head().count;
        assert!(process.write_checkpoint(&mut space).await.unwrap());
        assert!(!process.write_checkpoint(&mut space).await.unwrap(), "once");
        space.append(&process, |_| Ok(vec![put("after")])).await.unwrap();
        remember(&process, &mut space).await.unwrap();
        Self { device, process, space, place }
    }

    /// A device that has verified nothing: whether it was told that the checkpoint is withheld, its space, and from where it read.
    async fn another(&self) -> Result<(bool, Space, Vec<u64>), ClientError> {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::open(&directory.path().join("home")).unwrap();
        self.opened(home).await
    }

    /// A command that has read, and not remembered yet.
    async fn begun(&self, home: Home) -> Result<(Unlocked, Space), ClientError> {
        let scene = &self.device.scene;
        home.keep_account(&scene.person.code, &home.lock().unwrap()).unwrap();
        let transport = AnyTransport::new(scene.stage.transport.clone());
        let password = Password::new(PASSWORD);
        let process = Unlocked::unlock(transport, home, &scene.person.code, &password, patient()).await?;
        let space = process.space().await?;
        Ok((process, space))
    }

    async fn opened(&self, home: Home) -> Result<(bool, Space, Vec<u64>), ClientError> {
        let scene = &self.device.scene;
        let _earlier = scene.stage.liar.take_asked();
        let (process, mut space) = self.begun(home).await?;
        remember(&process, &mut space).await?;
        let asked = scene.stage.liar.take_asked();
        let from = asked.iter().filter(|asked| reading(&asked.endpoint)).map(|asked| match asked.endpoint {
            Endpoint::ReadLog(_, from) => from,
            _ => 0,
        });
        let withheld = process.take_checkpoint_withheld();
        assert!(!process.take_checkpoint_withheld(), "it is told once");
        Ok((withheld, space, from.collect()))
    }

    fn assert_same(&self, space: &Space) {
        assert_eq!((space.head(), space.state_hash()), (self.space.head(), self.space.state_hash()));
        assert_eq!(names(space), names(&self.space));
    }

    /// The lie costs work and no more, and is told.
    async fn expect_whole_list(&self, lie: impl Lie) {
        self.device.scene.stage.liar.tell(lie);
        let (withheld, space, from) = self.another().await.unwrap();
        assert!(withheld);
        self.assert_same(&space);
        assert!(from.contains(&0), "{from:?}");
        self.device.scene.stage.liar.tell(Honest);
        let (withheld, space, from) = self.another().await.unwrap();
        assert!(!withheld && !from.contains(&0));
        self.assert_same(&space);
    }
}

fn names(space: &Space) -> Vec<String> {
    space.state().files().map(|(path, _)| path.as_str().to_owned()).collect()
}

#[tokio::test]
async fn a_new_device_reads_from_the_last_checkpoint_on() {
    let mut stage = Stage::set().await;
    let place = stage.place;
    let (withheld, space, from) = stage.another().await.unwrap();
    assert!(!withheld);
    assert_eq!(from, [MAX_LOG_ENTRIES, place + 2 - 64, place, place]);
    stage.assert_same(&space);
    assert_eq!(space.reports().1, 0);
    // It goes on as any other, and the others with it.
    let mut second = Device::another(&stage.device.scene.person).await;
    second.append(vec![Operation::Remove { path: path("last") }]).await.unwrap();
    stage.space.refresh().await.unwrap();
    stage.assert_same(&stage.another().await.unwrap().1);
    assert_eq!(second.open().await.unwrap().reports().1, 0, "who reads all finds that it says the same");
    stage.process.lock().await.unwrap();
}

#[tokio::test]
async fn m15_m38_a_checkpoint_that_is_withheld_or_altered_costs_work_and_is_told() {
    let stage = Stage::set().await;
    stage.expect_whole_list(on(head, Refuse(Refusal::Refused))).await;
    stage.expect_whole_list(on(any_chunk, Refuse(Refusal::Refused))).await;
    stage.expect_whole_list(on(head, FlipBit(500))).await;
    stage.expect_whole_list(on(any_chunk, FlipBit(5_000))).await;
}

#[tokio::test]
async fn m30_something_else_in_the_checkpoints_place_is_a_chain_error() {
    let stage = Stage::set().await;
    let (log, place) = (stage.device.scene.log().await, usize::try_from(stage.place).unwrap());
    let mut replaced = log.clone();
    replaced[place] = vec![0x5a; 512];
    let mut moved = log.clone();
    moved.swap(place, place + 1);
    let mut repeated = log.clone();
    repeated[place] = log[place - 1].clone();
    for entries in [replaced, moved, repeated] {
        stage.device.scene.stage.liar.tell(stage.device.scene.serving(entries));
        let error = stage.another().await.unwrap_err();
        let at_the_place = ChainError::Displaced(stage.place);
        assert!(matches!(error, ClientError::Chain(found) if found == at_the_place), "{error:?}");
        assert!(is_another_history(&error));
        stage.device.scene.stage.liar.tell(Honest);
        stage.assert_same(&stage.another().await.unwrap().1);
    }
    // Dropped, with what follows moved up.
    let dropped = stage.device.scene.serving([&log[..place], &log[place + 1..]].concat());
    stage.device.scene.stage.liar.tell(dropped);
    assert!(is_another_history(&stage.another().await.unwrap_err()));
}

/// What stands before the checkpoint is not read, and is bound all the same: by the head that the owner signed there.
#[tokio::test]
async fn m24_m30_entries_before_a_checkpoint_that_the_relay_changes_are_a_chain_error() {
    let stage = Stage::set().await;
    let log = stage.device.scene.log().await;
    let mut changed = log.clone();
    changed[3] = vec![0x5a; 512];
    let kept = stage.device.scene.serving(changed);
    stage.device.scene.stage.liar.tell(kept.clone());
    assert!(is_another_history(&stage.another().await.unwrap_err()));
    stage.device.scene.stage.liar.tell(Honest);
    stage.assert_same(&stage.another().await.unwrap().1);
}

/// Who can append and is not the owner.
#[tokio::test]
async fn m50_entries_of_strangers_do_not_lead_to_a_checkpoint_of_theirs() {
    let mut stage = Stage::set().await;
    let scene = &stage.device.scene;
    let other = Stage::set().await;
    let theirs = other.device.scene.log().await;
    scene.plant(theirs[usize::try_from(other.place).unwrap()].clone()).await;
    scene.plant(vec![0x5a; 512]).await;
    scene.stage.liar.tell(Honest);
    stage.space.refresh().await.unwrap();
    let (withheld, space, from) = stage.another().await.unwrap();
    assert!(!withheld && !from.contains(&0));
    stage.assert_same(&space);
    assert_eq!((space.reports().1, stage.space.reports().1), (2, 2), "they are told");
    // So many of them that the owner's last entry is not among the newest: then all is read.
    for _ in 0..64 {
        scene.plant(vec![0x5a; 512]).await;
    }
    scene.stage.liar.tell(Honest);
    stage.space.refresh().await.unwrap();
    let (withheld, space, from) = stage.another().await.unwrap();
    assert!(!withheld && from.contains(&0));
    stage.assert_same(&space);
}

/// A checkpoint of a history that forked from what this device saw: it is read whole, and the fork shows.
#[tokio::test]
async fn m29_a_checkpoint_beyond_what_a_device_saw_is_none_for_it() {
    let stage = Stage::set().await;
    let directory = tempfile::tempdir().unwrap();
    let of_then = |name: &str| Home::open(&directory.path().join(name)).unwrap();
    let log = stage.device.scene.log().await;
    // A device that saw the log when it was shorter than the checkpoint, and lost its copy.
    let fork = stage.device.scene.serving(log[..400].to_vec());
    stage.device.scene.stage.liar.tell(fork.clone());
    let (_, mut ours, _) = stage.opened(of_then("ours")).await.unwrap();
    let (honest_memory, name) = (std::fs::read(directory.path().join("ours/memory")).unwrap(), "ours/memory");
    ours.append(&Empty, |_| Ok(vec![put("ours")])).await.unwrap();
    let (_, again, _) = stage.opened(of_then("ours")).await.unwrap();
    assert_eq!(again.head().count, 401);
    stage.device.scene.stage.liar.tell(Honest);
    let error = stage.opened(of_then("ours")).await.unwrap_err();
    assert!(is_another_history(&error), "{error:?}");
    std::fs::write(directory.path().join(name), honest_memory).unwrap();
    let (withheld, space, from) = stage.opened(of_then("ours")).await.unwrap();
    assert!(!withheld && from.contains(&0), "{from:?}");
    stage.assert_same(&space);
    // What it saw beyond the checkpoint is found on the way.
    let (_, space, from) = stage.opened(of_then("ours")).await.unwrap();
    assert!(!from.contains(&0));
    stage.assert_same(&space);
}

/// Two first commands of a device at once, of which one began at the checkpoint: what the other saw lies before that.
#[tokio::test]
async fn m29_two_first_commands_that_are_shown_two_histories_find_out() {
    let stage = Stage::set().await;
    let (liar, log) = (&stage.device.scene.stage.liar, stage.device.scene.log().await);
    let directory = tempfile::tempdir().unwrap();
    for (name, is_fork) in [("one history", false), ("two", true)] {
        let home = Home::open(&directory.path().join(name)).unwrap();
        liar.tell(Honest);
        let (one, mut at_checkpoint) = stage.begun(home.clone()).await.unwrap();
        liar.tell(stage.device.scene.serving(log[..400].to_vec()));
        let (two, mut shorter) = stage.begun(home).await.unwrap();
        if is_fork {
            shorter.append(&two, |_| Ok(vec![put("theirs")])).await.unwrap();
        }
        remember(&two, &mut shorter).await.unwrap();
        liar.tell(Honest);
        match remember(&one, &mut at_checkpoint).await {
            Ok(()) => assert!(!is_fork, "both are believed"),
            Err(error) => assert!(is_fork && is_another_history(&error), "{error:?}"),
        }
    }
}

/// By a device of the owner's that is faulty: whoever reads all says so, and whoever begins there finds that it is of something else.
#[tokio::test]
async fn m50_a_checkpoint_that_disagrees_with_the_log_is_reported() {
    let stage = Stage::set().await;
    let (scene, mut copied) = (&stage.device.scene, stage.space.state().checkpoint().unwrap().1.clone());
    copied.blob = BlobCapabilities::generate(&mut rand::rng()).blob;
    let faulty = scene.keys.next(&scene.log().await, Operation::Checkpoint { file: Box::new(copied) });
    let place = faulty.sequence;
    scene.plant(scene.keys.seal(&faulty)).await;
    scene.stage.liar.tell(Honest);
    let (withheld, space, from) = stage.another().await.unwrap();
    assert!(withheld && from.contains(&0), "its blob is not that of this checkpoint");
    assert_eq!(space.reports(), (&[Report { sequence: place, fault: Fault::OtherCheckpoint }][..], 1));
    assert_eq!(names(&space), names(&stage.space));
}

/// It says all that a stolen device knew, and more.
#[tokio::test]
async fn a_rekey_destroys_the_checkpoint_of_the_old_list() {
    let mut stage = Stage::set().await;
    let (relay, limits) = (address(), patient());
    let transport = AnyTransport::new(stage.device.scene.stage.transport.clone());
    let mut lane = RelayLane::isolated(&transport, &relay, &limits);
    let checkpoint = stage.space.state().checkpoint().unwrap().1.clone();
    assert!(transfer::is_readable(&mut lane, &checkpoint).await.unwrap());
    let password = Password::new(PASSWORD);
    stage.process.rekey(&mut stage.space, &password, RecoveryWish::Keep).await.unwrap();
    assert!(!transfer::is_readable(&mut lane, &checkpoint).await.unwrap());
}

/// Another device appended meanwhile: the checkpoint would not be of the entry's place.
#[tokio::test]
async fn a_checkpoint_is_written_for_the_head_that_it_is_of_or_not_at_all() {
    let device = OneDevice::set().await;
    let process = device.process().await.unwrap();
    let mut space = process.space().await.unwrap();
    let files: Vec<_> = (0..FILES).map(|n| put(&format!("files/{n}"))).collect();
    space.append(&process, |_| Ok(files.clone())).await.unwrap();
    let mut other = Device::another(&device.scene.person).await;
    other.append(vec![put("theirs")]).await.unwrap();
    assert!(!process.write_checkpoint(&mut space).await.unwrap());
    assert_eq!((space.state().checkpoint().is_none(), space.state().count()), (true, FILES + 2));
    assert!(process.write_checkpoint(&mut space).await.unwrap(), "the next one is");
    assert_eq!(other.open().await.unwrap().reports().1, 0);
    assert_eq!(
        space.state().leaving().count(),
        0,
        "what was not listed is destroyed without a trace in the list"
    );
}
