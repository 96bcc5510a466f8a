//! Tokio's runtime for Arti, whose connections send small pieces at once: without `TCP_NODELAY` a piece waits until what went before is acknowledged.

use std::{io, net::SocketAddr};
use tor_rtcompat::{CompoundRuntime, NetStreamProvider, RuntimeSubstExt, tokio::TokioRustlsRuntime};

/// Tokio's runtime with other TCP connections.
pub(crate) type Runtime = CompoundRuntime<
    TokioRustlsRuntime,
    TokioRustlsRuntime,
    TokioRustlsRuntime,
    NoDelay,
    TokioRustlsRuntime,
    TokioRustlsRuntime,
    TokioRustlsRuntime,
>;

/// Connects with `TCP_NODELAY`.
#[derive(Clone)]
pub(crate) struct NoDelay(TokioRustlsRuntime);

/// The runtime that runs this.
pub(crate) fn current() -> io::Result<Runtime> {
    let runtime = TokioRustlsRuntime::current()?;
    Ok(runtime.with_tcp_provider(NoDelay(runtime.clone())))
}

type Tcp = TokioRustlsRuntime;

#[async_trait::async_trait]
impl NetStreamProvider<SocketAddr> for NoDelay {
    type Stream = <Tcp as NetStreamProvider<SocketAddr>>::Stream;
    type Listener = <Tcp as NetStreamProvider<SocketAddr>>::Listener;
    type ConnectOptions = <Tcp as NetStreamProvider<SocketAddr>>::ConnectOptions;
    type ListenOptions = <Tcp as NetStreamProvider<SocketAddr>>::ListenOptions;

    async fn connect(&self, address: &SocketAddr, _: &Self::ConnectOptions) -> io::Result<Self::Stream> {
        let socket = match address {
            SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4()?,
            SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6()?,
        };
        if std::env::var_os("ND_NODELAY").is_some() { socket.set_nodelay(true)?; }
        Ok(socket.connect(*address).await?.into())
    }

    async fn listen(&self, address: &SocketAddr, options: &Self::ListenOptions) -> io::Result<Self::Listener> {
        self.0.listen(address, options).await
    }
}
