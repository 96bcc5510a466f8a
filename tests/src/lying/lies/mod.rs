//! The lies, one concept per file. Each alters every answer that it sees; [`on`] and [`once`] aim it.

mod aim;
mod bytes;
mod control;
mod impostor;
mod kept_log;
mod length;
mod request;
mod status;
mod substitute;

pub use aim::{On, Once, on, once};
pub use bytes::{Append, FlipBit, Replace, Truncate};
pub use control::Alter;
pub use impostor::Impostor;
pub use kept_log::KeptLog;
pub use length::{Declare, EndAfter, FallSilent, Flood};
pub use request::{AskInstead, Swallow};
pub use status::{Headers, Refuse, Say};
pub use substitute::Substitute;
