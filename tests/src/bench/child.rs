//! The server as a process: started, asked, weighed.

use crate::world::World;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server.
pub struct Server {
    child: Child,
    /// Where the counts of instructions are written, if it runs under callgrind.
    counts: Option<PathBuf>,
    /// Whether it ends when its input does.
    ends: bool,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// Where it listens.
    pub port: u16,
    management: u16,
}

impl Server {
    /// Starts it over a world and waits until it is ready.
    pub fn start(role: &str, world: &World) -> Result<Self, String> {
        let log = File::options().create(true).append(true).open(world.folder().join("server.log")).map_err(|e| e.to_string())?;
        let exe = std::env::current_exe().map_err(|e| e.to_string())?;
        // the program as it is shipped, if it was built, because what is in a program takes memory
        let shipped = Some(exe.with_file_name("odcm")).filter(|odcm| role == "@odcm" && odcm.is_file());
        let mut command = match &shipped {
            Some(odcm) => {
                let mut command = Command::new(odcm);
                command.args(["serve", "--config"]);
                command
            }
            None => {
                let mut command = Command::new(exe);
                command.arg(role);
                command
            }
        };
        let child = command
            .arg(&world.config)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|e| format!("cannot start the server: {e}"))?;
        Self::started(child, world, shipped.is_none(), None)
    }

    /// Starts the role `@server` under callgrind, which counts instructions: the same whatever else the machine does.
    pub fn counted(world: &World) -> Result<Self, String> {
        let log = File::options().create(true).append(true).open(world.folder().join("server.log")).map_err(|e| e.to_string())?;
        // callgrind numbers its files from one for every process
        let counts = (0..).map(|n| world.folder().join(format!("count-{n}"))).find(|path| !path.with_extension("1").exists());
        let counts = counts.ok_or("no name for the counts")?;
        let child = Command::new("valgrind")
            .args(["--tool=callgrind", "--instr-atstart=no"])
            .arg(format!("--callgrind-out-file={}", counts.display()))
            .arg(std::env::current_exe().map_err(|e| e.to_string())?)
            .arg("@server")
            .arg(&world.config)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|e| format!("valgrind: {e} (apt-get install valgrind)"))?;
        Self::started(child, world, true, Some(counts))
    }

    fn started(mut child: Child, world: &World, ends: bool, counts: Option<PathBuf>) -> Result<Self, String> {
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the server has no pipes".into());
        };
        let (port, management) = (world.port, world.management);
        let mut server = Self { child, counts, ends, input: Some(input), output: BufReader::new(output), port, management };
        server.wait(world)?;
        Ok(server)
    }

    fn wait(&mut self, world: &World) -> Result<(), String> {
        let deadline = Instant::now() + Duration::from_secs(90);
        loop {
            // the public listener follows at once
            if is_ready(self.management) && TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() {
                return Ok(());
            }
            if Instant::now() > deadline || !matches!(self.child.try_wait(), Ok(None)) {
                let log = std::fs::read_to_string(world.folder().join("server.log")).unwrap_or_default();
                return Err(format!("the server did not become ready:\n{log}"));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Says a line to the role `@server` and gives its answer.
    pub fn ask(&mut self, command: &str) -> Result<String, String> {
        let input = self.input.as_mut().ok_or("the server was stopped")?;
        writeln!(input, "{command}").and_then(|()| input.flush()).map_err(|e| e.to_string())?;
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(|e| e.to_string())?;
        match line.trim_end() {
            "" => Err("the server hung up".into()),
            error if error.starts_with("error ") => Err(format!("{command}: {error}")),
            answer => Ok(answer.to_owned()),
        }
    }

    /// CPU time of all its threads so far. A thread that works is counted up to the last tick, so ask when it is idle.
    pub fn cpu(&self) -> Result<Duration, String> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).map_err(|e| e.to_string())?;
        let of = |path: PathBuf| -> u64 {
            let text = std::fs::read_to_string(path.join("schedstat")).unwrap_or_default();
            text.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or_default()
        };
        Ok(Duration::from_nanos(tasks.filter_map(Result::ok).map(|task| of(task.path())).sum()))
    }

    /// Instructions that it executes during `work`, outside the kernel.
    pub fn count(&mut self, work: impl FnOnce(&mut Self) -> Result<(), String>) -> Result<f64, String> {
        let counts = self.counts.clone().ok_or("the server does not run under callgrind")?;
        let dump = |n: usize| counts.with_extension(n.to_string());
        let number = (1..).find(|n| !dump(*n).exists()).unwrap_or(1);
        self.control("--instr=on")?;
        work(self)?;
        self.control("--instr=off")?;
        self.control("--dump")?;
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let text = std::fs::read_to_string(dump(number)).unwrap_or_default();
            let totals = text.lines().find_map(|line| line.strip_prefix("totals: "));
            if let Some(count) = totals.and_then(|n| n.trim().parse().ok()) {
                return Ok(count);
            }
            if Instant::now() > deadline {
                return Err("callgrind wrote no count".into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn control(&self, what: &str) -> Result<(), String> {
        let done = Command::new("callgrind_control").args([what, &self.child.id().to_string()]).output();
        let done = done.map_err(|e| format!("callgrind_control: {e}"))?;
        if done.status.success() { Ok(()) } else { Err(format!("callgrind_control {what}: {}", done.status)) }
    }

    /// Resident memory, in KiB.
    pub fn resident_kib(&self) -> Result<f64, String> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).map_err(|e| e.to_string())?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        line.split_whitespace().next().and_then(|n| n.parse().ok()).ok_or_else(|| format!("VmRSS:{line}"))
    }
}

fn is_ready(port: u16) -> bool {
    let asked = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).and_then(|mut stream| {
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.take(4096).read_to_end(&mut answer).map(|_| answer)
    });
    asked.is_ok_and(|answer| answer.starts_with(b"HTTP/1.1 200"))
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.input.take());
        let deadline = Instant::now() + Duration::from_secs(12);
        while self.ends && matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
