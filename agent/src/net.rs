//! The way to ODCM: which addresses are allowed, TLS with a private authority, an HTTP proxy.

use crate::AgentError;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use url::{Host, Url};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads ODCM's URL: `https`, or plain `http` to this host only. The path must be empty.
///
/// # Errors
/// [`AgentError::Config`] that says what would be right.
pub fn server_url(text: &str) -> Result<Url, AgentError> {
    let url = Url::parse(text).map_err(|e| AgentError::Config(format!("--url: {text} is not a URL: {e}")))?;
    let wrong = |why: &str| Err(AgentError::Config(format!("--url: {text}: {why}")));
    if !matches!(url.scheme(), "https" | "http") || url.host().is_none() {
        return wrong("a URL such as https://odcm.example.com is wanted");
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return wrong("give the address of ODCM without a path");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("no user name and password belong into it");
    }
    if url.scheme() == "http" && !is_loopback(&url) {
        return wrong("plain http is for this host only; use https");
    }
    Ok(url)
}

/// Whether the URL names this host: a loopback address, `localhost` or a name below it (RFC 6761 section 6.3).
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(a)) => a.is_loopback(),
        Some(Host::Ipv6(a)) => a.is_loopback(),
        Some(Host::Domain(name)) => is_localhost_name(name),
        None => false,
    }
}

fn is_localhost_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// Scheme, host and port as in an `Origin` header.
#[must_use]
pub fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// The address to dial: names below `localhost` resolve in browsers only, so they are dialled at 127.0.0.1.
fn dial_address(url: &Url) -> Result<String, AgentError> {
    let port = url.port_or_known_default().ok_or_else(|| AgentError::Config(format!("{url} has no port")))?;
    match url.host() {
        Some(Host::Domain(name)) if is_localhost_name(name) => Ok(format!("127.0.0.1:{port}")),
        Some(host) => Ok(format!("{host}:{port}")),
        None => Err(AgentError::Config(format!("{url} has no host"))),
    }
}

