//! Random sequences of use cases in a small universe, each step held against the rules: every Space whose picture changed is
//! marked, an effective change has exactly one audit line, a refused or idle one leaves nothing, a dry run is what then
//! happens, and parts of the facts decide like all of them.

use super::*;
use odcm::accounts::access::{self, ProposedChange};
use odcm::accounts::memberships;
use odcm::core::Timestamp;
use odcm::core::access::{may_enter, space_access};
use odcm::core::difference::difference;
use odcm::core::directory::Facts;
use odcm::core::ids::GrantId;
use odcm::core::projection::{Decisions, Projection, project};
use odcm::ports::Entropy;
use odcm::storage::Engine;

on_both! { sequences_of_use_cases_keep_the_rules }

struct Universe {
    people: Vec<PersonId>,
    groups: Vec<GroupId>,
    spaces: Vec<SpaceId>,
}

struct Dice(Entropy);

impl Dice {
    fn below(&self, n: usize) -> usize {
        usize::from(u16::from_be_bytes(self.0.bytes::<2>())) % n
    }
    fn pick<'a, T>(&self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
    fn span(&self, now: Timestamp) -> Span {
        let at = |n: usize| now.plus_secs(10 * n as i64 - 20);
        match self.below(7) {
            0 => Span { from: Some(at(self.below(6))), until: None },
            1 => Span { from: None, until: Some(at(self.below(6))) },
            2 => Span { from: Some(at(self.below(4))), until: Some(at(2 + self.below(5))) },
            _ => Span::ALWAYS,
        }
    }
}

/// What the rules look at.
#[derive(PartialEq, Debug)]
struct Picture {
    facts: Facts,
    marks: BTreeMap<SpaceId, i64>,
    audit: usize,
    revision: i64,
}

async fn look(deps: &TestDeps) -> Picture {
    let mut facts = storage::directory::everything(&mut &deps.db).await.unwrap();
    facts.assertions.sort_by(|a, b| (&a.group, &a.member, &a.source).cmp(&(&b.group, &b.member, &b.source)));
    facts.grants.sort_by(|a, b| a.id.cmp(&b.id));
    Picture {
        facts,
        marks: marks(deps).await,
        audit: audit(deps).await.len(),
        revision: storage::directory::revision(&mut &deps.db).await.unwrap(),
    }
}

fn projections(facts: &Facts, now: Timestamp) -> BTreeMap<SpaceId, Projection> {
    facts.spaces.keys().map(|id| (id.clone(), project(facts, id, now, &Decisions::default()))).collect()
}

/// One step: what it is, what a dry run of it would be, and what came of it (`None`: refused; true: something changed).
struct Step {
    name: String,
    proposed: Option<ProposedChange>,
}

fn draw(dice: &Dice, world: &Universe, facts: &Facts, now: Timestamp) -> Step {
    let member = || if dice.below(3) == 0 { g(dice.pick(&world.groups)) } else { p(dice.pick(&world.people)) };
    let (group, space, span) = (dice.pick(&world.groups).clone(), dice.pick(&world.spaces).clone(), dice.span(now));
    let some_grant = || facts.grants.get(dice.below(facts.grants.len().max(1))).map(|g| g.id.clone());
    let nil = || GrantId::from_uuid(Entropy::seeded(99).id(now));
    let proposed = match dice.below(13) {
        0..=2 => Some(ProposedChange::AddMembership { group, member: member(), span }),
        3 => Some(match facts.assertions.get(dice.below(facts.assertions.len().max(1))) {
            Some(a) => ProposedChange::RemoveMembership { group: a.group.clone(), member: a.member.clone() },
            None => ProposedChange::RemoveMembership { group, member: member() },
        }),
        4 => Some(match facts.assertions.get(dice.below(facts.assertions.len().max(1))) {
            Some(a) => ProposedChange::ChangeMembership { group: a.group.clone(), member: a.member.clone(), span },
            None => ProposedChange::ChangeMembership { group, member: member(), span },
        }),
        5 | 6 => Some(ProposedChange::AddGrant { space, subject: member(), span }),
        7 => Some(ProposedChange::ChangeGrant { grant: some_grant().unwrap_or_else(nil), span }),
        8 => Some(ProposedChange::RevokeGrant { grant: some_grant().unwrap_or_else(nil) }),
        9 if dice.below(2) == 0 => Some(ProposedChange::DisablePerson { person: dice.pick(&world.people).clone() }),
        9 if dice.below(8) == 0 => {
            let (kept, gone) = (dice.pick(&world.people).clone(), dice.pick(&world.people).clone());
            Some(ProposedChange::JoinPeople { kept, gone })
        }
        9 => Some(ProposedChange::EnablePerson { person: dice.pick(&world.people).clone() }),
        10 if dice.below(4) == 0 => Some(ProposedChange::DeleteGroup { group }),
        10 => Some(ProposedChange::PublishGroup { space, group }),
        11 => Some(ProposedChange::UnpublishGroup { space, group }),
        _ => None,
    };
    let name = proposed.as_ref().map_or_else(
        || ["enable", "enable", "enable", "rename person", "rename group", "new group", "edit space"][dice.below(7)].to_owned(),
        |p| format!("{p:?}"),
    );
    Step { name, proposed }
}

