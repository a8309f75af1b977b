//! From claims to who somebody is and what is said of them, by the rules of each profile.

use super::id_token::{Claims, text};
use crate::connectors::Error;
use crate::core::joining::Said;
use crate::core::provider::{OidcSettings, Profile};
use serde_json::Value;

/// Most groups that are read, and the longest name of one.
const MAX_GROUPS: usize = 2000;
const MAX_TEXT: usize = 256;

/// A claim by name, or by JSON pointer (RFC 6901).
fn claim<'a>(claims: &'a Claims, path: &str) -> Option<&'a Value> {
    let Some(rest) = path.strip_prefix('/') else { return claims.get(path) };
    let (first, rest) = rest.split_once('/').unwrap_or((rest, ""));
    let value = claims.get(&first.replace("~1", "/").replace("~0", "~"))?;
    if rest.is_empty() { Some(value) } else { value.pointer(&format!("/{rest}")) }
}

fn short(value: Option<&Value>) -> Option<String> {
    let text = value?.as_str()?.trim();
    (!text.is_empty() && text.len() <= MAX_TEXT && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

/// Some providers write `"true"`.
fn is_true(value: Option<&Value>) -> bool {
    matches!(value, Some(Value::Bool(true))) || matches!(value, Some(Value::String(text)) if text == "true")
}

pub(super) fn groups(value: Option<&Value>) -> Option<Vec<String>> {
    // ids are compared byte by byte: one with space around it is not mended
    let exact = |group: &Value| short(Some(group)).filter(|id| group.as_str() == Some(id));
    match value? {
        Value::Array(list) => Some(list.iter().take(MAX_GROUPS).filter_map(exact).collect()),
        one => exact(one).map(|group| vec![group]),
    }
}

/// Who it is: the stable id under which the identity is known.
pub(super) fn subject(settings: &OidcSettings, claims: &Claims) -> Result<String, Error> {
    let need = |name: &str| {
        let found = text(claims, name).filter(|t| !t.is_empty() && t.len() <= MAX_TEXT);
        found.ok_or_else(|| Error::Upstream(format!("the ID token has no `{name}`")))
    };
    let refused = |why: String| Err(Error::Denied(why));
    match settings.profile {
        Profile::Generic | Profile::Okta => Ok(need("sub")?.to_owned()),
        Profile::Entra => {
            // `sub` differs from one application to the next; `oid` in its tenant does not
            let (tenant, object) = (need("tid")?, need("oid")?);
            if !settings.tenants.is_empty() && !settings.tenants.contains(tenant) {
                return refused(format!("the tenant {tenant} is not one that is let in"));
            }
            Ok(format!("{tenant}.{object}"))
        }
        Profile::Google => {
            // a person decides about the domain in an address, Google about `hd`
            let domain = text(claims, "hd").unwrap_or_default();
            if !settings.hosted_domains.is_empty() && !settings.hosted_domains.contains(domain) {
                return refused("the account is in no Workspace domain that is let in".into());
            }
            Ok(need("sub")?.to_owned())
        }
    }
}

/// What is said of them.
pub(super) fn said(settings: &OidcSettings, claims: &Claims) -> Said {
    let map = &settings.claims;
    let email_verified = match settings.profile {
        // An Entra tenant's own administrators write `email`: it is proven only where Entra says that the domain's owner was
        // verified (facts: `xms_edov`, an optional claim of the application)
        Profile::Entra => is_true(claims.get("xms_edov")) || claims.get("xms_edov") == Some(&Value::from(1)),
        _ => is_true(claim(claims, &map.email_verified)),
    };
    let tenant = match settings.profile {
        Profile::Entra => short(claims.get("tid")),
        Profile::Google => short(claims.get("hd")),
        Profile::Generic | Profile::Okta => None,
    };
    Said {
        name: short(claim(claims, &map.name)),
        username: short(claim(claims, &map.username)),
        email: short(claim(claims, &map.email)),
        email_verified,
        tenant,
        groups: groups(claim(claims, &map.groups)),
    }
}

/// Joins what the userinfo endpoint says: the ID token is signed, so it wins.
pub(super) fn merge(mut claims: Claims, more: Claims) -> Result<Claims, Error> {
    // OpenID Connect Core §5.3.4: without this, somebody else's answer could be put in its place
    if text(&more, "sub") != text(&claims, "sub") {
        return Err(Error::Upstream("the userinfo endpoint answered for somebody else (sub)".into()));
    }
    for (name, value) in more {
        claims.entry(name).or_insert(value);
    }
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(value: Value) -> Claims {
        let Value::Object(claims) = value else { unreachable!() };
        claims
    }

    fn with(profile: Profile) -> OidcSettings {
        OidcSettings { profile, ..OidcSettings::default() }
    }

    #[test]
    fn an_entra_person_is_tenant_and_object() {
        let mut settings = with(Profile::Entra);
        let claims = of(json!({ "sub": "pairwise", "tid": "t1", "oid": "o1", "email": "ceo@contoso.com" }));
        assert_eq!(subject(&settings, &claims).unwrap(), "t1.o1");
        settings.tenants = ["t2".to_owned()].into();
        assert!(matches!(subject(&settings, &claims), Err(Error::Denied(_))));
        assert!(matches!(subject(&with(Profile::Entra), &of(json!({ "sub": "x", "tid": "t1" }))), Err(Error::Upstream(_))));
    }

    #[test]
    fn an_address_that_the_tenant_wrote_proves_nothing() {
        let settings = with(Profile::Entra);
        let email = |more: Value| {
            let mut claims = of(json!({ "email": "ceo@contoso.com", "email_verified": true }));
            claims.extend(of(more));
            said(&settings, &claims).email_verified
        };
        assert!(!email(json!({})) && !email(json!({ "xms_edov": false })) && !email(json!({ "xms_edov": "0" })));
        assert!(email(json!({ "xms_edov": true })) && email(json!({ "xms_edov": "true" })) && email(json!({ "xms_edov": 1 })));
    }

    #[test]
    fn a_workspace_domain_is_what_google_says_not_what_the_address_says() {
        let mut settings = with(Profile::Google);
        let private = of(json!({ "sub": "1", "email": "x@corp.test", "email_verified": true }));
        assert_eq!(subject(&settings, &private).unwrap(), "1");
        settings.hosted_domains = ["corp.test".to_owned()].into();
        assert!(matches!(subject(&settings, &private), Err(Error::Denied(_))));
        assert_eq!(subject(&settings, &of(json!({ "sub": "2", "hd": "corp.test" }))).unwrap(), "2");
    }

    #[test]
    fn claims_are_found_by_name_or_pointer_and_bounded() {
        let mut settings = with(Profile::Generic);
        settings.claims.groups = "/realm_access/roles".into();
        settings.claims.name = "/a~1b".into();
        let claims = of(json!({ "realm_access": { "roles": ["a", 1, "", "b\n", "c"] }, "a/b": "Anna", "email": " x@y.z " }));
        let said = said(&settings, &claims);
        assert_eq!(said.groups, Some(vec!["a".to_owned(), "c".to_owned()]));
        assert_eq!((said.name.as_deref(), said.email.as_deref()), (Some("Anna"), Some("x@y.z")));
        let many = of(json!({ "realm_access": { "roles": vec!["g"; 5000] } }));
        assert_eq!(super::said(&settings, &many).groups.unwrap().len(), MAX_GROUPS);
        settings.claims.groups = "/realm_access".into();
        assert_eq!(super::said(&settings, &many).groups, None);
    }

    #[test]
    fn userinfo_adds_and_replaces_nothing() {
        let token = of(json!({ "sub": "1", "email": "a@b.c" }));
        let merged = merge(token.clone(), of(json!({ "sub": "1", "email": "evil@b.c", "name": "N" }))).unwrap();
        assert_eq!((text(&merged, "email"), text(&merged, "name")), (Some("a@b.c"), Some("N")));
        assert!(merge(token.clone(), of(json!({ "sub": "2" }))).is_err() && merge(token, of(json!({}))).is_err());
    }
}
