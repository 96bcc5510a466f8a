//! Which Tor network is used: the public one, or a private one that a file describes.

use crate::{configuration, network_file::NetworkFile};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// The Tor network to use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Network {
    /// The public Tor network.
    #[default]
    Live,
    /// A network of one's own, as the test suite and the demo start it.
    Private(PrivateNetwork),
}

/// A private network. It names its own authorities and fallback caches, and Arti accepted it: both were checked when
/// it was parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateNetwork(Arc<NetworkFile>);

/// Why a `network.toml` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NetworkFileError {
    /// The file cannot be read.
    #[error("cannot read the network file {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not TOML, a key is missing, or a key is none that describes a private network.
    #[error("the network file is malformed: {0}")]
    Malformed(String),
    /// A list is empty whose emptiness would lead to the public network.
    #[error("the network file leaves {0} empty")]
    Empty(&'static str),
    /// A value has the wrong form for Arti.
    #[error("the network file holds a value that Tor cannot use: {0}")]
    Unusable(String),
}

impl Network {
    /// [`Network::Private`] from a file, [`Network::Live`] without one.
    ///
    /// # Errors
    /// [`NetworkFileError`] says what is wrong with the file.
    pub fn load(file: Option<&Path>) -> Result<Self, NetworkFileError> {
        let Some(path) = file else { return Ok(Self::Live) };
        let text = std::fs::read_to_string(path)
            .map_err(|source| NetworkFileError::Unreadable { path: path.to_owned(), source })?;
        text.parse().map(Self::Private)
    }

    /// Name of the directory that holds this network's state. Guards remembered from one network must never be tried
    /// from another.
    pub(crate) const fn directory_name(&self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Private(_) => "private",
        }
    }
}

impl PrivateNetwork {
    /// As Arti's configuration expects it.
    pub(crate) fn to_toml(&self) -> Result<toml::Table, toml::ser::Error> {
        toml::Table::try_from(&*self.0)
    }
}

impl std::str::FromStr for PrivateNetwork {
    type Err = NetworkFileError;

    fn from_str(text: &str) -> Result<Self, NetworkFileError> {
        let file: NetworkFile =
            toml::from_str(text).map_err(|error| NetworkFileError::Malformed(error.to_string()))?;
        if let Some(name) = file.empty_list() {
            return Err(NetworkFileError::Empty(name));
        }
        let network = Self(Arc::new(file));
        configuration::check_network(&network).map_err(NetworkFileError::Unusable)?;
        Ok(network)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors(kind: &str) -> Vec<(String, String)> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
        let mut vectors: Vec<_> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path))
            .filter(|(name, _)| name.starts_with(kind))
            .map(|(name, path)| (name, std::fs::read_to_string(path).unwrap()))
            .collect();
        vectors.sort();
        vectors
    }

    fn refusal(vector: &str) -> NetworkFileError {
        let (_, text) = vectors("bad_").into_iter().find(|(name, _)| name == vector).unwrap();
        text.parse::<PrivateNetwork>().unwrap_err()
    }

    #[test]
    fn good_files_are_accepted() {
        let good = vectors("good_");
        assert_eq!(good.len(), 2);
        for (name, text) in good {
            text.parse::<PrivateNetwork>().unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }

    #[test]
    fn bad_files_are_refused() {
        let bad = vectors("bad_");
        assert_eq!(bad.len(), 16);
        for (name, text) in bad {
            assert!(text.parse::<PrivateNetwork>().is_err(), "{name}");
        }
    }

    #[test]
    fn refusals_name_the_key() {
        for (vector, key) in [
            ("bad_unknown_section_storage", "`storage`"),
            ("bad_unknown_key_in_authorities", "`voting`"),
            ("bad_unknown_key_in_address_filter", "`allow_onion_addrs`"),
            ("bad_no_fallback_caches", "`fallback_caches`"),
            ("bad_no_v3idents", "`v3idents`"),
            ("bad_no_downloads", "`downloads`"),
            ("bad_no_fallback_caches_in_list", "tor_network.fallback_caches empty"),
            ("bad_no_v3idents_in_list", "tor_network.authorities.v3idents empty"),
            ("bad_downloads_without_address", "tor_network.authorities.downloads empty"),
        ] {
            let message = refusal(vector).to_string();
            assert!(message.contains(key), "{vector}: {message}");
        }
    }

    #[test]
    fn values_that_only_arti_understands_are_checked_when_the_file_is_read() {
        for vector in ["bad_identity_is_not_hexadecimal", "bad_delay_without_unit"] {
            assert!(matches!(refusal(vector), NetworkFileError::Unusable(_)), "{vector}");
        }
    }

    #[test]
    fn without_a_file_the_network_is_the_public_one() {
        assert_eq!(Network::load(None).unwrap(), Network::Live);
        let missing = Network::load(Some(Path::new("/nonexistent/network.toml"))).unwrap_err();
        assert!(matches!(missing, NetworkFileError::Unreadable { .. }));
    }
}