async fn act(deps: &TestDeps, dice: &Dice, world: &mut Universe, step: &Step, count: usize) -> Result<(), Error> {
    use ProposedChange as P;
    let root = root();
    let Some(proposed) = &step.proposed else {
        let name = format!("n{}", dice.below(4));
        return match &*step.name {
            "enable" => people::enable(deps, &root, dice.pick(&world.people), "manual").await.map(drop),
            "rename person" => {
                let edit = people::EditPerson {
                    username: (dice.below(2) == 0).then(|| Username::parse(&name).unwrap()),
                    display_name: (dice.below(2) == 0).then(|| DisplayName::parse("n", &name).unwrap()),
                    space_email: (dice.below(3) == 0).then(|| Email::parse(&format!("{name}@x.org")).unwrap()),
                    reuse_former_names: dice.below(2) == 0,
                };
                people::edit(deps, &root, dice.pick(&world.people), None, edit).await.map(drop)
            }
            "rename group" => {
                let edit = groups::EditGroup { name: Some(DisplayName::parse("n", &name).unwrap()), description: None };
                groups::edit(deps, &root, dice.pick(&world.groups), None, edit).await.map(drop)
            }
            "new group" => {
                let id = group(deps, &format!("group {count}")).await;
                let place = dice.below(world.groups.len());
                world.groups[place] = id; // the old one lives on, out of reach of the dice
                Ok(())
            }
            _ => {
                let edit = spaces::EditSpace { revoke_api_keys: Some(dice.below(2) == 0), ..Default::default() };
                spaces::edit(deps, &root, dice.pick(&world.spaces), None, edit).await.map(drop)
            }
        };
    };
    match proposed {
        P::AddMembership { group, member, span } => memberships::add(deps, &root, group, member, *span).await,
        P::ChangeMembership { group, member, span } => {
            memberships::change_span(deps, &root, group, member, *span).await.map(drop)
        }
        P::RemoveMembership { group, member } => memberships::remove(deps, &root, group, member).await,
        P::AddGrant { space, subject, span } => accounts::grants::add(deps, &root, space, subject, *span).await.map(drop),
        P::ChangeGrant { grant, span } => accounts::grants::change_span(deps, &root, grant, None, *span).await.map(drop),
        P::RevokeGrant { grant } => accounts::grants::revoke(deps, &root, grant, None).await,
        P::DisablePerson { person } => people::disable(deps, &root, person, "manual").await.map(drop),
        P::EnablePerson { person } => people::enable(deps, &root, person, "manual").await.map(drop),
        P::JoinPeople { kept, gone } => accounts::merging::join(deps, &root, kept, gone).await.map(drop),
        P::RemoveSpace { space } => spaces::remove(deps, &root, space, None, true).await,
        P::DeleteGroup { group } => groups::delete(deps, &root, group, None, true).await,
        P::PublishGroup { space, group } => spaces::publish(deps, &root, space, group).await.map(drop),
        P::UnpublishGroup { space, group } => spaces::unpublish(deps, &root, space, group).await.map(drop),
    }
}

#[derive(Default, Debug)]
struct Tally {
    effective: usize,
    idle: usize,
    refused: usize,
    marks: usize,
    needed: usize,
    by_time: usize,
}

