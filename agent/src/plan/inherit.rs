//! What an earlier agent of the Space left: accounts that are people's, teams that were filled. It comes from ODCM, signed,
//! with a snapshot, and counts once, where this agent knows nothing itself.

use super::{Noticed, Scene, link_account, new_link, person_item};
use crate::state::{Link, Off, Records, TeamRecord};
use odcm_space_plugin::Account;
use odcm_wire::latest::FormerLink;
use std::collections::BTreeSet;

/// Takes over what is there. Needs a complete view.
pub(super) fn inherit(scene: &Scene<'_>, records: &mut Records, noticed: &mut Vec<Noticed>) {
    if !scene.view.complete || records.inherited.is_empty() {
        return;
    }
    let inherited = std::mem::take(&mut records.inherited);
    for (person, former) in &inherited.links {
        let taken = records.links.contains_key(person) || records.person_of(&former.account).is_some();
        // An account that was deleted meanwhile is no link: a person who is wanted gets another one.
        let Some(account) = scene.view.accounts.get(&former.account).filter(|_| !taken) else { continue };
        match trust(scene, account) {
            Trust::Yes => link_account(scene, records, person, link(scene, person, former, account)),
            Trust::Later => drop(records.inherited.links.insert(person.clone(), former.clone())),
            Trust::No(why) => {
                let found = format!("{} ({}) was linked by an earlier agent, but {why}", account.username, account.id);
                noticed.push(Noticed { item: person_item(person), found, document: account.id.clone(), adds: false });
            }
        }
    }
    let managed: BTreeSet<String> = records.links.values().map(|link| link.account.clone()).collect();
    for (id, former) in inherited.teams {
        let Some(team) = scene.view.teams.get(&id).filter(|_| !records.teams.contains_key(&id)) else {
            // It may be in an inner space that is closed now: what was left there still counts when it opens.
            if scene.view.partial() && !records.teams.contains_key(&id) {
                records.inherited.teams.insert(id, former);
            }
            continue;
        };
        let held: BTreeSet<String> = team.members.intersection(&managed).cloned().collect();
        let unswept = former.unswept.iter().filter_map(|person| Some(records.links.get(person)?.account.clone()));
        let unswept: BTreeSet<String> = unswept.filter(|account| held.contains(account)).collect();
        // Nobody knows any more whom the earlier agent added: all whom it governed.
        let added = held.difference(&unswept).cloned().collect();
        records.teams.insert(id, TeamRecord { added, held, unswept, groups: former.groups, ..TeamRecord::default() });
    }
}

/// Whether an account may be taken over.
enum Trust {
    Yes,
    /// Nobody can tell before all inner spaces are open.
    Later,
    No(&'static str),
}

/// ODCM's word alone gives it no account with administrator rights (rules B7): it must show ODCM's hand, or the local policy
/// must allow to adopt such accounts.
fn trust(scene: &Scene<'_>, account: &Account) -> Trust {
    if account.service {
        return Trust::No("it is a service account: never a person's");
    }
    if account.our_identity_email.is_some() || scene.policy.adopt_administrators {
        return Trust::Yes;
    }
    if scene.view.teams.values().any(|t| t.administrative && t.members.contains(&account.id)) {
        return Trust::No("it has administrator rights and no sign-in through ODCM; the policy on the agent's host forbids it");
    }
    if scene.view.partial() { Trust::Later } else { Trust::Yes }
}

fn link(scene: &Scene<'_>, person: &str, former: &FormerLink, account: &Account) -> Link {
    let own_name = scene.desired.people.get(person).is_none_or(|p| p.username != account.username);
    let off = match (account.active, former.active || former.locally_disabled) {
        (true, _) => Off::No,
        (false, true) => Off::Local,
        (false, false) => Off::ByUs,
    };
    // Who had lost the Space gains it anew: keys and sessions of before are ended first.
    Link { off, granted: former.active || former.locally_disabled, ..new_link(account, own_name) }
}
