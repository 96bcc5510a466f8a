//! A client and a service of Debian's `tor` in the same network, for what others build on it: curl and OnionShare.

use crate::error::BenchError;
use nightdrop_tests::system::network_file;
use std::{
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Where the service is controlled from; the network has namespaces of its own, so that nobody else is there.
pub(crate) const CONTROL_PORT: u16 = 9151;
/// The service's own way out, which OnionShare asks for and does not use.
pub(crate) const SOCKS_PORT: u16 = 9150;
const LIMIT: Duration = Duration::from_secs(120);

/// Both. Dropped, they are ended.
pub(crate) struct CTor {
    directory: PathBuf,
    service: Child,
    client: Child,
}

impl CTor {
    /// Starts both and waits until they know the network.
    pub(crate) fn start(directory: &Path) -> Result<Self, BenchError> {
        let (service, client) = (directory.join("service"), directory.join("client"));
        for place in [directory, &service, &client] {
            fs::create_dir_all(place)?;
            fs::set_permissions(place, Permissions::from_mode(0o700))?;
        }
        let service_options = format!(
            "SocksPort 127.0.0.1:{SOCKS_PORT}\nControlPort 127.0.0.1:{CONTROL_PORT}\n\
             HiddenServiceDir {}\nHiddenServicePort 80 unix:{}\n",
            service.join("hidden").display(),
            directory.join("http.socket").display()
        );
        let client_options = format!("SocksPort unix:{}\n", directory.join("socks.socket").display());
        let mut pair = Self {
            directory: directory.to_owned(),
            service: start(&service, &service_options)?,
            client: start(&client, &client_options)?,
        };
        wait_until_ready(&mut pair.service, &service)?;
        wait_until_ready(&mut pair.client, &client)?;
        Ok(pair)
    }

    /// The socket to which the service leads.
    pub(crate) fn http_socket(&self) -> PathBuf {
        self.directory.join("http.socket")
    }

    /// What curl is told of the client.
    pub(crate) fn proxy(&self) -> String {
        format!("socks5h://localhost{}", self.directory.join("socks.socket").display())
    }

    /// The service's name.
    pub(crate) fn hostname(&self) -> Result<String, BenchError> {
        Ok(fs::read_to_string(self.directory.join("service/hidden/hostname"))?.trim().to_owned())
    }
}

impl Drop for CTor {
    fn drop(&mut self) {
        for child in [&mut self.service, &mut self.client] {
            // It may have ended by itself, which is as good.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn start(directory: &Path, options: &str) -> Result<Child, BenchError> {
    let torrc = directory.join("torrc");
    let common = format!(
        "DataDirectory {}\nLog notice stdout\nTestingTorNetwork 1\nPathsNeededToBuildCircuits 0.25\n\
         EnforceDistinctSubnets 0\nClientUseIPv6 0\nNumCPUs 1\n__OwningControllerProcess {}\n",
        directory.join("data").display(),
        std::process::id()
    );
    fs::write(&torrc, common + &authorities()? + options)?;
    let log = File::create(directory.join("tor.log"))?;
    let mut tor = Command::new("tor");
    tor.arg("-f").arg(&torrc).arg("--defaults-torrc").arg(directory.join("none"));
    Ok(tor.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?)
}

/// The network's authorities, as its own nodes know them.
fn authorities() -> Result<String, BenchError> {
    let network = network_file()?;
    let torrc = fs::read_to_string(network.with_file_name("relay0").join("torrc"))?;
    let lines: Vec<&str> = torrc.lines().filter(|line| line.starts_with("DirAuthority ")).collect();
    if lines.is_empty() { Err(BenchError::Unexpected("a node's torrc")) } else { Ok(lines.join("\n") + "\n") }
}

fn wait_until_ready(tor: &mut Child, directory: &Path) -> Result<(), BenchError> {
    let end = Instant::now() + LIMIT;
    loop {
        let output = fs::read_to_string(directory.join("tor.log"))?;
        if output.contains("Bootstrapped 100%") {
            return Ok(());
        }
        let what = match tor.try_wait()? {
            Some(status) => format!("ended with {status}"),
            None if Instant::now() > end => "does not come up".to_owned(),
            None => {
                std::thread::sleep(Duration::from_millis(100));
                continue;
            }
        };
        return Err(BenchError::Peer { program: "tor", what, output });
    }
}
