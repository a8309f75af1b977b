//! Enrolment: a one-time code becomes a key pair whose private half never leaves this host.

use crate::entropy::Entropy;
use crate::keys::{AgentKey, FleetKeys};
use crate::state::{Enrolment, State, Store};
use crate::{AgentError, capability_names, net};
use odcm_space_plugin::SpaceAdapter;
use odcm_wire::latest::{EnrolmentAccepted, EnrolmentRequest};
use std::path::PathBuf;
use std::time::Duration;

/// Longest answer that is read.
const MAX_ANSWER: usize = 64 * 1024;

/// What an administrator gives to enrol a Space.
#[derive(Clone)]
pub struct Order {
    /// ODCM's URL.
    pub url: String,
    /// The one-time code.
    pub code: String,
    /// Where the agent reaches the Space.
    pub octopus_url: String,
    /// Where people reach the Space, when that is another address.
    pub octopus_public_url: Option<String>,
    /// File with the agent's API key.
    pub octopus_key_file: PathBuf,
    /// Certificates of a private authority for ODCM.
    pub ca_file: Option<PathBuf>,
    /// HTTP proxy on the way to ODCM.
    pub proxy: Option<String>,
    /// Certificates of the private authority that vouches for the Space.
    pub octopus_ca_file: Option<PathBuf>,
    /// HTTP proxy on the way to the Space.
    pub octopus_proxy: Option<String>,
    /// Plain http to a Space on another host is allowed.
    pub octopus_plain_http: bool,
    /// The state folder may be that of an earlier agent of the same Space, whose memory is kept.
    pub again: bool,
}

/// Without the code and whatever the proxy's URL holds.
impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Order").field("url", &self.url).field("octopus_url", &self.octopus_url).finish_non_exhaustive()
    }
}

/// Describes the Space, makes the key pair, presents the code to ODCM and stores what was agreed.
///
/// # Errors
/// [`AgentError`]; nothing is stored then, and the code is spent only if ODCM accepted it.
pub async fn enrol(
    order: &Order,
    adapter: &dyn SpaceAdapter,
    entropy: &dyn Entropy,
    store: &mut dyn Store,
) -> Result<Enrolment, AgentError> {
    if !order.again {
        State::ensure_empty(store)?;
    }
    let url = net::server_url(&order.url)?;
    let space = adapter.describe().await?;
    let (key, seed) = AgentKey::generate(entropy)?;
    let base_url = order.octopus_public_url.as_ref().unwrap_or(&order.octopus_url).trim_end_matches('/').to_owned();
    let request = EnrolmentRequest {
        code: order.code.trim().to_owned(),
        public_key: key.public(),
        installation_id: space.installation_id.clone(),
        base_url: base_url.clone(),
        server_version: space.version.clone(),
        capabilities: capability_names(&space.capabilities),
        agent_version: env!("CARGO_PKG_VERSION").into(),
    };
    let answer = post(&url, order, &request).await?;
    let origin = net::origin(&url);
    if answer.origin.trim_end_matches('/') != origin {
        return Err(AgentError::Config(format!(
            "ODCM calls itself {}, but was reached as {origin}: enrol with --url {} and a new code",
            answer.origin, answer.origin
        )));
    }
    FleetKeys::parse(&answer.fleet_keys)
        .map_err(|_| AgentError::Server("its answer names no usable key to check documents with".into()))?;
    let enrolment = Enrolment {
        agent: answer.agent,
        space: answer.space,
        space_name: answer.space_name,
        deployment: answer.deployment,
        server_url: order.url.clone(),
        origin,
        fleet_keys: answer.fleet_keys,
        installation_id: space.installation_id,
        base_url,
        octopus_url: order.octopus_url.clone(),
        octopus_key_file: absolute(&order.octopus_key_file),
        ca_file: order.ca_file.as_ref().map(absolute),
        proxy: order.proxy.clone(),
        octopus_ca_file: order.octopus_ca_file.as_ref().map(absolute),
        octopus_proxy: order.octopus_proxy.clone(),
        octopus_plain_http: order.octopus_plain_http,
        private_key: seed,
    };
    if order.again {
        State::enrol_again(store, &enrolment)?;
    } else {
        State::enrol(store, &enrolment)?;
    }
    Ok(enrolment)
}

fn absolute(path: &PathBuf) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.clone())
}

async fn post(url: &url::Url, order: &Order, request: &EnrolmentRequest) -> Result<EnrolmentAccepted, AgentError> {
    let server = |e: &dyn std::fmt::Display| AgentError::Server(e.to_string());
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured((*net::tls(order.ca_file.as_deref())?).clone())
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(30))
        .no_proxy();
    if let Some(proxy) = &order.proxy {
        net::proxy_url(proxy)?;
        builder = builder.proxy(reqwest::Proxy::all(proxy).map_err(|e| server(&e))?);
    } else if let (true, Some(url::Host::Domain(name))) = (net::is_loopback(url), url.host()) {
        builder = builder.resolve(name, std::net::SocketAddr::from(([127, 0, 0, 1], url.port_or_known_default().unwrap_or(80))));
    }
    let client = builder.build().map_err(|e| server(&e))?;
    let target = url.join("/agent/v1/enrol").map_err(|e| server(&e))?;
    let mut response = client.post(target).json(request).send().await.map_err(|e| server(&deepest(&e)))?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| server(&deepest(&e)))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(server(&"its answer is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|e| server(&format!("its answer is not that of ODCM: {e}")));
    }
    // A problem document (RFC 9457) says what is wrong in `detail`.
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let said = ["detail", "title"].iter().find_map(|k| problem.get(k)?.as_str().map(str::to_owned));
    let said = said.unwrap_or_else(|| format!("{url} answered {status}"));
    if status.is_client_error() { Err(AgentError::Refused(said)) } else { Err(AgentError::Server(said)) }
}

/// reqwest hides the cause one or more levels down.
fn deepest(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

#[cfg(test)]
#[path = "enrol_tests.rs"]
mod tests;
