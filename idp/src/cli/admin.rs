//! `odcm admin`: the first owner, a token for programs, and the way back in. Whoever has a shell on the host may do this; the
//! audit names them.

use super::host;
use crate::accounts::{self, api_tokens, people, recovery, rights};
use crate::core::policy::{Right, Role, Scope, TokenScopes};
use crate::core::text::{DisplayName, Email, Username, fold};
use crate::deps::Deps;
use crate::server::Deployment;
use crate::storage;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(super) enum AdminCommand {
    /// Make the first owner; prints a one-time link with which they set their password. Refused once there is an owner.
    Bootstrap {
        /// User name.
        #[arg(long)]
        username: String,
        /// E-mail address.
        #[arg(long)]
        email: String,
        /// Name for people.
        #[arg(long)]
        name: String,
    },
    /// Make an API token for a person; prints it once.
    Token {
        /// Whose rights it has.
        #[arg(long)]
        username: String,
        /// What it is for.
        #[arg(long)]
        name: String,
        /// It may change things; otherwise it may only read.
        #[arg(long)]
        write: bool,
        /// Days it lives.
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(i64).range(1..=366))]
        days: i64,
    },
    /// When nobody can get in any more: make this person an active owner and print a one-time link for a new password.
    Recover {
        /// User name.
        #[arg(long)]
        username: String,
    },
}

impl AdminCommand {
    /// Only the first owner may be made before anything else is there.
    pub(super) fn deployment(&self) -> Deployment {
        if matches!(self, Self::Bootstrap { .. }) { Deployment::MayBeNew } else { Deployment::Exists }
    }
}

fn everything() -> Right {
    Right { role: Role::Owner, scope: Scope::All }
}

/// Runs the command and gives what to print.
///
/// # Errors
/// A sentence for people.
pub(super) async fn run(deps: &Deps, command: &AdminCommand) -> Result<String, String> {
    let done = match command {
        AdminCommand::Bootstrap { username, email, name } => bootstrap(deps, username, email, name).await,
        AdminCommand::Token { username, name, write, days } => token(deps, username, name, *write, *days).await,
        AdminCommand::Recover { username } => recover(deps, username).await,
    };
    done.map_err(|e| e.to_string())
}

async fn bootstrap(deps: &Deps, username: &str, email: &str, name: &str) -> Result<String, accounts::Error> {
    let (username, email, display_name) = (Username::parse(username)?, Email::parse(email)?, DisplayName::parse("name", name)?);
    let owners = storage::rights::all(&mut &deps.db).await?;
    if let Some(owner) = owners.iter().find(|r| r.right == everything()) {
        return Err(crate::core::Refusal::conflict(
            "bootstrap.done",
            format!("There is an owner already: {}. If nobody can get in, use `odcm admin recover`.", owner.person_name),
        )
        .into());
    }
    let new =
        people::NewPerson { username, display_name, email, email_verified: true, reuse_former_names: false, password_link: true };
    let created = people::create(deps, &host(), new).await?;
    rights::give(deps, &host(), &created.id, &everything(), None).await?;
    let url = created.link.map(|l| l.url).unwrap_or_default();
    Ok(format!("{name} owns this ODCM. Open this link once, within {}, to set the password:\n\n    {url}\n", life(deps)))
}

async fn find(deps: &Deps, username: &str) -> Result<storage::people::Person, accounts::Error> {
    let found = storage::people::by_sign_in_name(&mut &deps.db, &fold(username)).await?;
    found.ok_or_else(|| crate::core::Refusal::not_found("person").field("username").into())
}

async fn token(deps: &Deps, username: &str, name: &str, write: bool, days: i64) -> Result<String, accounts::Error> {
    let person = find(deps, username).await?;
    let name = DisplayName::parse("name", name)?;
    let fresh = api_tokens::create(deps, &host(), &person.id, &name, TokenScopes { write }, days * 86_400).await?;
    let may = if write { "may read and change" } else { "may only read" };
    Ok(format!(
        "This token {may} what {} may, until {}. It is shown once:\n\n    {}\n",
        person.display_name,
        fresh.expires_at.rfc3339(),
        fresh.secret
    ))
}

async fn recover(deps: &Deps, username: &str) -> Result<String, accounts::Error> {
    let person = find(deps, username).await?;
    let link = recovery::recover(deps, &host(), &person.id).await?;
    tracing::warn!(person = %person.id, "recovered on the host: this person is an owner now");
    Ok(format!(
        "{} is an active owner. The audit says so. Open this link once, within {}, to set a new password:\n\n    {}\n",
        person.display_name,
        life(deps),
        link.url
    ))
}

fn life(deps: &Deps) -> String {
    let hours = deps.settings.sign_in.one_time_link / 3600;
    if hours >= 48 { format!("{} days", hours / 24) } else { format!("{hours} hours") }
}
