//! OpenID Connect Core 1.0 and OAuth 2.0 for the authorization code flow with PKCE, refresh tokens and client credentials.
//! What is supported: `docs/oidc.md`.
//!
//! Each rule of the standards stands in a file of its own below `rules/`, pure and with a table of tests; [`TABLE`] says
//! which endpoint holds which rules. The files beside this one carry messages between HTTP, rules and storage.
//!
//! May use: `login`, `accounts`, `http`, `pages` and what lies below.
//! Example: `let asked = rules::authorization::judge(&params, &client)?;`

mod answer;
mod authorize;
mod claims;
mod client_auth;
mod code_grant;
mod cors;
mod credentials_grant;
mod error;
mod issue;
mod logout;
mod metadata;
mod refresh_grant;
mod revoke;
pub mod rules;
mod token;
mod userinfo;

pub use error::OauthError;

use crate::deps::Deps;
use crate::login::not_by_head;
use axum::Router;
use axum::routing::get;

/// Paths, in one place.
pub mod path {
    /// Authorization endpoint.
    pub const AUTHORIZE: &str = "/oauth2/authorize";
    /// Where a sign-in comes back to.
    pub const RESUME: &str = "/oauth2/authorize/resume";
    /// Token endpoint.
    pub const TOKEN: &str = "/oauth2/token";
    /// Userinfo endpoint.
    pub const USERINFO: &str = "/oauth2/userinfo";
    /// Revocation endpoint.
    pub const REVOKE: &str = "/oauth2/revoke";
    /// Key set.
    pub const JWKS: &str = "/oauth2/jwks";
    /// End-session endpoint.
    pub const LOGOUT: &str = "/oauth2/logout";
    /// OpenID Connect Discovery.
    pub const DISCOVERY: &str = "/.well-known/openid-configuration";
    /// RFC 8414.
    pub const OAUTH_METADATA: &str = "/.well-known/oauth-authorization-server";
}

/// Endpoint × rule: the names are those of the files below `rules/`.
pub const TABLE: &[(&str, &[&str])] = &[
    (
        path::AUTHORIZE,
        &[
            "parameters",
            "redirect_uri",
            "response_type",
            "request_object",
            "scope",
            "pkce",
            "prompt",
            "max_age",
            "own_token",
            "authorization",
        ],
    ),
    (path::TOKEN, &["parameters", "client_authentication", "grant_type", "pkce", "scope"]),
    (path::USERINFO, &["parameters", "bearer", "own_token"]),
    (path::REVOKE, &["parameters", "client_authentication"]),
    (path::LOGOUT, &["parameters", "own_token", "post_logout"]),
];

/// All routes of OpenID Connect.
pub fn routes() -> Router<Deps> {
    Router::new()
        .route(path::DISCOVERY, get(metadata::discovery).options(cors::preflight))
        .route(path::OAUTH_METADATA, get(metadata::discovery).options(cors::preflight))
        .route(path::JWKS, get(metadata::jwks).options(cors::preflight))
        .route(path::AUTHORIZE, get(authorize::by_get).post(authorize::by_post).head(not_by_head))
        .route(path::RESUME, get(authorize::resume).head(not_by_head))
        .route(path::TOKEN, axum::routing::post(token::endpoint).options(cors::preflight))
        .route(path::USERINFO, get(userinfo::by_get).post(userinfo::by_post).options(cors::preflight))
        .route(path::REVOKE, axum::routing::post(revoke::endpoint).options(cors::preflight))
        .route(path::LOGOUT, get(logout::by_get).post(logout::by_post).head(not_by_head))
        .route("/oauth2/logout/confirm", axum::routing::post(logout::confirm))
}

/// Whether any origin may read the answers of a path (CORS), whoever makes them: the rooms here or the middleware above.
#[must_use]
pub fn answers_any_origin(path: &str) -> bool {
    [path::DISCOVERY, path::OAUTH_METADATA, path::JWKS, path::TOKEN, path::USERINFO, path::REVOKE].contains(&path)
}

#[cfg(test)]
mod tests {
    use super::TABLE;
    use std::collections::BTreeSet;

    #[test]
    fn every_rule_stands_in_the_table_and_every_name_in_it_is_a_rule() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/protocols/oidc/rules");
        let files: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().trim_end_matches(".rs").to_owned())
            .filter(|name| name != "mod")
            .collect();
        let named: BTreeSet<String> = TABLE.iter().flat_map(|(_, rules)| rules.iter().map(|r| (*r).to_owned())).collect();
        assert_eq!(files, named);
    }
}
