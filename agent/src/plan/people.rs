//! Steps for accounts.

use super::{Index, Plan, Scene, Step, person_item};
use crate::state::{Link, Off, Records};
use odcm_space_plugin::{Account, AccountChange, NewAccount};
use odcm_wire::latest::{AdoptionCandidate, AdoptionDecision, ItemState, Person};
use std::collections::{BTreeMap, BTreeSet};

const DOUBTFUL: &str = "may have administrator rights in an inner space that is closed to the agent's key; until that is open \
                        the policy on the agent's host does not allow ODCM";

/// Accounts by e-mail address and by user name, both without case.
struct Names<'a> {
    by_email: BTreeMap<String, Vec<&'a Account>>,
    by_name: BTreeMap<String, Vec<&'a Account>>,
}

impl<'a> Names<'a> {
    fn new(scene: &Scene<'a>) -> Self {
        let mut names = Self { by_email: BTreeMap::new(), by_name: BTreeMap::new() };
        for account in scene.view.accounts.values() {
            if !account.email.is_empty() {
                names.by_email.entry(account.email.to_lowercase()).or_default().push(account);
            }
            names.by_name.entry(account.username.to_lowercase()).or_default().push(account);
        }
        names
    }

    /// Accounts that hold the person's address or user name, by id.
    fn holders(&self, person: &Person) -> Vec<&'a Account> {
        let by_email = self.by_email.get(&person.email.to_lowercase());
        let by_name = self.by_name.get(&person.username.to_lowercase());
        let all = by_email.into_iter().chain(by_name).flatten().map(|a| (a.id.as_str(), *a));
        all.collect::<BTreeMap<_, _>>().into_values().collect()
    }
}

/// Who lost the last grant (rules A9).
pub(super) fn losing(scene: &Scene<'_>, records: &Records, plan: &mut Plan) {
    for (person, link) in records.links.iter().filter(|(person, _)| !scene.wants(person)) {
        let Some(account) = scene.view.accounts.get(&link.account) else { continue };
        let cleanup = link.cleanup && !scene.shut;
        if account.active || cleanup {
            plan.removals.push(Step::Deactivate {
                person: person.clone(),
                account: account.id.clone(),
                active: account.active,
                cleanup,
                delete_keys: cleanup && scene.desired.revoke_api_keys,
            });
        }
    }
}

/// Accounts of an earlier agent that are not taken over yet.
pub(super) fn waiting(records: &Records, plan: &mut Plan) {
    for (person, former) in &records.inherited.links {
        let why = format!("{}, which an earlier agent had linked, {DOUBTFUL} to take it over", former.account);
        plan.note(person_item(person), ItemState::RefusedByPolicy, why);
    }
}

/// Who may enter.
pub(super) fn entering(scene: &Scene<'_>, records: &Records, index: &Index<'_>, plan: &mut Plan) {
    let mut names = None;
    for (id, person) in &scene.desired.people {
        match records.links.get(id) {
            Some(link) => linked(scene, id, person, link, plan),
            None => unlinked(scene, index, names.get_or_insert_with(|| Names::new(scene)), id, person, plan),
        }
    }
}

fn linked(scene: &Scene<'_>, id: &str, person: &Person, link: &Link, plan: &mut Plan) {
    let Some(account) = scene.view.accounts.get(&link.account) else {
        plan.note(person_item(id), ItemState::LocallyDisabled, "the account was deleted in the Space");
        return;
    };
    if !account.active && link.off == Off::Local {
        plan.note(person_item(id), ItemState::LocallyDisabled, "the account was set inactive in the Space");
        return;
    }
    let mut change = profile(person, account, link.keep_username);
    change.active = (!account.active).then_some(true);
    if change != AccountChange::default() || link.cleanup {
        plan.accounts.push(Step::Update {
            person: id.to_owned(),
            account: account.id.clone(),
            change,
            cleanup: link.cleanup,
            delete_keys: link.cleanup && scene.desired.revoke_api_keys,
        });
    }
}

/// What differs between a person and the account.
fn profile(person: &Person, account: &Account, keep_username: bool) -> AccountChange {
    let differs = |is: &str, wanted: &str| (is != wanted).then(|| wanted.to_owned());
    AccountChange {
        username: if keep_username { None } else { differs(&account.username, &person.username) },
        email: differs(&account.email, &person.email),
        display_name: differs(&account.display_name, &person.display_name),
        ensure_our_identity: account.our_identity_email.as_deref() != Some(person.email.as_str()),
        ..AccountChange::default()
    }
}

