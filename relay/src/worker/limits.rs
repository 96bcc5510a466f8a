//! Every limit of the worker, in two structures.

use super::registration::RegistrationLimits;
use std::time::Duration;

/// Limits of connections and requests. The defaults suit lines over Tor: slow, and broken every few minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpLimits {
    /// Connections at once; one more is closed as soon as it is accepted. More than the gateway carries streams, whose
    /// places go to others a moment before the connections end.
    pub connections: usize,
    /// Connections of the operator's commands at once.
    pub admin_connections: usize,
    /// From the first byte of a request's head to its last.
    pub head_time: Duration,
    /// From the last byte of an answer, as far as the peer has taken it, to the first byte of another request.
    pub idle_time: Duration,
    /// Bytes of a request's head, and of everything else that is buffered unparsed. At least 8,192.
    pub head_bytes: usize,
    /// Headers of a request.
    pub headers: usize,
    /// From the head to the last byte of the body.
    pub body_time: Duration,
    /// Bytes of an answer that a peer must take, or of a body that it must send …
    pub pace_floor: usize,
    /// … within this time, whenever it makes the relay wait.
    pub pace_window: Duration,
    /// Bytes of request bodies in memory at once. Bodies that carry neither chunk nor manifest do not count: there is room for one of
    /// them on every connection, so that no upload keeps anybody from logging in.
    pub request_memory: usize,
    /// Bytes of answers in memory at once.
    pub answer_memory: usize,
    /// Bytes of what is made of bodies and for answers while they are worked on.
    pub work_memory: usize,
    /// How long a request waits for memory before it is answered that the relay is busy.
    pub memory_wait: Duration,
    /// Bytes per second below which a peer is ended when others wait for the memory that is held for it, the slowest first …
    pub pressed_pace: u64,
    /// … once it had this much time to show its pace.
    pub pressed_after: Duration,
    /// How long who waits for memory leaves another one time to give way, before it looks again.
    pub pressed_pause: Duration,
    /// How long requests under way may go on when the worker is told to end.
    pub shutdown_grace: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connections: 1_280,
            admin_connections: 4,
            head_time: Duration::from_secs(30),
            idle_time: Duration::from_secs(5 * 60),
            head_bytes: 8 * 1024,
            headers: 16,
            // A full chunk at less than 1 kB/s.
            body_time: Duration::from_secs(20 * 60),
            pace_floor: 16 * 1024,
            pace_window: Duration::from_secs(60),
            request_memory: 128 << 20,
            answer_memory: 128 << 20,
            work_memory: 64 << 20,
            memory_wait: Duration::from_secs(30),
            pressed_pace: 16 * 1024,
            pressed_after: Duration::from_secs(10),
            pressed_pause: Duration::from_secs(1),
            shutdown_grace: Duration::from_secs(5),
        }
    }
}

/// Limits of what the service hands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceLimits {
    /// Logins between their two requests; one more ends the oldest.
    pub pending_logins: usize,
    /// How long a login waits for its second request.
    pub login_time: Duration,
    /// Changes of what opens an account, between their two requests; one more ends the oldest.
    pub pending_changes: usize,
    /// The same of one account: one more ends its own oldest. Whoever has an account can begin as many as they like, and must
    /// not end those of others by that.
    pub pending_changes_per_account: usize,
    /// How long a change waits for its second request: Argon2id and a slow line lie between.
    pub change_time: Duration,
    /// Days that a session is good for.
    pub session_days: u32,
    /// Who can register, and what it costs.
    pub registration: RegistrationLimits,
}

impl Default for ServiceLimits {
    fn default() -> Self {
        Self {
            // So many that answering them, and not this number, bounds a flood: the oldest goes, and honest ones need seconds.
            pending_logins: 65_536,
            login_time: Duration::from_secs(120),
            pending_changes: 4_096,
            pending_changes_per_account: 4,
            change_time: Duration::from_secs(10 * 60),
            session_days: 30,
            registration: RegistrationLimits::default(),
        }
    }
}
