//! Namespaces: a network of our own with only `lo`, and a process tree of our own of which nothing is left behind.
//!
//! `tornet` starts itself once more through `unshare`: that inner process is number 1 of a PID namespace, so that
//! the kernel kills everything in it when it ends, and `unshare --kill-child` ends it when `unshare` dies. The outer
//! process only hands signals inwards and the exit status outwards. As root no user namespace is made (inside one,
//! changing the user id fails, and a relay does that); an ordinary user can have no others without one.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::geteuid;

use super::error::{Error, Result};
use super::programs::find;

/// In a user namespace `/` belongs to nobody, and Arti's permission checks refuse every path.
const PERMISSION_CHECKS: (&str, &str) = ("FS_MISTRUST_DISABLE_PERMISSIONS_CHECKS", "true");
/// Answer every segment at once: delayed acknowledgements of loopback cost each hop up to 40 ms.
/// Both are needed: connections to the other addresses take the first, to 127.0.0.1 the second.
const QUICK_ROUTES: [&str; 2] = ["127.0.0.0/8", "127.0.0.1"];

/// A way into fresh namespaces that the kernel has been seen to allow.
#[derive(Debug)]
pub struct Namespaces {
    unshare: PathBuf,
    as_ordinary_user: bool,
}

impl Namespaces {
    /// Tries it out.
    pub fn probe() -> Result<Self> {
        let this = Self { unshare: find("unshare", "util-linux")?, as_ordinary_user: !geteuid().is_root() };
        find("ip", "iproute2")?;
        let output = this.command("true").output().map_err(Error::io("start", &this.unshare))?;
        if output.status.success() {
            Ok(this)
        } else {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(Error::NamespacesRefused { said })
        }
    }

    /// `program` as a command in namespaces of its own; it dies with the process that this command starts.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(&self.unshare);
        if self.as_ordinary_user {
            command.arg("--map-root-user").env(PERMISSION_CHECKS.0, PERMISSION_CHECKS.1);
        }
        command
            .args(["--net", "--pid", "--mount", "--mount-proc", "--fork", "--kill-child", "--"])
            .arg(program);
        command
    }
}

/// Brings up `lo` in the namespace that we are in, and makes it quick.
pub fn set_up_loopback() -> Result<()> {
    let ip = find("ip", "iproute2")?;
    run(&ip, &["link", "set", "lo", "up"])?;
    for route in QUICK_ROUTES {
        let to = ["route", "replace", "table", "local", "local", route];
        let by = ["dev", "lo", "proto", "kernel", "scope", "host", "src", "127.0.0.1", "quickack", "1"];
        run(&ip, &[&to[..], &by[..]].concat())?;
    }
    Ok(())
}

fn run(ip: &Path, arguments: &[&str]) -> Result<()> {
    let output = Command::new(ip).args(arguments).output().map_err(Error::io("start", ip))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::StepFailed {
        step: format!("ip {}", arguments.join(" ")),
        how: output.status.to_string(),
        said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}
