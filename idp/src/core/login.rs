//! A sign-in under way: the state that is stored, its transitions, and the one decision what comes next. Transitions consume
//! the stage and refuse what does not fit it; [`Flow::next`] decides from stored results and the client's demands alone.

use super::Timestamp;
use super::ids::{ClientId, PersonId, SessionId};
use super::session::Session;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Whether the person is asked before a client gets the scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentRule {
    /// First-party clients and Spaces: never asked.
    Skip,
    /// Asked unless all scopes were consented to before.
    Remembered,
    /// Asked each time (`prompt=consent`).
    Always,
}

/// The client on whose behalf somebody signs in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Its id.
    pub id: ClientId,
    /// Its name, for pages.
    pub name: String,
}

/// What a sign-in must achieve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    /// Where the browser goes afterwards: a path on ODCM that begins with one slash. With a client, `?flow=<id>` is added.
    pub return_to: String,
    /// The protocol's own request, opaque here and given back at the end.
    pub request: Value,
    /// The client, unless the sign-in is for ODCM's own pages.
    pub client: Option<Client>,
    /// Where the client's redirect URI leads, as the consent page says it: an origin, or a private scheme.
    pub redirect_origin: Option<String>,
    /// An authentication in this flow is needed (`prompt=login`).
    pub login: bool,
    /// Ask which account, even with a session (`prompt=select_account`).
    pub select_account: bool,
    /// The newest authentication may be at most this many seconds old (`max_age`).
    pub max_age_s: Option<i64>,
    /// What to write into the name field.
    pub login_hint: Option<String>,
    /// Domain of the provider to go to at once.
    pub domain_hint: Option<String>,
    /// Only this person will do (`id_token_hint`).
    pub expected: Option<PersonId>,
    /// Consent.
    pub consent: ConsentRule,
    /// Scopes to be consented to.
    pub scopes: Vec<String>,
    /// The provider to go to at once.
    #[serde(default)]
    pub provider: Option<String>,
    /// The invitation that brought the person here: SHA-256 of its link, in base64url.
    #[serde(default)]
    pub invitation: Option<String>,
    /// The person who is signed in and wants to add an identity of theirs.
    #[serde(default)]
    pub joining: Option<PersonId>,
}

impl Demand {
    /// A plain sign-in for a page of ODCM. Anything but a path on this site becomes `/`.
    #[must_use]
    pub fn to(path: &str) -> Self {
        Self {
            return_to: local_path(path).unwrap_or("/").to_owned(),
            request: Value::Null,
            client: None,
            redirect_origin: None,
            login: false,
            select_account: false,
            max_age_s: None,
            login_hint: None,
            domain_hint: None,
            expected: None,
            consent: ConsentRule::Skip,
            scopes: Vec::new(),
            provider: None,
            invitation: None,
            joining: None,
        }
    }
}

/// A path on this site: begins with one slash, no browser can read it as another host (`//x`, `/\x`, control characters),
/// and it fits into a header as it is (a path is ASCII, RFC 3986 §2).
#[must_use]
pub fn local_path(text: &str) -> Option<&str> {
    let bad = |c: char| !c.is_ascii_graphic() || c == '\\';
    let fine = text.starts_with('/') && !text.starts_with("//") && !text.chars().any(bad) && text.len() <= 4096;
    fine.then_some(text)
}

/// A sign-in under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// What it must achieve.
    pub demand: Demand,
    /// When it began.
    pub begun_at: Timestamp,
    /// How far it came.
    pub stage: Stage,
}

/// How far a sign-in came: only what is stored here counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "stage")]
pub enum Stage {
    /// Nobody said anything yet; a session of the browser may do.
    Open,
    /// The person wants another account than that of the session.
    Another,
    /// A name was given; its password is asked for.
    Named {
        /// As typed.
        name: String,
    },
    /// The browser was sent to another provider.
    Away {
        /// Which.
        provider: String,
        /// Value that the answer must bring back.
        state: String,
        /// What the connector wants to remember.
        memory: Value,
    },
    /// This session was confirmed in this flow: chosen, or freshly made.
    Confirmed {
        /// The session.
        session: SessionId,
        /// Consent given in this flow.
        consented: bool,
        /// The person proved who they are in this flow; the clock could not tell that from a proof in the same instant.
        fresh: bool,
    },
    /// The person said no.
    Denied,
}

/// Why a transition is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sign-in is at another stage")]
pub struct WrongStage;

/// What the dispatcher does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Show the accounts to choose from.
    Select,
    /// Ask for a name.
    Identify,
    /// Ask for the password of this name.
    Password {
        /// As typed.
        name: String,
    },
    /// Wait for the answer of another provider.
    Await {
        /// Which.
        provider: String,
    },
    /// Ask for consent.
    Consent,
    /// Done: this browser's session satisfies the demand.
    Finish,
    /// The wrong person signed in; only `expected` will do.
    WrongPerson,
    /// Done: the person said no.
    Denied,
}

