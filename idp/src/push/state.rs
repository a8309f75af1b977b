//! From what `core` decided to what the wire carries, field by field.

use super::{Error, Result};
use crate::config::Settings;
use crate::core::Timestamp;
use crate::core::directory::{Facts, Span};
use crate::core::ids::SpaceId;
use crate::core::projection::{Adoption, Decisions, Projection, project};
use crate::storage::agents::SpaceForPush;
use crate::storage::{Tx, adoption, directory};
use odcm_wire::latest::{AccessState, AdoptionDecision, AuthenticationState, Group, Interval, Offline, Person};

/// The wanted access state of a Space at `now`, read in `tx`.
pub(super) async fn access(tx: &mut Tx, space: &SpaceId, row: &SpaceForPush, now: Timestamp) -> Result<AccessState> {
    let facts: Facts = directory::of_space(tx, space).await?;
    let mut decisions = Decisions { revoke_api_keys: row.revoke_api_keys, ..Decisions::default() };
    for (person, text) in adoption::decisions(tx, space).await? {
        let decision: AdoptionDecision =
            serde_json::from_str(&text).map_err(|e| Error::Document(format!("adoption decision of {person}: {e}")))?;
        decisions.adoptions.insert(person, to_core(decision));
    }
    decisions.confirmed_sweeps = adoption::confirmed_sweeps(tx, space).await?.into_iter().collect();
    Ok(to_wire(project(&facts, space, now, &decisions)))
}

/// The wanted authentication state of a Space.
pub(super) fn authentication(settings: &Settings, row: &SpaceForPush) -> AuthenticationState {
    AuthenticationState {
        issuer: settings.public.issuer().into(),
        client_id: row.client_id.clone(),
        display_name: "ODCM".into(),
        secret_generation: u64::try_from(row.secret_generation).unwrap_or_default(),
    }
}

/// What happens in the Space when the lease runs out. Anything but `keep` shuts.
pub(super) fn offline(policy: &str) -> Offline {
    if policy == "keep" { Offline::Keep } else { Offline::Shut }
}

fn interval(span: Span) -> Interval {
    Interval { from: span.from.map(|t| t.0), until: span.until.map(|t| t.0) }
}

fn to_core(decision: AdoptionDecision) -> Adoption {
    match decision {
        AdoptionDecision::Adopt { account, reset_password, remove_foreign_identities, revoke_api_keys } => {
            Adoption::Adopt { account, reset_password, remove_foreign_identities, revoke_api_keys }
        }
        AdoptionDecision::CreateNew => Adoption::CreateNew,
    }
}

fn from_core(decision: Adoption) -> AdoptionDecision {
    match decision {
        Adoption::Adopt { account, reset_password, remove_foreign_identities, revoke_api_keys } => {
            AdoptionDecision::Adopt { account, reset_password, remove_foreign_identities, revoke_api_keys }
        }
        Adoption::CreateNew => AdoptionDecision::CreateNew,
    }
}

fn to_wire(projection: Projection) -> AccessState {
    let person = |p: crate::core::projection::ProjectedPerson| Person {
        username: p.username,
        email: p.email,
        display_name: p.display_name,
        interval: interval(p.span),
        adoption: p.adoption.map(from_core),
    };
    let group = |g: crate::core::access::GroupAccess| Group {
        name: g.name,
        members: g.members.into_iter().map(|(id, span)| (id.to_string(), interval(span))).collect(),
    };
    AccessState {
        people: projection.people.into_iter().map(|(id, p)| (id.to_string(), person(p))).collect(),
        groups: projection.groups.into_iter().map(|(id, g)| (id.to_string(), group(g))).collect(),
        confirmed_sweeps: projection.confirmed_sweeps,
        revoke_api_keys: projection.revoke_api_keys,
    }
}
