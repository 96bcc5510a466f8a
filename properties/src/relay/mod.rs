//! The relay's store beside a model of it: whatever is asked of both, in whatever order, both answer alike, also when the store is
//! closed and opened again in between.

mod asked;
mod model;
mod names;
mod stored;
mod tickets;

use asked::Asked;
use model::Model;
use stored::Stored;

const MOST_STEPS: usize = 256;

/// What comes of asking. The only things that a user of the store can tell apart.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    Done,
    Bytes(Vec<u8>),
    Account(u8),
    Drawn([u16; 2]),
    /// What a destroyed blob gives back.
    Units(u32),
    /// The last day of a blob.
    Until(u32),
    /// Chunks that are held, and their hashes.
    Held(Vec<(u32, [u8; 32])>),
    /// A log's entries, by number, its head, what is paid for it and what it takes.
    Page(Vec<Vec<u8>>, u64, [u8; 32], (u32, u64)),
    Refused,
    Conflict,
    Unpaid,
    QuotaReached,
}

/// Limits that a few steps reach.
#[derive(Debug, Clone, Copy)]
struct Limits {
    sessions_per_account: usize,
    quota_units: u64,
    log_entries: u32,
    claims_per_blob: u32,
}

const LIMITS: Limits =
    Limits { sessions_per_account: 2, quota_units: 40, log_entries: 24, claims_per_blob: 3 };

/// Four bytes tell one step.
pub(crate) fn relay(input: &[u8]) -> bool {
    let (mut model, mut stored) = (Model::new(), Stored::new());
    let mut asked_of_both = Vec::new();
    let mut done = 0;
    for step in input.chunks_exact(4).take(MOST_STEPS) {
        let asked = Asked::told_by([step[0], step[1], step[2], step[3]]);
        let (expected, given) = (model.answer(&asked), stored.answer(&asked));
        done += usize::from(matches!(expected, Answer::Done | Answer::Until(_)));
        asked_of_both.push(asked);
        assert_eq!(given, expected, "the store, then the model, after {asked_of_both:#?}");
    }
    for asked in Asked::everything_readable() {
        assert_eq!(stored.answer(&asked), model.answer(&asked), "{asked:?} at the end of {asked_of_both:#?}");
    }
    done > 0
}
