//! External logins of users: which providers and claims there are, and what may be written.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::standins::octopus::{
    errors::{ApiError, ApiResult},
    relying_party::{GENERIC, PROVIDERS, Provider},
    request::{Req, member, ok},
    server::App,
    state::{Claim, Identity, State, User, same},
};

/// A provider that is no OIDC provider and yet may stand in identities. Nobody can sign in through it here.
struct Directory {
    name: &'static str,
    section: &'static str,
    /// Key, label, and whether the claim identifies.
    claims: [(&'static str, &'static str, bool); 4],
}

const DIRECTORIES: [Directory; 2] = [
    Directory {
        name: "Active Directory",
        section: "authentication-directoryservices",
        claims: [
            ("email", "Email address", true),
            ("upn", "User principal name", true),
            ("sam", "SAM account name", true),
            ("dn", "Display name", false),
        ],
    },
    Directory {
        name: "LDAP",
        section: "authentication-ldap",
        claims: [
            ("email", "Email address", true),
            ("upn", "User principal name", true),
            ("uan", "Unique account name", true),
            ("dn", "Display name", false),
        ],
    },
];

/// The OIDC providers of this version.
pub fn providers(app: &App) -> impl Iterator<Item = Provider> + use<> {
    let version = app.config.version;
    let generic = app.switches().generic_name;
    let named = move |provider: &Provider| match provider.section {
        GENERIC => Provider { name: generic.clone().into(), ..provider.clone() },
        _ => provider.clone(),
    };
    PROVIDERS.iter().filter(move |provider| version >= provider.since).map(named)
}

/// `GET /api/users/identity-metadata`.
pub async fn metadata(req: Req) -> ApiResult {
    let state = req.app.read();
    req.user(&state)?;
    let only_enabled = req.app.switches().identity_metadata_enabled_only;
    let listed = providers(&req.app).filter(|provider| !only_enabled || provider.enabled(&state));
    let claim = |(key, label, identifying): (&str, &str, bool)| json!({"Type": key, "Label": label, "Description": label, "IsIdentifyingClaim": identifying});
    let on = |section: &str| state.sections.get(section).and_then(|values| values.get("IsEnabled")?.as_bool()) == Some(true);
    let directories = DIRECTORIES.iter().filter(|directory| !only_enabled || on(directory.section));
    let directories = directories.map(|directory| {
        let claims = directory.claims.map(claim).to_vec();
        json!({"IdentityProviderName": directory.name, "ClaimDescriptors": claims, "Links": {}})
    });
    let one = |provider: Provider| {
        let mut claims = vec![
            json!({"Type": "email", "Label": "Email address", "Description": "Email address.", "IsIdentifyingClaim": true}),
            json!({"Type": "dn", "Label": "Display name", "Description": "Display name.", "IsIdentifyingClaim": false}),
        ];
        if provider.has_pun {
            claims.push(json!({"Type": "pun", "Label": "Preferred username", "Description": "Preferred username.", "IsIdentifyingClaim": true}));
        }
        json!({"IdentityProviderName": provider.name, "ClaimDescriptors": claims, "Links": {}})
    };
    ok(&json!({"Providers": directories.chain(listed.map(one)).collect::<Vec<_>>()}))
}

/// Reads `Identities` of a body: at most one per provider, known providers, texts only. Claims that only the
/// server may write are dropped.
///
/// # Errors
/// 400 with the server's texts.
pub fn read(app: &App, value: &Value) -> Result<Vec<Identity>, ApiError> {
    let wrong = |problem: &str| ApiError::invalid(format!("Identities: {problem}"));
    let list = value.as_array().ok_or_else(|| wrong("a list is needed."))?;
    let mut identities = Vec::<Identity>::new();
    for item in list {
        let provider = member(item, "IdentityProviderName").and_then(Value::as_str);
        let provider = provider.ok_or_else(|| wrong("IdentityProviderName is required."))?;
        let known = providers(app).find(|known| known.name == provider);
        if known.is_none() && !DIRECTORIES.iter().any(|directory| directory.name == provider) {
            return Err(wrong(&format!("there is no identity provider '{provider}'.")));
        }
        if identities.iter().any(|other| other.provider == provider) {
            return Err(ApiError::invalid("You cannot add multiple logins for the same identity provider."));
        }
        let claims = member(item, "Claims").and_then(Value::as_object).ok_or_else(|| wrong("Claims must be an object."))?;
        let mut read = BTreeMap::new();
        for (key, claim) in claims {
            let value = member(claim, "Value").and_then(Value::as_str);
            let value = value.ok_or_else(|| wrong(&format!("claim {key} needs a Value.")))?;
            let identifying = member(claim, "IsIdentifyingClaim").and_then(Value::as_bool).unwrap_or(false);
            if key != "eid" {
                read.insert(key.clone(), Claim { value: value.to_owned(), identifying, server_only: false });
            }
        }
        identities.push(Identity { provider: provider.to_owned(), claims: read });
    }
    Ok(identities)
}

/// Refuses identities that would find another user too.
///
/// # Errors
/// 400 with the server's text.
pub fn check_unique(state: &State, user_id: &str, identities: &[Identity]) -> Result<(), ApiError> {
    let others = || state.users.values().filter(|user| user.id != user_id).flat_map(|user| &user.identities);
    let taken = |identity: &Identity| {
        let identifying = identity.claims.iter().filter(|(_, claim)| claim.identifying);
        identifying.into_iter().any(|(key, claim)| {
            let matches = |other: &Identity| {
                other.provider == identity.provider && other.claim(key).is_some_and(|value| same(value, &claim.value))
            };
            others().any(matches)
        })
    };
    if identities.iter().any(taken) {
        return Err(ApiError::invalid("A user with a matching external login already exists."));
    }
    Ok(())
}

/// Carries the hidden external ids over to identities whose visible identifying claims stayed the same.
pub fn keep_hidden(app: &App, old: &User, identities: &mut [Identity]) {
    if !app.switches().put_users_keeps_eid {
        return;
    }
    let visible = |identity: &Identity| {
        let shown = identity.claims.iter().filter(|(_, claim)| claim.identifying && !claim.server_only);
        shown.map(|(key, claim)| (key.clone(), claim.value.clone())).collect::<BTreeMap<_, _>>()
    };
    for identity in identities {
        let before = old.identities.iter().find(|old| old.provider == identity.provider && visible(old) == visible(identity));
        let hidden = before.into_iter().flat_map(|before| before.claims.iter().filter(|(_, claim)| claim.server_only));
        identity.claims.extend(hidden.map(|(key, claim)| (key.clone(), claim.clone())).collect::<Vec<_>>());
    }
}
