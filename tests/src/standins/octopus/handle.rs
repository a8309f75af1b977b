//! What a test holds of a running stand-in.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::task::JoinHandle;

use super::{
    api_keys,
    events::{self, Actor},
    faults::Fault,
    permissions, secrets,
    server::{App, Seen},
    sessions,
    state::{State, Team, User},
    switches::Switches,
};

/// The cookies of a signed-in browser.
#[derive(Clone, Debug)]
pub struct CookieSession {
    /// Value for the `Cookie` header.
    pub cookie: String,
    /// Value for the `X-Octopus-Csrf-Token` header.
    pub csrf: String,
}

/// A running stand-in. Dropping it stops the server without saving; [`StandinHandle::stop`] saves.
pub struct StandinHandle {
    app: App,
    address: SocketAddr,
    admin_key: String,
    stop: axum_server::Handle<SocketAddr>,
    server: JoinHandle<()>,
    saver: JoinHandle<()>,
}

impl StandinHandle {
    pub(super) fn new(
        app: App,
        address: SocketAddr,
        admin_key: String,
        stop: axum_server::Handle<SocketAddr>,
        server: JoinHandle<()>,
        saver: JoinHandle<()>,
    ) -> Self {
        Self { app, address, admin_key, stop, server, saver }
    }

    /// Address that the server listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`, for programs.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Address for browsers.
    #[must_use]
    pub fn public_url(&self) -> &str {
        &self.app.public_url
    }

    /// API key of the first administrator's service account; empty when a data file was read and no key was given.
    #[must_use]
    pub fn admin_key(&self) -> &str {
        &self.admin_key
    }

    /// A copy of everything the server knows.
    #[must_use]
    pub fn snapshot(&self) -> State {
        self.app.read().clone()
    }

    /// Changes the state behind the API's back, without an event.
    pub fn edit<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.app.write())
    }

    /// The user with this id or, ignoring case, this name.
    #[must_use]
    pub fn user(&self, id_or_name: &str) -> Option<User> {
        let state = self.app.read();
        state.user(id_or_name).or_else(|| state.user_named(id_or_name)).cloned()
    }

    /// The team with this id or, ignoring case, this name.
    #[must_use]
    pub fn team(&self, id_or_name: &str) -> Option<Team> {
        let state = self.app.read();
        state.teams.get(id_or_name).or_else(|| state.team_named(id_or_name)).cloned()
    }

    /// Whether an active user (id or name) may deploy the seeded project to an environment (id or name).
    #[must_use]
    pub fn can_deploy(&self, user: &str, environment: &str) -> bool {
        let state = self.app.read();
        let Some(user) = state.user(user).or_else(|| state.user_named(user)) else { return false };
        let named = |id: &&String| {
            let name = state.document("environments", id).and_then(|found| found.get("Name")).and_then(Value::as_str);
            *id == environment || name.is_some_and(|name| name.eq_ignore_ascii_case(environment))
        };
        let environment = state.documents.get("environments").and_then(|known| known.keys().find(named));
        environment.is_some_and(|id| permissions::can_deploy(&state, user, "Projects-1", id))
    }

    /// Edits a team as a local administrator would on the page: with an event by `admin`. The team is made if
    /// there is none with that name; answers its id.
    pub fn edit_team(&self, name: &str, change: impl FnOnce(&mut Team)) -> String {
        let now = self.app.now();
        let mut state = self.app.write();
        let before = state.team_named(name).cloned();
        let mut team = match &before {
            Some(team) => team.clone(),
            None => Team {
                id: state.next_id("Teams"),
                name: name.to_owned(),
                can_be_deleted: true,
                can_be_renamed: true,
                can_change_roles: true,
                can_change_members: true,
                ..Team::default()
            },
        };
        change(&mut team);
        let id = team.id.clone();
        events::team_changed(&mut state, &Actor::local("admin", now), before.as_ref(), Some(&team));
        state.teams.insert(id.clone(), team);
        id
    }

    /// Gives a team a role in the default space, limited to environments (ids); answers the scoped role's id.
    pub fn give_role(&self, team_id: &str, role_id: &str, environments: &[&str]) -> String {
        let mut state = self.app.write();
        let id = state.next_id("ScopedUserRoles");
        let scoped = super::state::ScopedUserRole {
            id: id.clone(),
            user_role_id: role_id.to_owned(),
            team_id: team_id.to_owned(),
            space_id: Some("Spaces-1".into()),
            environment_ids: environments.iter().map(|&id| id.to_owned()).collect(),
            ..Default::default()
        };
        state.scoped_roles.insert(id.clone(), scoped);
        id
    }

    /// Creates a local user, with a password if one is given; answers the id.
    pub fn create_user(&self, username: &str, email: Option<&str>, password: Option<&str>) -> String {
        let now = self.app.now();
        let password = password.map(|password| secrets::hash_password(&self.app.config.entropy, password));
        let mut state = self.app.write();
        let user = User {
            id: state.next_id("Users"),
            username: username.to_owned(),
            display_name: username.to_owned(),
            email: email.map(str::to_owned),
            is_active: true,
            password,
            created: now,
            modified: now,
            modified_by: "admin".into(),
            ..User::default()
        };
        let id = user.id.clone();
        events::user_changed(&mut state, &Actor::local("admin", now), None, Some(&user));
        state.users.insert(id.clone(), user);
        id
    }

    /// Creates an API key for a user (id) that does not expire; answers the key.
    pub fn create_api_key(&self, user_id: &str, purpose: &str) -> String {
        let now = self.app.now();
        let key = secrets::api_key(&self.app.config.entropy);
        api_keys::store(&mut self.app.write(), user_id, purpose, &key, now, None);
        key
    }

    /// Opens a cookie session for a user (id), as a sign-in would.
    pub fn open_session(&self, user_id: &str) -> CookieSession {
        let opened = sessions::open(&self.app, &mut self.app.write(), user_id, false);
        let state = self.app.read();
        let (session, csrf) = (super::auth::session_cookie(&state), super::auth::csrf_cookie(&state));
        CookieSession { cookie: format!("{session}={}; {csrf}={}", opened.token, opened.csrf), csrf: opened.csrf }
    }

    /// Makes things go wrong on every path.
    pub fn fault(&self, fault: Fault) {
        self.app.faults.add(fault, "/", None, None);
    }

    /// Makes things go wrong for paths that start with `prefix`, for one method or all, `times` times or for ever.
    pub fn fault_on(&self, fault: Fault, prefix: &str, method: Option<&str>, times: Option<u32>) {
        self.app.faults.add(fault, prefix, method, times);
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.app.faults.clear();
    }

    /// How many requests were answered since the start.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.app.requests()
    }

    /// The newest answered requests, oldest first, at most 10 000.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.app.seen()
    }

    /// Changes assumptions while the server runs.
    pub fn set_switches(&self, change: impl FnOnce(&mut Switches)) {
        self.app.set_switches(change);
    }

    /// Stops the server; open requests are cut, the data file is written.
    pub async fn stop(mut self) {
        self.stop.shutdown();
        self.saver.abort();
        let _ = (&mut self.server).await;
        self.app.save();
    }
}

impl Drop for StandinHandle {
    fn drop(&mut self) {
        self.stop.shutdown();
        self.server.abort();
        self.saver.abort();
    }
}
