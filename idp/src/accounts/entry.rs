//! The one question of every endpoint that gives something for a person at a client: may this happen **now**? Asked at
//! authorization, redemption, refresh and userinfo, each time inside the transaction (rules C1).

use super::access;
use crate::core::Timestamp;
use crate::core::client::Client;
use crate::core::ids::PersonId;
use crate::storage::adoption;
use crate::storage::links::{self, LinkRow};
use crate::storage::{Result, Rowish};

/// Why a client does not get anything for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// No grant leads to the Space, the person is disabled, or not in a group the client is restricted to.
    NoAccess,
    /// Access is there, but the Space has not acknowledged the account yet (rules A7).
    NotReady,
    /// An account was found there that may be the person's; an administrator has to decide (rules A6).
    Undecided,
    /// Somebody switched the account off inside the Space (rules A4).
    DisabledThere,
}

impl Closed {
    /// Stable code, also the key of its text.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NoAccess => "no_access",
            Self::NotReady => "not_ready",
            Self::Undecided => "undecided",
            Self::DisabledThere => "disabled_there",
        }
    }
    /// What the client is told (`error_description`).
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Self::NoAccess => "This person has no access to this application.",
            Self::NotReady => "The account of this person is not ready yet.",
            Self::Undecided => "An administrator has to confirm the account of this person.",
            Self::DisabledThere => "The account of this person was disabled in this application.",
        }
    }
}

/// The way in: for a Space, the account that it acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// The account link, for the client of a Space.
    pub link: Option<LinkRow>,
}

/// Whether `client` may get something for `person` at `now`.
///
/// # Errors
/// Any storage error; the inner result is the answer.
pub async fn check(
    db: &mut impl Rowish,
    client: &Client,
    person: &PersonId,
    now: Timestamp,
) -> Result<std::result::Result<Open, Closed>> {
    if !client.enabled {
        return Ok(Err(Closed::NoAccess));
    }
    let Some(space) = client.space() else {
        let admitted = access::admits_client(db, person, &client.id, now).await?;
        return Ok(if admitted { Ok(Open { link: None }) } else { Err(Closed::NoAccess) });
    };
    if !access::admits(db, person, space, now).await? {
        return Ok(Err(Closed::NoAccess));
    }
    Ok(match links::find(db, space, person).await? {
        Some(link) if link.locally_disabled => Err(Closed::DisabledThere),
        Some(link) if link.active => Ok(Open { link: Some(link) }),
        // as the launcher says it
        _ if adoption::of_person(db, space, person).await?.iter().any(|found| found.decision.is_none()) => Err(Closed::Undecided),
        _ => Err(Closed::NotReady),
    })
}
