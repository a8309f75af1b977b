//! Steps for team memberships, and what is told about teams.

use super::bind::FIXED;
use super::{Index, Plan, Scene, Step, member_item, team_item};
use crate::state::{Records, TeamRecord};
use odcm_wire::latest::{ItemState, SweepCandidate, TeamBinding};
use std::collections::BTreeSet;

/// Managed accounts that no bound group names, and pairs of ours in teams that nobody binds any more.
pub(super) fn removing(scene: &Scene<'_>, records: &Records, index: &Index<'_>, plan: &mut Plan) {
    for (id, record) in &records.teams {
        let Some(team) = scene.view.teams.get(id).filter(|t| t.can_change_members) else { continue };
        let accounts: BTreeSet<String> = match index.filled(id) {
            Some(bound) => team
                .members
                .iter()
                .filter(|a| index.managed.contains_key(a.as_str()) && !index.belongs(bound, a) && !record.unswept.contains(*a))
                .cloned()
                .collect(),
            None => record.added.intersection(&team.members).cloned().collect(),
        };
        if !accounts.is_empty() {
            plan.removals.push(Step::Remove { team: id.clone(), accounts });
        }
    }
}

/// Accounts that the agent must leave where no group of ODCM wants them.
pub(super) fn left_alone(scene: &Scene<'_>, records: &Records, index: &Index<'_>, plan: &mut Plan) {
    if scene.shut {
        return;
    }
    for (id, record) in &records.teams {
        let Some(team) = scene.view.teams.get(id).filter(|t| !t.can_change_members) else { continue };
        let bound = index.bound.get(id.as_str());
        for account in record.added.intersection(&team.members) {
            let Some(person) = index.managed.get(account.as_str()) else { continue };
            if bound.is_some_and(|b| b.wanted.contains(person)) {
                continue;
            }
            let group = bound.and_then(|b| b.group_of(scene, person));
            let item = group.map_or_else(|| team_item(id), |group| member_item(group, person));
            let why = format!("still a member of team {}: {FIXED}", team.name);
            plan.note(item, ItemState::Failed, why);
        }
    }
}

/// Memberships in teams that cannot be seen which are not as ODCM wants them, as far as the last look tells.
pub(super) fn hidden(scene: &Scene<'_>, records: &Records, index: &Index<'_>, plan: &mut Plan) {
    if scene.shut {
        return;
    }
    for (id, record) in records.teams.iter().filter(|(id, _)| scene.view.hidden.contains(*id)) {
        let groups = record.groups.iter().filter_map(|g| scene.desired.groups.get(&g.to_lowercase()));
        let named = groups.flat_map(|g| g.members.keys().map(String::as_str));
        let held = record.held.difference(&record.unswept);
        let held: BTreeSet<&str> = held.filter_map(|account| index.managed.get(account.as_str()).copied()).collect();
        for person in named.chain(held.iter().copied()).collect::<BTreeSet<_>>() {
            let group = record.groups.iter().find(|group| names(scene, group, person));
            if group.is_some() == held.contains(person) {
                continue;
            }
            let (verb, group) = if group.is_some() { ("not yet", group) } else { ("still", record.groups.first()) };
            let item = group.map_or_else(|| team_item(id), |g| member_item(g, person));
            plan.note(item, ItemState::Failed, out_of_sight(verb, id));
        }
    }
}

/// Teams of an earlier agent that nobody has seen since.
pub(super) fn inherited(scene: &Scene<'_>, records: &Records, plan: &mut Plan) {
    for id in records.inherited.teams.keys().filter(|id| !scene.view.teams.contains_key(*id)) {
        let why = format!(
            "team {id}, which an earlier agent filled, is in an inner space that is closed to the agent's key: nobody can tell \
             who is in it"
        );
        plan.note(team_item(id), ItemState::Failed, why);
    }
}

