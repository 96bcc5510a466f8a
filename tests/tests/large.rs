//! Large files through the worker's socket: memory that does not depend on the size, and every byte at its offset.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    missing_docs
)]

use nightdrop_relay::worker::{Environment, issue_invitations};
use nightdrop_store::{Store, StoreLimits};
use nightdrop_tests::system::{PeakMemory, WorkerProcess, program};
use nightdrop_wire::{onion::OnionAddress, size_class::SizeClass};
use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Read, Write},
    os::unix::fs::FileExt,
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Instant,
};

/// KiB that client and worker may take above what they hold when idle, whatever the file's size.
const ALLOWED: u64 = 64 * 1024;
const GIB: u64 = 1 << 30;
const PIECE: usize = 1 << 20;

fn relay() -> OnionAddress {
    "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid".parse().unwrap()
}

/// A client in a process of its own. Dropped, it is ended.
struct SocketClient {
    child: Child,
    lines: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl SocketClient {
    fn start(worker: &WorkerProcess, invitation: &str) -> Self {
        let mut command = Command::new(program("socket-client").unwrap());
        command.arg(worker.socket()).arg(relay().to_string());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (lines, answers) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut client = Self { child, lines, answers: BufReader::new(answers) };
        client.ask("register", invitation);
        client
    }

    fn ask(&mut self, command: &str, argument: &str) {
        writeln!(self.lines, "{command} {argument}").unwrap();
        let mut answer = String::new();
        // Its end is the end of this wait, too.
        self.answers.read_line(&mut answer).unwrap();
        assert_eq!(answer, "done\n", "{command}");
    }
}

impl Drop for SocketClient {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Stores `file` and fetches it as `back`; neither process may take more memory than allowed.
fn round_trip(directory: &Path, file: &Path, back: &Path) {
    let data = directory.join("relay");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let invitation = runtime.block_on(async {
        let store = Store::open(&data.join("store"), StoreLimits::default()).unwrap();
        issue_invitations(&store, &Environment::system(), 7, 1).await.unwrap().remove(0)
    });
    let worker = WorkerProcess::start(&data, relay()).unwrap();
    let mut client = SocketClient::start(&worker, &invitation.secret_text());
    for (command, path) in [("put", file), ("get", back)] {
        let peaks = [client.child.id(), worker.id()].map(|process| PeakMemory::begin(process).unwrap());
        let started = Instant::now();
        client.ask(command, path.to_str().unwrap());
        let elapsed = started.elapsed();
        let above = peaks.each_ref().map(|peak| peak.above_idle().unwrap());
        let idle = peaks.each_ref().map(PeakMemory::idle);
        println!(
            "{command}: {elapsed:.1?}; KiB of client and worker: idle {idle:?}, at their peaks {above:?} more"
        );
        assert!(above.iter().all(|above| *above < ALLOWED), "{above:?} KiB above idle");
    }
}

/// The first offset at which two files differ. Reads piece by piece.
fn first_difference(one: &Path, other: &Path) -> Option<u64> {
    let mut files = [one, other].map(|path| File::open(path).unwrap());
    let mut pieces = [vec![], vec![]];
    let mut offset = 0;
    loop {
        for (file, piece) in files.iter_mut().zip(&mut pieces) {
            piece.clear();
            file.take(PIECE as u64).read_to_end(piece).unwrap();
        }
        let [one, other] = &pieces;
        if one != other {
            let same = one.iter().zip(other).take_while(|(one, other)| one == other).count();
            return Some(offset + same as u64);
        }
        if one.is_empty() {
            return None;
        }
        offset += one.len() as u64;
    }
}

/// `size` bytes, no two pieces of which are alike.
fn write_numbered_pieces(path: &Path, size: u64) {
    let mut file = File::create(path).unwrap();
    let mut piece: Vec<u8> =
        (0..PIECE as u32).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    for number in 0..size / PIECE as u64 {
        for page in piece.chunks_mut(4096) {
            page[..8].copy_from_slice(&number.to_be_bytes());
        }
        file.write_all(&piece).unwrap();
    }
}

#[test]
fn the_probe_sees_memory_that_was_held_and_given_back() {
    const HELD: usize = 96 << 20;
    let peak = PeakMemory::begin(std::process::id()).unwrap();
    drop(std::hint::black_box(vec![1_u8; HELD]));
    let above = peak.above_idle().unwrap();
    assert!(above > 90 * 1024, "{above} KiB");
}

#[test]
fn memory_is_constant_for_1_gib_through_the_workers_socket() {
    let directory = tempfile::tempdir().unwrap();
    let [file, back] = ["file", "back"].map(|name| directory.path().join(name));
    write_numbered_pieces(&file, GIB);
    round_trip(directory.path(), &file, &back);
    assert_eq!(first_difference(&file, &back), None);
}

/// Bytes that stand nowhere else, across each offset at which counting could go wrong.
fn write_marks(path: &Path, size: u64) -> Vec<u64> {
    let file = OpenOptions::new().write(true).create_new(true).open(path).unwrap();
    file.set_len(size).unwrap();
    let chunk = SizeClass::FULL.chunk_plaintext() as u64;
    let borders = [1, 2, 2_047, 2_048, 2_049, 4_095, 4_096, 4_097].map(|count| count * chunk);
    let powers = [1 << 20, 1 << 31, (1 << 31) + (1 << 30), 1 << 32, (1 << 32) + (1 << 20)];
    let mut marked: Vec<u64> = borders.into_iter().chain(powers).map(|offset| offset - 8).collect();
    marked.extend([0, size - 16]);
    for offset in &marked {
        let mark = [offset.to_be_bytes(), (!offset).to_le_bytes()].concat();
        file.write_all_at(&mark, *offset).unwrap();
    }
    marked
}

#[test]
#[ignore = "takes minutes and 9 GiB of disk: make soak"]
fn a_sparse_file_above_4_gib_is_right_at_every_offset() {
    const SIZE: u64 = 4 * GIB + 3 * 1024 * 1024 + 12_345;
    let directory = tempfile::tempdir().unwrap();
    let [file, back] = ["file", "back"].map(|name| directory.path().join(name));
    let marked = write_marks(&file, SIZE);
    round_trip(directory.path(), &file, &back);
    assert_eq!(fs::metadata(&back).unwrap().len(), SIZE);
    assert_eq!(first_difference(&file, &back), None);

    // The comparison sees one bit, wherever it stands.
    let changed = OpenOptions::new().read(true).write(true).open(&back).unwrap();
    for offset in marked {
        let mut byte = [0];
        changed.read_exact_at(&mut byte, offset + 8).unwrap();
        assert_ne!(byte, [0], "there is a mark at {offset}");
    }
    changed.write_all_at(&[1], (1 << 32) + 77).unwrap();
    assert_eq!(first_difference(&file, &back), Some((1 << 32) + 77));
}
