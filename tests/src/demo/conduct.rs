//! The conductor: prepares the data, starts the processes, says what there is to try, and stops everything.

use crate::Demo;
use crate::children::{Process, run_to_end};
use crate::octopus::Admin;
use crate::print::{complain, say, step};
use crate::seed::{self, Seeded, write_private};
use odcm_tests::harness::{asked_to_end, until};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::sync::mpsc;

/// One Space of the demo.
pub struct Planet {
    /// Name and host label.
    pub slug: &'static str,
    /// Name for people.
    pub name: &'static str,
    /// Version the stand-in imitates.
    pub version: &'static str,
    /// Port of the stand-in.
    pub port: u16,
}

impl Planet {
    /// Public address.
    pub fn url(&self) -> String {
        format!("http://{}.localhost:{}", self.slug, self.port)
    }
}

const STEPS: usize = 6;

/// Runs the demo until Ctrl-C.
pub fn run(demo: &Demo) -> ExitCode {
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() else {
        complain("cannot start the async runtime");
        return ExitCode::FAILURE;
    };
    match runtime.block_on(conduct(demo)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            complain(&message);
            ExitCode::FAILURE
        }
    }
}

async fn conduct(demo: &Demo) -> Result<(), String> {
    let planets = [
        Planet { slug: "mars", name: "Mars", version: "2023.1.9626", port: demo.port + 11 },
        Planet { slug: "venus", name: "Venus", version: "2025.4.100", port: demo.port + 12 },
    ];
    for port in [demo.port, demo.port + 1].into_iter().chain(planets.iter().map(|p| p.port)) {
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_err() {
            return Err(format!("port {port} is in use; stop what listens there, or choose others with --port"));
        }
    }
    if demo.reset && demo.data.exists() {
        std::fs::remove_dir_all(&demo.data).map_err(|e| format!("cannot remove {}: {e}", demo.data.display()))?;
    }
    let logs = demo.data.join("logs");
    std::fs::create_dir_all(&logs).map_err(|e| format!("cannot create {}: {e}", logs.display()))?;
    let config = write_config(demo)?;

    step(1, STEPS, "preparing the database, the keys, the people and their groups");
    let seeded = seed::prepare(&config, &demo.data, &planets, demo.new_passwords).await?;

    let mut processes = Vec::new();
    let outcome = start(demo, &planets, &seeded, &config, &logs, &mut processes).await;
    let outcome = match outcome {
        Ok(()) => watch(&mut processes).await,
        Err(message) => {
            let words: String = processes.iter().map(|p| format!("  {}:\n{}", p.name, p.last_words())).collect();
            Err(format!("{message}\nThe last words of each process (all of it in {}):\n{words}", logs.display()))
        }
    };
    say("\nstopping");
    for process in processes.iter_mut().rev() {
        process.stop().await;
    }
    outcome
}

/// The configuration of the demo's server.
fn write_config(demo: &Demo) -> Result<PathBuf, String> {
    let path = demo.data.join("odcm.toml");
    let data = demo.data.display();
    let text = format!(
        "# Written by odcm-demo.\n[server]\npublic_url = \"http://localhost:{port}\"\nlisten = \"127.0.0.1:{port}\"\n\n\
         [management]\nlisten = \"127.0.0.1:{management}\"\n\n[database]\nurl = \"sqlite:{data}/odcm.db\"\n\n\
         [secrets]\nmaster_key_path = \"{data}/odcm.master-key\"\n\n[pages]\norganisation = \"Solar Software\"\n",
        port = demo.port,
        management = demo.port + 1,
    );
    std::fs::write(&path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    Ok(path)
}

async fn start(
    demo: &Demo,
    planets: &[Planet],
    seeded: &Seeded,
    config: &Path,
    logs: &Path,
    processes: &mut Vec<Process>,
) -> Result<(), String> {
    let odcm = format!("http://localhost:{}", demo.port);
    step(2, STEPS, &format!("starting ODCM at {odcm}"));
    let config = config.display().to_string();
    processes.push(Process::start("odcm", args(&["server", "serve", "--config", &config]), logs)?);
    answers(&format!("http://127.0.0.1:{}/readyz", demo.port + 1)).await?;

    step(3, STEPS, "starting the Octopus servers Mars and Venus (stand-ins)");
    for planet in planets {
        let (listen, url) = (format!("127.0.0.1:{}", planet.port), planet.url());
        let data = demo.data.join(format!("{}.json", planet.slug)).display().to_string();
        let role = [
            "standin",
            "--listen",
            &listen,
            "--public-url",
            &url,
            "--name",
            planet.name,
            "--data",
            &data,
            "--version",
            planet.version,
            "--odcm-url",
            &odcm,
        ];
        processes.push(Process::start_with(&format!("octopus {}", planet.slug), args(&role), &seeded.environment(planet), logs)?);
        answers(&format!("http://127.0.0.1:{}/api", planet.port)).await?;
    }

    step(4, STEPS, "enrolling an agent beside each");
    for planet in planets {
        enrol(demo, planet, seeded, &odcm).await?;
    }

    step(5, STEPS, "starting the agents");
    for planet in planets {
        let state = agent_state(demo, planet).display().to_string();
        processes.push(Process::start(&format!("agent {}", planet.slug), args(&["agent", "run", "--state", &state]), logs)?);
    }

    step(6, STEPS, "waiting until both Spaces have what they should have");
    seeded.wait_until_applied().await?;
    if let Some(file) = &demo.describe {
        let pids = processes.iter().map(|p| (p.name.clone(), p.pid())).collect();
        let states = planets.iter().map(|p| (p.slug, agent_state(demo, p).display().to_string())).collect();
        seeded.describe(file, &odcm, planets, pids, states).await?;
    }
    print_guide(demo, planets, seeded, processes);
    Ok(())
}

fn args(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| (*s).to_owned()).collect()
}

