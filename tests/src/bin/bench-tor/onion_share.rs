//! OnionShare as its users run it: share mode for downloads, receive mode for uploads, the browser played by curl.

use crate::{
    c_tor::{CONTROL_PORT, CTor, SOCKS_PORT},
    curl::curl,
    error::BenchError,
    rates::Rates,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const PROGRAM: &str = "onionshare-cli";
const LIMIT: Duration = Duration::from_secs(180);

/// Whether it is installed.
pub(crate) fn is_installed() -> bool {
    Command::new(PROGRAM).arg("--help").output().is_ok_and(|output| output.status.success())
}

/// The file both ways.
pub(crate) fn rates(c_tor: &CTor, directory: &Path, file: &Path) -> Result<Rates, BenchError> {
    let size = fs::metadata(file)?.len();
    let sharing = Sharing::start(directory, &["--no-autostop-sharing", &file.to_string_lossy()])?;
    let down = curl(c_tor, &["-o", "/dev/null", &format!("{}/download", sharing.address)])?.down(size);
    drop(sharing);
    let received = directory.join("received");
    fs::create_dir_all(&received)?;
    let receiving = Sharing::start(directory, &["--receive", "--data-dir", &received.to_string_lossy()])?;
    let form = format!("file[]=@{}", file.display());
    let up =
        curl(c_tor, &["-F", &form, "-o", "/dev/null", &format!("{}/upload", receiving.address)])?.up(size);
    drop(receiving);
    fs::remove_dir_all(&received)?;
    Ok(Rates { up, down })
}

/// A running OnionShare. Dropped, it is ended.
struct Sharing {
    child: Child,
    address: String,
}

impl Sharing {
    fn start(directory: &Path, arguments: &[&str]) -> Result<Self, BenchError> {
        fs::create_dir_all(directory)?;
        let log = directory.join("onionshare.log");
        let output = File::create(&log)?;
        let mut command = Command::new(PROGRAM);
        command.arg("--config").arg(settings(directory)?).arg("--public").args(arguments);
        // Its own settings go elsewhere than the user's.
        command.env("HOME", directory).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let mut child = command.spawn()?;
        let end = Instant::now() + LIMIT;
        loop {
            let output = fs::read_to_string(&log)?;
            if let Some(address) = address_in(&output) {
                return Ok(Self { child, address });
            }
            let ended = child.try_wait()?;
            if ended.is_some() || Instant::now() > end {
                let _ = child.kill();
                let what =
                    ended.map_or("gives no address".to_owned(), |status| format!("ended with {status}"));
                return Err(BenchError::Peer { program: PROGRAM, what, output });
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Sharing {
    fn drop(&mut self) {
        // As its users do; it takes its service away then.
        let asked = i32::try_from(self.child.id()).map(|id| kill(Pid::from_raw(id), Signal::SIGINT));
        let end = Instant::now() + Duration::from_secs(20);
        while asked.is_ok() && matches!(self.child.try_wait(), Ok(None)) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(100));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Tells it to use the C service's control port.
fn settings(directory: &Path) -> Result<PathBuf, BenchError> {
    let path = directory.join("onionshare.json");
    let settings = serde_json::json!({
        "connection_type": "control_port",
        "control_port_address": "127.0.0.1",
        "control_port_port": CONTROL_PORT,
        "socks_address": "127.0.0.1",
        "socks_port": SOCKS_PORT,
        "auth_type": "no_auth",
    });
    fs::write(&path, settings.to_string())?;
    Ok(path)
}

fn address_in(output: &str) -> Option<String> {
    let word =
        output.split_whitespace().find(|word| word.starts_with("http://") && word.ends_with(".onion"))?;
    Some(word.to_owned())
}
