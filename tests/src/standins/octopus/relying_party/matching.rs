//! Which account a person enters.

use std::collections::BTreeMap;

use crate::standins::octopus::{
    events::{self, Actor},
    state::{Claim, ExternalGroups, Identity, State, User, same},
};

use super::{Provider, claims::Candidate};

const SEVERAL: &str = "There are multiple users with this identity. OpenID Connect identity providers do not support users with \
                       duplicate email addresses. Please remove any duplicate users, or make the email addresses unique.";

/// Finds, links or creates the account; stores the groups of the token with it. Answers the user's id.
///
/// # Errors
/// The server's sentence.
pub fn enter(state: &mut State, provider: &Provider, who: &Candidate, now: i64) -> Result<String, String> {
    let hits = state.users.values().filter(|user| fits(user, provider, who)).map(|user| user.id.clone()).collect::<Vec<_>>();
    let id = match hits.as_slice() {
        [] => create(state, provider, who, now)?,
        [id] => link(state, id, provider, who, now)?,
        _ => return Err(SEVERAL.into()),
    };
    state.external_groups.retain(|stored| stored.user_id != id || stored.provider != provider.name);
    if !who.groups.is_empty() {
        let stored = ExternalGroups { provider: provider.name.to_string(), user_id: id.clone(), groups: who.groups.clone() };
        state.external_groups.push(stored);
    }
    Ok(id)
}

/// Any identifying claim: the external id and the preferred username within the provider, the e-mail address
/// in any identity and in the account itself.
fn fits(user: &User, provider: &Provider, who: &Candidate) -> bool {
    let mail = |value: Option<&str>| matches!((value, &who.email), (Some(known), Some(email)) if same(known, email));
    mail(user.email.as_deref())
        || user.identities.iter().any(|identity| {
            let here = identity.provider == provider.name;
            (here && identity.claim("eid") == Some(who.external_id.as_str()))
                || mail(identity.claim("email"))
                || (here && who.pun.is_some() && identity.claim("pun") == who.pun.as_deref())
        })
}

fn identity(provider: &Provider, who: &Candidate) -> Identity {
    let visible = |value: &str, identifying| Claim { value: value.to_owned(), identifying, server_only: false };
    let hidden = Claim { value: who.external_id.clone(), identifying: true, server_only: true };
    let mut claims = BTreeMap::from([("eid".to_owned(), hidden), ("dn".to_owned(), visible(&who.display_name, false))]);
    claims.extend(who.email.as_ref().map(|email| ("email".to_owned(), visible(email, true))));
    claims.extend(who.pun.as_ref().map(|pun| ("pun".to_owned(), visible(pun, true))));
    Identity { provider: provider.name.to_string(), claims }
}

fn link(state: &mut State, id: &str, provider: &Provider, who: &Candidate, now: i64) -> Result<String, String> {
    let Some(before) = state.users.get(id).cloned() else { return Err("The user is gone.".into()) };
    let mut user = before.clone();
    let mut own = user.identities.iter_mut().filter(|identity| identity.provider == provider.name);
    if own.any(|identity| identity.claim("eid") == Some(who.external_id.as_str())) {
        // The provider's own id fits: only the groups are renewed.
        return Ok(id.to_owned());
    }
    let mut updated = false;
    for known in user.identities.iter_mut().filter(|identity| identity.provider == provider.name) {
        let email = known.claim("email").ok_or("User login failed: The given key 'email' was not present in the dictionary.")?;
        // Compared letter by letter, case included: another spelling ends in a second identity.
        if Some(email) == who.email.as_deref() && !updated {
            known.claims.extend(identity(provider, who).claims);
            updated = true;
        }
    }
    if !updated {
        user.identities.push(identity(provider, who));
    }
    user.modified = now;
    events::user_changed(state, &Actor::system(now), Some(&before), Some(&user));
    state.users.insert(id.to_owned(), user);
    Ok(id.to_owned())
}

