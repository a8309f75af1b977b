//! What this program is when the conductor starts it again: `@odcm`, the server as `odcm serve` runs it; `@server`, the same
//! server in which the conductor can tape statements and have the floor walked, by lines on standard input.

use crate::applied;
use crate::bare::Bare;
use odcm::config::Config;
use odcm::deps::Deps;
use odcm::storage::{ConnectOptions, Db, Recording};
use std::io::{BufRead, Write};
use std::path::Path;
use std::process::ExitCode;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// Runs a role with a configuration file.
pub fn run(role: &str, config: String) -> ExitCode {
    if role == "@odcm" {
        std::thread::spawn(|| {
            let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
            std::process::exit(0); // the conductor is gone
        });
        return odcm::cli::run(clap::Parser::parse_from(["odcm", "serve", "--config", &config]));
    }
    match serve(&config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let _ = writeln!(std::io::stderr(), "{message}");
            ExitCode::FAILURE
        }
    }
}

fn serve(config: &str) -> Result<(), String> {
    let config = Config::load(Some(Path::new(config)), std::iter::empty()).map_err(|e| e.to_string())?;
    let level = config.clone();
    odcm::cli::block_on(&level, async move {
        let deps = odcm::server::open(&config, odcm::server::Deployment::MayBeNew).await?;
        let (stop, stopped) = watch::channel(false);
        let control = Control { deps: deps.clone(), runtime: Handle::current(), parts: Vec::new(), copy: None, bare: None };
        std::thread::spawn(move || {
            control.listen();
            let _ = stop.send(true);
        });
        odcm::server::serve(config, deps, stopped).await
    })
}

/// Does what the conductor says.
struct Control {
    deps: Deps,
    runtime: Handle,
    /// What was taped, part by part; a part is played once.
    parts: Vec<Option<Recording>>,
    copy: Option<Db>,
    bare: Option<Bare>,
}

impl Control {
    /// One answer per line, until the conductor closes the pipe.
    fn listen(mut self) {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let words: Vec<&str> = line.split(' ').collect();
            let answer = self.obey(&words).unwrap_or_else(|message| format!("error {message}"));
            let mut out = std::io::stdout().lock();
            if writeln!(out, "{answer}").and_then(|()| out.flush()).is_err() {
                return;
            }
        }
    }

    fn obey(&mut self, words: &[&str]) -> Result<String, String> {
        match words {
            ["tape"] => {
                self.deps.db.tape().start();
                Ok("ok".into())
            }
            // ends a part; gives its number, statements and transactions
            ["cut"] => {
                let part = self.deps.db.tape().stop();
                let (statements, transactions) = part.size();
                self.parts.push(Some(part));
                Ok(format!("{} {statements} {transactions}", self.parts.len() - 1))
            }
            ["copy", url] => {
                let options = ConnectOptions::new(*url);
                let db = self.runtime.block_on(Db::connect(&options)).map_err(|e| e.to_string())?;
                self.copy = Some(db);
                Ok("ok".into())
            }
            ["bare", name] => {
                self.bare = Some(Bare::new(name, &self.deps.settings.sign_in)?);
                Ok("ok".into())
            }
            // plays a part on the copy and does so many bare operations
            ["play", part, times] => {
                let part = part.parse().ok().and_then(|n: usize| self.parts.get_mut(n)?.take()).ok_or("no such part")?;
                let copy = self.copy.clone().ok_or("no copy")?;
                let played = self.runtime.spawn(async move { part.play(&copy).await });
                self.runtime.block_on(played).map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
                for _ in 0..times.parse().map_err(|_| "how often?")? {
                    self.bare.as_mut().ok_or("nothing bare")?.once()?;
                }
                Ok("ok".into())
            }
            // the way of a command without its work: it is no part of the floor
            ["rest"] => {
                self.runtime.block_on(self.runtime.spawn(async {})).map_err(|e| e.to_string())?;
                Ok("ok".into())
            }
            ["echo"] => {
                let port = self.runtime.block_on(applied::echo(self.deps.clone()))?;
                Ok(port.to_string())
            }
            _ => Err("unknown command".into()),
        }
    }
}
