//! The operating system's generator, in the two forms that our dependencies ask for.

use rand::{rand_core::UnwrapErr, rngs::SysRng};

/// For `envelope`. A system without randomness stops the program, which is the only safe answer.
pub(crate) fn system() -> UnwrapErr<SysRng> {
    UnwrapErr(SysRng)
}

/// For `login`, whose OPAQUE takes its randomness through an older interface.
pub(crate) const fn for_login() -> rand08::rngs::OsRng {
    rand08::rngs::OsRng
}