async fn sequences_of_use_cases_keep_the_rules(deps: TestDeps) {
    let seed = std::env::var("ODCM_TEST_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(20_261_122);
    let steps = if deps.db.engine() == Engine::Sqlite { 500 } else { 250 };
    let dice = Dice(Entropy::seeded(seed));
    let mut world = Universe { people: Vec::new(), groups: Vec::new(), spaces: Vec::new() };
    for i in 0..4 {
        world.people.push(person(&deps, &format!("p{i}")).await);
        world.groups.push(group(&deps, &format!("g{i}")).await);
    }
    for i in 0..3 {
        world.spaces.push(space(&deps, &format!("s{i}")).await);
    }
    let mut tally = Tally::default();
    let mut before = look(&deps).await;
    for count in 0..steps {
        if dice.below(4) == 0 {
            before = pass_time(&deps, &dice, before, &mut tally).await;
        }
        let now = deps.clock.now();
        let step = draw(&dice, &world, &before.facts, now);
        let foreseen = match &step.proposed {
            Some(change) => access::dry_run(&deps, &root(), change).await.ok().map(|(effects, _)| effects),
            None => None,
        };
        let result = act(&deps, &dice, &mut world, &step, count).await;
        let after = look(&deps).await;
        let says = || format!("seed {seed}, step {count}: {} -> {result:?}", step.name);
        match &result {
            Err(Error::Refused(_)) => {
                assert_eq!(before, after, "a refused step left something: {}", says());
                tally.refused += 1;
            }
            Err(other) => panic!("{}: {other}", says()),
            Ok(()) if after.audit == before.audit => {
                assert_eq!(before, after, "an idle step left something: {}", says());
                tally.idle += 1;
            }
            Ok(()) => {
                assert_eq!(after.audit, before.audit + 1, "one change, one audit line: {}", says());
                assert_eq!(after.revision, before.revision + 1, "one change, one revision: {}", says());
                if let Some(effects) = foreseen {
                    assert_eq!(effects, difference(&before.facts, &after.facts, now), "the dry run was wrong: {}", says());
                }
                tally.effective += 1;
            }
        }
        covered(&before, &after, (now, now), &mut tally, &says());
        if count % 5 == 0 {
            parts_agree(&deps, &world, &after.facts, now).await;
        }
        before = after;
    }
    assert!(tally.effective > steps / 4 && tally.refused > steps / 20 && tally.by_time > 1, "the dice are lame: {tally:?}");
    assert!(tally.marks < tally.needed * 5, "marks are not tight any more: {tally:?}");
}

/// Every Space whose picture changed between two instants is marked.
fn covered(before: &Picture, after: &Picture, (then, now): (Timestamp, Timestamp), tally: &mut Tally, says: &str) {
    let (old, new) = (projections(&before.facts, then), projections(&after.facts, now));
    for (id, picture) in &new {
        let marked = before.marks.get(id) != after.marks.get(id);
        let changed = old.get(id) != Some(picture);
        assert!(marked || !changed, "Space {id} changed and is not marked: {says}");
        tally.marks += usize::from(marked);
        tally.needed += usize::from(changed);
    }
}

/// Lets time pass and calls what the scheduler calls.
async fn pass_time(deps: &TestDeps, dice: &Dice, before: Picture, tally: &mut Tally) -> Picture {
    let then = deps.clock.now();
    deps.hand.advance_ms(1000 * (1 + dice.below(25) as i64));
    let now = deps.clock.now();
    let due: storage::Result<_> = odcm::run_tx!(deps.db, "test.due", |tx| access::due_changes(tx, then, now).await);
    let after = look(deps).await;
    let (old, new) = (projections(&before.facts, then), projections(&after.facts, now));
    for (id, picture) in &new {
        if old.get(id) != Some(picture) {
            assert!(due.as_ref().unwrap().contains(id), "time changed Space {id} without a mark");
            assert_ne!(before.marks.get(id), after.marks.get(id));
            tally.by_time += 1;
        }
    }
    after
}

async fn parts_agree(deps: &TestDeps, world: &Universe, all: &Facts, now: Timestamp) {
    for space in &world.spaces {
        let part = storage::directory::of_space(&mut &deps.db, space).await.unwrap();
        assert_eq!(space_access(&part, space, now), space_access(all, space, now));
    }
    for person in &world.people {
        let part = storage::directory::of_person(&mut &deps.db, person).await.unwrap();
        for space in &world.spaces {
            assert_eq!(may_enter(&part, person, space, now), may_enter(all, person, space, now));
        }
    }
}
