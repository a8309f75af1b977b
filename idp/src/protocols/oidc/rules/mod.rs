//! One rule of a standard per file: pure, with the section it comes from and a table of tests. Which endpoint holds which
//! rule: `protocols::oidc::TABLE`.
//!
//! May use: `core`, `crypto::hash`, `crypto::keys`. Example: `pkce::verify(challenge, verifier)?`.

pub mod authorization;
pub mod bearer;
pub mod client_authentication;
pub mod grant_type;
pub mod max_age;
pub mod own_token;
pub mod parameters;
pub mod pkce;
pub mod post_logout;
pub mod prompt;
pub mod redirect_uri;
pub mod request_object;
pub mod response_type;
pub mod scope;
