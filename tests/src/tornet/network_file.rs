//! `network.toml`: what a client or a service has to know of the network, in Arti's own keys.
//!
//! It is written last and under its final name only when complete, so that its existence means: the network is ready.

use std::fs;
use std::path::Path;

use serde::Serialize;

use super::error::{Error, Result};
use super::node::KeyedNode;

#[derive(Debug, Serialize)]
struct NetworkFile {
    tor_network: TorNetwork,
    address_filter: AddressFilter,
}

#[derive(Debug, Serialize)]
struct TorNetwork {
    fallback_caches: Vec<FallbackCache>,
    authorities: Authorities,
}

#[derive(Debug, Serialize)]
struct FallbackCache {
    rsa_identity: String,
    ed_identity: String,
    orports: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Authorities {
    v3idents: Vec<String>,
    uploads: Vec<Vec<String>>,
    downloads: Vec<Vec<String>>,
    votes: Vec<Vec<String>>,
}

#[derive(Debug, Serialize)]
struct AddressFilter {
    allow_local_addrs: bool,
}

/// Writes the description of this network to `path`.
pub(crate) fn write(path: &Path, nodes: &[KeyedNode]) -> Result<()> {
    let text = text(nodes).map_err(|error| Error::Io {
        doing: "write",
        what: path.to_owned(),
        source: std::io::Error::other(error),
    })?;
    let partial = path.with_extension("toml.partial");
    fs::write(&partial, text).map_err(Error::io("write", &partial))?;
    fs::rename(&partial, path).map_err(Error::io("write", path))
}

fn text(nodes: &[KeyedNode]) -> std::result::Result<String, toml::ser::Error> {
    let authorities = || nodes.iter().filter(|keyed| keyed.v3ident.is_some());
    let dir_ports =
        || authorities().map(|keyed| vec![keyed.node.dir_address.to_string()]).collect::<Vec<_>>();
    toml::to_string(&NetworkFile {
        tor_network: TorNetwork {
            fallback_caches: nodes
                .iter()
                .map(|keyed| FallbackCache {
                    rsa_identity: keyed.rsa_identity.clone(),
                    ed_identity: keyed.ed_identity.clone(),
                    orports: vec![keyed.node.or_address.to_string()],
                })
                .collect(),
            authorities: Authorities {
                v3idents: authorities().filter_map(|keyed| keyed.v3ident.clone()).collect(),
                uploads: dir_ports(),
                downloads: dir_ports(),
                votes: dir_ports(),
            },
        },
        address_filter: AddressFilter { allow_local_addrs: true },
    })
}
