//! What is stored: full chunks of one large blob, or small blobs of one chunk and its manifest.

use crate::funds::credits_for;
use nightdrop_wire::{price, size_class::SizeClass};
use rand::Rng;
use std::fmt;

/// How many different contents are stored in turn.
const DIFFERENT: usize = 16;

/// Objects of one size. Their content is random, which is what sealed bytes look like.
pub(crate) struct Workload {
    /// Objects of one put.
    pub(crate) objects: u32,
    /// Size class of everything in it.
    pub(crate) class: SizeClass,
    /// Pieces of one object: 1, or chunk and manifest.
    pub(crate) pieces: usize,
    /// Table of redb alone.
    pub(crate) table: &'static str,
    /// Different contents of one piece.
    pub(crate) contents: Vec<Vec<u8>>,
}

impl Workload {
    /// 256 full chunks of one blob.
    pub(crate) fn full_chunks() -> Self {
        Self::new(256, SizeClass::FULL, 1, "full")
    }

    /// 1,024 blobs of the smallest size, each stored whole in one request.
    pub(crate) fn small_blobs() -> Self {
        Self::new(1_024, SizeClass::SMALLEST, 2, "small")
    }

    fn new(objects: u32, class: SizeClass, pieces: usize, table: &'static str) -> Self {
        let random = || {
            let mut bytes = vec![0; class.sealed()];
            rand::rng().fill_bytes(&mut bytes);
            bytes
        };
        Self { objects, class, pieces, table, contents: (0..DIFFERENT).map(|_| random()).collect() }
    }

    /// Whether each object is a blob of its own.
    pub(crate) const fn is_whole(&self) -> bool {
        self.pieces > 1
    }

    /// Credits that pay for one put.
    pub(crate) fn credits(&self) -> usize {
        let chunks = |chunks| credits_for(price::of_open(chunks).unwrap_or(1));
        if self.is_whole() { self.objects as usize } else { chunks(self.objects) }
    }

    /// Sealed bytes of one put.
    pub(crate) fn bytes(&self) -> f64 {
        f64::from(self.objects) * (self.pieces * self.class.sealed()) as f64
    }

    /// Content of piece `number`.
    pub(crate) fn content(&self, number: usize) -> &[u8] {
        self.contents.get(number % DIFFERENT).map_or(&[], Vec::as_slice)
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (objects, sealed) = (self.objects, self.class.sealed());
        if self.is_whole() {
            write!(f, "{objects} blobs, each a chunk and a manifest of {sealed} sealed bytes")
        } else {
            write!(f, "{objects} chunks of {sealed} sealed bytes")
        }
    }
}
