//! redb alone, with the store's settings and the store's sizes and nothing else: what `make bench` compares the relay with.
//!
//! Run as `redb-alone FILE`. It makes the database and obeys lines on standard input, each answered by one line:
//!
//! ```text
//! put TABLE SIZE COUNT GROUP       COUNT values of SIZE bytes, GROUP of them in each durable commit → NANOSECONDS
//! put TABLE SIZE COUNT GROUP seal  the same, each sealed at rest as the store seals it              → NANOSECONDS
//! get TABLE SIZE COUNT copy        reads those of the last put into memory of its own               → NANOSECONDS
//! get TABLE SIZE COUNT open        the same, and opens their seals, which the last put made         → NANOSECONDS
//! get TABLE SIZE COUNT view        the same without the copy: touches each page where redb has it   → NANOSECONDS
//! ```
//! It lives here because `store` is the only crate that names redb.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it answers by printing")]

use chacha20poly1305::{KeyInit, Tag, XChaCha20Poly1305, XNonce, aead::AeadInOut, aead::inout::InOutBuf};
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
/// As long as what the store binds to a chunk.
const ASSOCIATED: &[u8] = &[0; 28];

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
                alone.put(table, size.parse()?, count.parse()?, group.parse()?, |value| Ok(value.to_vec()))?
            }
            ["put", table, size, count, group, "seal"] => {
                alone.put(table, size.parse()?, count.parse()?, group.parse()?, seal)?
            }
            ["get", table, size, count, "copy"] => alone.get(table, size.parse()?, count.parse()?, copy)?,
            ["get", table, size, count, "open"] => alone.get(table, size.parse()?, count.parse()?, open)?,
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
        prepare: impl Fn(&[u8]) -> Result<Vec<u8>, Box<dyn Error>>,
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
                    entries.insert((self.last, *number), prepare(value)?.as_slice())?;
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
        mut read: impl FnMut(&[u8]) -> Result<(), Box<dyn Error>>,
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
            read(value.value())?;
        }
        Ok(started.elapsed())
    }
}

fn copy(value: &[u8]) -> Result<(), Box<dyn Error>> {
    black_box(value.to_vec());
    Ok(())
}

fn touch(value: &[u8]) -> Result<(), Box<dyn Error>> {
    let sum = value.iter().step_by(PAGE).fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    black_box(sum);
    Ok(())
}

/// Seals a value for the same cost as the store does: what it stores of a value is nonce, body and tag.
fn seal(value: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut stored = value.to_vec();
    let [nonce, body, tag] = parts(&mut stored)?;
    nonce.copy_from_slice(&random(nonce.len()));
    let (cipher, nonce) = (cipher()?, XNonce::try_from(&*nonce)?);
    let made = cipher.encrypt_inout_detached(&nonce, ASSOCIATED, InOutBuf::from(body));
    tag.copy_from_slice(&made.map_err(|_| "a value cannot be sealed")?);
    Ok(stored)
}

fn open(value: &[u8]) -> Result<(), Box<dyn Error>> {
    let mut stored = value.to_vec();
    let [nonce, body, tag] = parts(&mut stored)?;
    let (cipher, nonce, tag) = (cipher()?, XNonce::try_from(&*nonce)?, Tag::try_from(&*tag)?);
    let opened = cipher.decrypt_inout_detached(&nonce, ASSOCIATED, InOutBuf::from(body), &tag);
    opened.map_err(|_| "a value does not open")?;
    black_box(stored);
    Ok(())
}

fn cipher() -> Result<XChaCha20Poly1305, Box<dyn Error>> {
    Ok(XChaCha20Poly1305::new_from_slice(&[7; 32])?)
}

/// Nonce, body and tag of a stored value.
fn parts(stored: &mut [u8]) -> Result<[&mut [u8]; 3], Box<dyn Error>> {
    let (nonce, rest) = stored.split_at_mut_checked(24).ok_or("a value is too short")?;
    let body = rest.len().checked_sub(16).ok_or("a value is too short")?;
    let (body, tag) = rest.split_at_mut(body);
    Ok([nonce, body, tag])
}

fn random(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    rand::Rng::fill_bytes(&mut rand::rng(), &mut bytes);
    bytes
}
