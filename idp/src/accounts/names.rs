//! The names that Spaces join accounts by: unique across people, former ones included (rules A8).

use super::{Error, Result};
use crate::core::Refusal;
use crate::core::ids::PersonId;
use crate::storage::emails::{self, Name};
use crate::storage::{self, Tx};

/// Whether a former name of somebody else may be taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reuse {
    Refused,
    Allowed,
}

/// Refuses a name that belongs or belonged to somebody else; an address also if somebody else has it verified (rules C7).
pub(super) async fn refuse_taken(tx: &mut Tx, name: Name, key: &str, person: &PersonId, reuse: Reuse) -> Result<()> {
    let (field, taken, former, what) = match name {
        Name::Username => ("username", "username.taken", "username.former", "user name"),
        Name::Email => ("email", "email.taken", "email.former", "address"),
    };
    if let Some(claim) = emails::claim(tx, name, key).await?.filter(|claim| claim.person_id != *person) {
        if claim.held {
            return Err(Refusal::conflict(taken, format!("Somebody else has this {what}. Choose another one."))
                .field(field)
                .into());
        }
        if reuse == Reuse::Refused {
            let text = format!(
                "Somebody else had this {what} before, and Spaces may still know them by it. An owner may decide to use it again."
            );
            return Err(Refusal::conflict(former, text).field(field).into());
        }
    }
    if name == Name::Email && emails::verified_owner(tx, key).await?.is_some_and(|owner| owner != *person) {
        return Err(Refusal::conflict(taken, "This address belongs to somebody else.").field(field).into());
    }
    Ok(())
}

/// What remains of a race for a name: the loser's row was refused by the database.
pub(super) fn say_taken<T>(result: Result<T>) -> Result<T> {
    match result {
        Err(Error::Storage(storage::Error::Unique(_))) => {
            Err(Refusal::conflict("name.taken", "Somebody else has just taken this name or address. Reload and try again.")
                .into())
        }
        other => other,
    }
}
