//! Who may enter what, asked with facts of this very moment (rules C1, C2), why, what a change would do, and what time alone
//! changes.

use super::Result;
use crate::core::access::{View, may_enter};
use crate::core::difference::{Effect, difference};
use crate::core::directory::{Assertion, Facts, Grant, Span, Subject};
use crate::core::explain::{Explanation, explain as explain_facts};
use crate::core::ids::{ClientId, GrantId, GroupId, PersonId, SpaceId};
use crate::core::policy::{Act, Actor};
use crate::core::{Refusal, Timestamp};
use crate::deps::Deps;
use crate::storage::revocation::{Door, door};
use crate::storage::{self, Rowish, Tx, bindings, directory, marks, revocation};
use std::collections::BTreeSet;

/// Whether a Space admits a person at `now`, decided on facts read in this transaction. For every token endpoint.
///
/// # Errors
/// Any storage error.
pub async fn admits(db: &mut impl Rowish, person: &PersonId, space: &SpaceId, now: Timestamp) -> storage::Result<bool> {
    let facts = directory::of_person(db, person).await?;
    Ok(may_enter(&facts, person, space, now).is_some())
}

/// Whether a client admits a person at `now`: a Space by access to it, a restricted client by its groups, any other client
/// whoever is active. An unknown client admits nobody.
///
/// # Errors
/// Any storage error.
pub async fn admits_client(db: &mut impl Rowish, person: &PersonId, client: &ClientId, now: Timestamp) -> storage::Result<bool> {
    match door(db, client, person).await? {
        None => Ok(false),
        Some(Door::Space(space)) => admits(db, person, &space, now).await,
        Some(Door::Open { active }) => Ok(active),
        Some(Door::Groups(groups)) => {
            let facts = directory::of_person(db, person).await?;
            let active = facts.people.get(person).is_some_and(|p| p.active);
            let own = View::new(&facts, now).groups_of(person);
            Ok(active && groups.iter().any(|group| own.contains_key(group)))
        }
    }
}

/// Why a person may enter a Space, or what is missing.
///
/// # Errors
/// Refused: `not_found`, `right.missing`.
pub async fn explain(deps: &Deps, actor: &Actor, person: &PersonId, space: &SpaceId) -> Result<(Explanation, Facts)> {
    actor.may(&Act::Explain)?;
    let facts = directory::everything(&mut &deps.db).await?;
    let bound = bound_teams(deps, space).await?;
    Ok((explain_facts(&facts, person, space, deps.clock.now(), &bound)?, facts))
}

/// Which groups stand in which teams, as the Space reported it; a binding to something that is no id of ours is skipped.
async fn bound_teams(deps: &Deps, space: &SpaceId) -> Result<Vec<(GroupId, String)>> {
    let rows = bindings::of_space(&mut &deps.db, space).await?;
    Ok(rows.into_iter().filter_map(|row| Some((GroupId::parse(&row.group_key).ok()?, team_name(&row)))).collect())
}

fn team_name(row: &bindings::BindingRow) -> String {
    serde_json::from_str::<odcm_wire::v1::TeamBinding>(&row.binding).map_or_else(|_| row.team_id.clone(), |b| b.team_name)
}

/// A change to look at before it is made.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case", tag = "change")]
pub enum ProposedChange {
    /// A person or group comes into a group.
    AddMembership {
        /// The group.
        group: GroupId,
        /// Who.
        member: Subject,
        /// When.
        #[serde(default)]
        span: Span,
    },
    /// The manual assertion holds at another time.
    ChangeMembership {
        /// The group.
        group: GroupId,
        /// Who.
        member: Subject,
        /// When.
        #[serde(default)]
        span: Span,
    },
    /// The manual assertion goes.
    RemoveMembership {
        /// The group.
        group: GroupId,
        /// Who.
        member: Subject,
    },
    /// A Space is granted.
    AddGrant {
        /// The Space.
        space: SpaceId,
        /// To whom.
        subject: Subject,
        /// When.
        #[serde(default)]
        span: Span,
    },
    /// A grant holds at another time.
    ChangeGrant {
        /// The grant.
        grant: GrantId,
        /// When.
        #[serde(default)]
        span: Span,
    },
    /// A grant goes.
    RevokeGrant {
        /// The grant.
        grant: GrantId,
    },
    /// A person is disabled.
    DisablePerson {
        /// Who.
        person: PersonId,
    },
    /// A person is active again: the last reason to be disabled goes.
    EnablePerson {
        /// Who.
        person: PersonId,
    },
    /// Two people become one.
    JoinPeople {
        /// Who stays.
        kept: PersonId,
        /// Who goes.
        gone: PersonId,
    },
    /// A Space goes, with its grants.
    RemoveSpace {
        /// The Space.
        space: SpaceId,
    },
    /// A group goes, with its members, grants and publications.
    DeleteGroup {
        /// The group.
        group: GroupId,
    },
    /// A group is published to a Space.
    PublishGroup {
        /// The Space.
        space: SpaceId,
        /// The group.
        group: GroupId,
    },
    /// A published group is taken back.
    UnpublishGroup {
        /// The Space.
        space: SpaceId,
        /// The group.
        group: GroupId,
    },
}

/// What a change would do: exactly who gains and who loses what. Gives the facts as well, for the names.
///
/// # Errors
/// Refused: `not_found`, `right.missing`, `group.cycle`.
pub async fn dry_run(deps: &Deps, actor: &Actor, change: &ProposedChange) -> Result<(Vec<Effect>, Facts)> {
    actor.may(&Act::Explain)?;
    let before = directory::everything(&mut &deps.db).await?;
    let after = apply(&before, change)?;
    Ok((difference(&before, &after, deps.clock.now()), before))
}

