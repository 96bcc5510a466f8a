//! The cryptography under TLS to Tor relays.

/// Installs the provider that rustls uses, once per process. Arti panics without one.
pub(crate) fn install_provider() {
    // An error means that one is there already, which is what is wanted.
    let _already_there = rustls::crypto::ring::default_provider().install_default();
}
