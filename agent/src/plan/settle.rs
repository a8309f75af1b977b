//! Brings the records up to what was seen, and notices what somebody did by hand.

use super::{Index, Scene, member_item, person_item, team_item};
use crate::state::{Creating, Link, Off, Records, TeamRecord};
use odcm_space_plugin::{Account, Team};
use std::collections::BTreeSet;

/// Something that somebody did in the Space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noticed {
    /// Item, as in reports.
    pub item: String,
    /// What was found.
    pub found: String,
    /// The document of the Space that the events would name.
    pub document: String,
    /// The agent would have to add or activate something to put it right (such repairs can pause, rules B6).
    pub adds: bool,
}

/// Brings the records up to what was seen. Nothing of it changes the Space.
pub fn settle(scene: &Scene<'_>, records: &mut Records) -> Vec<Noticed> {
    let mut noticed = Vec::new();
    super::inherit::inherit(scene, records, &mut noticed);
    claim(scene, records);
    links(scene, records, &mut noticed);
    teams(scene, records, &mut noticed);
    noticed
}

/// An intent whose person is not wanted any more is forgotten when so many complete lists, of different looks, did not show
/// the account: the request may take effect late.
const LOOKS: u8 = 3;

/// Finds accounts whose creation was begun, but whose answer was lost: made by us if user name, address and identity are as
/// recorded before the request, when nobody held either. On an old picture nothing is concluded.
fn claim(scene: &Scene<'_>, records: &mut Records) {
    for (person, mut creating) in std::mem::take(&mut records.creating) {
        if records.links.contains_key(&person) {
            continue;
        }
        let found = scene.view.accounts.values().find(|a| is_ours(a, &creating) && records.person_of(&a.id).is_none());
        match found {
            Some(account) => {
                let link = new_link(account, creating.keep_username);
                link_account(scene, records, &person, link);
            }
            // While the person is wanted the request is made again anyway.
            None => {
                let wanted = scene.desired.people.contains_key(&person);
                if scene.view.complete && !wanted {
                    creating.missed += 1;
                }
                if wanted || creating.missed < LOOKS {
                    records.creating.insert(person, creating);
                }
            }
        }
    }
}

fn is_ours(account: &Account, creating: &Creating) -> bool {
    let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
    !account.service
        && same(&account.username, &creating.username)
        && same(&account.email, &creating.email)
        && account.our_identity_email.as_deref().is_some_and(|e| same(e, &creating.email))
}

/// A link to an account as it was read.
pub(crate) fn new_link(account: &Account, keep_username: bool) -> Link {
    Link {
        account: account.id.clone(),
        username: account.username.clone(),
        email: account.email.clone(),
        display_name: account.display_name.clone(),
        active: account.active,
        off: if account.active { Off::No } else { Off::Local },
        keep_username,
        granted: true,
        ..Link::default()
    }
}

/// Records a link. The account counts as seen in the teams it is in already, so that adopting it is no edit by hand.
pub(crate) fn link_account(scene: &Scene<'_>, records: &mut Records, person: &str, link: Link) {
    for (id, team) in &mut records.teams {
        if scene.view.teams.get(id).is_some_and(|t| t.members.contains(&link.account)) {
            team.held.insert(link.account.clone());
        }
    }
    records.links.insert(person.to_owned(), link);
}

fn links(scene: &Scene<'_>, records: &mut Records, noticed: &mut Vec<Noticed>) {
    let mut forgotten = Vec::new();
    for (person, link) in &mut records.links {
        let wanted = scene.wants(person);
        let mut notice = |found: String, adds| {
            noticed.push(Noticed { item: person_item(person), found, document: link.account.clone(), adds });
        };
        let Some(account) = scene.view.accounts.get(&link.account) else {
            if !link.missing {
                notice(format!("{} ({}) was deleted", link.username, link.account), true);
            }
            link.missing = true;
            link.active = false;
            // The Space's "no" lasts as long as the grant; a later grant may create an account anew.
            if !scene.shut && !wanted {
                forgotten.push(person.clone());
            }
            continue;
        };
        if account.active && !link.active {
            if link.off == Off::ByUs && !wanted && link.granted_or_lost(scene.shut) {
                notice(format!("{} was activated", account.username), false);
            }
            if link.off == Off::Local && !wanted {
                notice(format!("{} was activated", account.username), false);
            }
        } else if !account.active && link.active && link.off == Off::No {
            notice(format!("{} was deactivated", account.username), true);
        }
        match (account.active, link.off) {
            (true, Off::Local) => link.off = Off::No,
            (true, Off::ByUs) if wanted => link.off = Off::No,
            (false, Off::No) => link.off = Off::Local,
            _ => {}
        }
        if let Some(p) = scene.desired.people.get(person) {
            let mut edited = |what: &str, was: &str, is: &str, wanted: &str| {
                if was != is && is != wanted && was == wanted {
                    notice(format!("the {what} of {} was changed to {is}", account.username), true);
                }
            };
            edited("e-mail address", &link.email, &account.email, &p.email);
            edited("display name", &link.display_name, &account.display_name, &p.display_name);
            if !link.keep_username {
                edited("user name", &link.username, &account.username, &p.username);
            }
            if account.our_identity_email.as_ref() != Some(&account.email) && link.email == account.email {
                notice(format!("the sign-in of {} through ODCM was changed", account.username), true);
            }
        }
        link.missing = false;
        link.active = account.active;
        link.username.clone_from(&account.username);
        link.email.clone_from(&account.email);
        link.display_name.clone_from(&account.display_name);
        if !scene.shut {
            // A loss ends keys and sessions. So does a new grant, before the account works: a key may have been left over or
            // made meanwhile. And so does whoever activates the account of somebody who lost the Space.
            if link.granted != wanted || (!wanted && account.active) {
                link.cleanup = true;
            }
            link.granted = wanted;
        }
    }
    for person in forgotten {
        records.links.remove(&person);
    }
}

