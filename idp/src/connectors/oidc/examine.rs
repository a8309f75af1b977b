//! What an administrator wants to know before anybody signs in: each step with what works or what does not.

use super::OpenId;
use super::metadata::{Metadata, Published};
use crate::connectors::{Finding, Grade};
use crate::core::provider::{ClientAuth, Profile};
use crate::crypto::foreign::ForeignKey;
use crate::deps::Deps;
use std::collections::BTreeSet;

fn name(auth: ClientAuth) -> &'static str {
    match auth {
        ClientAuth::ClientSecretBasic => "client_secret_basic",
        ClientAuth::ClientSecretPost => "client_secret_post",
        ClientAuth::PrivateKeyJwt => "private_key_jwt",
        ClientAuth::None => "none",
    }
}

/// Reads everything anew: what was kept says nothing about now.
pub(super) async fn of(connector: &OpenId, deps: &Deps) -> Vec<Finding> {
    let (settings, published, now) = (&connector.settings, Published::default(), deps.clock.now());
    let metadata = match published.metadata(&deps.http, settings, now).await {
        Ok(metadata) => metadata,
        Err(error) => return vec![Finding::new("Discovery document", Grade::Bad, error.to_string())],
    };
    let mut found = vec![Finding::new("Discovery document", Grade::Good, format!("read; the issuer is {}", settings.issuer))];
    let keys = published.keys(&deps.http, &metadata, now, |_| true).await;
    found.push(match keys {
        Ok(keys) => {
            let kinds: BTreeSet<&str> = keys.iter().map(ForeignKey::kind).collect();
            let list: Vec<&str> = kinds.into_iter().collect();
            Finding::new("Signing keys", Grade::Good, format!("{} that can be used: {}", keys.len(), list.join(", ")))
        }
        Err(error) => Finding::new("Signing keys", Grade::Bad, error.to_string()),
    });
    found.extend(promises(connector, &metadata));
    found
}

fn promises(connector: &OpenId, metadata: &Metadata) -> Vec<Finding> {
    let settings = &connector.settings;
    let auth = name(settings.client_auth);
    let mut found = vec![if metadata.offers_auth(auth) {
        Finding::new("How we prove ourselves", Grade::Good, format!("{auth} is accepted"))
    } else {
        let text = format!("the provider does not list {auth}; it lists {}", metadata.auth_methods().join(", "));
        Finding::new("How we prove ourselves", Grade::Bad, text)
    }];
    found.push(if metadata.checks_pkce {
        Finding::new("PKCE", Grade::Good, "S256 is checked")
    } else {
        Finding::new("PKCE", Grade::Note, "the provider does not say that it checks PKCE; ODCM sends it all the same")
    });
    if settings.client_auth != ClientAuth::None && settings.client_auth != ClientAuth::PrivateKeyJwt {
        found.push(match &connector.secret {
            Some(_) => Finding::new("Client secret", Grade::Note, "stored; whether it is right shows the first sign-in"),
            None => Finding::new("Client secret", Grade::Bad, "missing: paste the one that the provider gave"),
        });
    }
    if settings.userinfo && metadata.userinfo.is_none() {
        found.push(Finding::new("Userinfo endpoint", Grade::Note, "there is none; only the ID token is read"));
    }
    if settings.profile == Profile::Entra && !settings.scopes.contains("email") {
        found.push(Finding::new("Scopes", Grade::Note, "without the scope `email` Entra sends no address"));
    }
    found
}
