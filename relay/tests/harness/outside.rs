//! Counts every attempt of this network namespace to reach an address outside of it.
//!
//! Inside `tornet` there is `lo` and no default route. The kernel counts each connection and each datagram that it
//! refuses because no route leads to it (`OutNoRoutes`), whoever asked: nothing is sampled, nothing can be missed. The
//! count is the whole namespace's, so the one test that makes such attempts on purpose must not run twice at a time.

use std::net::{TcpStream, UdpSocket};

/// Refused attempts so far, IPv4 and IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attempts {
    ipv4: u64,
    ipv6: u64,
}

impl Attempts {
    /// What the kernel has counted.
    pub(crate) fn so_far() -> Self {
        Self { ipv4: ipv4(), ipv6: ipv6() }
    }
}

/// Tries all kinds on addresses that are reserved for documentation, and shows that each is counted.
pub(crate) fn show_that_attempts_are_counted() {
    let before = Attempts::so_far();
    for address in ["192.0.2.1:443", "[2001:db8::1]:443"] {
        TcpStream::connect(address).expect_err("nothing leads out of the test's network");
    }
    let after_tcp = Attempts::so_far();
    assert!(after_tcp.ipv4 > before.ipv4 && after_tcp.ipv6 > before.ipv6, "{before:?} {after_tcp:?}");
    for (from, to) in [("0.0.0.0:0", "192.0.2.1:53"), ("[::]:0", "[2001:db8::1]:53")] {
        UdpSocket::bind(from)
            .unwrap()
            .send_to(b"?", to)
            .expect_err("nothing leads out of the test's network");
    }
    let after_udp = Attempts::so_far();
    assert!(
        after_udp.ipv4 > after_tcp.ipv4 && after_udp.ipv6 > after_tcp.ipv6,
        "{after_tcp:?} {after_udp:?}"
    );
}

/// A line of names, then a line of values, both beginning with `Ip:`.
fn ipv4() -> u64 {
    let text = std::fs::read_to_string("/proc/net/snmp").unwrap();
    let mut lines = text.lines().filter(|line| line.starts_with("Ip:"));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let mut pairs = names.split(' ').zip(values.split(' '));
    pairs.find_map(|(name, value)| (name == "OutNoRoutes").then(|| value.parse().unwrap())).unwrap()
}

/// A name and a value a line.
fn ipv6() -> u64 {
    let text = std::fs::read_to_string("/proc/net/snmp6").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("Ip6OutNoRoutes")).unwrap();
    line.trim().parse().unwrap()
}