impl Link {
    /// Whether an account that is inactive by our doing was so because of a lost grant (not because ODCM is away).
    fn granted_or_lost(&self, shut: bool) -> bool {
        shut || !self.granted
    }
}

fn teams(scene: &Scene<'_>, records: &mut Records, noticed: &mut Vec<Noticed>) {
    let mut teams = std::mem::take(&mut records.teams);
    let mut swept = std::mem::take(&mut records.swept);
    swept.retain(|team| scene.desired.confirmed_sweeps.contains(team));
    let index = Index::with_teams(scene, records, &teams);
    // A team that is gone, or that nobody binds any more and that holds nobody by our doing, is forgotten.
    // One that cannot be seen now stays as it was.
    let hidden = |id: &String| scene.view.hidden.contains(id);
    teams.retain(|id, record| {
        let team = scene.view.teams.get(id);
        hidden(id) || team.is_some_and(|team| index.filled(id).is_some() || !record.added.is_disjoint(&team.members))
    });
    for (id, record) in teams.iter_mut().filter(|(id, _)| !hidden(id)) {
        let bound = index.bound.get(id.as_str());
        record.inner_space = scene.view.teams.get(id).map(home);
        record.groups = bound.map(|b| b.groups.iter().chain(&b.former).map(|g| (*g).to_owned()).collect()).unwrap_or_default();
    }
    // What an earlier agent left is no team that is bound anew, also while it is not taken over yet.
    let inherited = &records.inherited.teams;
    for (id, bound) in index.bound.iter().filter(|(id, b)| b.hands_off.is_none() && !inherited.contains_key(**id)) {
        let managed: BTreeSet<String> =
            bound.team.members.iter().filter(|a| index.managed.contains_key(a.as_str())).cloned().collect();
        let extra = |a: &&String| !index.belongs(bound, a);
        let known = teams.contains_key(*id);
        let record = teams.entry((*id).to_owned()).or_insert_with(|| TeamRecord {
            unswept: managed.iter().filter(extra).cloned().collect(),
            held: managed.clone(),
            groups: bound.groups.iter().map(|g| (*g).to_owned()).collect(),
            inner_space: Some(home(bound.team)),
            ..TeamRecord::default()
        });
        if known && !scene.shut {
            by_hand(scene, &index, bound, record, &managed, noticed);
        }
        record.unswept.retain(|a| managed.contains(a) && !index.belongs(bound, a));
        if scene.desired.confirmed_sweeps.contains(*id) && !swept.contains(*id) && !record.unswept.is_empty() {
            record.unswept.clear();
            swept.insert((*id).to_owned());
        }
        record.added.retain(|a| index.managed.contains_key(a.as_str()));
    }
    records.teams = teams;
    records.swept = swept;
}

/// The inner space of a team as records have it.
fn home(team: &Team) -> String {
    team.inner_space.clone().unwrap_or_default()
}

/// Compares a bound team with the last look: what differs and is not wanted was done by hand.
fn by_hand(
    scene: &Scene<'_>,
    index: &Index<'_>,
    bound: &super::Bound<'_>,
    record: &TeamRecord,
    managed: &BTreeSet<String>,
    noticed: &mut Vec<Noticed>,
) {
    let name_of = |account: &str| scene.view.accounts.get(account).map_or(account.to_owned(), |a| a.username.clone());
    let mut notice = |account: &str, verb: &str, adds| {
        let person = index.managed.get(account).copied().unwrap_or_default();
        let found = format!("{} was {verb} team {}", name_of(account), bound.team.name);
        let item = bound.group_of(scene, person).map_or_else(|| team_item(&bound.team.id), |group| member_item(group, person));
        noticed.push(Noticed { item, found, document: bound.team.id.clone(), adds });
    };
    let sure = |a: &&String| !record.unsure.contains(*a);
    for account in managed.difference(&record.held).filter(sure).filter(|a| !index.belongs(bound, a)) {
        notice(account, "added to", false);
    }
    for account in record.held.difference(managed).filter(sure).filter(|a| index.belongs(bound, a)) {
        // A deleted account is noticed as such.
        if scene.view.accounts.contains_key(account) {
            notice(account, "removed from", true);
        }
    }
}
