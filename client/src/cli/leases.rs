//! Leases, as commands see them: what ends soon is told, and what is due is made longer.

use super::{opened::Opened, print::Bar};
use crate::{
    ClientError, clock,
    lease::{self, Ending, NEAR},
};
use nightdrop_envelope::space::Lease;
use nightdrop_wire::date::Date;

/// Of what is due and not urgent, a command makes so many longer that chance chooses.
const FEW: usize = 16;
/// Between two notes of what was extended.
const BATCH: usize = 64;
/// With fewer there is nothing to wait for.
const MANY: usize = 4;

impl Opened<'_> {
    /// Tells what ends soon, and what ended.
    pub(super) fn warn_of_ends(&self) {
        let Ending { soon, for_good, over, first } = lease::ending(self.space.state(), clock::today());
        let first = Date::of_day(first.unwrap_or_default());
        if soon > 0 {
            self.printer.warn(&format!(
                "the relay keeps {soon} of your files for less than {} weeks more unless they are extended, the first until {first}: what ends within two weeks is extended by every command",
                NEAR / 7
            ));
        }
        if for_good > 0 {
            self.printer.warn(&format!(
                "the relay keeps {for_good} of your files for less than {} weeks more and does not extend them, the first of all until {first}: get them, and put them again (`nightdrop info NAME` tells the day of each)",
                NEAR / 7
            ));
        }
        if over > 0 {
            self.printer.warn(&format!(
                "{over} of your files are over: the relay kept them for as long as was paid for; those that ended within the last days every command asks for, `nightdrop rm` takes the others off your list"
            ));
        }
    }

    /// Makes all leases longer that end within days, and perhaps a `few` others that are due. That it fails is told, and no more: what the command did is done.
    ///
    /// # Errors
    /// [`ClientError::Chain`] if the relay showed two histories.
    pub(super) async fn extend_leases(&mut self, few: bool) -> Result<(), ClientError> {
        let (today, few) = (clock::today(), if few { FEW } else { 0 });
        let due = lease::due(self.space.state(), today);
        let mut chosen = lease::choose(due, today, (few, usize::MAX), &mut rand::rng());
        if chosen.is_empty() {
            return Ok(());
        }
        let (count, unlocked) = (chosen.len(), self.unlocked);
        let bar = (count >= MANY).then(|| self.printer.bar("Extending how long your files are kept"));
        let way = (unlocked.transport(), unlocked.relay(), unlocked.limits());
        let (mut longer, mut failed) = (0, None);
        while failed.is_none() && !chosen.is_empty() {
            bar.iter().for_each(|bar| bar.percent(percent(count - chosen.len(), count)));
            let rest = chosen.split_off(BATCH.min(chosen.len()));
            let batch = std::mem::replace(&mut chosen, rest);
            let (more, error) = lease::extend(way, &mut self.space, batch, unlocked).await;
            (longer, failed) = (longer + more, error);
        }
        bar.iter().for_each(Bar::done);
        self.remember().await?;
        if let Some(error) = failed {
            let left = lease::due(self.space.state(), today);
            let first = left.iter().map(lease::Due::until).min().map_or(String::new(), |first| {
                format!(", and the first one ends after {}", Date::of_day(first))
            });
            self.printer.warn(&format!(
                "how long your files are kept was extended for {longer} of {count} ({error}); {} are still to be extended{first}. {} The next command tries again",
                left.len(),
                error.explanation().next
            ));
        }
        Ok(())
    }
}

/// So much of the whole.
fn percent(done: usize, all: usize) -> u8 {
    u8::try_from(done * 100 / all.max(1)).unwrap_or(100)
}

/// Until when a file is kept, in words.
pub(super) fn in_words(lease: Lease) -> String {
    let until = Date::of_day(lease.until);
    match lease.days_left(clock::today()) {
        None => format!("was kept until {until}, and is over"),
        Some(_) if lease.is_last => format!("until {until}; the relay does not extend it"),
        Some(_) => format!("until {until}; extended by itself while you use this account now and then"),
    }
}
