//! redb alone, with the store's settings and the store's sizes and nothing else: what `make bench` compares the relay with.
//!
//! Run as `redb-alone FILE`. It makes the database and obeys lines on standard input, each answered by one line:
//!
//! ```text
//! put TABLE SIZE COUNT GROUP   COUNT values of SIZE bytes, GROUP of them in each durable commit     → NANOSECONDS
//! get TABLE SIZE COUNT copy    reads those of the last put into memory of its own                    → NANOSECONDS
//! get TABLE SIZE COUNT view    the same without the copy: touches each page where redb has it        → NANOSECONDS
//! ```
//! It lives here because `store` is the only crate that names redb.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it answers by printing")]

use nightdrop_store::StoreLimits;
use redb::{Builder, Database, ReadableDatabase, TableDefinition};
use std::{
    error::Error,
    hint::black_box,
    io::BufRead,
    time::{Duration, Instant},
};

/// The key of a chunk: 16 bytes and an index.
type Key = ([u8; 16], u32);
/// How many different values are stored in turn.
const DIFFERENT: usize = 16;
/// Bytes of a processor's page: touching one byte of each makes all of it present.
const PAGE: usize = 4096;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: redb-alone FILE")?;
    let mut alone = Alone {
        database: Builder::new().set_cache_size(StoreLimits::default().cache_bytes).create(path)?,
        last: [0; 16],
    };
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let took = match words.as_slice() {
            ["put", table, size, count, group] => {
                alone.put(table, size.parse()?, count.parse()?, group.parse()?)?
            }
            ["get", table, size, count, "copy"] => {
                alone.get(table, size.parse()?, count.parse()?, |value| drop(black_box(value.to_vec())))?
            }
            ["get", table, size, count, "view"] => alone.get(table, size.parse()?, count.parse()?, touch)?,
            _ => return Err(format!("not understood: {line}").into()),
        };
        println!("{}", took.as_nanos());
    }
    Ok(())
}

struct Alone {
    database: Database,
    /// The first half of the keys of the last put.
    last: [u8; 16],
}

impl Alone {
    fn put(
        &mut self,
        table: &str,
        size: usize,
        count: u32,
        group: usize,
    ) -> Result<Duration, Box<dyn Error>> {
        let values: Vec<Vec<u8>> = (0..DIFFERENT).map(|_| random(size)).collect();
        let table: TableDefinition<'_, Key, &[u8]> = TableDefinition::new(table);
        self.last = random(16).try_into().map_err(|_| "a random key")?;
        let numbers: Vec<u32> = (0..count).collect();
        let started = Instant::now();
        for group in numbers.chunks(group) {
            let mut transaction = self.database.begin_write()?;
            transaction.set_quick_repair(true);
            {
                let mut entries = transaction.open_table(table)?;
                for (number, value) in group.iter().zip(values.iter().cycle()) {
                    entries.insert((self.last, *number), value.as_slice())?;
                }
            }
            transaction.commit()?;
        }
        Ok(started.elapsed())
    }

    fn get(
        &self,
        table: &str,
        size: usize,
        count: u32,
        mut read: impl FnMut(&[u8]),
    ) -> Result<Duration, Box<dyn Error>> {
        let table: TableDefinition<'_, Key, &[u8]> = TableDefinition::new(table);
        let started = Instant::now();
        for number in 0..count {
            // As the store does: each read is a snapshot of its own.
            let entries = self.database.begin_read()?.open_table(table)?;
            let value = entries.get((self.last, number))?.ok_or("a value is missing")?;
            if value.value().len() != size {
                return Err("a value has another length".into());
            }
            read(value.value());
        }
        Ok(started.elapsed())
    }
}

fn touch(value: &[u8]) {
    let sum = value.iter().step_by(PAGE).fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    black_box(sum);
}

fn random(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    rand::Rng::fill_bytes(&mut rand::rng(), &mut bytes);
    bytes
}
