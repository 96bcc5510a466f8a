//! Every limit and time-out of the agent and of whoever speaks to it.

use std::time::Duration;

/// Limits and time-outs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentLimits {
    /// Connections at once; further ones wait. Default: 32.
    pub callers: usize,
    /// Commands at once; one more is refused. Default: 16.
    pub commands: usize,
    /// Bytes of a request, which carries a whole command line. Default: 4 MiB, twice what Linux lets a command line have.
    pub request: usize,
    /// From connecting to the whole request, and from a request to its first answer. Default: 10 seconds.
    pub greeting: Duration,
    /// How long the caller may leave what a command prints unread. Default: 10 minutes, as long as somebody may look at a page of it.
    pub unread: Duration,
    /// How long commands may take to end, and then the session, when the account is locked. Default: 5 seconds each.
    pub ending: Duration,
    /// How often an unused way to the relay is used, so that Tor keeps it; shorter than the relay keeps an idle connection.
    /// Default: 4 minutes. Each time a little less, by chance.
    pub keep_warm: Duration,
    /// How often the relay is asked, without a name, whether it tells everybody the issuing key that this account pins. Default: an hour. Each
    /// time less, by chance.
    pub check_key: Duration,
    /// How long after it began the agent first extends a few files that are due. Default: 4 minutes. Less, by chance.
    pub first_leases: Duration,
    /// How often a few files are extended that are due. Default: an hour. Each time less, by chance.
    pub extend_leases: Duration,
    /// How long after a command that the network ended the agent first goes on with its uploads. Default: 40 seconds. Less, by chance; the line may be there
    /// again by then.
    pub first_going_on: Duration,
    /// How long after it did so in vain it goes on again, at most: it is twice as long with each time. Default: 10 minutes. Each time less, by chance.
    pub longest_going_on: Duration,
    /// For how long the agent takes uploads that it goes on with by itself for moving after the relay took something of them. Default: 6 minutes, more than
    /// one request may take.
    pub moving: Duration,
    /// How often it is looked whether the agent idled for too long. Default: 2 seconds.
    pub idle_check: Duration,
    /// How long a second `unlock` waits for the first one. Default: 5 minutes.
    pub other_unlock: Duration,
}

impl Default for AgentLimits {
    fn default() -> Self {
        Self {
            callers: 32,
            commands: 16,
            request: 4 << 20,
            greeting: Duration::from_secs(10),
            unread: Duration::from_secs(10 * 60),
            ending: Duration::from_secs(5),
            keep_warm: Duration::from_secs(4 * 60),
            check_key: Duration::from_secs(60 * 60),
            first_leases: Duration::from_secs(4 * 60),
            extend_leases: Duration::from_secs(60 * 60),
            first_going_on: Duration::from_secs(40),
            longest_going_on: Duration::from_secs(10 * 60),
            moving: Duration::from_secs(6 * 60),
            idle_check: Duration::from_secs(2),
            other_unlock: Duration::from_secs(5 * 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::ClientLimits;

    /// The time after which an agent locks itself unless told otherwise.
    const IDLE: Duration = Duration::from_secs(15 * 60);

    #[test]
    fn leases_are_looked_after_before_an_unused_agent_locks_itself() {
        assert!(AgentLimits::default().first_leases < IDLE / 2);
    }

    #[test]
    fn a_chunk_on_a_slow_line_is_moving() {
        assert!(AgentLimits::default().moving > ClientLimits::default().request);
    }
}