impl Flow {
    /// Begins.
    #[must_use]
    pub fn begin(demand: Demand, now: Timestamp) -> Self {
        Self { demand, begun_at: now, stage: Stage::Open }
    }

    fn at(self, stage: Stage) -> Self {
        Self { stage, ..self }
    }

    /// A name was given that is answered by a password.
    ///
    /// # Errors
    /// [`WrongStage`] after a denial.
    pub fn named(self, name: String) -> Result<Self, WrongStage> {
        match self.stage {
            Stage::Open | Stage::Another | Stage::Named { .. } | Stage::Away { .. } | Stage::Confirmed { .. } => {
                Ok(self.at(Stage::Named { name }))
            }
            Stage::Denied => Err(WrongStage),
        }
    }

    /// The browser is sent to another provider.
    ///
    /// # Errors
    /// [`WrongStage`] after a denial.
    pub fn departed(self, provider: String, state: String, memory: Value) -> Result<Self, WrongStage> {
        match self.stage {
            Stage::Denied => Err(WrongStage),
            _ => Ok(self.at(Stage::Away { provider, state, memory })),
        }
    }

    /// Somebody proved who they are; the browser has this session now.
    ///
    /// # Errors
    /// [`WrongStage`] unless a name was given or the browser was away.
    pub fn authenticated(self, session: SessionId) -> Result<Self, WrongStage> {
        match self.stage {
            Stage::Named { .. } | Stage::Away { .. } => Ok(self.at(Stage::Confirmed { session, consented: false, fresh: true })),
            _ => Err(WrongStage),
        }
    }

    /// The person chose the account of the browser's session.
    ///
    /// # Errors
    /// [`WrongStage`] unless nothing was decided yet.
    pub fn chosen(self, session: SessionId) -> Result<Self, WrongStage> {
        match self.stage {
            Stage::Open | Stage::Another => Ok(self.at(Stage::Confirmed { session, consented: false, fresh: false })),
            _ => Err(WrongStage),
        }
    }

    /// The person wants to sign in with another account, or to type another name.
    ///
    /// # Errors
    /// [`WrongStage`] after a denial.
    pub fn another(self) -> Result<Self, WrongStage> {
        match self.stage {
            Stage::Denied => Err(WrongStage),
            _ => Ok(self.at(Stage::Another)),
        }
    }

    /// The person agreed; the session is the one that saw the page.
    ///
    /// # Errors
    /// [`WrongStage`] after a denial, or when a sign-in is under way.
    pub fn consented(self, by: SessionId) -> Result<Self, WrongStage> {
        match self.stage {
            Stage::Open => Ok(self.at(Stage::Confirmed { session: by, consented: true, fresh: false })),
            Stage::Confirmed { ref session, fresh, .. } if *session == by => {
                Ok(self.at(Stage::Confirmed { session: by, consented: true, fresh }))
            }
            _ => Err(WrongStage),
        }
    }

    /// The person said no, or gave up. Possible at any time.
    #[must_use]
    pub fn denied(self) -> Self {
        self.at(Stage::Denied)
    }

    /// What comes next. `session` is the live session of this browser, `remembered` whether its person consented to all the
    /// scopes before.
    #[must_use]
    pub fn next(&self, session: Option<&Session>, remembered: bool, now: Timestamp) -> Next {
        let identify = || match &self.stage {
            Stage::Named { name } => Next::Password { name: name.clone() },
            Stage::Away { provider, .. } => Next::Await { provider: provider.clone() },
            _ => Next::Identify,
        };
        let (confirmed, consented, fresh) = match &self.stage {
            Stage::Denied => return Next::Denied,
            Stage::Another | Stage::Named { .. } | Stage::Away { .. } => return identify(),
            Stage::Open => (None, false, false),
            Stage::Confirmed { session, consented, fresh } => (Some(session), *consented, *fresh),
        };
        let Some(session) = session else { return Next::Identify };
        let confirmed = confirmed == Some(&session.id);
        if self.demand.select_account && !confirmed {
            return Next::Select;
        }
        if self.demand.expected.as_ref().is_some_and(|expected| *expected != session.person) {
            return if confirmed { Next::WrongPerson } else { Next::Identify };
        }
        let fresh = confirmed && fresh;
        if self.demand.login && !fresh {
            return Next::Identify;
        }
        if let Some(max_age) = self.demand.max_age_s
            && !fresh
            && session.auth_time().plus_secs(max_age) < now
        {
            return Next::Identify;
        }
        let agreed = match self.demand.consent {
            ConsentRule::Skip => true,
            ConsentRule::Remembered => remembered || (confirmed && consented),
            ConsentRule::Always => confirmed && consented,
        };
        if agreed { Next::Finish } else { Next::Consent }
    }
}
