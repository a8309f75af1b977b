//! A Space in memory with a real agent beside it, in the process of the conductor.

use crate::world::World;
use odcm_agent::enrol::{Order, enrol};
use odcm_agent::entropy::SystemEntropy;
use odcm_space_plugin::fake::FakeSpace;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// One site; its agent ends with its value.
pub struct Site {
    state: PathBuf,
    fake: FakeSpace,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Site {
    /// Enrols the `n`th Space of the world. A team of it is bound to the group of the world.
    pub async fn enrol(world: &World, n: usize) -> Result<Self, String> {
        let (_, code) = world.made.codes.get(n).ok_or("there is no such Space")?;
        let fake = FakeSpace::new(&format!("installation-{n}"));
        let team = fake.create_team("Developers", Some("Spaces-1"));
        fake.bind_group(&team, &world.made.group, "Developers").map_err(|e| e.to_string())?;
        let key_file = world.folder().join("octopus.key");
        std::fs::write(&key_file, "API-BENCH").map_err(|e| e.to_string())?;
        let state = world.folder().join(format!("agent-{n}"));
        let order = Order {
            url: format!("http://localhost:{}", world.port),
            code: code.clone(),
            octopus_url: format!("http://s{n}.localhost:8091"),
            octopus_public_url: None,
            octopus_key_file: key_file,
            ca_file: None,
            proxy: None,
            octopus_ca_file: None,
            octopus_proxy: None,
            octopus_plain_http: false,
            again: false,
        };
        let mut store = odcm_agent::state::Folder::open(&state).map_err(|e| e.to_string())?;
        enrol(&order, &fake, &SystemEntropy::default(), &mut store).await.map_err(|e| format!("agent {n}: {e}"))?;
        Ok(Self { state, fake, running: None })
    }

    /// Starts its agent.
    pub fn start(&mut self) {
        let (stop, stopped) = oneshot::channel::<()>();
        let (config, fake) = (odcm_agent::Config::new(&self.state), Arc::new(self.fake.clone()));
        let task = tokio::spawn(async move {
            let ended = async {
                let _ = stopped.await;
            };
            if let Err(error) = odcm_agent::run(config, fake, ended).await {
                crate::table::say(&format!("an agent ended: {error}"));
            }
        });
        self.running = Some((stop, task));
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some((_, task)) = self.running.take() {
            task.abort();
        }
    }
}
