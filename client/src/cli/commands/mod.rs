//! One file per command.

pub(super) mod agent;
pub(super) mod get;
mod get_directory;
pub(super) mod info;
pub(super) mod lock;
pub(super) mod login;
pub(super) mod logout;
pub(super) mod ls;
pub(super) mod mv;
pub(super) mod passwd;
pub(super) mod put;
mod put_directory;
pub(super) mod recover;
pub(super) mod register;
pub(super) mod rekey;
pub(super) mod rm;
pub(super) mod sessions;
pub(super) mod share;
pub(super) mod status;
pub(super) mod transfers;
pub(super) mod unlock;
pub(super) mod unregister;
pub(super) mod unshare;
