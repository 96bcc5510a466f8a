//! One file per command.

pub(super) mod get;
pub(super) mod info;
pub(super) mod login;
pub(super) mod ls;
pub(super) mod mv;
pub(super) mod put;
pub(super) mod register;
pub(super) mod rm;
pub(super) mod share;
pub(super) mod unshare;
