//! A private PostgreSQL cluster for the tests of one process, and one database of it per test.
//!
//! `ODCM_TEST_POSTGRES` may hold the URL of a server on which databases may be made; otherwise a cluster is started in a
//! temporary folder, as an unprivileged user if we are root, and ends with this process, however that ends.

use odcm::storage::{ConnectOptions, Db, fresh_postgres};
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The cluster of this process: its URL, and the guard whose standard input, once closed, ends it.
struct Cluster {
    url: String,
    _guard: Child,
}

static CLUSTER: Mutex<Option<Result<Cluster, String>>> = Mutex::new(None);

/// Runs the server until its own standard input is closed, then removes the folder.
const GUARD: &str = r#"
"$1/postgres" -D "$2/data" -p "$3" -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off \
  -c max_connections=400 -c shared_buffers=64MB >"$2/log" 2>&1 </dev/null &
server=$!
cat >/dev/null
kill -QUIT $server 2>/dev/null
wait $server 2>/dev/null
rm -rf "$2"
"#;

/// A fresh, migrated database; `None` after saying aloud that there is no PostgreSQL.
///
/// # Panics
/// In CI (`CI=true` or `ODCM_NEED_POSTGRES`), when there is no PostgreSQL; anywhere, when it does not work.
#[expect(clippy::expect_used, reason = "for tests")]
pub async fn database() -> Option<Db> {
    let mut options = ConnectOptions::new(url().await?);
    options.wait = Duration::from_secs(60);
    let db = Db::connect(&options).await.expect("a connection");
    db.migrate().await.expect("migrations");
    Some(db)
}

/// The URL of a fresh, empty database; `None` after saying aloud that there is no PostgreSQL.
///
/// # Panics
/// As [`database`].
#[expect(clippy::panic, clippy::print_stderr, reason = "for tests")]
pub async fn url() -> Option<String> {
    let server = match server().await {
        Ok(url) => url,
        Err(why) => {
            let must = std::env::var("CI").is_ok_and(|v| v == "true") || std::env::var("ODCM_NEED_POSTGRES").is_ok();
            assert!(!must, "PostgreSQL is needed: {why}");
            eprintln!("SKIPPED on PostgreSQL: {why}");
            return None;
        }
    };
    Some(fresh(&server).await.unwrap_or_else(|why| panic!("{why}")))
}

/// URL of a server on which databases may be made, started if it must be.
///
/// # Errors
/// Why there is none.
pub async fn server() -> Result<String, String> {
    match std::env::var("ODCM_TEST_POSTGRES").ok().filter(|url| !url.is_empty()) {
        Some(url) => Ok(url),
        None => tokio::task::spawn_blocking(cluster).await.map_err(|e| e.to_string())?,
    }
}

/// URL of an empty database on that server, which may still be starting.
///
/// # Errors
/// When it does not answer within a minute.
pub async fn fresh(server: &str) -> Result<String, String> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match fresh_postgres(server).await {
            Ok(url) => return Ok(url),
            Err(error) if Instant::now() >= deadline => return Err(format!("PostgreSQL does not answer: {error}")),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

fn cluster() -> Result<String, String> {
    let mut slot = CLUSTER.lock().unwrap_or_else(PoisonError::into_inner);
    slot.get_or_insert_with(start).as_ref().map(|cluster| cluster.url.clone()).map_err(Clone::clone)
}

fn start() -> Result<Cluster, String> {
    let bin = newest_bin().ok_or("there is no /usr/lib/postgresql/*/bin/initdb")?;
    let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).map_err(|e| e.to_string())?.port();
    let folder = std::env::temp_dir().join(format!("odcm-postgres-{}-{port}", std::process::id()));
    std::fs::create_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let user = unprivileged();
    if let Some(user) = &user {
        run(Command::new("chown").arg(user).arg(&folder))?;
    }
    let data = folder.join("data");
    run(as_user(user.as_deref(), bin.join("initdb").as_path())
        .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-D"])
        .arg(&data))?;
    let guard = as_user(user.as_deref(), Path::new("/bin/sh"))
        .args(["-c", GUARD, "odcm-postgres"])
        .arg(&bin)
        .arg(&folder)
        .arg(port.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| e.to_string())?;
    Ok(Cluster { url: format!("postgres://postgres@127.0.0.1:{port}/postgres"), _guard: guard })
}

fn newest_bin() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.filter_map(Result::ok);
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().map(|(_, bin)| bin)
}

/// PostgreSQL refuses to run as root: then `postgres` runs it, or `nobody`.
fn unprivileged() -> Option<String> {
    let id = |args: &[&str]| Command::new("id").args(args).stderr(Stdio::null()).output().ok().filter(|o| o.status.success());
    let root = id(&["-u"]).is_some_and(|o| o.stdout.trim_ascii() == b"0");
    root.then(|| if id(&["-u", "postgres"]).is_some() { "postgres".into() } else { "nobody".into() })
}

fn as_user(user: Option<&str>, program: &Path) -> Command {
    let mut command = match user {
        None => Command::new(program),
        Some(user) => {
            let mut command = Command::new("runuser");
            command.args(["-u", user, "--"]).arg(program);
            command
        }
    };
    command.current_dir("/");
    command
}

fn run(command: &mut Command) -> Result<(), String> {
    let out = command.stdin(Stdio::null()).output().map_err(|e| format!("{command:?}: {e}"))?;
    if out.status.success() {
        return Ok(());
    }
    let mut text = out.stdout;
    let _ = text.write_all(&out.stderr);
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&text).trim()))
}