fn create(state: &mut State, provider: &Provider, who: &Candidate, now: i64) -> Result<String, String> {
    let allowed = provider.value(state, "AllowAutoUserCreation").and_then(serde_json::Value::as_bool).unwrap_or(true);
    if !allowed {
        return Err("User login failed: User could not be located and auto user creation is not enabled.".into());
    }
    if who.username.chars().count() > 64 || state.user_named(&who.username).is_some() {
        return Err(format!("User login failed: the user '{}' already exists or cannot be created.", who.username));
    }
    let id = state.next_id("Users");
    let user = User {
        id: id.clone(),
        username: who.username.clone(),
        display_name: who.display_name.chars().take(64).collect(),
        email: who.email.clone(),
        is_active: true,
        identities: vec![identity(provider, who)],
        created: now,
        modified: now,
        modified_by: "system".into(),
        ..User::default()
    };
    events::user_changed(state, &Actor::system(now), None, Some(&user));
    state.users.insert(id.clone(), user);
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::standins::octopus::relying_party::PROVIDERS;
    use serde_json::json;

    fn okta() -> &'static Provider {
        PROVIDERS.iter().find(|provider| provider.settings == "Okta").unwrap()
    }

    fn with(auto_create: bool, users: &[User]) -> State {
        let mut state = State::default();
        let values = json!({"AllowAutoUserCreation": auto_create});
        state.sections.insert("authentication-od".into(), values.as_object().cloned().unwrap());
        state.users = users.iter().map(|user| (user.id.clone(), user.clone())).collect();
        state.counters.insert("Users".into(), 100);
        state
    }

    fn bob() -> Candidate {
        Candidate {
            username: "bob".into(),
            display_name: "Bob".into(),
            email: Some("bob@x".into()),
            external_id: "sub-1".into(),
            pun: Some("bob".into()),
            groups: vec!["g1".into()],
        }
    }

    fn user(id: &str, email: Option<&str>, identities: Vec<Identity>) -> User {
        let email = email.map(str::to_owned);
        User { id: id.into(), username: id.into(), email, identities, is_active: true, ..User::default() }
    }

    fn pushed(email: Option<&str>) -> Identity {
        let claim = |value: &str| Claim { value: value.into(), identifying: true, server_only: false };
        let claims = email.map(|email| ("email".to_owned(), claim(email))).into_iter().collect();
        Identity { provider: "Okta".into(), claims }
    }

    #[test]
    fn nobody_is_created_unless_allowed() {
        assert!(enter(&mut with(false, &[]), okta(), &bob(), 1).unwrap_err().contains("auto user creation is not enabled"));
        let mut open = with(true, &[]);
        let id = enter(&mut open, okta(), &bob(), 1).unwrap();
        assert_eq!(open.users[&id].identities[0].claim("eid"), Some("sub-1"));
        let mut taken = with(true, &[User { username: "Bob".into(), ..user("Users-1", None, vec![]) }]);
        assert!(enter(&mut taken, okta(), &bob(), 1).is_err(), "a name in use is not taken over");
    }

    #[test]
    fn a_pushed_identity_is_found_by_address_and_completed() {
        let mut state = with(false, &[user("Users-1", None, vec![pushed(Some("bob@x"))])]);
        assert_eq!(enter(&mut state, okta(), &bob(), 1).unwrap(), "Users-1");
        let identities = &state.users["Users-1"].identities;
        assert_eq!((identities.len(), identities[0].claim("eid")), (1, Some("sub-1")));
        assert_eq!(state.external_groups[0].groups, ["g1"]);
        // A later sign-in with other groups replaces them; the address is not touched any more.
        let later = Candidate { groups: vec!["g2".into()], email: Some("new@x".into()), ..bob() };
        enter(&mut state, okta(), &later, 2).unwrap();
        assert_eq!(state.external_groups.len(), 1);
        assert_eq!(state.external_groups[0].groups, ["g2"]);
        assert_eq!(state.users["Users-1"].identities[0].claim("email"), Some("bob@x"));
    }

    #[test]
    fn the_address_of_an_account_is_enough() {
        let mut state = with(false, &[user("Users-1", Some("BOB@x"), vec![])]);
        assert_eq!(enter(&mut state, okta(), &bob(), 1).unwrap(), "Users-1");
        assert_eq!(state.users["Users-1"].identities.len(), 1);
    }

    #[test]
    fn two_hits_and_identities_without_address_fail() {
        let twice = [user("Users-1", Some("bob@x"), vec![]), user("Users-2", None, vec![pushed(Some("bob@x"))])];
        assert_eq!(enter(&mut with(true, &twice), okta(), &bob(), 1).unwrap_err(), SEVERAL);
        let without = user("Users-1", Some("bob@x"), vec![pushed(None)]);
        assert!(enter(&mut with(true, &[without]), okta(), &bob(), 1).unwrap_err().contains("given key 'email'"));
    }

    #[test]
    fn another_spelling_gives_a_second_identity() {
        let mut state = with(false, &[user("Users-1", None, vec![pushed(Some("Bob@x"))])]);
        enter(&mut state, okta(), &bob(), 1).unwrap();
        assert_eq!(state.users["Users-1"].identities.len(), 2);
    }
}
