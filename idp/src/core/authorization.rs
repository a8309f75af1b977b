//! OAuth grants: what was asked for, what a code or refresh token stands for, and what a stored one is worth now.

use super::Timestamp;
use super::ids::{ClientId, PersonId, SessionId};
use serde::{Deserialize, Serialize};

/// An authorization request that passed every rule; what the code will stand for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// Who asks.
    pub client: ClientId,
    /// Where the answer goes: registered, byte by byte.
    pub redirect_uri: String,
    /// Granted scopes, in the order asked for.
    pub scope: Vec<String>,
    /// Given back as it came.
    pub state: Option<String>,
    /// Goes into the ID token.
    pub nonce: Option<String>,
    /// PKCE S256 challenge.
    pub challenge: Option<String>,
    /// How the answer goes.
    #[serde(default)]
    pub mode: ResponseMode,
}

/// How the answer to an authorization request travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    /// In the query of the redirect URI (OAuth 2.0 Multiple Response Types §2.1).
    #[default]
    Query,
    /// In a form that the browser posts to the redirect URI (OAuth 2.0 Form Post Response Mode §2).
    FormPost,
}

impl ResponseMode {
    /// All, in the order of the metadata.
    pub const ALL: [Self; 2] = [Self::Query, Self::FormPost];
    /// The registered name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::FormPost => "form_post",
        }
    }
    /// Reads the registered name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text)
    }
}

impl AuthorizationRequest {
    /// Whether a scope was granted.
    #[must_use]
    pub fn has(&self, scope: &str) -> bool {
        self.scope.iter().any(|s| s == scope)
    }
}

/// `prompt` (OpenID Connect Core §3.1.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// No page may be shown.
    pub none: bool,
    /// Sign in again.
    pub login: bool,
    /// Ask for consent again.
    pub consent: bool,
    /// Ask which account.
    pub select_account: bool,
}

/// How and when the person proved who they are, as it goes into tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthenticationContext {
    /// Unix seconds.
    pub auth_time: i64,
    /// RFC 8176 names.
    pub amr: Vec<String>,
    /// Class.
    pub acr: String,
    /// Session of this person at this client.
    pub sid: String,
}

/// What a code stands for, stored with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeData {
    /// The request.
    pub request: AuthorizationRequest,
    /// How the person signed in.
    pub context: AuthenticationContext,
}

/// What a refresh token stands for, stored with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshData {
    /// Scopes of the grant; a refresh may ask for fewer (RFC 6749 §6).
    pub scope: Vec<String>,
    /// How the person signed in at first.
    pub context: AuthenticationContext,
}

/// A code as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCode {
    /// For whom.
    pub client: ClientId,
    /// Who signed in.
    pub person: PersonId,
    /// Under which session.
    pub session: SessionId,
    /// Of everything issued for it.
    pub family: String,
    /// What it stands for.
    pub data: CodeData,
    /// End.
    pub expires_at: Timestamp,
    /// When it was redeemed.
    pub used_at: Option<Timestamp>,
}

/// What a code is worth to the client that shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeState {
    /// Redeem it.
    Fresh(Box<StoredCode>),
    /// Somebody shows it again: what was issued for it must go (RFC 6749 §4.1.2, §10.5).
    Replayed {
        /// The family to revoke.
        family: String,
    },
    /// Nothing: unknown, of another client, or too old.
    Worthless,
}

impl CodeState {
    /// Judges a stored code.
    #[must_use]
    pub fn of(stored: Option<StoredCode>, client: &ClientId, now: Timestamp) -> Self {
        match stored {
            Some(code) if code.client != *client => Self::Worthless,
            Some(StoredCode { used_at: Some(_), family, .. }) => Self::Replayed { family },
            Some(code) if code.expires_at <= now => Self::Worthless,
            Some(code) => Self::Fresh(Box::new(code)),
            None => Self::Worthless,
        }
    }
}

