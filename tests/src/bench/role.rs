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
use std::sync::{Arc, Mutex, PoisonError};
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

/// Answers a form with as many bytes as an answer with a token has, with nothing of ours. Gives the port.
async fn hello() -> Result<u16, String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(|e| e.to_string())?;
    let port = listener.local_addr().map_err(|e| e.to_string())?.port();
    let router = axum::Router::new().route("/oauth2/token", axum::routing::post(|_: String| async { "x".repeat(700) }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(port)
}

/// Does what the conductor says.
struct Control {
    deps: Deps,
    runtime: Handle,
    /// What was taped, part by part; a part is played once.
    parts: Vec<Option<Recording>>,
    copy: Option<Db>,
    bare: Option<Arc<Bare>>,
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
                self.bare = Some(Arc::new(Bare::new(name, &self.deps.settings.sign_in)?));
                Ok("ok".into())
            }
            // plays parts on the copy, by so many tasks at once, each part with so many bare operations
            ["play", first, last, times, tasks] => {
                let number = |word: &str| word.parse::<usize>().map_err(|_| format!("`{word}` is no number"));
                let (first, last, times, tasks) = (number(first)?, number(last)?, number(times)?, number(tasks)?);
                let parts: Vec<Recording> =
                    self.parts.get_mut(first..=last).ok_or("no such parts")?.iter_mut().filter_map(Option::take).collect();
                let (parts, copy) = (Arc::new(Mutex::new(parts.into_iter())), self.copy.clone().ok_or("no copy")?);
                let bare = self.bare.clone().ok_or("nothing bare")?;
                let next = move || parts.lock().unwrap_or_else(PoisonError::into_inner).next();
                let playing: Vec<_> = (0..tasks)
                    .map(|_| {
                        let (next, copy, bare) = (next.clone(), copy.clone(), bare.clone());
                        self.runtime.spawn(async move {
                            while let Some(part) = next() {
                                part.play(&copy).await.map_err(|e| e.to_string())?;
                                (0..times).try_for_each(|_| bare.once())?;
                            }
                            Ok::<(), String>(())
                        })
                    })
                    .collect();
                for task in playing {
                    self.runtime.block_on(task).map_err(|e| e.to_string())??;
                }
                Ok("ok".into())
            }
            ["hello"] => Ok(self.runtime.block_on(hello())?.to_string()),
            ["echo"] => {
                let port = self.runtime.block_on(applied::echo(self.deps.clone()))?;
                Ok(port.to_string())
            }
            _ => Err("unknown command".into()),
        }
    }
}
