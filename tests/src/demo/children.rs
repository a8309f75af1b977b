//! The demo's processes: this program again, in another role. A child ends when its parent does: it watches the pipe that
//! the parent holds open as its standard input.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// One process of the demo.
pub struct Process {
    /// What people call it.
    pub name: String,
    args: Vec<String>,
    environment: Vec<(String, String)>,
    log: PathBuf,
    child: Child,
}

impl Process {
    /// Starts this program in the role that `args` begin with; its output goes to `logs/NAME.log`.
    pub fn start(name: &str, args: Vec<String>, logs: &Path) -> Result<Self, String> {
        Self::start_with(name, args, &[], logs)
    }

    /// The same, with variables in its environment.
    pub fn start_with(name: &str, args: Vec<String>, environment: &[(String, String)], logs: &Path) -> Result<Self, String> {
        let log = logs.join(format!("{}.log", name.replace(' ', "-")));
        let child = spawn(&args, environment, &log).map_err(|e| format!("cannot start {name}: {e}"))?;
        Ok(Self { name: name.into(), args, environment: environment.to_vec(), log, child })
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Whether it has ended, and how.
    pub fn ended(&mut self) -> Option<String> {
        self.child.try_wait().ok().flatten().map(|status| status.to_string())
    }

    /// Starts it again.
    pub fn restart(&mut self) -> Result<(), String> {
        self.child = spawn(&self.args, &self.environment, &self.log).map_err(|e| format!("cannot start {}: {e}", self.name))?;
        Ok(())
    }

    /// The last lines it logged.
    pub fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(8).collect();
        lines.into_iter().rev().map(|l| format!("    {l}\n")).collect()
    }

    /// Closes its standard input, which asks it to end, and waits; a process that does not listen is killed.
    pub async fn stop(&mut self) {
        drop(self.child.stdin.take());
        if tokio::time::timeout(Duration::from_secs(8), self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}

fn spawn(args: &[String], environment: &[(String, String)], log: &Path) -> std::io::Result<Child> {
    let out = File::options().create(true).append(true).open(log)?;
    Command::new(std::env::current_exe()?)
        .args(args)
        .envs(environment.iter().cloned())
        .stdin(Stdio::piped())
        .stdout(out.try_clone()?)
        .stderr(out)
        .kill_on_drop(true)
        .spawn()
}

/// Runs a role to its end and gives what it printed.
pub async fn run_to_end(args: &[String]) -> Result<String, String> {
    let exe = std::env::current_exe().map_err(|e| e.to_string())?;
    let done = Command::new(exe).args(args).stdin(Stdio::null()).output().await.map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    if done.status.success() { Ok(text) } else { Err(text) }
}

/// In a child: asks this process to end as Ctrl-C would, once the parent closes the pipe or dies.
pub fn end_with_parent() {
    std::thread::spawn(|| {
        let mut sink = std::io::sink();
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut sink);
        let pid = std::process::id().to_string();
        let asked = std::process::Command::new("kill").args(["-TERM", &pid]).status();
        std::thread::sleep(Duration::from_secs(if asked.is_ok_and(|s| s.success()) { 10 } else { 0 }));
        std::process::exit(0);
    });
}