fn agent_state(demo: &Demo, planet: &Planet) -> PathBuf {
    demo.data.join(format!("agent-{}", planet.slug))
}

/// At the first run: the Space's administrator binds a team; the agent enrols with the key of the service account `odcm-agent`.
async fn enrol(demo: &Demo, planet: &Planet, seeded: &Seeded, odcm: &str) -> Result<(), String> {
    let state = agent_state(demo, planet);
    if state.exists() {
        return Ok(());
    }
    let key = seeded.admin_key(planet)?;
    let admin = Admin::new(planet.port, key)?;
    let key_file = demo.data.join(format!("agent-{}.key", planet.slug));
    write_private(&key_file, key)?;
    for (team, environment, group, group_name) in seeded.bindings(planet) {
        admin.bind(team, environment, group, group_name).await?;
    }
    let code = seeded.enrolment_code(planet).await?;
    let order = [
        "agent",
        "enroll",
        "--url",
        odcm,
        "--code",
        &code,
        "--octopus-url",
        &format!("http://127.0.0.1:{}", planet.port),
        "--octopus-public-url",
        &planet.url(),
        "--octopus-key-file",
        &key_file.display().to_string(),
        "--state",
        &state.display().to_string(),
    ]
    .map(str::to_owned);
    run_to_end(&order).await.map(|_| ()).map_err(|text| format!("enrolling the agent of {} failed:\n{text}", planet.name))
}

/// Waits until an address answers with success.
async fn answers(url: &str) -> Result<(), String> {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(2)).build().map_err(|e| e.to_string())?;
    until(Duration::from_secs(30), Duration::from_millis(50), || async {
        let response = http.get(url).send().await.map_err(|e| format!("{url} does not answer: {e}"))?;
        if response.status().is_success() { Ok(()) } else { Err(format!("{url} answers {}", response.status())) }
    })
    .await
}

fn print_guide(demo: &Demo, planets: &[Planet], seeded: &Seeded, processes: &[Process]) {
    let mut text = String::from("\n");
    let mut line = |t: String| {
        text.push_str(&t);
        text.push('\n');
    };
    line(format!("  ODCM    http://localhost:{}          people, groups, Spaces: /admin", demo.port));
    for planet in planets {
        line(format!("  {:<7} {:<30} an Octopus server, {}", planet.name, planet.url(), planet.version));
    }
    line(String::new());
    line(seeded.describe_people());
    line("  Processes:".into());
    for process in processes {
        line(format!("    {:<14} pid {}", process.name, process.pid().map_or_else(|| "-".into(), |p| p.to_string())));
    }
    line(format!(
        "
  Try:
    1. Open {mars}, press \"Sign in with Okta\" (what an Octopus of that age calls it), sign in as bob.
       Open {venus}, press its button: no second sign-in.
    2. In another browser profile sign in as barry at http://localhost:{port} and put geoff into the group Developers.
       The page of Mars says \"applied, revision N, in x ms\"; geoff may now deploy to Dev there.
    3. Take geoff out again: his membership is gone, his account in Mars inactive.
    4. `kill` the agent of Mars, change something, type `mars` and Enter here to start it again.
    5. As `admin` in Mars, add somebody to the team Developers by hand: found, reported, put right.
    6. In the portal, Explain: why can bob enter Mars?

  Ctrl-C stops everything; the next run finds its data again ({data}).",
        mars = planets.first().map(Planet::url).unwrap_or_default(),
        venus = planets.get(1).map(Planet::url).unwrap_or_default(),
        port = demo.port,
        data = demo.data.display(),
    ));
    say(&text);
}

/// Until Ctrl-C: tells when a process ends; `mars` or `venus` typed here starts that agent again.
async fn watch(processes: &mut [Process]) -> Result<(), String> {
    let mut lines = typed_lines();
    let mut tick = tokio::time::interval(Duration::from_millis(500));
    let mut told = vec![false; processes.len()];
    let mut typing = true;
    loop {
        tokio::select! {
            () = asked_to_end() => return Ok(()),
            line = lines.recv(), if typing => match line {
                Some(line) => restart(processes, &mut told, line.trim())?,
                None => typing = false,
            },
            _ = tick.tick() => {
                for (process, told) in processes.iter_mut().zip(&mut told) {
                    let Some(how) = process.ended() else { continue };
                    if !*told {
                        *told = true;
                        match process.name.strip_prefix("agent ") {
                            Some(slug) => say(&format!("{} has ended ({how}); type `{slug}` and Enter to start it again", process.name)),
                            None => return Err(format!("{} has ended ({how}):\n{}", process.name, process.last_words())),
                        }
                    }
                }
            }
        }
    }
}

/// What is typed here, line by line.
fn typed_lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(8);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn restart(processes: &mut [Process], told: &mut [bool], typed: &str) -> Result<(), String> {
    for (process, told) in processes.iter_mut().zip(told) {
        if process.name == format!("agent {typed}") {
            if process.ended().is_none() {
                say(&format!("{} is running", process.name));
            } else {
                process.restart()?;
                *told = false;
                say(&format!("{} runs again, pid {}", process.name, process.pid().unwrap_or_default()));
            }
        }
    }
    Ok(())
}
