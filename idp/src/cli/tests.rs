//! Commands as an operator types them, each over a configuration file of its own.

use super::{Cli, execute};
use clap::Parser;

struct Host(tempfile::TempDir);

impl Host {
    fn new() -> Self {
        let host = Self(tempfile::tempdir().unwrap());
        host.configure("[sign_in]\nargon2_memory_kib = 8192\nargon2_passes = 1\n");
        host
    }
    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }
    fn configure(&self, more: &str) {
        let (db, key) = (self.path("odcm.db"), self.path("master.key"));
        let text = format!(
            "[database]\nurl = \"sqlite:{}\"\n[secrets]\nmaster_key_path = \"{}\"\n[log]\nlevel = \"error\"\n{more}",
            db.display(),
            key.display()
        );
        std::fs::write(self.path("odcm.toml"), text).unwrap();
    }
    fn run(&self, command: &str) -> Result<String, String> {
        let config = self.path("odcm.toml");
        let words = ["odcm", "--config", config.to_str().unwrap()].into_iter().chain(command.split(' '));
        execute(&Cli::try_parse_from(words).map_err(|e| e.to_string())?)
    }
    fn there(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

const BOOTSTRAP: &str = "admin bootstrap --username barry --email barry@example.com --name Barry";

#[test]
fn looking_after_a_deployment_does_not_make_one() {
    let host = Host::new();
    for command in ["keys rotate rs256", "admin recover --username barry", "admin token --username barry --name x"] {
        let error = host.run(command).unwrap_err();
        assert!(error.contains("there is no ODCM in the database") && error.contains("--config"), "{command}: {error}");
        assert_eq!(host.there(), ["odcm.toml"], "{command}");
    }
    // nor does a database with a schema and nothing in it
    host.run("migrate").unwrap();
    assert!(host.run("keys rotate rs256").unwrap_err().contains("there is no ODCM"));
    assert!(!host.path("master.key").exists());
}

#[test]
fn the_first_owner_a_token_a_new_key_and_the_way_back_in() {
    let host = Host::new();
    let text = host.run(BOOTSTRAP).unwrap();
    assert!(text.contains("Barry owns this ODCM") && text.contains("http://localhost:8080/link/"), "{text}");
    assert!(host.run(BOOTSTRAP).unwrap_err().contains("There is an owner already: Barry"));
    let text = host.run("admin token --username barry --name script --write --days 2").unwrap();
    assert!(text.contains("may read and change") && text.contains("    odcm_"), "{text}");
    assert!(host.run("admin token --username nobody --name script").unwrap_err().contains("person"));
    assert!(host.run("keys rotate es256").unwrap().contains("is published"));
    let text = host.run("admin recover --username barry").unwrap();
    assert!(text.contains("is an active owner") && text.contains("/link/"), "{text}");
    // the key that belongs to the database is not replaced by another one
    std::fs::rename(host.path("master.key"), host.path("away")).unwrap();
    let error = host.run("admin recover --username barry").unwrap_err();
    assert!(error.contains("master_key_path") && error.contains("is missing"), "{error}");
    assert!(!host.path("master.key").exists());
}

#[test]
fn the_configuration_is_checked_with_its_files() {
    let host = Host::new();
    assert!(host.run("config check").unwrap().contains("The configuration is right"));
    let missing = host.path("missing.pem");
    host.configure(&format!("[server]\ntls_cert_file = {missing:?}\ntls_key_file = {missing:?}\n"));
    let error = host.run("config check").unwrap_err();
    assert!(error.contains("tls_cert_file") && error.contains("missing.pem"), "{error}");
    host.configure("[serve]\nlisten = \"127.0.0.1:1\"\n");
    let error = host.run("config check").unwrap_err();
    assert!(error.contains("serve") && error.contains("server"), "{error}");
    assert_eq!(host.there(), ["odcm.toml"], "looking changes nothing");
}
