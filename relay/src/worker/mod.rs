//! The worker: the process that parses requests and holds the store. It has no network; it answers on a listener that
//! the supervisor made and that only the gateway connects to.
//!
//! ```text
//! server (accepts) → connection (HTTP/1.1) → request (head, body) → service → store
//!                                          ← answer (status, body) ←
//! ```
//!
//! Invariants:
//! - Every refusal of one kind is the same bytes, whatever led to it. (A request that is not HTTP at all gets hyper's
//!   own 400 or 431 without a body, and the connection ends.)
//! - No header tells one relay from another: an answer carries `content-length` and nothing else, but for
//!   `connection: close` where it is the last one.
//! - Everything a peer can make grow has a limit in [`HttpLimits`] or [`ServiceLimits`].
//! - Nothing about users is logged: no ids, no addresses, no sizes.

mod account_changes;
mod accounts;
mod admin;
mod admission;
mod answer;
mod blobs;
mod connection;
mod control;
mod credits;
mod environment;
mod exit;
mod limits;
mod logs;
mod memory;
mod paced_io;
mod peer;
mod pending;
mod process;
mod refusals;
mod registration;
mod request;
mod server;
mod service;
mod sessions;
mod tickets;
mod upkeep;
mod works;

pub use admin::{
    AdminEndpoint, InvitationError, MAX_INVITATION_DAYS, MAX_INVITATIONS, issue_invitations, operate,
};
pub use connection::{Connections, Plane};
pub use environment::{Environment, FillRandom};
pub use exit::WorkerExit;
pub use limits::{HttpLimits, ServiceLimits};
pub use process::run;
pub use registration::RegistrationLimits;
pub use server::{ServeError, serve};
pub use service::{Service, ServiceError};
