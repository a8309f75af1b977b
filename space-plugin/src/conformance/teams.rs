//! Teams: what they are, and members that come and go without harm to others.

use super::{Bench, Outcome, Works, ensure};
use crate::adapter::{AdapterError, MemberChange};

fn change(remove: &[&str], add: &[&str]) -> MemberChange {
    let set = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
    MemberChange { remove: set(remove), add: set(add) }
}

pub(super) async fn lists_what_teams_are(bench: &dyn Bench) -> Outcome {
    let adapter = bench.adapter();
    let carol = bench.create_account("carol", "carol@x.example").await;
    let id = bench.create_team("Developers", &[&carol], "group-1").await;
    let (administrators, fixed) = bench.built_in_teams();
    let teams = adapter.teams().await.works("list")?;
    ensure!(teams.closed.is_empty(), "closed: {:?}", teams.closed);
    let teams = teams.seen;
    for wanted in [&id, &administrators, &fixed] {
        let Some(listed) = teams.iter().find(|team| team.id == *wanted) else { return Err(format!("{wanted} is missing")) };
        let read = adapter.team(wanted).await.works("read")?;
        ensure!(read.as_ref() == Some(listed), "read differently: {read:?}, {listed:?}");
        ensure!(listed.administrative == (*wanted == administrators), "administrative: {listed:?}");
        ensure!(listed.can_change_members == (*wanted != fixed), "can change members: {listed:?}");
    }
    let Some(team) = teams.iter().find(|team| team.id == id) else { return Err("missing".into()) };
    ensure!(team.name == "Developers" && team.inner_space.is_none(), "{team:?}");
    ensure!(team.members.iter().eq([&carol]), "{team:?}");
    ensure!(team.external_groups.iter().map(|group| group.id.as_str()).eq(["group-1"]), "{team:?}");
    Ok(())
}

pub(super) async fn leaves_strangers_alone(bench: &dyn Bench) -> Outcome {
    let adapter = bench.adapter();
    let [carol, dave, erin] = three(bench).await;
    let id = bench.create_team("Developers", &[&carol, &dave], "group-1").await;
    let untouchable = bench.untouchable(&id).await;
    let team = adapter.change_members(&id, &change(&[&carol], &[&erin])).await.works("change")?;
    ensure!(team.members.iter().eq([&dave, &erin]), "{:?}", team.members);
    let read = adapter.team(&id).await.works("read")?;
    ensure!(read.as_ref() == Some(&team), "read differently: {read:?}, {team:?}");
    ensure!(bench.untouchable(&id).await == untouchable, "more changed than was asked");
    // Somebody's later edit is not undone by the next change.
    bench.set_members(&id, &[&carol, &dave, &erin]).await;
    let team = adapter.change_members(&id, &change(&[&erin], &[])).await.works("remove")?;
    ensure!(team.members.iter().eq([&carol, &dave]), "{:?}", team.members);
    Ok(())
}

pub(super) async fn takes_both_lists_as_outside(bench: &dyn Bench) -> Outcome {
    let adapter = bench.adapter();
    let [carol, dave, erin] = three(bench).await;
    let id = bench.create_team("Developers", &[&carol], "group-1").await;
    let both = change(&[&carol, &dave], &[&carol, &dave, &erin]);
    let team = adapter.change_members(&id, &both).await.works("change")?;
    ensure!(team.members.iter().eq([&erin]), "{:?}", team.members);
    Ok(())
}

pub(super) async fn writes_nothing_twice(bench: &dyn Bench) -> Outcome {
    let adapter = bench.adapter();
    let [carol, dave, _] = three(bench).await;
    let id = bench.create_team("Developers", &[&carol], "group-1").await;
    let (_, cursor) = adapter.changes_since(None).await.works("cursor")?;
    let wanted = change(&[&carol], &[&dave]);
    let once = adapter.change_members(&id, &wanted).await.works("change")?;
    let twice = adapter.change_members(&id, &wanted).await.works("change again")?;
    ensure!(once == twice, "{once:?}, {twice:?}");
    adapter.change_members(&id, &MemberChange::default()).await.works("change nothing")?;
    let (changes, _) = adapter.changes_since(Some(&cursor)).await.works("changes")?;
    let writes = changes.iter().filter(|change| change.documents.contains(&id)).count();
    ensure!(writes == 1, "one change was needed, {writes} were written");
    Ok(())
}

pub(super) async fn refuses_fixed_teams_and_unknown_ids(bench: &dyn Bench) -> Outcome {
    let adapter = bench.adapter();
    let [carol, ..] = three(bench).await;
    let (_, fixed) = bench.built_in_teams();
    let refused = adapter.change_members(&fixed, &change(&[], &[&carol])).await;
    ensure!(matches!(refused, Err(AdapterError::Invalid(_))), "fixed members: {refused:?}");
    let id = bench.create_team("Developers", &[&carol], "group-1").await;
    let refused = adapter.change_members(&id, &change(&[], &["Users-999999"])).await;
    ensure!(refused.is_err(), "an unknown account became a member: {refused:?}");
    let gone = adapter.change_members(&id, &change(&["Users-999999"], &[])).await.works("remove an unknown account")?;
    ensure!(gone.members.iter().eq([&carol]), "{:?}", gone.members);
    Ok(())
}

async fn three(bench: &dyn Bench) -> [String; 3] {
    let carol = bench.create_account("carol", "carol@x.example").await;
    let dave = bench.create_account("dave", "dave@x.example").await;
    [carol, dave, bench.create_account("erin", "erin@x.example").await]
}
