//! Settings to Arti's configuration, by way of the TOML form that Arti itself documents.
//!
//! TOML and not the builders, because a list that TOML sets replaces Arti's built-in one, while the builders' list
//! accessors *add* to the list of public relays.

use crate::{
    Network, PrivateNetwork, Role, TorError, TorLimits, directories::Directories, settings::TorSettings,
};
use arti_client::config::{
    CfgPath, TorClientConfig, TorClientConfigBuilder,
    onion_service::{OnionServiceConfig, OnionServiceConfigBuilder},
};
use std::time::Duration;
use toml::{Table, Value};

/// Name of the service inside Arti's key store; part of a path on disk.
const NICKNAME: &str = "nightdrop";

/// The configuration of a Tor client, whose state lies in `directories`.
pub(crate) fn client(settings: &TorSettings, directories: &Directories) -> Result<TorClientConfig, TorError> {
    let base = network_table(&settings.network).map_err(TorError::Configuration)?;
    let mut builder = builder(base, settings.role, &settings.limits).map_err(TorError::Configuration)?;
    builder
        .storage()
        .state_dir(CfgPath::new_literal(&directories.state))
        .cache_dir(CfgPath::new_literal(&directories.cache));
    builder.build().map_err(|error| TorError::Configuration(error.to_string()))
}

/// The configuration of the onion service.
pub(crate) fn service(limits: &TorLimits) -> Result<OnionServiceConfig, TorError> {
    let nickname = NICKNAME.parse().map_err(|_| TorError::Configuration("nickname".to_owned()))?;
    OnionServiceConfigBuilder::default()
        .nickname(nickname)
        .max_concurrent_streams_per_circuit(limits.streams_per_circuit)
        .build()
        .map_err(|error| TorError::Configuration(error.to_string()))
}

/// Whether Arti accepts the values of a network file.
pub(crate) fn check_network(network: &PrivateNetwork) -> Result<(), String> {
    let table = network.to_toml().map_err(|error| error.to_string())?;
    let builder = builder(table, Role::Client, &TorLimits::default())?;
    builder.build().map(drop).map_err(|error| error.to_string())
}

fn network_table(network: &Network) -> Result<Table, String> {
    match network {
        Network::Live => Ok(Table::new()),
        Network::Private(network) => network.to_toml().map_err(|error| error.to_string()),
    }
}

fn builder(mut table: Table, role: Role, limits: &TorLimits) -> Result<TorClientConfigBuilder, String> {
    table.insert("vanguards".to_owned(), vanguards(role));
    table.insert("stream_timeouts".to_owned(), section([("connect_timeout", duration(limits.stream))]));
    table.insert(
        "circuit_timing".to_owned(),
        section([("hs_dir_requery_interval", duration(limits.descriptor_requery))]),
    );
    Value::Table(table).try_into().map_err(|error: toml::de::Error| error.to_string())
}

fn vanguards(role: Role) -> Value {
    let mode = match role {
        Role::Client => "auto",
        Role::Relay => "full",
    };
    section([("mode", Value::String(mode.to_owned()))])
}

fn section<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Table(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// A duration in the textual form that Arti reads.
fn duration(duration: Duration) -> Value {
    Value::String(format!("{} ms", duration.as_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, SocketAddr};

    const ALL_SECTIONS: &str = include_str!("../tests/vectors/good_all_sections.toml");

    fn built(network: &Network, role: Role) -> TorClientConfig {
        let table = network_table(network).unwrap();
        builder(table, role, &TorLimits::default()).unwrap().build().unwrap()
    }

    fn private() -> Network {
        Network::Private(ALL_SECTIONS.parse().unwrap())
    }

    /// Every address that stands in a configuration's directory section, and its authorities' names.
    fn contacts(config: &TorClientConfig) -> (Vec<IpAddr>, Vec<String>) {
        let network = config.dir_mgr_config().unwrap().network;
        let authorities = network.authorities();
        let lists = [authorities.uploads(), authorities.downloads(), authorities.votes()];
        let mut addresses: Vec<IpAddr> = lists.into_iter().flatten().flatten().map(SocketAddr::ip).collect();
        // A cache gives out its addresses only in what it prints.
        let caches = format!("{:?}", network.fallback_caches());
        addresses.extend(addresses_in(&caches));
        (addresses, authorities.v3idents().iter().map(ToString::to_string).collect())
    }

    fn addresses_in(text: &str) -> Vec<IpAddr> {
        text.split(|c: char| !(c.is_ascii_hexdigit() || matches!(c, '.' | ':' | '[' | ']')))
            // A list's own bracket may stand before its first address.
            .filter_map(|word| {
                word.parse().or_else(|_| word.trim_end_matches(']').replacen('[', "", 1).parse()).ok()
            })
            .map(|address: SocketAddr| address.ip())
            .collect()
    }

    #[test]
    fn a_private_network_replaces_every_public_address() {
        let (public, public_authorities) = contacts(&built(&Network::Live, Role::Relay));
        // The probe sees what must not be there: Tor ships nine authorities and far more caches.
        assert!(public.len() > 100, "{}", public.len());
        assert!(public_authorities.len() > 5);
        for role in [Role::Client, Role::Relay] {
            let (addresses, authorities) = contacts(&built(&private(), role));
            assert_eq!(addresses, ["127.10.0.1".parse::<IpAddr>().unwrap(); 4]);
            assert_eq!(authorities.len(), 1);
            assert!(authorities.iter().all(|authority| !public_authorities.contains(authority)));
        }
    }

    #[test]
    fn relays_use_full_vanguards() {
        let mode = |role| format!("{:?}", built(&private(), role)).contains("mode: Explicit(Full)");
        assert!(mode(Role::Relay));
        assert!(!mode(Role::Client));
    }

    #[test]
    fn the_bound_on_streams_per_circuit_reaches_the_service() {
        let limits = TorLimits { streams_per_circuit: 7, ..TorLimits::default() };
        assert_eq!(*service(&limits).unwrap().max_concurrent_streams_per_circuit(), 7);
    }

    #[test]
    fn the_keys_of_the_file_reach_arti() {
        let config = built(&private(), Role::Client).dir_mgr_config().unwrap();
        assert_eq!(config.schedule.retry_bootstrap().n_attempts(), 10);
        assert_eq!(config.override_net_params.get("hsdir_interval"), Some(&120));
    }
}