fn unlinked(scene: &Scene<'_>, index: &Index<'_>, names: &Names<'_>, id: &str, person: &Person, plan: &mut Plan) {
    let by_email = |a: &&Account| !a.email.is_empty() && a.email.to_lowercase() == person.email.to_lowercase();
    let holders = names.holders(person);
    // An address or name that is another person's account already can be nobody's decision here (rules A8).
    if let Some(other) = holders.iter().find(|a| index.managed.contains_key(a.id.as_str()) && by_email(a)) {
        let text = format!("{}, the account of another person, holds the e-mail address", other.id);
        plan.note(person_item(id), ItemState::Failed, text);
        return;
    }
    let free: Vec<&Account> = holders.iter().filter(|a| !index.managed.contains_key(a.id.as_str())).copied().collect();
    match &person.adoption {
        Some(AdoptionDecision::Adopt { account, reset_password, remove_foreign_identities, revoke_api_keys }) => {
            match adoptable(scene, &free, account) {
                Ok(account) => plan.accounts.push(Step::Adopt {
                    person: id.to_owned(),
                    account: account.id.clone(),
                    change: AccountChange {
                        ensure_our_identity: true,
                        remove_foreign_identities: *remove_foreign_identities,
                        ..profile(person, account, true)
                    },
                    reset_password: *reset_password && account.may_have_password,
                    delete_keys: *revoke_api_keys,
                    forbidden: forbidden(scene),
                }),
                Err((state, why)) => plan.note(person_item(id), state, why),
            }
        }
        Some(AdoptionDecision::CreateNew) if !free.iter().any(by_email) => create(names, id, person, plan),
        Some(AdoptionDecision::CreateNew) => {
            plan.note(
                person_item(id),
                ItemState::NeedsDecision,
                "an account with this e-mail address exists: adopt it or change it",
            );
            candidates(scene, id, &free, person, plan);
        }
        None if holders.is_empty() => create(names, id, person, plan),
        None if free.is_empty() => create(names, id, person, plan),
        None => {
            plan.note(person_item(id), ItemState::NeedsDecision, "an account with this e-mail address or user name exists");
            candidates(scene, id, &free, person, plan);
        }
    }
}

/// Whether a decision may be carried out.
fn adoptable<'a>(scene: &Scene<'_>, free: &[&'a Account], account: &str) -> Result<&'a Account, (ItemState, String)> {
    let Some(found) = free.iter().find(|a| a.id == account) else {
        let why = format!("{account} is not an unlinked account with this e-mail address or user name");
        return Err((ItemState::Failed, why));
    };
    if found.service {
        return Err((ItemState::Failed, format!("{account} is a service account: never a person's")));
    }
    let administrator = || {
        scene.view.administrators.contains(account)
            || scene.view.teams.values().any(|t| t.administrative && t.members.contains(account))
    };
    if !scene.policy.adopt_administrators && administrator() {
        let why = format!("{account} has administrator rights; the policy on the agent's host does not allow ODCM to adopt it");
        return Err((ItemState::RefusedByPolicy, why));
    }
    // The server tells of no team that the key may not see, not even in the list of an account.
    if !scene.policy.adopt_administrators && scene.view.partial() {
        return Err((ItemState::RefusedByPolicy, format!("{account} {DOUBTFUL} to adopt it")));
    }
    Ok(found)
}

fn forbidden(scene: &Scene<'_>) -> BTreeSet<String> {
    let administrative = scene.view.teams.values().filter(|t| t.administrative && !scene.policy.adopt_administrators);
    administrative.map(|t| t.id.clone()).collect()
}

fn create(names: &Names<'_>, id: &str, person: &Person, plan: &mut Plan) {
    let taken = |name: &str| names.by_name.contains_key(&name.to_lowercase());
    let mut username = person.username.clone();
    let mut number = 2u32;
    while taken(&username) {
        username = format!("{}-{number}", person.username);
        number += 1;
    }
    plan.accounts.push(Step::Create {
        person: id.to_owned(),
        keep_username: username != person.username,
        new: NewAccount { username, email: person.email.clone(), display_name: person.display_name.clone() },
    });
}

fn candidates(scene: &Scene<'_>, id: &str, free: &[&Account], person: &Person, plan: &mut Plan) {
    for account in free {
        let mut matched_on = Vec::new();
        if account.email.to_lowercase() == person.email.to_lowercase() {
            matched_on.push("email".to_owned());
        }
        if account.username.to_lowercase() == person.username.to_lowercase() {
            matched_on.push("username".to_owned());
        }
        let mut teams: Vec<String> =
            scene.view.teams.values().filter(|t| t.members.contains(&account.id)).map(|t| t.name.clone()).collect();
        teams.sort();
        plan.candidates.push(AdoptionCandidate {
            person: id.to_owned(),
            account: account.id.clone(),
            username: account.username.clone(),
            email: account.email.clone(),
            display_name: account.display_name.clone(),
            matched_on,
            active: account.active,
            may_have_password: account.may_have_password,
            api_keys: None,
            identities: account.identities.clone(),
            teams,
        });
    }
}
