//! Rates of all sides, and how they are printed.

use crate::usage::{NAMES, Usage};
use nightdrop_tests::measure::median;
use serde::{Deserialize, Serialize};

/// MiB/s each way.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Rates {
    pub(crate) up: f64,
    pub(crate) down: f64,
}

/// A side and its medians.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Side {
    pub(crate) name: String,
    pub(crate) rates: Rates,
}

/// What a run of the bench found.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Found {
    /// What was measured, in words.
    pub(crate) title: String,
    /// Ours first.
    pub(crate) sides: Vec<Side>,
}

/// The rounds of all sides, in the order in which they are printed.
#[derive(Debug, Default)]
pub(crate) struct Rounds(Vec<(&'static str, Vec<Rates>)>);

impl Rounds {
    /// Adds one round of a side.
    pub(crate) fn add(&mut self, name: &'static str, rates: Rates) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, rounds)) => rounds.push(rates),
            None => self.0.push((name, vec![rates])),
        }
    }

    pub(crate) fn medians(self, title: String) -> Found {
        let median_of = |rounds: &[Rates], side: fn(&Rates) -> f64| {
            median(&mut rounds.iter().map(side).collect::<Vec<_>>())
        };
        let sides = self.0.into_iter().map(|(name, rounds)| {
            let rates = Rates {
                up: median_of(&rounds, |rates| rates.up),
                down: median_of(&rounds, |rates| rates.down),
            };
            Side { name: name.to_owned(), rates }
        });
        Found { title, sides: sides.collect() }
    }
}

impl Found {
    /// Prints a table, each side beside ours.
    pub(crate) fn print(&self) {
        let ours = self.sides.first().map(|side| side.rates).unwrap_or_default();
        println!(
            "\n| {} | up, MiB/s | ours to it | down, MiB/s | ours to it |\n|---|---|---|---|---|",
            self.title
        );
        for Side { name, rates: Rates { up, down } } in &self.sides {
            println!("| {name} | {up:.2} | {:.2} | {down:.2} | {:.2} |", ours.up / up, ours.down / down);
        }
    }
}

/// Prints what our processes took, the most of all rounds.
pub(crate) fn print_usage(rounds: &[Usage]) {
    println!("\n| | processor s/GiB | peak above before, MiB |\n|---|---|---|");
    for (at, name) in NAMES.into_iter().enumerate() {
        let shares = || rounds.iter().filter_map(|usage| usage.get(at));
        let seconds = median(&mut shares().map(|share| share.seconds_per_gib).collect::<Vec<_>>());
        let peak = shares().map(|share| share.peak_mib).fold(0.0, f64::max);
        println!("| {name} | {seconds:.1} | {peak:.1} |");
    }
}
