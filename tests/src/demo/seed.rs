//! The four users of the specification, their groups and grants; made once through the product's own use cases, before the
//! server starts. What later runs need is kept beside the data in `demo.json`.

use crate::conduct::Planet;
use odcm::accounts::{self, agents, api_tokens, grants, groups, links, memberships, people, rights, spaces};
use odcm::config::Config;
use odcm::core::directory::{Span, Subject};
use odcm::core::ids::{PersonId, SpaceId};
use odcm::core::policy::{Actor, Right, Role, Scope, TokenScopes};
use odcm::core::text::{DisplayName, Email, Slug, Username};
use odcm::crypto::password::Lane;
use odcm::deps::Deps;
use odcm::storage;
use odcm_tests::harness::until;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// User name, display name, who they are.
const PEOPLE: [(&str, &str, &str); 4] = [
    ("barry", "Barry Infrastructure", "owner of ODCM"),
    ("lisa", "Lisa Shipping", "runs the Space Mars, in Shipping"),
    ("bob", "Bob Specialist", "works in Mars and Venus, in Developers and Research"),
    ("geoff", "Geoff Outsider", "a consultant, in no group yet"),
];
/// Group, members, Spaces it may enter.
const GROUPS: [(&str, &[&str], &[&str]); 3] =
    [("Developers", &["bob"], &["mars"]), ("Shipping", &["lisa"], &["mars"]), ("Research", &["bob"], &["venus"])];

/// What a run of the demo knows about its data.
pub struct Seeded {
    deps: Deps,
    kept: Kept,
    passwords: BTreeMap<String, String>,
}

/// Kept beside the data, readable by its owner only.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    spaces: BTreeMap<String, String>,
    groups: BTreeMap<String, String>,
    admin_keys: BTreeMap<String, String>,
    admin_passwords: BTreeMap<String, String>,
}

/// Opens the database and makes what is not there yet.
pub async fn prepare(config: &Path, data: &Path, planets: &[Planet], new_passwords: bool) -> Result<Seeded, String> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let config = Config::load(Some(config), std::iter::empty()).map_err(|e| e.to_string())?;
    let deps = odcm::server::open(&config, odcm::server::Deployment::MayBeNew).await?;
    let file = data.join("demo.json");
    let mut seeded = Seeded { deps, kept: Kept::default(), passwords: BTreeMap::new() };
    if file.exists() {
        let text = std::fs::read_to_string(&file).map_err(|e| e.to_string())?;
        seeded.kept = serde_json::from_str(&text)
            .map_err(|e| format!("{} cannot be read ({e}); start anew with --reset", file.display()))?;
        if new_passwords {
            seeded.set_passwords().await.map_err(|e| e.to_string())?;
        }
        return Ok(seeded);
    }
    seeded.make(planets).await.map_err(|e| format!("preparing the people failed: {e}; start anew with --reset"))?;
    write_private(&file, &serde_json::to_string_pretty(&seeded.kept).map_err(|e| e.to_string())?)?;
    Ok(seeded)
}

