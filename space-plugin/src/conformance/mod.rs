//! What every adapter must do, whatever the server behind it.
//!
//! May use the contract only. A [`Bench`] is one fresh Space with somebody who works in it by hand; [`run`] takes a maker of
//! benches, gives each case a Space of its own and answers the cases that failed.
//!
//! ```
//! use odcm_space_plugin::{conformance, fake::FakeSpace};
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let failures = conformance::run(async || Box::new(FakeSpace::new("mars")) as Box<dyn conformance::Bench>).await;
//! assert_eq!(failures, []);
//! # });
//! ```

mod accounts;
mod authentication;
mod changes;
mod leaving;
mod teams;

use crate::adapter::{AdapterError, NewAccount, SpaceAdapter};
use async_trait::async_trait;
use serde_json::Value;

/// One Space, reached by the adapter under test and by somebody's own hands.
#[async_trait]
pub trait Bench: Send + Sync {
    /// The adapter under test.
    fn adapter(&self) -> &dyn SpaceAdapter;
    /// Creates a person, active, with a password; answers the id.
    async fn create_account(&self, username: &str, email: &str) -> String;
    /// Gives an account an identity of a provider.
    async fn add_identity(&self, account: &str, provider: &str, email: &str);
    /// Deactivates or activates an account.
    async fn set_active(&self, account: &str, active: bool);
    /// Gives an account an API key.
    async fn create_api_key(&self, account: &str, purpose: &str);
    /// Opens a session.
    async fn open_session(&self, account: &str);
    /// Counts sessions.
    async fn sessions(&self, account: &str) -> usize;
    /// Creates a system team with these members that names an external group; answers the id.
    async fn create_team(&self, name: &str, members: &[&str], group: &str) -> String;
    /// Sets the members of a team.
    async fn set_members(&self, team: &str, members: &[&str]);
    /// The team that holds administrator rights, and one whose members are fixed.
    fn built_in_teams(&self) -> (String, String);
    /// Sets issuer, client id and client secret of the provider for ODCM as another owner would have, enabled or not.
    async fn configure(&self, enabled: bool, issuer: &str, client_id: &str, secret: Option<&str>);
    /// Opens both doors: automatic user creation and self-service identities.
    async fn open_doors(&self);
    /// The stored client secret.
    async fn client_secret(&self) -> Option<String>;
    /// Everything of the sign-in settings that no adapter may touch.
    async fn other_settings(&self) -> Value;
    /// Everything of an account or team that the contract does not let an adapter change.
    async fn untouchable(&self, document: &str) -> Value;
}

/// A case that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Name of the case.
    pub case: &'static str,
    /// What was expected and what was there.
    pub problem: String,
}

type Outcome = Result<(), String>;

/// Fails a case with a sentence unless a condition holds.
macro_rules! ensure {
    ($condition:expr, $($sentence:tt)+) => {
        if !$condition {
            return Err(format!($($sentence)+));
        }
    };
}
use ensure;

/// Calls that must work.
trait Works<T> {
    /// The value, or the failure of the case.
    fn works(self, what: &str) -> Result<T, String>;
}

impl<T> Works<T> for Result<T, AdapterError> {
    fn works(self, what: &str) -> Result<T, String> {
        self.map_err(|error| format!("{what}: {error}"))
    }
}

fn bob() -> NewAccount {
    NewAccount { username: "bob".into(), email: "Bob.Builder@x.example".into(), display_name: "Bob Builder".into() }
}

macro_rules! cases {
    ($make:ident, $failures:ident, $($room:ident: $($case:ident)+;)+) => {$($(
        let bench = $make().await;
        if let Err(problem) = $room::$case(&*bench).await {
            $failures.push(Failure { case: concat!(stringify!($room), "::", stringify!($case)), problem });
        }
    )+)+};
}

/// Runs every case on a Space of its own and answers the failures.
pub async fn run<F>(make: F) -> Vec<Failure>
where
    F: AsyncFn() -> Box<dyn Bench>,
{
    let mut failures = Vec::new();
    cases! { make, failures,
        accounts: describes_itself creates refuses_bad_names changes_only_what_is_asked deactivates_and_activates
            holds_our_identity removes_foreign_identities sets_passwords knows_what_is_not_there;
        leaving: lists_and_deletes_api_keys ends_sessions;
        teams: lists_what_teams_are leaves_strangers_alone takes_both_lists_as_outside writes_nothing_twice
            refuses_fixed_teams_and_unknown_ids;
        authentication: points_the_provider_at_us keeps_and_replaces_the_secret closes_doors_again brings_back_what_was
            keeps_the_secret_of_the_backup refuses_a_strange_backup;
        changes: names_what_others_did starts_with_nothing says_when_it_lost_track;
    }
    failures
}
