//! What can go wrong with Tor, what it means, and what to try.

use crate::{Blockage, BlockageKind, NetworkFileError};
use arti_client::{ErrorKind, HasKind};
use std::{error::Error, iter::successors, path::PathBuf};

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum TorError {
    /// The address's checksum is wrong: it was mistyped or cut off.
    #[error("this is not an onion address: its checksum is wrong")]
    NotAnOnionAddress,
    /// Tor works, but nobody publishes this address.
    #[error("no onion service with this address is known to the Tor network")]
    ServiceNotFound,
    /// The service publishes its address but could not be reached in time.
    #[error("the onion service does not answer")]
    ServiceUnreachable,
    /// The service was reached and turned the stream away.
    #[error("the onion service refused the connection")]
    StreamRefused,
    /// There is no way into the Tor network.
    #[error("the Tor network cannot be reached{}", because(blocked.as_ref()))]
    NetworkDown {
        /// The reason, as far as it is known.
        blocked: Option<Blockage>,
    },
    /// Another process uses the same state directory.
    #[error("another process uses the same Tor state directory")]
    StateInUse,
    /// A directory for Tor's state cannot be made or used.
    #[error("cannot use the directory {}: {source}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others than the owner may write to the state directory or a parent of it, or it cannot be read.
    #[error("the Tor state directory is not safe to use: {0}")]
    UnsafeState(String),
    /// The network file is wrong.
    #[error(transparent)]
    NetworkFile(#[from] NetworkFileError),
    /// Arti does not accept the configuration.
    #[error("the Tor configuration is not valid: {0}")]
    Configuration(String),
    /// The Tor network requires a newer version of this program.
    #[error("this version is too old for the Tor network")]
    Obsolete,
    /// There is no tokio runtime to run in.
    #[error("Tor was started outside of its runtime")]
    NoRuntime,
    /// Anything else inside Arti.
    #[error("Tor failed: {0}")]
    Internal(String),
}

impl TorError {
    /// What it means for the user.
    #[must_use]
    pub const fn meaning(&self) -> &'static str {
        match self {
            Self::NotAnOnionAddress => "Nothing was sent. An address with a wrong checksum leads nowhere.",
            Self::ServiceNotFound => {
                "The relay is not running, has not been reachable for hours, or the address is wrong."
            }
            Self::ServiceUnreachable => {
                "The relay may be overloaded or restarting, or the Tor network is slow."
            }
            Self::StreamRefused => "The relay is up but takes no further connections at the moment.",
            Self::NetworkDown { .. } => "Nothing was sent and nothing is lost.",
            Self::StateInUse => "Two processes must not share one identity and one set of guards.",
            Self::Directory { .. } | Self::UnsafeState(_) => {
                "Tor was not started, because its keys would not be safe."
            }
            Self::NetworkFile(_) | Self::Configuration(_) => {
                "Tor was not started; no other network is used instead."
            }
            Self::Obsolete => "Tor shut down to protect its users from a version with known faults.",
            Self::NoRuntime | Self::Internal(_) => "This is a fault in the program.",
        }
    }

    /// What to try.
    #[must_use]
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::NotAnOnionAddress => "Copy the address again, all 56 characters and `.onion`.",
            Self::ServiceNotFound => {
                "Ask the relay's operator, compare the address, and try again in a few minutes."
            }
            Self::ServiceUnreachable | Self::StreamRefused => "Try again in a minute.",
            Self::NetworkDown { blocked: Some(blocked) } => blocked.advice(),
            Self::NetworkDown { blocked: None } => "Check the network connection and the clock.",
            Self::StateInUse => "End the other process, or give this one a directory of its own.",
            Self::Directory { .. } => "Check the path, its owner and the free space.",
            Self::UnsafeState(_) => {
                "Make the directory and its parents writable by their owner only (chmod go-w, chmod 700)."
            }
            Self::NetworkFile(_) | Self::Configuration(_) => "Correct the file and start again.",
            Self::Obsolete => "Install the current version.",
            Self::NoRuntime | Self::Internal(_) => {
                "Try again; if it stays so, please report it with the output of -vv."
            }
        }
    }

    /// Sorts Arti's error. `blocked` is what bootstrapping last complained about.
    pub(crate) fn of<E: HasKind + Error + 'static>(error: &E, blocked: Option<Blockage>) -> Self {
        match error.kind() {
            // Arti calls it a wrong use of its interface.
            _ if circuit_went(error) => Self::ServiceUnreachable,
            ErrorKind::OnionServiceNotFound => Self::ServiceNotFound,
            ErrorKind::OnionServiceConnectionFailed
            | ErrorKind::OnionServiceNotRunning
            | ErrorKind::OnionServiceProtocolViolation
            | ErrorKind::OnionServiceMissingClientAuth
            | ErrorKind::OnionServiceWrongClientAuth
            | ErrorKind::RemoteNetworkTimeout
            | ErrorKind::RemoteNetworkFailed
            | ErrorKind::RemoteProtocolViolation
            | ErrorKind::TorNetworkTimeout
            | ErrorKind::TorProtocolViolation
            | ErrorKind::RelayIdMismatch
            | ErrorKind::RelayTooBusy
            | ErrorKind::CircuitRefused
            | ErrorKind::CircuitCollapse
            | ErrorKind::TransientFailure
            // Of a circuit, by whoever else asked for it.
            | ErrorKind::ReactorShuttingDown => Self::ServiceUnreachable,
            ErrorKind::RemoteStreamClosed
            | ErrorKind::RemoteStreamReset
            | ErrorKind::RemoteStreamError
            | ErrorKind::RemoteConnectionRefused
            | ErrorKind::ExitPolicyRejected => Self::StreamRefused,
            ErrorKind::InvalidStreamTarget | ErrorKind::OnionServiceAddressInvalid => Self::NotAnOnionAddress,
            ErrorKind::TorAccessFailed
            | ErrorKind::LocalNetworkError
            | ErrorKind::BootstrapRequired
            | ErrorKind::DirectoryExpired
            | ErrorKind::TorDirectoryUnusable
            | ErrorKind::TorDirectoryError
            | ErrorKind::NoPath => Self::NetworkDown { blocked },
            ErrorKind::ClockSkew => {
                Self::NetworkDown { blocked: Some(Blockage { kind: BlockageKind::ClockSkewed }) }
            }
            ErrorKind::LocalResourceAlreadyInUse => Self::StateInUse,
            ErrorKind::FsPermissions
            | ErrorKind::PersistentStateAccessFailed
            | ErrorKind::PersistentStateCorrupted
            | ErrorKind::KeystoreAccessFailed
            | ErrorKind::KeystoreCorrupted
            | ErrorKind::CacheAccessFailed
            | ErrorKind::CacheCorrupted => Self::UnsafeState(chain(error)),
            ErrorKind::InvalidConfig => Self::Configuration(chain(error)),
            ErrorKind::SoftwareDeprecated => Self::Obsolete,
            _ => Self::Internal(chain(error)),
        }
    }
}

