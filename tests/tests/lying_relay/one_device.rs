//! Two histories, shown to two commands of one device at once. What the device remembers is one of them, and it must not be that the
//! other one goes unnoticed.

use crate::homes::{Scene, put};
use nightdrop_client::{
    ClientError, ExitCode, Home, payment::Purse, space::HomeSpace, transport::AnyTransport,
    unlocked::Unlocked,
};
use nightdrop_envelope::space::Operation;
use nightdrop_login::password::Password;
use nightdrop_tests::{
    lying::{Honest, lies::KeptLog},
    memory::{Empty, PASSWORD, patient},
};
use tempfile::TempDir;

pub(crate) type Space = HomeSpace<AnyTransport>;

/// A device with a home directory, in which any number of commands run at once. Two entries are written.
pub(crate) struct OneDevice {
    pub(crate) scene: Scene,
    pub(crate) home: Home,
    pub(crate) _directory: TempDir,
}

impl OneDevice {
    pub(crate) async fn set() -> Self {
        let (scene, directory) = (Scene::set(vec![put("a")]).await, tempfile::tempdir().unwrap());
        let home = Home::open(&directory.path().join("home")).unwrap();
        home.keep_account(&scene.person.code, &home.lock().unwrap()).unwrap();
        home.keep_memory(&scene.person.memory, &home.lock().unwrap()).unwrap();
        Self { scene, home, _directory: directory }
    }

    /// A process of its own.
    pub(crate) async fn process(&self) -> Result<Unlocked, ClientError> {
        let transport = AnyTransport::new(self.scene.stage.transport.clone());
        let (home, password) = (self.home.clone(), Password::new(PASSWORD));
        Unlocked::unlock(transport, home, &self.scene.person.code, &password, patient()).await
    }

    /// From here on the relay keeps another log, which begins as the honest one.
    async fn fork(&self) -> KeptLog {
        self.scene.serving(self.scene.log().await)
    }
}

pub(crate) async fn write(purse: &impl Purse, space: &mut Space, name: &str, count: usize) {
    for number in 0..count {
        space.append(purse, |_| Ok(vec![listing(name, number)])).await.unwrap();
    }
}

fn listing(name: &str, number: usize) -> Operation {
    put(&format!("{name}/{number}"))
}

pub(crate) fn is_another_history(error: &ClientError) -> bool {
    matches!(error, ClientError::Chain(_)) && error.explanation().exit == ExitCode::Tampered
}

/// What a command does with the device's memory; see `cli::opened`.
pub(crate) async fn remember(process: &Unlocked, space: &mut Space) -> Result<(), ClientError> {
    while let Some(further) = process.remember(space).await? {
        space.read_towards(further).await?;
    }
    Ok(())
}

#[tokio::test]
async fn m29_two_commands_that_are_shown_two_histories_find_out_whichever_is_longer() {
    for (ours, theirs) in [(1, 1), (1, 2), (2, 1)] {
        let device = OneDevice::set().await;
        let (one, two) = (device.process().await.unwrap(), device.process().await.unwrap());
        let (mut first, mut second) = (one.space().await.unwrap(), two.space().await.unwrap());
        remember(&one, &mut first).await.unwrap();
        remember(&two, &mut second).await.unwrap();
        let fork = device.fork().await;
        write(&Empty, &mut first, "ours", ours).await;
        remember(&one, &mut first).await.unwrap();
        device.scene.stage.liar.tell(fork.clone());
        write(&Empty, &mut second, "theirs", theirs).await;
        let error = remember(&two, &mut second).await.expect_err("two histories");
        assert!(is_another_history(&error), "{ours} {theirs}: {error:?}");

        // What the first one saw is what counts, also for a relay that shows the honest log again.
        device.scene.stage.liar.tell(Honest);
        assert!(is_another_history(&remember(&two, &mut second).await.unwrap_err()));
        remember(&one, &mut first).await.unwrap();
        device.process().await.unwrap();
        device.scene.stage.liar.tell(fork);
        assert!(is_another_history(&device.process().await.expect_err("it is remembered")));
    }
}

#[tokio::test]
async fn m29_two_commands_in_one_agent_find_out_and_the_next_one_is_not_misled() {
    let device = OneDevice::set().await;
    let agent = device.process().await.unwrap();
    let (mut first, mut second) = (agent.space().await.unwrap(), agent.space().await.unwrap());
    let fork = device.fork().await;
    write(&Empty, &mut first, "ours", 1).await;
    remember(&agent, &mut first).await.unwrap();
    agent.keep_space(first);
    device.scene.stage.liar.tell(fork);
    write(&Empty, &mut second, "theirs", 2).await;
    let error = remember(&agent, &mut second).await.expect_err("two histories");
    assert!(is_another_history(&error), "{error:?}");
    agent.keep_space(second);
    device.scene.stage.liar.tell(Honest);
    let third = agent.space().await.unwrap();
    let names: Vec<&str> = third.state().files().map(|(path, _)| path.as_str()).collect();
    assert_eq!(names, ["a", "ours/0"]);
}

#[tokio::test]
async fn commands_at_once_that_see_one_history_remember_the_longest_of_it() {
    let device = OneDevice::set().await;
    let (one, two) = (device.process().await.unwrap(), device.process().await.unwrap());
    let (mut first, mut second) = (one.space().await.unwrap(), two.space().await.unwrap());
    write(&Empty, &mut first, "ours", 2).await;
    remember(&one, &mut first).await.unwrap();
    remember(&two, &mut second).await.unwrap();
    assert_eq!(second.head(), first.head(), "it read on");
    write(&Empty, &mut second, "theirs", 1).await;
    remember(&two, &mut second).await.unwrap();
    write(&Empty, &mut first, "more", 1).await;
    remember(&one, &mut first).await.unwrap();
    assert_eq!((first.head().count, first.state().files().count()), (6, 5));
}
