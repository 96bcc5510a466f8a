//! What is printed.

use crate::{measure::Taken, workload::Workload};
use nightdrop_tests::measure::{MIB, median};

const SIDES: [&str; 4] = ["plain files", "redb alone", "redb, sealed", "through the worker"];
/// Those that others are compared with.
const REDB: usize = 1;
const SEALED: usize = 2;

/// The rounds of one kind of work.
pub(crate) struct Report {
    what: &'static str,
    rounds: Vec<[Taken; 4]>,
}

impl Report {
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, rounds: Vec::new() }
    }

    /// Adds a round of all sides.
    pub(crate) fn add(&mut self, round: [Taken; 4]) {
        self.rounds.push(round);
    }

    /// Prints a line for each side.
    pub(crate) fn print(&self, workload: &Workload) {
        println!("{:<15}          MiB/s  objects/s  processor s/GiB", self.what);
        for (side, name) in SIDES.into_iter().enumerate() {
            let of_side = || self.rounds.iter().filter_map(|round| round.get(side));
            let mut seconds: Vec<f64> = of_side().map(|taken| taken.elapsed.as_secs_f64()).collect();
            let seconds = median(&mut seconds);
            let all: Taken = of_side().copied().sum();
            let gib = workload.bytes() * self.rounds.len() as f64 / MIB / 1024.0;
            let processor = format!("{:.2}", all.processor.as_secs_f64() / gib);
            let client = match all.client.as_secs_f64() / gib {
                0.0 => String::new(),
                client => format!(" + {client:.2} client"),
            };
            println!(
                "  {name:<18} {:>9.0} {:>10.0}  {:<19}{}",
                workload.bytes() / MIB / seconds,
                f64::from(workload.objects) / seconds,
                processor + &client,
                self.ratios(side)
            );
        }
    }

    /// How fast a side was beside redb alone, and if it seals beside redb that seals, too.
    fn ratios(&self, side: usize) -> String {
        let of_redb = format!("{} of redb alone", self.ratio(side, REDB));
        match side {
            REDB => String::new(),
            _ if side > SEALED => format!("{of_redb}, {} of redb, sealed", self.ratio(side, SEALED)),
            _ => of_redb,
        }
    }

    /// The median of all rounds, the worst and the best.
    fn ratio(&self, side: usize, other: usize) -> String {
        let ratio = |round: &[Taken; 4]| {
            Some(round.get(other)?.elapsed.as_secs_f64() / round.get(side)?.elapsed.as_secs_f64())
        };
        let mut ratios: Vec<f64> = self.rounds.iter().filter_map(ratio).collect();
        let middle = median(&mut ratios);
        let (worst, best) = (ratios.first().unwrap_or(&0.0), ratios.last().unwrap_or(&0.0));
        format!("{middle:.2} ({worst:.2} to {best:.2})")
    }
}

/// Prints what redb alone reads without copying: the relay copies each value once, because opening the seal at rest needs
/// memory that may be written.
pub(crate) fn print_copy(workload: &Workload, views: &[Taken]) {
    let mut seconds: Vec<f64> = views.iter().map(|taken| taken.elapsed.as_secs_f64()).collect();
    let all: Taken = views.iter().copied().sum();
    let gib = workload.bytes() / MIB / 1024.0;
    println!(
        "  redb alone, get without the copy {:>9.0} MiB/s, {:.2} processor s/GiB",
        gib * 1024.0 / median(&mut seconds),
        all.processor.as_secs_f64() / gib / views.len() as f64
    );
}
