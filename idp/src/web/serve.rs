//! Listening: plain http on loopback, TLS from files, bounded patience with slow clients, graceful drain.

use axum::Router;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Handle, Server};
use hyper_util::rt::TokioTimer;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::watch;

/// A client that has not sent its whole request header by then is cut off.
const HEADER_PATIENCE: Duration = Duration::from_secs(10);

/// Serves until `stop` turns true; open requests get `drain` to finish.
///
/// # Errors
/// A sentence for people when the address cannot be bound or the certificate cannot be read.
pub async fn serve(
    router: Router,
    listen: SocketAddr,
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
    let fault = |e: std::io::Error| format!("cannot listen on {listen}: {e}");
    let server = patient(axum_server::bind(listen).handle(handle));
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    if let Some((cert, key)) = tls {
        let config = RustlsConfig::from_pem_file(&cert, &key)
            .await
            .map_err(|e| format!("cannot use the TLS files {} and {}: {e}", cert.display(), key.display()))?;
        let acceptor = RustlsAcceptor::new(config).acceptor(NoDelayAcceptor);
        return server.acceptor(acceptor).serve(service).await.map_err(fault);
    }
    server.acceptor(NoDelayAcceptor).serve(service).await.map_err(fault)
}

/// With a clock for hyper: without one its header timeout does nothing.
fn patient<A>(mut server: Server<SocketAddr, A>) -> Server<SocketAddr, A> {
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEADER_PATIENCE);
    server
}
