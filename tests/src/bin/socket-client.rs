//! A client process that reaches a worker by its socket instead of by Tor, and obeys lines on standard input. With a process of its
//! own, its memory is its own; the code below it is the client's.
//!
//! Run as `socket-client SOCKET RELAY`. Each line is answered by one line when it is done; what fails ends the process:
//!
//! ```text
//! register INVITATION   registers and logs in
//! put PATH              stores a file
//! get PATH              fetches what was stored last
//! ```
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it answers by printing")]

use nightdrop_client::{
    account::{self, Session},
    limits::ClientLimits,
    transfer::{self, OutputPath, Source},
};
use nightdrop_envelope::space::FileRecord;
use nightdrop_login::password::Password;
use nightdrop_tests::{system::SocketTransport, uploads};
use nightdrop_wire::{onion::OnionAddress, token::Token};
use std::{error::Error, io::BufRead, path::Path, process::ExitCode, sync::Arc};

const PASSWORD: &str = "plum orbit velvet cactus tide";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("socket-client: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [socket, relay] = arguments.as_slice() else {
        return Err("usage: socket-client SOCKET RELAY".into());
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut client = SocketClient {
        transport: SocketTransport::to(Path::new(socket)),
        relay: relay.parse()?,
        limits: ClientLimits::default(),
        session: None,
        stored: None,
    };
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (command, argument) = line.split_once(' ').ok_or("a command and its argument are needed")?;
        runtime.block_on(client.obey(command, argument))?;
        println!("done");
    }
    Ok(())
}

struct SocketClient {
    transport: SocketTransport,
    relay: OnionAddress,
    limits: ClientLimits,
    session: Option<Session<SocketTransport>>,
    stored: Option<FileRecord>,
}

impl SocketClient {
    async fn obey(&mut self, command: &str, argument: &str) -> Result<(), Box<dyn Error>> {
        match command {
            "register" => self.register(Token::from_text(argument)?).await,
            "put" => self.put(Path::new(argument)).await,
            "get" => self.get(Path::new(argument)).await,
            _ => Err(format!("not understood: {command}").into()),
        }
    }

    async fn register(&mut self, invitation: Token) -> Result<(), Box<dyn Error>> {
        let (transport, relay, limits) = (&self.transport, &self.relay, &self.limits);
        let password = Password::new(PASSWORD);
        let prepared = account::prepare(transport, relay, invitation, password, false, limits).await?;
        account::commit(transport, relay, &prepared.request, limits).await?;
        let password = Password::new(PASSWORD);
        self.session = Some(account::log_in(transport, &prepared.code, &password, limits).await?);
        Ok(())
    }

    async fn put(&mut self, file: &Path) -> Result<(), Box<dyn Error>> {
        let session = self.session.as_mut().ok_or("register first")?;
        let credits = session.fetch_credits(uploads::enough_for(file)?).await?;
        let file = file.to_owned();
        let source = tokio::task::spawn_blocking(move || Source::open(&file, None)).await??;
        let (transport, relay, limits) = (&self.transport, &self.relay, &self.limits);
        let directory = tempfile::tempdir()?;
        let journals = session.journals(directory.path().join("transfers"));
        let way = (transport, relay, limits);
        let stored = uploads::store(way, &journals, source, credits, Arc::new(())).await?;
        self.stored = Some(stored);
        Ok(())
    }

    async fn get(&mut self, file: &Path) -> Result<(), Box<dyn Error>> {
        let stored = self.stored.as_ref().ok_or("put first")?;
        let output = OutputPath::new(Some(file))?;
        let (transport, relay, limits) = (&self.transport, &self.relay, &self.limits);
        transfer::download_file(transport, relay, stored, &output, limits, Arc::new(())).await?;
        Ok(())
    }
}
