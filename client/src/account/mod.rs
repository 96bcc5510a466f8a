//! The account plane: making an account, opening it, and what an open one may ask for.

mod login;
mod register;
mod session;

pub use login::log_in;
pub use register::{Prepared, commit, prepare};
pub use session::Session;