/// TLS settings: the system's authorities, and those of `ca_file`.
///
/// # Errors
/// [`AgentError::Config`] when the file holds no certificate.
pub fn tls(ca_file: Option<&Path>) -> Result<Arc<rustls::ClientConfig>, AgentError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        let bad = |e: &dyn std::fmt::Display| AgentError::Config(format!("--ca-file {}: {e}", path.display()));
        let certificates: Vec<CertificateDer<'static>> =
            CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(|e| bad(&e))?;
        if certificates.is_empty() {
            return Err(bad(&"holds no certificate in PEM form"));
        }
        for certificate in certificates {
            roots.add(certificate).map_err(|e| bad(&e))?;
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| AgentError::Config(format!("TLS: {e}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Opens a TCP connection to ODCM, through an HTTP proxy (RFC 9110 section 9.3.6) if there is one.
///
/// # Errors
/// [`AgentError::Server`].
pub async fn dial(url: &Url, proxy: Option<&str>) -> Result<TcpStream, AgentError> {
    let work = async {
        match proxy {
            None => connect(&dial_address(url)?).await,
            Some(proxy) => through_proxy(url, proxy).await,
        }
    };
    tokio::time::timeout(CONNECT_TIMEOUT, work)
        .await
        .unwrap_or_else(|_| Err(AgentError::Server(format!("no connection to {url} within {CONNECT_TIMEOUT:?}"))))
}

async fn connect(address: &str) -> Result<TcpStream, AgentError> {
    let stream = TcpStream::connect(address).await.map_err(|e| AgentError::Server(format!("{address}: {e}")))?;
    // Messages are small and urgent.
    stream.set_nodelay(true).map_err(|e| AgentError::Server(e.to_string()))?;
    Ok(stream)
}

async fn through_proxy(url: &Url, proxy: &str) -> Result<TcpStream, AgentError> {
    let proxy = proxy_url(proxy)?;
    let target = match (url.host(), url.port_or_known_default()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        _ => return Err(AgentError::Config(format!("{url} has no host"))),
    };
    let mut stream = connect(&dial_address(&proxy)?).await?;
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    if !proxy.username().is_empty() {
        let pair = format!("{}:{}", proxy.username(), proxy.password().unwrap_or_default());
        request.push_str(&format!("Proxy-Authorization: Basic {}\r\n", BASE64.encode(pair)));
    }
    request.push_str("\r\n");
    let failed = |e: &dyn std::fmt::Display| AgentError::Server(format!("the proxy: {e}"));
    stream.write_all(request.as_bytes()).await.map_err(|e| failed(&e))?;
    // Byte by byte: what follows the answer belongs to TLS.
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() > 8 * 1024 {
            return Err(failed(&"its answer is too long"));
        }
        answer.push(stream.read_u8().await.map_err(|e| failed(&e))?);
    }
    let status = String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned();
    if status.split(' ').nth(1).is_some_and(|code| code.starts_with('2')) { Ok(stream) } else { Err(failed(&status)) }
}

/// Reads a proxy's URL.
///
/// # Errors
/// [`AgentError::Config`].
pub fn proxy_url(text: &str) -> Result<Url, AgentError> {
    match Url::parse(text) {
        Ok(url) if url.scheme() == "http" && url.host().is_some() => Ok(url),
        // Not repeated: it may hold a password.
        _ => Err(AgentError::Config("--proxy: a URL such as http://proxy.example.com:3128 is wanted".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[test]
    fn plain_http_goes_to_this_host_only() {
        for good in [
            "https://odcm.example.com",
            "http://localhost:8080",
            "http://odcm.localhost:1/",
            "http://127.0.0.1:2",
            "http://[::1]:3",
        ] {
            assert!(server_url(good).is_ok(), "{good}");
        }
        for bad in [
            "http://odcm.example.com",
            "http://localhost.example.com",
            "http://notlocalhost",
            "http://10.0.0.1",
            "ftp://localhost",
            "https://odcm.example.com/path",
            "https://u:p@odcm.example.com",
            "odcm",
        ] {
            assert!(server_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_below_localhost_are_dialled_on_loopback() {
        let at = |t: &str| dial_address(&Url::parse(t).unwrap()).unwrap();
        assert_eq!(at("http://mars.localhost:8091"), "127.0.0.1:8091");
        assert_eq!(at("https://odcm.example.com"), "odcm.example.com:443");
        assert_eq!(at("http://[::1]:9"), "[::1]:9");
    }

    async fn proxy(answer: &'static str) -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://user:pass@{}", listener.local_addr().unwrap());
        let seen = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut seen = Vec::new();
            while !seen.ends_with(b"\r\n\r\n") {
                seen.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(seen).unwrap()
        });
        (url, seen)
    }

    #[tokio::test]
    async fn a_proxy_is_asked_for_a_tunnel() {
        let (url, seen) = proxy("HTTP/1.1 200 OK\r\nX: y\r\n\r\nrest").await;
        let mut stream = dial(&Url::parse("https://odcm.example.com").unwrap(), Some(&url)).await.unwrap();
        let mut rest = [0u8; 4];
        stream.read_exact(&mut rest).await.unwrap();
        assert_eq!(&rest, b"rest", "nothing behind the answer is lost");
        let seen = seen.await.unwrap();
        assert!(seen.starts_with("CONNECT odcm.example.com:443 HTTP/1.1\r\n"), "{seen}");
        assert!(seen.contains("Proxy-Authorization: Basic dXNlcjpwYXNz\r\n"), "{seen}");
    }

    #[tokio::test]
    async fn a_proxy_that_refuses_is_named() {
        let (url, _seen) = proxy("HTTP/1.1 403 Forbidden\r\n\r\n").await;
        let error = dial(&Url::parse("https://odcm.example.com").unwrap(), Some(&url)).await.unwrap_err().to_string();
        assert!(error.contains("proxy") && error.contains("403"), "{error}");
    }
}
