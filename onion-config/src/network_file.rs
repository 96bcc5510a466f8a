//! The keys that a `network.toml` may hold: Arti's own, cut down to what describes a private network.
//!
//! Every key of Arti that has a public default is required, because an absent one would silently mean the public Tor
//! network. Unknown keys are refused by name.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::SocketAddr};

/// A whole `network.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NetworkFile {
    pub(crate) tor_network: TorNetwork,
    pub(crate) address_filter: AddressFilter,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path_rules: Option<PathRules>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) override_net_params: BTreeMap<String, i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) download_schedule: Option<DownloadSchedules>,
}

/// Where the network begins: who signs its consensus and who hands it out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TorNetwork {
    pub(crate) fallback_caches: Vec<FallbackCache>,
    pub(crate) authorities: Authorities,
}

/// A relay that hands out the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FallbackCache {
    pub(crate) rsa_identity: String,
    pub(crate) ed_identity: String,
    pub(crate) orports: Vec<SocketAddr>,
}

/// The directory authorities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Authorities {
    pub(crate) v3idents: Vec<String>,
    pub(crate) uploads: Vec<Vec<SocketAddr>>,
    pub(crate) downloads: Vec<Vec<SocketAddr>>,
    pub(crate) votes: Vec<Vec<SocketAddr>>,
}

/// Whether relays may have addresses like 127.0.0.1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddressFilter {
    pub(crate) allow_local_addrs: bool,
}

/// How far apart the relays of a path have to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PathRules {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ipv4_subnet_family_prefix: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ipv6_subnet_family_prefix: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reachable_addrs: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) long_lived_ports: Option<Vec<u16>>,
}

/// How often and how soon directory downloads are repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DownloadSchedules {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_bootstrap: Option<DownloadSchedule>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_consensus: Option<DownloadSchedule>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_certs: Option<DownloadSchedule>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_microdescs: Option<DownloadSchedule>,
}

/// One schedule; the delay is a text such as `500 ms`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DownloadSchedule {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) initial_delay: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parallelism: Option<u8>,
}

impl NetworkFile {
    /// The name of a list that is empty and must not be; an empty list would leave Arti without a network of ours.
    pub(crate) fn empty_list(&self) -> Option<&'static str> {
        let TorNetwork { fallback_caches, authorities } = &self.tor_network;
        let no_address = |lists: &[Vec<SocketAddr>]| lists.iter().all(Vec::is_empty);
        [
            ("tor_network.fallback_caches", fallback_caches.is_empty()),
            ("tor_network.fallback_caches.orports", fallback_caches.iter().any(|c| c.orports.is_empty())),
            ("tor_network.authorities.v3idents", authorities.v3idents.is_empty()),
            ("tor_network.authorities.uploads", no_address(&authorities.uploads)),
            ("tor_network.authorities.downloads", no_address(&authorities.downloads)),
            ("tor_network.authorities.votes", no_address(&authorities.votes)),
        ]
        .into_iter()
        .find_map(|(name, empty)| empty.then_some(name))
    }
}
