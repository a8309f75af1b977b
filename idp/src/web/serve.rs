//! Listening: plain http on loopback, TLS from files, bounded patience with slow clients, graceful drain.

use axum::Router;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Handle, Server};
use hyper_util::rt::TokioTimer;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::watch;

/// A client that has not sent its whole request header by then is cut off.
const HEADER_PATIENCE: Duration = Duration::from_secs(10);

/// Takes an address. `setting` is where the operator wrote it.
///
/// # Errors
/// A sentence for people when another program has it, or it is not of this machine.
pub fn bind(listen: SocketAddr, setting: &str) -> Result<TcpListener, String> {
    let taken = TcpListener::bind(listen).and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    taken.map_err(|e| format!("{setting}: cannot listen on {listen}: {e}"))
}

/// Serves until `stop` turns true; open requests get `drain` to finish.
///
/// # Errors
/// A sentence for people when listening fails or the certificate cannot be read.
pub async fn serve(
    router: Router,
    listener: TcpListener,
    tls: Option<(PathBuf, PathBuf)>,
    drain: Duration,
    mut stop: watch::Receiver<bool>,
) -> Result<(), String> {
    let handle = Handle::new();
    let stopper = handle.clone();
    tokio::spawn(async move {
        let _ = stop.wait_for(|stop| *stop).await;
        stopper.graceful_shutdown(Some(drain));
    });
    let fault = |e: std::io::Error| format!("cannot listen: {e}");
    let server = patient(axum_server::from_tcp(listener).map_err(fault)?.handle(handle));
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    if let Some((cert, key)) = tls {
        let acceptor = RustlsAcceptor::new(self::tls(&cert, &key).await?).acceptor(NoDelayAcceptor);
        return server.acceptor(acceptor).serve(service).await.map_err(fault);
    }
    server.acceptor(NoDelayAcceptor).serve(service).await.map_err(fault)
}

/// Reads certificate chain and key.
///
/// # Errors
/// A sentence for people that names the files.
pub async fn tls(cert: &Path, key: &Path) -> Result<RustlsConfig, String> {
    let read = RustlsConfig::from_pem_file(cert, key).await;
    read.map_err(|e| format!("cannot use the TLS files {} and {}: {e}", cert.display(), key.display()))
}

/// With a clock for hyper: without one its header timeout does nothing.
fn patient<A>(mut server: Server<SocketAddr, A>) -> Server<SocketAddr, A> {
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEADER_PATIENCE);
    server
}
