//! One file per command.

pub(super) mod get;
pub(super) mod login;
pub(super) mod put;
pub(super) mod register;
