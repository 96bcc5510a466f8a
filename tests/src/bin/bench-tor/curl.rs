//! curl over Debian's `tor` at both ends: one stream, as most programs use Tor.

use crate::{c_tor::CTor, error::BenchError, rates::Rates};
use nightdrop_tests::measure::MIB;
use std::{
    io::{Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(180);

/// An HTTP server behind the C service that gives the file and takes anything.
pub(crate) struct Server;

impl Server {
    /// Serves until the process ends.
    pub(crate) fn start(c_tor: &CTor, file: &Path) -> Result<Self, BenchError> {
        let (listener, content) = (UnixListener::bind(c_tor.http_socket())?, std::fs::read(file)?);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // How it ended shows at curl's side.
                let _ = serve(stream, &content);
            }
        });
        Ok(Self)
    }

    /// The file both ways.
    #[expect(clippy::unused_self, reason = "there is nobody to ask without it")]
    pub(crate) fn rates(&self, c_tor: &CTor, file: &Path) -> Result<Rates, BenchError> {
        let url = format!("http://{}/file", c_tor.hostname()?);
        let size = std::fs::metadata(file)?.len();
        let down = curl(c_tor, &["-o", "/dev/null", &url])?.down(size);
        let upload = ["-T", &file.to_string_lossy(), "-H", "Expect:", "-o", "/dev/null", &url];
        Ok(Rates { up: curl(c_tor, &upload)?.up(size), down })
    }
}

fn serve(mut stream: UnixStream, content: &[u8]) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.extend_from_slice(&byte);
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    if head.starts_with("get ") {
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", content.len())?;
        return stream.write_all(content);
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
    std::io::copy(&mut Read::take(&mut stream, length.unwrap_or(0)), &mut std::io::sink())?;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

/// When curl began to send, got the first byte, and was done: seconds.
pub(crate) struct Times {
    sending: f64,
    first_byte: f64,
    done: f64,
}

impl Times {
    /// MiB/s from the first byte of the answer to the last.
    pub(crate) fn down(&self, size: u64) -> f64 {
        size as f64 / MIB / (self.done - self.first_byte)
    }

    /// MiB/s from the request to its answer.
    pub(crate) fn up(&self, size: u64) -> f64 {
        size as f64 / MIB / (self.done - self.sending)
    }
}

/// Runs curl through the C client, again until the service is reachable.
pub(crate) fn curl(c_tor: &CTor, arguments: &[&str]) -> Result<Times, BenchError> {
    let end = Instant::now() + LIMIT;
    loop {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail", "--proxy", &c_tor.proxy()]);
        curl.args(["--write-out", "%{time_pretransfer} %{time_starttransfer} %{time_total}"]);
        let output = curl.args(arguments).output()?;
        if output.status.success() {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let times: Vec<f64> = text.split(' ').filter_map(|time| time.trim().parse().ok()).collect();
            return match times.as_slice() {
                &[sending, first_byte, done] => Ok(Times { sending, first_byte, done }),
                _ => Err(BenchError::Peer {
                    program: "curl",
                    what: "says something else".to_owned(),
                    output: text,
                }),
            };
        }
        if Instant::now() > end {
            let output_text = String::from_utf8_lossy(&output.stderr).into_owned();
            let what = format!("ended with {}", output.status);
            return Err(BenchError::Peer { program: "curl", what, output: output_text });
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}
