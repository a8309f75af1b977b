//! The Spaces of a person: starred, recent, others; and whether each can be entered right now.

use super::Result;
use crate::core::Refusal;
use crate::core::access::View;
use crate::core::ids::{PersonId, SpaceId};
use crate::deps::Deps;
use crate::storage::visits::Standing;
use crate::storage::{directory, visits};
use serde::Serialize;

/// A Space as its tile shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Where the person stands.
    pub standing: Standing,
    /// Whether it can be entered.
    pub state: State,
}

/// Whether a Space can be entered by somebody who has access to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Yes.
    Ready,
    /// The agent has not made the account yet (rules A7).
    Waiting,
    /// An account found in the Space may be the person's; an administrator must decide (rules A6).
    Undecided,
    /// The Space itself set the account inactive (rules A4).
    DisabledThere,
}

/// The tiles of a person, each list in the order in which it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MySpaces {
    /// Starred, by name.
    pub starred: Vec<Tile>,
    /// Visited and not starred, newest first.
    pub recent: Vec<Tile>,
    /// The others, by name.
    pub others: Vec<Tile>,
}

/// The Spaces that a person may enter now.
///
/// # Errors
/// Any storage error.
pub async fn my_spaces(deps: &Deps, person: &PersonId) -> Result<MySpaces> {
    let facts = directory::of_person(&mut &deps.db, person).await?;
    let admitted = View::new(&facts, deps.clock.now()).spaces_of(person);
    let mut mine = MySpaces::default();
    for standing in visits::standings(&mut &deps.db, person).await? {
        if !admitted.contains_key(&standing.id) {
            continue;
        }
        let state = state(&standing);
        let list = match (standing.starred, standing.last_at) {
            (true, _) => &mut mine.starred,
            (false, Some(_)) => &mut mine.recent,
            (false, None) => &mut mine.others,
        };
        list.push(Tile { standing, state });
    }
    mine.recent.sort_by_key(|tile| std::cmp::Reverse(tile.standing.last_at));
    Ok(mine)
}

fn state(standing: &Standing) -> State {
    match (standing.link_active, standing.locally_disabled) {
        (_, Some(true)) => State::DisabledThere,
        (Some(true), _) => State::Ready,
        _ if standing.undecided > 0 => State::Undecided,
        _ => State::Waiting,
    }
}

/// Stars one of the person's own Spaces, or takes the star away.
///
/// # Errors
/// Refused: `not_found` if the person may not enter it.
pub async fn star(deps: &Deps, person: &PersonId, space: &SpaceId, starred: bool) -> Result<()> {
    if !super::access::admits(&mut &deps.db, person, space, deps.clock.now()).await? {
        return Err(Refusal::not_found("Space").into());
    }
    Ok(visits::star(&deps.db, person, space, starred).await?)
}
