//! The stand-in Octopus servers of the demo: running one, and setting one up through its REST API as its administrator would.

use clap::Args;
use odcm_tests::standins::octopus::{OctopusStandin, StandinConfig};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Arguments of the role.
#[derive(Debug, Args)]
pub struct StandinRole {
    /// Where to listen.
    #[arg(long)]
    listen: SocketAddr,
    /// Address for browsers.
    #[arg(long)]
    public_url: String,
    /// Name on the pages.
    #[arg(long)]
    name: String,
    /// File of its state.
    #[arg(long)]
    data: PathBuf,
    /// Version to imitate.
    #[arg(long)]
    version: String,
    /// Address of ODCM.
    #[arg(long)]
    odcm_url: String,
}

/// Runs a stand-in until it is asked to end. Key and password of its administrator come from the environment of the first run.
pub fn run(role: StandinRole) -> ExitCode {
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build() else {
        return ExitCode::FAILURE;
    };
    runtime.block_on(async {
        tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stderr).init();
        let version = match role.version.parse() {
            Ok(version) => version,
            Err(error) => {
                tracing::error!("{error}");
                return ExitCode::FAILURE;
            }
        };
        let config = StandinConfig {
            listen: role.listen,
            public_url: Some(role.public_url),
            name: role.name,
            data: Some(role.data),
            version,
            admin_key: std::env::var("ODCM_DEMO_ADMIN_KEY").ok(),
            admin_password: std::env::var("ODCM_DEMO_ADMIN_PASSWORD").ok(),
            odcm_url: Some(role.odcm_url),
            ..StandinConfig::default()
        };
        match OctopusStandin::start(config).await {
            Err(error) => {
                tracing::error!("{error}");
                ExitCode::FAILURE
            }
            Ok(standin) => {
                odcm_tests::harness::asked_to_end().await;
                standin.stop().await;
                ExitCode::SUCCESS
            }
        }
    })
}

/// The REST API of one stand-in, as its administrator.
pub struct Admin {
    http: reqwest::Client,
    base: String,
    key: String,
}

impl Admin {
    /// For the server on this port.
    pub fn new(port: u16, key: &str) -> Result<Self, String> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().map_err(|e| e.to_string())?;
        Ok(Self { http, base: format!("http://127.0.0.1:{port}"), key: key.into() })
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Value, String> {
        let response = request.header("X-Octopus-ApiKey", &self.key).send().await.map_err(|e| e.to_string())?;
        let status = response.status();
        let text = response.text().await.map_err(|e| e.to_string())?;
        if !status.is_success() {
            return Err(format!("the stand-in answered {status}: {text}"));
        }
        serde_json::from_str(&text).map_err(|e| e.to_string())
    }

    async fn get(&self, path: &str) -> Result<Value, String> {
        self.send(self.http.get(format!("{}{path}", self.base))).await
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        self.send(self.http.post(format!("{}{path}", self.base)).json(body)).await
    }

    /// Makes a team whose members may deploy to `environment`, and binds an ODCM group to it: what the administrator of a Space
    /// does on its teams page.
    pub async fn bind(&self, team: &str, environment: &str, group: &str, group_name: &str) -> Result<(), String> {
        let environments = self.get("/api/Spaces-1/environments?take=100").await?;
        let environment = find(&environments, "Name", environment)?;
        let roles = self.get("/api/userroles?take=100").await?;
        let role = find(&roles, "Id", "userroles-deploymentcreator")?;
        let group = json!([{"Id": group, "DisplayName": group_name, "DisplayIdAndName": false}]);
        let team = self
            .post("/api/teams", &json!({"Name": team, "Description": "", "MemberUserIds": [], "ExternalSecurityGroups": group, "SpaceId": "Spaces-1"}))
            .await?;
        let scoped = json!({"UserRoleId": role, "TeamId": text(&team, "Id")?, "SpaceId": "Spaces-1", "EnvironmentIds": [environment],
            "ProjectIds": [], "ProjectGroupIds": [], "TenantIds": []});
        self.post("/api/scopeduserroles", &scoped).await.map(|_| ())
    }
}

fn text(value: &Value, field: &str) -> Result<String, String> {
    value
        .get(field)
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| format!("the stand-in's answer has no {field}: {value}"))
}

/// Id of the item of a page whose `field` has `value`.
fn find(page: &Value, field: &str, value: &str) -> Result<String, String> {
    let items = page.get("Items").and_then(Value::as_array).cloned().unwrap_or_default();
    let item = items.iter().find(|i| i.get(field).and_then(Value::as_str) == Some(value));
    text(item.ok_or_else(|| format!("the stand-in has no item with {field} {value}"))?, "Id")
}