fn because(blocked: Option<&Blockage>) -> String {
    blocked.map_or_else(String::new, |blocked| format!(": {}", blocked.reason()))
}

/// The messages of an error and its causes; Arti redacts addresses in them itself.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Whether the circuit ended just when a stream was to be opened on it.
fn circuit_went(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| matches!(cause.downcast_ref(), Some(tor_proto::Error::NotConnected)))
}

/// The error and its causes.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    successors(Some(error), |error| (*error).source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_no_network_is_told_why_and_what_to_try() {
        let error = TorError::NetworkDown { blocked: Some(Blockage { kind: BlockageKind::ClockSkewed }) };
        assert_eq!(
            error.to_string(),
            "the Tor network cannot be reached: this machine's clock seems to be wrong"
        );
        assert!(error.advice().contains("clock"));
    }

    /// As Arti gives it: the cause lies below errors of its own.
    #[derive(Debug, thiserror::Error)]
    #[error("while launching a data stream")]
    struct Launching(#[source] tor_proto::Error);

    impl HasKind for Launching {
        fn kind(&self) -> ErrorKind {
            self.0.kind()
        }
    }

    #[test]
    fn a_circuit_that_ends_under_a_new_stream_is_a_matter_of_the_network() {
        let went = Launching(tor_proto::Error::NotConnected);
        assert_eq!(went.kind(), ErrorKind::BadApiUsage, "as which it would be a fault of ours");
        assert!(matches!(TorError::of(&went, None), TorError::ServiceUnreachable));
        assert_eq!(chain(&went), "while launching a data stream: Stream not connected");
        let other = Launching(tor_proto::Error::BadStreamAddress);
        assert_eq!(other.kind(), went.kind());
        assert!(matches!(TorError::of(&other, None), TorError::Internal(_)));
    }
}
