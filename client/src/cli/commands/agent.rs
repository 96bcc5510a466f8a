//! `nightdrop agent`, which `unlock` starts: opens the account and keeps it open.

use crate::{
    ClientError, Home,
    agent::{self, Agent, AgentLimits, Claim, Launch, Listening, TorStatus, lock_all_memory, since_boot},
    cli::{
        Served,
        arguments::{Global, Unlock},
        print::Printer,
    },
    limits::ClientLimits,
    transport::AnyTransport,
    unlocked::Unlocked,
};
use nightdrop_login::password::Password;
use nightdrop_onion_config::{Network, Tor, TorError};
use std::{path::Path, sync::Arc, time::Duration};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep},
};

/// How often a second `unlock` looks whether the first one is done.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Not printed to by anybody: what it has to say goes to whoever started it, as long as they wait for it.
pub(in crate::cli) async fn run(global: &Global, arguments: &Unlock) -> Result<(), ClientError> {
    // Before there is anything to protect.
    let all_memory_locked = lock_all_memory();
    let limits = AgentLimits::default();
    let (mut launch, password) = Launch::receive(&limits).await?;
    let printer = Printer::new(global, launch.console());
    let open = Box::pin(open(global, arguments, password, all_memory_locked, &limits, &printer));
    let opened = tokio::select! {
        () = launch.abandoned() => return Err(ClientError::Stopped),
        opened = open => opened,
    };
    match opened {
        Ok(Some((agent, listening))) => {
            let signals = lock_on_signals(agent.clone())?;
            launch.finish(0).await;
            agent.serve(listening).await;
            signals.abort();
            Ok(())
        }
        Ok(None) => {
            launch.finish(0).await;
            Ok(())
        }
        Err(error) => {
            printer.error(&error);
            launch.finish(error.explanation().exit as u8).await;
            Err(error)
        }
    }
}

/// `None` if another agent has opened the account meanwhile.
async fn open(
    global: &Global,
    arguments: &Unlock,
    password: Password,
    all_memory_locked: bool,
    limits: &AgentLimits,
    printer: &Printer,
) -> Result<Option<(Agent<Served>, Listening)>, ClientError> {
    let home = global.open_home()?;
    let code = home.account()?;
    let Some(claim) = claim(&home, limits).await? else { return Ok(None) };
    let network = Network::load(global.network.as_deref()).map_err(TorError::from)?;
    let tor = global.connect(&home, printer).await?;
    let bar = printer.bar("Opening your files");
    bar.wait();
    let transport = AnyTransport::new(tor.clone());
    let unlocked = Unlocked::unlock(transport, home.clone(), &code, &password, ClientLimits::default()).await;
    bar.done();
    let unlocked = Arc::new(unlocked?);
    drop(password);
    let runtime = std::env::var_os("XDG_RUNTIME_DIR");
    let listening = claim.listen(&home, runtime.as_deref().map(Path::new))?;
    let served = Served::new(Arc::clone(&unlocked), network);
    let agent = Agent::new(
        served,
        unlocked,
        move || status_of(&tor),
        all_memory_locked,
        arguments.idle,
        since_boot(),
        limits.clone(),
    );
    Ok(Some((agent, listening)))
}

/// Waits for another `unlock` that is on its way: either it opens the account, or it is this one's turn.
async fn claim(home: &Home, limits: &AgentLimits) -> Result<Option<Claim>, ClientError> {
    let give_up = Instant::now() + limits.other_unlock;
    loop {
        if let Some(claim) = Claim::take(home)? {
            return Ok(Some(claim));
        }
        if let Some(stream) = agent::connect(home).await
            && agent::status(stream, limits).await.is_some()
        {
            return Ok(None);
        }
        if Instant::now() > give_up {
            return Err(ClientError::AgentBusy);
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// A closed terminal, a shutdown and Ctrl-C all mean: lock.
fn lock_on_signals(agent: Agent<Served>) -> Result<tokio::task::JoinHandle<()>, ClientError> {
    let listen = |kind| signal(kind).map_err(ClientError::file("listen for", Path::new("signals")));
    let mut hung_up = listen(SignalKind::hangup())?;
    let mut terminated = listen(SignalKind::terminate())?;
    let mut interrupted = listen(SignalKind::interrupt())?;
    Ok(tokio::spawn(async move {
        tokio::select! {
            _ = hung_up.recv() => {}
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
        agent.lock();
    }))
}

fn status_of(tor: &Tor) -> TorStatus {
    let progress = tor.progress();
    let blocked = progress.blocked.as_ref();
    let hint = blocked.map(|blocked| format!("{}: {}", blocked.reason(), blocked.advice()));
    TorStatus { percent: progress.percent(), hint: hint.unwrap_or_default() }
}
