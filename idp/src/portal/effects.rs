//! What a change would do, in words: exactly who gains and who loses what, as far as the caller may see it.

use super::desk::{Desk, Fault};
use crate::accounts::access::{self, ProposedChange};
use crate::core::Timestamp;
use crate::core::access::{ClientDoor, View};
use crate::core::difference::{Effect, Turn, difference};
use crate::core::directory::{Facts, Span};
use crate::core::ids::PersonId;
use crate::core::policy::Act;
use crate::storage::directory;
use serde::Serialize;

/// So many lines are listed; the rest is counted.
const MOST: usize = 200;

/// One line.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Line {
    turn: &'static str,
    person: String,
    what: String,
    space: String,
    span: SpanView,
}

/// When something holds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct SpanView {
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    /// `now`, `later` or `over`.
    state: &'static str,
}

impl SpanView {
    /// As seen at `now`.
    pub(super) fn new(span: Span, now: Timestamp) -> Self {
        let state = match (span.holds(now), span.from) {
            (true, _) => "now",
            (false, Some(from)) if from > now => "later",
            _ => "over",
        };
        Self { from: span.from, until: span.until, state }
    }
}

/// The whole difference.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Effects {
    lines: Vec<Line>,
    more: usize,
    gains: usize,
    loses: usize,
    hidden: bool,
}

impl Effects {
    pub(super) fn sample() -> Self {
        let span = Span { from: Some(Timestamp(1)), until: Some(Timestamp(2)) };
        let line = |turn, state| Line {
            turn,
            person: "Bob".into(),
            what: "membership in Developers".into(),
            space: "Mars".into(),
            span: SpanView { state, ..SpanView::new(span, Timestamp(1)) },
        };
        Self {
            lines: vec![line("gains", "now"), line("loses", "over"), line("retimed", "later")],
            more: 3,
            gains: 1,
            loses: 1,
            hidden: true,
        }
    }
}

/// Tries a change on the facts of this moment. Somebody who may not ask about everything sees the effects in Spaces and
/// groups that they may read, and is told that there are others.
pub(super) async fn of(desk: &Desk, change: &ProposedChange) -> Result<Effects, Fault> {
    let facts = directory::everything(&mut desk.db()).await?;
    let after = access::apply(&facts, change)?;
    Ok(between(desk, &facts, &after))
}

fn between(desk: &Desk, facts: &Facts, after: &Facts) -> Effects {
    let all = difference(facts, after, desk.now());
    let everything = desk.may(&Act::Explain);
    let seen = |effect: &&Effect| {
        everything
            || desk.may(&Act::ReadSpace(effect.space.clone()))
            || effect.group.as_ref().is_some_and(|group| desk.may(&Act::ReadGroup(group.clone())))
    };
    let visible: Vec<&Effect> = all.iter().filter(seen).collect();
    let count = |wanted: fn(&Turn) -> bool| visible.iter().filter(|e| wanted(&e.turn)).count();
    Effects {
        gains: count(|t| matches!(t, Turn::Gains { .. })),
        loses: count(|t| matches!(t, Turn::Loses)),
        more: visible.len().saturating_sub(MOST),
        hidden: visible.len() < all.len(),
        lines: visible.iter().take(MOST).map(|effect| line(effect, facts, desk.now())).collect(),
    }
}

/// What another door of a client would do: who could use it then and cannot now, and the other way round. For whoever
/// manages clients, who may read everybody.
pub(super) async fn of_client(desk: &Desk, name: &str, before: &ClientDoor, after: &ClientDoor) -> Result<Effects, Fault> {
    let facts = directory::everything(&mut desk.db()).await?;
    let view = View::new(&facts, desk.now());
    let (old, new) = (view.admitted(before), view.admitted(after));
    let (gains, loses): (Vec<_>, Vec<_>) = (new.difference(&old).collect(), old.difference(&new).collect());
    let line = |turn: &'static str, person: &PersonId| Line {
        turn,
        person: facts.people.get(person).map_or_else(|| person.to_string(), |p| p.display_name.clone()),
        what: "entry".into(),
        space: name.to_owned(),
        span: SpanView::default(),
    };
    let lines = loses.iter().map(|p| line("loses", p)).chain(gains.iter().map(|p| line("gains", p)));
    Ok(Effects {
        lines: lines.take(MOST).collect(),
        more: (gains.len() + loses.len()).saturating_sub(MOST),
        gains: gains.len(),
        loses: loses.len(),
        hidden: false,
    })
}

fn line(effect: &Effect, facts: &Facts, now: Timestamp) -> Line {
    let (turn, span) = match effect.turn {
        Turn::Gains { span } => ("gains", span),
        Turn::Loses => ("loses", Span::ALWAYS),
        Turn::Retimed { span } => ("retimed", span),
    };
    let group = effect.group.as_ref().map(|id| facts.groups.get(id).map_or(id.as_str(), String::as_str));
    Line {
        turn,
        person: facts.people.get(&effect.person).map_or_else(|| effect.person.to_string(), |p| p.display_name.clone()),
        what: group.map_or_else(|| "entry".to_owned(), |name| format!("membership in {name}")),
        space: facts.spaces.get(&effect.space).cloned().unwrap_or_else(|| effect.space.to_string()),
        span: SpanView::new(span, now),
    }
}
