//! The way back in when nobody can sign in as an owner any more (rules C11). Only the command line on the host comes here.

use super::Result;
use super::desk::Desk;
use super::links::{OneTimeLink, make_in};
use super::people::{enable_in, load};
use super::rights::give_in;
use crate::core::change::Change;
use crate::core::ids::PersonId;
use crate::core::policy::{Act, Actor, Right, Role, Scope};
use crate::deps::Deps;
use crate::run_tx;
use crate::storage::people;

/// Name of the audit line; the first page of the administration shows it for a week.
pub const ACTION: &str = "admin.recover";

/// Makes a person an active owner without end and gives a link for a new password: all of it or nothing, in one transaction.
///
/// # Errors
/// Refused: `not_found`, `right.missing`.
pub async fn recover(deps: &Deps, actor: &Actor, id: &PersonId) -> Result<OneTimeLink> {
    let whole = Right { role: Role::Owner, scope: Scope::All };
    actor.may(&Act::ManageRights(whole.clone()))?;
    let desk = Desk::new(deps, actor);
    let done = run_tx!(deps.db, "admin.recover", |tx| {
        let person = load(tx, id).await?;
        desk.audit(tx, &Change::new(ACTION, "person", id.as_str(), &person.display_name)).await?;
        for disabled in people::disabled(tx, id).await? {
            enable_in(tx, &desk, id, &disabled.reason).await?;
        }
        give_in(tx, &desk, id, &whole, None).await?;
        make_in(tx, &desk, &person).await
    });
    deps.wake.ring();
    done
}