/// Writes a file that only its owner may read.
pub fn write_private(path: &Path, text: &str) -> Result<(), String> {
    use std::io::Write;
    let mut options = std::fs::File::options();
    options.create(true).write(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    file.write_all(text.as_bytes()).map_err(|e| e.to_string())
}

impl Seeded {
    async fn make(&mut self, planets: &[Planet]) -> Result<(), accounts::Error> {
        let (deps, actor) = (self.deps.clone(), Actor::system("demo"));
        let mut ids: BTreeMap<&str, PersonId> = BTreeMap::new();
        for (username, name, _) in PEOPLE {
            let new = people::NewPerson {
                username: Username::parse(username)?,
                display_name: DisplayName::parse("name", name)?,
                email: Email::parse(&format!("{username}@solar.example"))?,
                email_verified: true,
                reuse_former_names: false,
                password_link: false,
            };
            ids.insert(username, people::create(&deps, &actor, new).await?.id);
        }
        self.set_passwords().await?;
        let barry = ids.get("barry").ok_or_else(|| accounts::Error::Internal("no barry".into()))?;
        rights::give(&deps, &actor, barry, &Right { role: Role::Owner, scope: Scope::All }, None).await?;
        for planet in planets {
            let new = spaces::NewSpace {
                name: DisplayName::parse("name", planet.name)?,
                slug: Slug::parse(planet.slug)?,
                base_url: planet.url(),
                description: format!("Octopus {}", planet.version),
                offline_policy: storage::spaces::OfflinePolicy::Keep,
                revoke_api_keys: true,
            };
            let id = spaces::enlist(&deps, &actor, new).await?;
            if planet.slug == "mars"
                && let Some(lisa) = ids.get("lisa")
            {
                let right = Right { role: Role::SpaceAdmin, scope: Scope::Space(id.clone()) };
                rights::give(&deps, &actor, lisa, &right, None).await?;
            }
            self.kept.spaces.insert(planet.slug.into(), id.to_string());
            self.kept.admin_keys.insert(planet.slug.into(), format!("API-{}", letters(&deps, 24)));
            self.kept.admin_passwords.insert(planet.slug.into(), password(&deps));
        }
        for (name, members, may_enter) in GROUPS {
            let new = groups::NewGroup {
                name: DisplayName::parse("name", name)?,
                description: String::new(),
                kind: storage::groups::GroupKind::Local,
            };
            let group = groups::create(&deps, &actor, new).await?;
            for member in members.iter().filter_map(|m| ids.get(m)) {
                memberships::add(&deps, &actor, &group, &Subject::Person(member.clone()), Span::default()).await?;
            }
            for slug in may_enter {
                let space = self.space(slug)?;
                grants::add(&deps, &actor, &space, &Subject::Group(group.clone()), Span::default()).await?;
            }
            self.kept.groups.insert(name.into(), group.to_string());
        }
        Ok(())
    }

    async fn set_passwords(&mut self) -> Result<(), accounts::Error> {
        for (username, _, _) in PEOPLE {
            let Some(person) = storage::people::by_sign_in_name(&mut &self.deps.db, username).await? else { continue };
            let password = password(&self.deps);
            let link = links::create(&self.deps, &Actor::system("demo"), &person.id).await?;
            let phc = self
                .deps
                .hasher
                .hash(Lane::Known, &password)
                .await
                .map_err(|_| accounts::Error::Internal("hashing is busy".into()))?;
            links::set_password(&self.deps, &link.secret, &phc, None).await?;
            self.passwords.insert(username.into(), password);
        }
        Ok(())
    }

    fn space(&self, slug: &str) -> Result<SpaceId, accounts::Error> {
        let id = self.kept.spaces.get(slug).map(String::as_str).unwrap_or_default();
        SpaceId::parse(id).map_err(|e| accounts::Error::Internal(e.to_string()))
    }

    /// Key and password of a stand-in's administrator, for its first run.
    pub fn environment(&self, planet: &Planet) -> Vec<(String, String)> {
        let of = |map: &BTreeMap<String, String>| map.get(planet.slug).cloned().unwrap_or_default();
        vec![
            ("ODCM_DEMO_ADMIN_KEY".into(), of(&self.kept.admin_keys)),
            ("ODCM_DEMO_ADMIN_PASSWORD".into(), of(&self.kept.admin_passwords)),
        ]
    }

    /// API key of a stand-in's administrator.
    pub fn admin_key(&self, planet: &Planet) -> Result<&str, String> {
        self.kept
            .admin_keys
            .get(planet.slug)
            .map(String::as_str)
            .ok_or_else(|| "demo.json has no key; start anew with --reset".into())
    }

    /// Teams to bind in a Space: team, environment it may deploy to, group id, group name.
    pub fn bindings(&self, planet: &Planet) -> Vec<(&'static str, &'static str, &str, &'static str)> {
        let group = match planet.slug {
            "mars" => "Developers",
            _ => "Research",
        };
        self.kept.groups.get(group).map(|id| (group, "Dev", id.as_str(), group)).into_iter().collect()
    }

    /// A code with which one agent enrols.
    pub async fn enrolment_code(&self, planet: &Planet) -> Result<String, String> {
        let space = self.space(planet.slug).map_err(|e| e.to_string())?;
        let code = agents::create_enrolment_code(&self.deps, &Actor::system("demo"), &space).await.map_err(|e| e.to_string())?;
        Ok(code.code)
    }

    /// Waits until every section of every Space is acknowledged at its wanted revision.
    pub async fn wait_until_applied(&self) -> Result<(), String> {
        until(Duration::from_secs(30), Duration::from_millis(100), || async {
            for slug in self.kept.spaces.keys() {
                let space = self.space(slug).map_err(|e| e.to_string())?;
                let sections = storage::sections::of_space(&mut &self.deps.db, &space).await.map_err(|e| e.to_string())?;
                if sections.len() < 2 {
                    return Err(format!("{slug}: not every section has been computed"));
                }
                if let Some(s) = sections.iter().find(|s| s.acked_revision < s.revision) {
                    return Err(format!(
                        "{slug}: section {} stands at revision {} of {}",
                        s.section, s.acked_revision, s.revision
                    ));
                }
            }
            Ok(())
        })
        .await
    }

    /// Writes what a script needs to test the demo as its users would.
    pub async fn describe(
        &self,
        file: &Path,
        odcm: &str,
        planets: &[Planet],
        pids: BTreeMap<String, Option<u32>>,
        agent_states: BTreeMap<&str, String>,
    ) -> Result<(), String> {
        let urls: BTreeMap<&str, String> = planets.iter().map(|p| (p.slug, p.url())).collect();
        let barry = storage::people::by_sign_in_name(&mut &self.deps.db, "barry").await.map_err(|e| e.to_string())?;
        let barry = barry.ok_or("there is no barry")?;
        let name = DisplayName::parse("name", "demo script").map_err(|e| e.to_string())?;
        let scopes = TokenScopes { write: true };
        let token = api_tokens::create(&self.deps, &Actor::system("demo"), &barry.id, &name, scopes, 3600)
            .await
            .map_err(|e| e.to_string())?;
        let all = serde_json::json!({
            "odcm": odcm, "spaces": urls, "passwords": self.passwords, "pids": pids, "token": token.secret,
            "groups": self.kept.groups, "space_ids": self.kept.spaces,
            "admin_keys": self.kept.admin_keys, "admin_passwords": self.kept.admin_passwords,
            "program": std::env::current_exe().map_err(|e| e.to_string())?, "agent_state": agent_states,
        });
        write_private(file, &all.to_string())
    }

    /// Who can sign in, and with what.
    pub fn describe_people(&self) -> String {
        let mut out = String::from("  Sign in as:\n");
        for (username, _, about) in PEOPLE {
            let password =
                self.passwords.get(username).map_or("(printed at the first run; --new-passwords makes new ones)", String::as_str);
            out.push_str(&format!("    {username:<7} {password:<24} {about}\n"));
        }
        for (slug, password) in &self.kept.admin_passwords {
            out.push_str(&format!("    admin   {password:<24} local administrator inside {slug}\n"));
        }
        out
    }
}

/// Ten syllables, 60 bits, easy to type.
fn password(deps: &Deps) -> String {
    const CONSONANTS: &[u8; 16] = b"bdfghjklmnprstvz";
    const VOWELS: &[u8; 4] = b"aeio";
    let bytes = deps.entropy.bytes::<20>();
    let mut out = String::new();
    for (n, pair) in bytes.chunks_exact(2).enumerate() {
        if n > 0 && n % 2 == 0 {
            out.push('-');
        }
        let [a, b] = [pair.first().copied().unwrap_or_default(), pair.last().copied().unwrap_or_default()];
        out.push(char::from(CONSONANTS.get(usize::from(a % 16)).copied().unwrap_or(b'b')));
        out.push(char::from(VOWELS.get(usize::from(b % 4)).copied().unwrap_or(b'a')));
    }
    out
}

fn letters(deps: &Deps, count: usize) -> String {
    let mut bytes = vec![0; count];
    deps.entropy.fill(&mut bytes);
    bytes.iter().map(|b| char::from(b'A' + b % 26)).collect()
}