/// The facts after a change.
///
/// # Errors
/// `not_found` for what is not in the facts, `group.cycle`.
pub fn apply(before: &Facts, change: &ProposedChange) -> std::result::Result<Facts, Refusal> {
    let mut facts = before.clone();
    let known = |subject: &Subject| match subject {
        Subject::Person(id) if before.people.contains_key(id) => Ok(()),
        Subject::Person(_) => Err(Refusal::not_found("person")),
        Subject::Group(id) => known_group(before, id),
    };
    let manual = |a: &Assertion, group: &GroupId, member: &Subject| {
        a.group == *group && a.member == *member && a.source == super::memberships::MANUAL
    };
    match change {
        ProposedChange::AddMembership { group, member, span } => {
            known_group(before, group)?;
            known(member)?;
            if let Subject::Group(inner) = member {
                crate::core::access::refuse_cycle(before, group, inner)?;
            }
            facts.assertions.retain(|a| !manual(a, group, member));
            facts.assertions.push(Assertion {
                group: group.clone(),
                member: member.clone(),
                source: super::memberships::MANUAL.into(),
                span: *span,
            });
        }
        ProposedChange::ChangeMembership { group, member, span } => {
            let found = facts.assertions.iter_mut().find(|a| manual(a, group, member));
            found.ok_or_else(|| Refusal::not_found("membership"))?.span = *span;
        }
        ProposedChange::RemoveMembership { group, member } => {
            let count = facts.assertions.len();
            facts.assertions.retain(|a| !manual(a, group, member));
            if facts.assertions.len() == count {
                return Err(Refusal::not_found("membership"));
            }
        }
        ProposedChange::AddGrant { space, subject, span } => {
            known_space(before, space)?;
            known(subject)?;
            facts.grants.retain(|g| g.space != *space || g.subject != *subject);
            let id = GrantId::from_uuid(uuid::Uuid::nil());
            facts.grants.push(Grant { id, space: space.clone(), subject: subject.clone(), span: *span });
        }
        ProposedChange::ChangeGrant { grant, span } => {
            let found = facts.grants.iter_mut().find(|g| g.id == *grant);
            found.ok_or_else(|| Refusal::not_found("grant"))?.span = *span;
        }
        ProposedChange::RevokeGrant { grant } => {
            let count = facts.grants.len();
            facts.grants.retain(|g| g.id != *grant);
            if facts.grants.len() == count {
                return Err(Refusal::not_found("grant"));
            }
        }
        ProposedChange::DisablePerson { person } => {
            facts.people.get_mut(person).ok_or_else(|| Refusal::not_found("person"))?.active = false;
        }
        ProposedChange::EnablePerson { person } => {
            facts.people.get_mut(person).ok_or_else(|| Refusal::not_found("person"))?.active = true;
        }
        ProposedChange::JoinPeople { kept, gone } => return super::merging::facts_after(before, kept, gone),
        ProposedChange::RemoveSpace { space } => {
            facts.spaces.remove(space).ok_or_else(|| Refusal::not_found("Space"))?;
            facts.grants.retain(|grant| grant.space != *space);
            facts.published.retain(|(of, _)| of != space);
        }
        ProposedChange::DeleteGroup { group } => {
            facts.groups.remove(group).ok_or_else(|| Refusal::not_found("group"))?;
            let gone = Subject::Group(group.clone());
            facts.assertions.retain(|a| a.group != *group && a.member != gone);
            facts.grants.retain(|g| g.subject != gone);
            facts.published.retain(|(_, published)| published != group);
        }
        ProposedChange::PublishGroup { space, group } => {
            known_space(before, space)?;
            known_group(before, group)?;
            facts.published.insert((space.clone(), group.clone()));
        }
        ProposedChange::UnpublishGroup { space, group } => {
            facts.published.remove(&(space.clone(), group.clone()));
        }
    }
    Ok(facts)
}

fn known_group(facts: &Facts, id: &GroupId) -> std::result::Result<(), Refusal> {
    if facts.groups.contains_key(id) { Ok(()) } else { Err(Refusal::not_found("group")) }
}

fn known_space(facts: &Facts, id: &SpaceId) -> std::result::Result<(), Refusal> {
    if facts.spaces.contains_key(id) { Ok(()) } else { Err(Refusal::not_found("Space")) }
}

/// Marks the Spaces whose facts changed by time alone after `since` and up to `now`, and gives them. The scheduler calls it
/// at [`directory::next_due`]; nobody has to touch anything. Tokens need no help: each decision is taken in its own
/// transaction.
///
/// # Errors
/// Any storage error.
pub async fn due_changes(tx: &mut Tx, since: Timestamp, now: Timestamp) -> storage::Result<BTreeSet<SpaceId>> {
    let spaces = directory::due_spaces(tx, since, now).await?;
    // marking as a removal only puts a Space first; what began and what ended the projection sees
    marks::mark_removals(tx, &spaces, now).await?;
    // codes and refresh families of whoever lost entry by time alone end, so that a later grant or membership does not
    // revive them: at Spaces, and at clients that are restricted to groups
    let mut held = Vec::new();
    for space in &spaces {
        held.extend(revocation::held_of_space(tx, space, now).await?);
    }
    for client in directory::due_clients(tx, since, now).await? {
        held.extend(revocation::held_of_client(tx, &client, now).await?);
    }
    for holder in held {
        if !admits_client(tx, &holder.person_id, &holder.client_id, now).await? {
            revocation::end_of_client(tx, &holder, now).await?;
        }
    }
    Ok(spaces)
}
