//! Listening: plain http on loopback, TLS from files, graceful drain.

use axum::Router;
use axum::serve::ListenerExt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::watch;

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
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    if let Some((cert, key)) = tls {
        let config = axum_server::tls_rustls::RustlsConfig::from_pem_file(&cert, &key)
            .await
            .map_err(|e| format!("cannot use the TLS files {} and {}: {e}", cert.display(), key.display()))?;
        let handle = axum_server::Handle::new();
        let stopper = handle.clone();
        tokio::spawn(async move {
            let _ = stop.wait_for(|stop| *stop).await;
            stopper.graceful_shutdown(Some(drain));
        });
        return axum_server::bind_rustls(listen, config)
            .handle(handle)
            .serve(service)
            .await
            .map_err(|e| format!("cannot listen on {listen}: {e}"));
    }
    let listener = tokio::net::TcpListener::bind(listen).await.map_err(|e| format!("cannot listen on {listen}: {e}"))?;
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let mut draining = stop.clone();
    let server = axum::serve(listener, service).with_graceful_shutdown(async move {
        let _ = stop.wait_for(|stop| *stop).await;
    });
    let late = async move {
        let _ = draining.wait_for(|stop| *stop).await;
        tokio::time::sleep(drain).await;
    };
    tokio::select! {
        done = server.into_future() => done.map_err(|e| e.to_string()),
        () = late => Ok(()),
    }
}
