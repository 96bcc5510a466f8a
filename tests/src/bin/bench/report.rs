//! What is printed.

use crate::{
    measure::{Taken, median},
    workload::Workload,
};

const MIB: f64 = 1_048_576.0;
const SIDES: [&str; 3] = ["plain files", "redb alone", "through the worker"];

/// The rounds of one kind of work.
pub(crate) struct Report {
    what: &'static str,
    rounds: Vec<[Taken; 3]>,
}

impl Report {
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, rounds: Vec::new() }
    }

    /// Adds a round of all sides.
    pub(crate) fn add(&mut self, round: [Taken; 3]) {
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
                self.ratio(side)
            );
        }
    }

    /// How fast a side was beside redb alone: the median of all rounds, the worst and the best.
    fn ratio(&self, side: usize) -> String {
        let ratio = |round: &[Taken; 3]| {
            let [_, redb, _] = round;
            round.get(side).map_or(0.0, |taken| redb.elapsed.as_secs_f64() / taken.elapsed.as_secs_f64())
        };
        let mut ratios: Vec<f64> = self.rounds.iter().map(ratio).collect();
        let middle = median(&mut ratios);
        match ratios.as_slice() {
            [worst, .., best] if side != 1 => format!("{middle:.2} of redb alone ({worst:.2} to {best:.2})"),
            _ => String::new(),
        }
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
