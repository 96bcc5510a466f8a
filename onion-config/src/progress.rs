//! How far the way into the Tor network is, and what is in the way, in words for people.

use arti_client::status::{self, BootstrapStatus};

/// How far bootstrapping is.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// From 0 (just started) to 1 (ready). It can also go back.
    pub fraction: f32,
    /// What seems to keep it from going on.
    pub blocked: Option<Blockage>,
}

/// What keeps Tor from being reached, as far as Arti can tell: a best guess.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blockage {
    /// Which kind.
    pub kind: BlockageKind,
}

/// The kinds of [`Blockage`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockageKind {
    /// No connection leaves this machine.
    Offline,
    /// Connections open and then die: somebody filters.
    Filtered,
    /// Tor relays cannot be reached for another reason.
    Unreachable,
    /// The machine's clock is wrong.
    ClockSkewed,
    /// Relays answer, but the directory cannot be fetched.
    NoDirectory,
}

impl Progress {
    /// Whole percents, 0 to 100.
    #[must_use]
    pub fn percent(&self) -> u8 {
        // Clamped to 0..=100 first, and `NaN` becomes 0.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
        let percent = (self.fraction.clamp(0.0, 1.0) * 100.0).round() as u8;
        percent
    }

    pub(crate) fn of(status: &BootstrapStatus) -> Self {
        Self { fraction: status.as_frac(), blocked: status.blocked().as_ref().and_then(Blockage::of) }
    }
}

impl Blockage {
    fn of(blockage: &status::Blockage) -> Option<Self> {
        use status::BlockageKind as Arti;
        let kind = match blockage.kind() {
            Arti::Disabled => return None,
            Arti::Offline => BlockageKind::Offline,
            Arti::Filtering => BlockageKind::Filtered,
            Arti::ClockSkewed => BlockageKind::ClockSkewed,
            Arti::CantBootstrap => BlockageKind::NoDirectory,
            _ => BlockageKind::Unreachable,
        };
        Some(Self { kind })
    }

    /// What is wrong, in a few words.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self.kind {
            BlockageKind::Offline => "this machine seems to be offline",
            BlockageKind::Filtered => "connections to Tor seem to be filtered",
            BlockageKind::Unreachable => "the Tor network cannot be reached",
            BlockageKind::ClockSkewed => "this machine's clock seems to be wrong",
            BlockageKind::NoDirectory => "the list of Tor relays cannot be fetched",
        }
    }

    /// What to try.
    #[must_use]
    pub const fn advice(&self) -> &'static str {
        match self.kind {
            BlockageKind::Offline => "check the network connection; it goes on by itself once there is one",
            BlockageKind::Filtered | BlockageKind::Unreachable => {
                "if Tor is blocked where you are, this version cannot help yet: it takes no bridge lines; \
                 try another network"
            }
            BlockageKind::ClockSkewed => "set the clock and the time zone of this machine",
            BlockageKind::NoDirectory => "check the clock, then wait a few minutes",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percents_stay_between_0_and_100() {
        for (fraction, percent) in [(0.0, 0), (0.504, 50), (1.0, 100), (1.7, 100), (-1.0, 0), (f32::NAN, 0)] {
            assert_eq!(Progress { fraction, blocked: None }.percent(), percent, "{fraction}");
        }
    }

    #[test]
    fn who_is_filtered_is_told_that_bridges_are_not_there_yet() {
        let blockage = Blockage { kind: BlockageKind::Filtered };
        assert!(blockage.advice().contains("bridge lines"));
    }
}