/// Whether a group of ODCM, as a team writes it, names the person.
fn names(scene: &Scene<'_>, group: &str, person: &str) -> bool {
    let group = scene.desired.groups.get(&group.to_lowercase());
    scene.desired.people.contains_key(person) && group.is_some_and(|g| g.members.contains_key(person))
}

fn out_of_sight(verb: &str, team: &str) -> String {
    format!("{verb} a member of team {team}, which is in an inner space that is closed to the agent's key")
}

/// Why nobody can say that a person whom `group` named is out of its teams: one that cannot be seen held them, or an earlier
/// agent filled it and nobody knows with whom.
pub(crate) fn held_out_of_sight(scene: &Scene<'_>, records: &Records, group: &str, person: &str) -> Option<String> {
    let bound = |groups: &BTreeSet<String>| {
        groups.iter().any(|g| g.eq_ignore_ascii_case(group)) && !groups.iter().any(|g| names(scene, g, person))
    };
    let account = records.links.get(person).map(|link| &link.account);
    let holds = |r: &TeamRecord| account.is_some_and(|a| r.held.contains(a) && !r.unswept.contains(a));
    let mut hidden = records.teams.iter().filter(|(id, r)| scene.view.hidden.contains(*id) && bound(&r.groups) && holds(r));
    let governed = account.is_some() || records.inherited.links.contains_key(person);
    let unseen = |id: &String| governed && !scene.view.teams.contains_key(id);
    let mut inherited = records.inherited.teams.iter().filter(|(id, former)| unseen(id) && bound(&former.groups));
    let still = hidden.next().map(|(id, _)| out_of_sight("still", id));
    still.or_else(|| inherited.find(|(_, f)| !f.unswept.contains(person)).map(|(id, _)| out_of_sight("perhaps still", id)))
}

/// People that a bound group names and who are not in yet. Who cannot have an account now is left out.
pub(super) fn adding(records: &Records, index: &Index<'_>, plan: &mut Plan) {
    let coming: BTreeSet<&str> = plan
        .accounts
        .iter()
        .filter_map(|step| match step {
            Step::Create { person, .. } | Step::Adopt { person, .. } => Some(person.as_str()),
            _ => None,
        })
        .collect();
    let mut steps = Vec::new();
    for (id, bound) in index.bound.iter().filter(|(_, b)| b.hands_off.is_none()) {
        let people: BTreeSet<String> = bound
            .wanted
            .iter()
            .filter(|person| match records.links.get(**person) {
                Some(link) => !link.missing && !bound.team.members.contains(&link.account),
                None => coming.contains(**person),
            })
            .map(|person| (*person).to_owned())
            .collect();
        if !people.is_empty() {
            steps.push(Step::Add { team: (*id).to_owned(), people });
        }
    }
    plan.members = steps;
}

/// All bindings, and teams that wait for the one-time confirmation.
pub(super) fn telling(records: &Records, index: &Index<'_>, plan: &mut Plan) {
    for (id, bound) in &index.bound {
        let warning = bound.team.administrative.then_some("the team holds administrator rights");
        for group in &bound.groups {
            plan.bindings.push(TeamBinding {
                team: (*id).to_owned(),
                team_name: bound.team.name.clone(),
                inner_space: bound.team.inner_space.clone(),
                group: (*group).to_owned(),
                administrative: bound.team.administrative,
                managed: bound.hands_off.is_none(),
                message: bound.hands_off.or(warning).map(str::to_owned),
            });
        }
        let Some(record) = records.teams.get(*id).filter(|r| !r.unswept.is_empty()) else { continue };
        let people: BTreeSet<&str> = record.unswept.iter().filter_map(|a| index.managed.get(a.as_str()).copied()).collect();
        if bound.hands_off.is_none() && !people.is_empty() {
            plan.sweeps.push(SweepCandidate {
                team: (*id).to_owned(),
                team_name: bound.team.name.clone(),
                people: people.into_iter().map(str::to_owned).collect(),
            });
        }
    }
}