/// A refresh token with its family, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRefresh {
    /// Family.
    pub family: String,
    /// For whom.
    pub client: ClientId,
    /// Whose.
    pub person: PersonId,
    /// Under which session it began.
    pub session: SessionId,
    /// What it stands for.
    pub data: RefreshData,
    /// End.
    pub expires_at: Timestamp,
    /// When it was rotated away.
    pub used_at: Option<Timestamp>,
    /// When the family was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// What a refresh token is worth to the client that shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshState {
    /// Rotate it.
    Fresh(Box<StoredRefresh>),
    /// It was rotated away: two parties hold it, the family must go (RFC 9700 §4.14.2).
    Reused {
        /// The family to revoke.
        family: String,
    },
    /// Nothing: unknown, of another client, too old or revoked.
    Worthless,
}

impl RefreshState {
    /// Judges a stored refresh token.
    #[must_use]
    pub fn of(stored: Option<StoredRefresh>, client: &ClientId, now: Timestamp) -> Self {
        match stored {
            Some(token) if token.client != *client || token.revoked_at.is_some() => Self::Worthless,
            Some(StoredRefresh { used_at: Some(_), family, .. }) => Self::Reused { family },
            Some(token) if token.expires_at <= now => Self::Worthless,
            Some(token) => Self::Fresh(Box::new(token)),
            None => Self::Worthless,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    fn context() -> AuthenticationContext {
        AuthenticationContext { auth_time: 0, amr: vec![], acr: "1".into(), sid: "s".into() }
    }
    fn client(id: &str) -> ClientId {
        ClientId::parse(id).unwrap()
    }
    fn code(used: Option<i64>, ends: i64) -> Option<StoredCode> {
        let request = AuthorizationRequest {
            client: client("a"),
            redirect_uri: String::new(),
            scope: vec![],
            state: None,
            nonce: None,
            challenge: None,
            mode: ResponseMode::Query,
        };
        Some(StoredCode {
            client: client("a"),
            person: PersonId::parse(ID).unwrap(),
            session: SessionId::parse(ID).unwrap(),
            family: "f".into(),
            data: CodeData { request, context: context() },
            expires_at: Timestamp(ends),
            used_at: used.map(Timestamp),
        })
    }

    #[test]
    fn a_code_is_worth_something_once_in_time_and_to_its_client() {
        let of = |stored, who: &str| match CodeState::of(stored, &client(who), Timestamp(100)) {
            CodeState::Fresh(_) => "fresh",
            CodeState::Replayed { .. } => "replayed",
            CodeState::Worthless => "worthless",
        };
        for (stored, who, expected) in [
            (code(None, 101), "a", "fresh"),
            (code(None, 100), "a", "worthless"),
            (code(None, 101), "b", "worthless"),
            (code(Some(50), 101), "a", "replayed"),
            (code(Some(50), 60), "a", "replayed"),
            (code(Some(50), 101), "b", "worthless"),
            (None, "a", "worthless"),
        ] {
            assert_eq!(of(stored, who), expected);
        }
    }

    #[test]
    fn a_refresh_token_likewise() {
        let token = |used: Option<i64>, revoked: Option<i64>, ends| {
            Some(StoredRefresh {
                family: "f".into(),
                client: client("a"),
                person: PersonId::parse(ID).unwrap(),
                session: SessionId::parse(ID).unwrap(),
                data: RefreshData { scope: vec![], context: context() },
                expires_at: Timestamp(ends),
                used_at: used.map(Timestamp),
                revoked_at: revoked.map(Timestamp),
            })
        };
        let of = |stored, who: &str| match RefreshState::of(stored, &client(who), Timestamp(100)) {
            RefreshState::Fresh(_) => "fresh",
            RefreshState::Reused { .. } => "reused",
            RefreshState::Worthless => "worthless",
        };
        for (stored, who, expected) in [
            (token(None, None, 101), "a", "fresh"),
            (token(None, None, 100), "a", "worthless"),
            (token(None, None, 101), "b", "worthless"),
            (token(Some(1), None, 101), "a", "reused"),
            (token(Some(1), None, 50), "a", "reused"),
            (token(Some(1), Some(2), 101), "a", "worthless"),
            (token(None, Some(2), 101), "a", "worthless"),
            (None, "a", "worthless"),
        ] {
            assert_eq!(of(stored, who), expected);
        }
    }
}
