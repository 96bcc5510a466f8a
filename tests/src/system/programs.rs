//! Where the built programs and the private network are.

use std::path::PathBuf;

/// Something that has to be there first is not.
#[derive(Debug, thiserror::Error)]
pub enum NotBuilt {
    /// A program.
    #[error("the program {0} is not built: run `cargo build --workspace`, or `make test`, which does")]
    Program(String),
    /// The network.
    #[error(
        "there is no private Tor network: run this as `tornet DIR -- COMMAND`, or `make test`, which does"
    )]
    Network,
}

/// Path of a built program of this workspace, from the directory where the running one was built.
///
/// # Errors
/// [`NotBuilt::Program`] if it is not there.
pub fn program(name: &str) -> Result<PathBuf, NotBuilt> {
    let own = std::env::current_exe().map_err(|_| NotBuilt::Program(name.to_owned()))?;
    // Tests lie one directory below programs.
    own.ancestors()
        .skip(1)
        .take(2)
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| NotBuilt::Program(name.to_owned()))
}

/// The network file of the private network that this process runs in.
///
/// # Errors
/// [`NotBuilt::Network`] outside of one.
pub fn network_file() -> Result<PathBuf, NotBuilt> {
    std::env::var_os("NIGHTDROP_TEST_NETWORK").map(PathBuf::from).ok_or(NotBuilt::Network)
}
