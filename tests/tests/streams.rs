//! Content that comes from a pipe and goes into one: of any length, in order, verified, in constant memory.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use nightdrop_client::{
    ClientError, ExitCode,
    transfer::{self, Output, Stream, StreamOutput},
};
use nightdrop_envelope::{file_name::FileName, space::FileRecord};
use nightdrop_tests::{
    lying::{
        Asked, Honest, Stage,
        lies::{AskInstead, FlipBit, on},
    },
    memory::{Person, address, patient},
    system::{RelayProcess, User, make_sample},
};
use nightdrop_wire::{endpoint::Endpoint, size_class::SizeClass};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io::{Read, Write},
    process::Stdio,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

const FULL: usize = SizeClass::FULL.chunk_plaintext();
const ANNA: &str = "plum orbit velvet cactus tide";

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|n| u8::try_from((n / 251 + n) % 251).unwrap()).collect()
}

async fn put(person: &Person, content: Vec<u8>) -> FileRecord {
    let name = FileName::parse("stream").unwrap();
    person.store(Stream::begin(std::io::Cursor::new(content), name).unwrap()).await.unwrap()
}

/// What came, and how it ended.
async fn get(person: &Person, file: &FileRecord) -> (Vec<u8>, Result<(), ClientError>) {
    let written = Arc::new(Mutex::new(Vec::new()));
    let write = Arc::clone(&written);
    let output: StreamOutput = Arc::new(move |bytes| {
        write.lock().unwrap().extend_from_slice(bytes);
        Ok(())
    });
    let output = Output::Stream(output);
    let (transport, relay, limits) = (&person.transport, address(), patient());
    let ended = transfer::download_file(transport, &relay, file, output, &limits, Arc::new(())).await;
    let written = written.lock().unwrap().clone();
    (written, ended.map(|done| assert!(done.path.is_none())))
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_every_length_come_back_in_order() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    for length in [0, 1, 4_000, FULL - 1, FULL, FULL + 1, 2 * FULL, 17 * FULL + 9] {
        let content = bytes(length);
        let file = put(&person, content.clone()).await;
        assert_eq!((file.size, file.content), (length as u64, <[u8; 32]>::from(Sha256::digest(&content))));
        let (written, ended) = get(&person, &file).await;
        ended.unwrap();
        assert!(written == content, "{length} bytes");
    }
}

/// Nothing is written that was not verified, and nothing after it.
#[tokio::test(flavor = "multi_thread")]
async fn m15_m16_a_lie_ends_a_stream_where_it_begins() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    let content = bytes(5 * FULL);
    let file = put(&person, content.clone()).await;
    let third = |endpoint: &Endpoint| matches!(endpoint, Endpoint::GetChunk(_, 2));
    let swapped = |asked: Asked| match asked.endpoint {
        Endpoint::GetChunk(blob, 2) => Asked { endpoint: Endpoint::GetChunk(blob, 3), ..asked },
        _ => asked,
    };
    for lie in [
        Box::new(on(third, FlipBit(70_000))) as Box<dyn nightdrop_tests::lying::Lie>,
        Box::new(AskInstead(swapped)),
    ] {
        stage.liar.tell(lie);
        let (written, ended) = get(&person, &file).await;
        let error = ended.unwrap_err();
        assert!(matches!(error, ClientError::Tampered(_)), "{error:?}");
        assert_eq!(error.explanation().exit, ExitCode::Tampered);
        assert!(written.len() <= 2 * FULL && written == content[..written.len()]);
    }
    stage.liar.tell(Honest);
    assert!(get(&person, &file).await.0 == content);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_goes_ends_the_download() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    let file = put(&person, bytes(5 * FULL)).await;
    let output: StreamOutput = Arc::new(|_| Err(std::io::ErrorKind::BrokenPipe.into()));
    let (relay, limits) = (address(), patient());
    let output = Output::Stream(output);
    let ended =
        transfer::download_file(&person.transport, &relay, &file, output, &limits, Arc::new(())).await;
    assert!(matches!(ended, Err(ClientError::Output(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_leaves_nothing() {
    struct Breaks(u64);
    impl Read for Breaks {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.0 = self.0.checked_sub(buffer.len() as u64).ok_or(std::io::ErrorKind::UnexpectedEof)?;
            buffer.fill(1);
            Ok(buffer.len())
        }
    }
    let stage = Stage::set().await;
    let person = stage.person().await;
    let stream = Stream::begin(Breaks(4 * FULL as u64), FileName::parse("x").unwrap()).unwrap();
    let broken = person.store(stream).await;
    assert!(matches!(broken, Err(ClientError::Input(_))), "{broken:?}");
    assert!(transfer::unfinished(&person.journals()).unwrap().is_empty());
}

/// KiB of a process at its peak, as long as it lives.
fn peak(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

#[test]
fn a_pipe_in_and_a_pipe_out_through_tor_with_and_without_the_agent() {
    const SIZE: u64 = 24 << 20;
    /// KiB: the password's hash takes 64 MiB of it.
    const ALLOWED: u64 = 160 * 1024;
    let directory = tempfile::tempdir().unwrap();
    let relay = RelayProcess::start(&directory.path().join("relay")).unwrap();
    let anna = User::new(&directory.path().join("anna"), ANNA).unwrap();
    let invite = relay.invite().unwrap();
    anna.run_json(&["register", relay.address(), "--invite", &invite]).unwrap();
    let sample = directory.path().join("sample");
    make_sample(&sample, SIZE).unwrap();
    let content = fs::read(&sample).unwrap();
    for (name, agent) in [("alone", false), ("served", true)] {
        if agent {
            anna.run_json(&["unlock"]).unwrap();
        }
        let mut child = anna.command(&["put", "-", "--name", name]).unwrap();
        let mut child = child.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        // In pieces that no boundary of ours fits.
        content.chunks(100_003).for_each(|piece| input.write_all(piece).unwrap());
        let most = peak(child.id()).unwrap();
        drop(input);
        assert!(child.wait().unwrap().success());
        assert!(most < ALLOWED, "{most} KiB");

        let got = anna.command(&["get", name, "-o", "-"]).unwrap().output().unwrap();
        assert!(got.status.success() && got.stdout == content, "{name}");
        // Into a file, as every other one.
        anna.run_json(&["get", name]).unwrap();
        assert!(fs::read(anna.directory().join(name)).unwrap() == content);

        let began = Instant::now();
        let mut child = anna.command(&["get", name, "-o", "-"]).unwrap();
        let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut output = child.stdout.take().unwrap();
        let mut start = [0; 10];
        output.read_exact(&mut start).unwrap();
        assert_eq!(start, content[..10]);
        drop(output);
        assert_eq!(child.wait().unwrap().code(), Some(1), "whoever read has gone");
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(said.contains("cannot write to standard output") && !said.contains("panick"), "{said}");
        assert!(began.elapsed() < Duration::from_secs(120));
    }
    anna.run_json(&["lock"]).unwrap();
    let unnamed = anna.command(&["put", "-"]).unwrap().stdin(File::open(&sample).unwrap()).output().unwrap();
    assert_eq!(unnamed.status.code(), Some(2));
}
