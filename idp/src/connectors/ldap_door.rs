//! A directory as a way in: names and passwords that it checks, and what it says of those who come.

use super::ldap::{Directory as _, Error as LdapError, Finding as LdapFinding, Guarded, Ldap, SignIn, Step, Verdict};
use super::{Attempt, Error, Finding, Grade, Identity, Password};
use crate::core::joining::Said;
use crate::core::provider::{Provider, Settings};
use crate::deps::Deps;
use std::sync::Arc;

/// A directory that people sign in with.
pub struct LdapDoor {
    provider: Provider,
    ldap: Ldap,
}

impl LdapDoor {
    /// Makes one for a provider of that kind; connects to nothing yet.
    ///
    /// # Errors
    /// [`Error::Misconfigured`].
    pub fn new(deps: &Deps, provider: Provider, secret: Option<String>) -> Result<Self, Error> {
        let Settings::Ldap(settings) = &provider.settings else {
            return Err(Error::Misconfigured("it is no directory".into()));
        };
        let clock = deps.clock.clone();
        let world = Guarded::new(deps.http.guard(), Arc::new(move || clock.now().secs()));
        let ldap = Ldap::new((**settings).clone(), secret.unwrap_or_default(), Arc::new(world))?;
        Ok(Self { provider, ldap })
    }

    /// The provider as an administrator set it up.
    #[must_use]
    pub fn provider(&self) -> &Provider {
        &self.provider
    }

    /// The directory itself.
    #[must_use]
    pub fn ldap(&self) -> &Ldap {
        &self.ldap
    }

    /// Tries the settings, step by step.
    pub async fn examine(&self) -> Vec<Finding> {
        let finding = |found: LdapFinding| {
            let grade = match found.verdict {
                Verdict::Fine => Grade::Good,
                Verdict::Doubtful => Grade::Note,
                Verdict::Failed => Grade::Bad,
            };
            Finding::new(step(found.step), grade, found.text)
        };
        self.ldap.test().await.into_iter().map(finding).collect()
    }
}

fn step(step: Step) -> &'static str {
    match step {
        Step::Names => "Names of the servers",
        Step::Connection => "Connection and TLS",
        Step::Account => "Service account",
        Step::Server => "Server",
        Step::Base => "Base",
        Step::People => "People",
        Step::Groups => "Groups",
        Step::Changes => "How changes are told",
    }
}

impl From<LdapError> for Error {
    fn from(error: LdapError) -> Self {
        match error {
            LdapError::Misconfigured(why) => Self::Misconfigured(why),
            LdapError::Busy => Self::Busy,
            other => Self::Upstream(other.to_string()),
        }
    }
}

#[async_trait::async_trait]
impl Password for LdapDoor {
    async fn check(&self, _: &Deps, attempt: Attempt<'_>) -> Result<Option<Identity>, Error> {
        // somebody who may try no more must not have the directory tried either
        if attempt.name.is_empty() {
            return Ok(None);
        }
        match self.ldap.sign_in(attempt.name, attempt.password, true).await? {
            SignIn::Wrong => Ok(None),
            SignIn::Barred(standing) => Err(Error::Barred(standing)),
            SignIn::In { person, .. } if person.standing.is_some() => Err(person.standing.map_or(Error::Busy, Error::Barred)),
            SignIn::In { person, groups } => Ok(Some(Identity {
                provider: self.provider.id.clone(),
                subject: person.key,
                label: person.label,
                password_set_at: None,
                said: Said {
                    name: person.name,
                    username: person.username,
                    // whoever keeps the directory vouches for its addresses; in which domains, the settings say
                    email_verified: person.email.is_some(),
                    email: person.email,
                    tenant: None,
                    groups,
                },
            })),
        }
    }
}
