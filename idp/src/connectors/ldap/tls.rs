//! TLS towards directories: whom we trust, and what is wrong with a certificate in words.

use super::error::Error;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use std::sync::Arc;
use std::sync::OnceLock;
use tokio_rustls::TlsConnector;

/// A TLS configuration: the authorities of `ca` alone if they are given, else the system's.
///
/// # Errors
/// [`Error::Misconfigured`] when a certificate is unreadable.
pub fn config(ca: Option<&str>) -> Result<Arc<ClientConfig>, Error> {
    let roots = match ca {
        Some(pem) => private(pem)?,
        None => system(),
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::Misconfigured(format!("TLS: {e}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn private(pem: &str) -> Result<Arc<RootCertStore>, Error> {
    let bad = |e: &dyn std::fmt::Display| Error::Misconfigured(format!("a certificate of the authority is unreadable: {e}"));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(certificate.map_err(|e| bad(&e))?).map_err(|e| bad(&e))?;
    }
    if roots.is_empty() { Err(bad(&"there is none")) } else { Ok(Arc::new(roots)) }
}

/// Reading the system's certificates takes time and memory: once.
fn system() -> Arc<RootCertStore> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let read = || {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    };
    ROOTS.get_or_init(read).clone()
}

/// A TLS client stream.
pub type Stream = tokio_rustls::client::TlsStream<tokio::net::TcpStream>;

/// Shakes hands and verifies that the certificate is for `host`.
///
/// # Errors
/// [`Error::Unreachable`] with what is wrong.
pub async fn handshake(config: Arc<ClientConfig>, host: &str, stream: tokio::net::TcpStream) -> Result<Stream, Error> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Error::Misconfigured(format!("`{host}` cannot be the name in a certificate")))?;
    TlsConnector::from(config).connect(name, stream).await.map_err(|e| Error::Unreachable(fault(host, &e)))
}

fn fault(host: &str, error: &std::io::Error) -> String {
    let Some(tls) = error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) else {
        return format!("TLS with {host} failed: {error}");
    };
    let rustls::Error::InvalidCertificate(why) = tls else { return format!("TLS with {host} failed: {tls}") };
    let why = match why {
        CertificateError::UnknownIssuer => "no authority that is trusted here issued it; give the authority's certificate".into(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".into(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it is not valid yet".into(),
        CertificateError::NotValidForName => "it is for another name".into(),
        CertificateError::NotValidForNameContext { presented, .. } => {
            format!("it is for another name: {}", presented.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    };
    format!("the certificate of {host} is not accepted: {why}")
}
