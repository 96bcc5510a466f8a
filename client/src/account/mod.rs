//! The account plane: making an account, opening it, and what an open one may ask for.

mod access;
mod login;
mod open_registration;
mod register;
mod rekey;
mod remove;
mod session;

pub use access::{NewAccess, RecoveryWish, change_password, recover};
pub use login::log_in;
pub use open_registration::{OpenRelay, WorkProgress};
pub use register::{Prepared, commit, prepare};
pub use rekey::{NextKeyring, Rekeyed, Rekeying};
pub use remove::remove;
pub use session::Session;
