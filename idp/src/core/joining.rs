//! Whose an identity is (rules C7, D3): the one place that decides whether somebody whom a provider vouches for signs in, is
//! joined to a person, becomes one, waits for a decision, or is nobody here. An identity belongs to a person by its key alone
//! (provider and stable id); an address joins nobody, it only lets an invitation be claimed.

use super::ids::PersonId;
use super::provider::{Creation, Provider};
use super::text::{Email, fold};

/// What a provider says of somebody, besides who it is. All of it may be wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Said {
    /// Name to show.
    pub name: Option<String>,
    /// User name to propose.
    pub username: Option<String>,
    /// Address.
    pub email: Option<String>,
    /// Whether the provider says that it verified the address.
    pub email_verified: bool,
    /// The organisation inside the provider: an Entra tenant, a Workspace domain.
    pub tenant: Option<String>,
    /// Groups there, by stable id, if it said.
    pub groups: Option<Vec<String>>,
}

impl Said {
    /// The address, if this provider can prove it: it says that it verified it, and it is authoritative for the domain.
    #[must_use]
    pub fn proven_email(&self, provider: &Provider) -> Option<Email> {
        let email = self.email.as_deref().filter(|_| self.email_verified).and_then(|text| Email::parse(text).ok())?;
        provider.is_authoritative_for(&email.domain()).then_some(email)
    }
}

/// An invitation that this browser holds: a single-use link for one person at one provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Who is invited.
    pub person: PersonId,
    /// The provider they were invited with.
    pub provider: String,
    /// The address that was invited.
    pub email: String,
    /// The organisation inside the provider that the administrator named.
    pub tenant: Option<String>,
}

/// What else is known at that moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// Whose the identity is by its key.
    pub owner: Option<PersonId>,
    /// The invitation that this browser holds.
    pub invitation: Option<Invitation>,
    /// Who proved another identity in this very flow and asked to join this one to it.
    pub joining: Option<PersonId>,
    /// Whether a name or address that a new person would get belongs to somebody, or did.
    pub name_taken: bool,
}

/// What becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is this person's.
    SignIn(PersonId),
    /// It becomes this person's now.
    Join(PersonId),
    /// It may become the invited person's if an administrator agrees: the provider proved too little.
    Ask(PersonId),
    /// A new person is made for it.
    Create,
    /// A new person would be made, but their name or address belongs to somebody: an administrator decides.
    Conflict,
    /// It belongs to somebody else than the one who wants it.
    Taken,
    /// Nobody here.
    Unknown,
}

/// Decides.
#[must_use]
pub fn decide(provider: &Provider, said: &Said, now: &Circumstances) -> Decision {
    if let Some(person) = &now.joining {
        return match &now.owner {
            None => Decision::Join(person.clone()),
            Some(owner) if owner == person => Decision::SignIn(owner.clone()),
            Some(_) => Decision::Taken,
        };
    }
    let invitation = now.invitation.as_ref().filter(|invitation| invitation.provider == provider.id);
    match (&now.owner, invitation) {
        (Some(owner), Some(invitation)) if *owner != invitation.person => Decision::Taken,
        (Some(owner), _) => Decision::SignIn(owner.clone()),
        (None, Some(invitation)) if claims(provider, said, invitation) => Decision::Join(invitation.person.clone()),
        (None, Some(invitation)) => Decision::Ask(invitation.person.clone()),
        (None, None) if !creates(provider, said) => Decision::Unknown,
        (None, None) if now.name_taken => Decision::Conflict,
        (None, None) => Decision::Create,
    }
}

/// Whether an invitation may be claimed without asking: the provider proves the invited address, or the administrator named the
/// organisation that vouches and it is that one.
fn claims(provider: &Provider, said: &Said, invitation: &Invitation) -> bool {
    let proven = said.proven_email(provider).is_some_and(|email| email.key() == fold(&invitation.email));
    let pinned = invitation.tenant.is_some() && invitation.tenant == said.tenant;
    // a pinned organisation that does not vouch is a refusal of its own: an address does not stand in for it
    if invitation.tenant.is_some() { pinned } else { proven }
}

fn creates(provider: &Provider, said: &Said) -> bool {
    match &provider.creation {
        Creation::Nobody => false,
        Creation::Everybody => true,
        Creation::Domains { domains } => said.proven_email(provider).is_some_and(|email| domains.contains(&email.domain())),
        Creation::Groups { groups } => said.groups.as_ref().is_some_and(|own| own.iter().any(|group| groups.contains(group))),
    }
}

#[cfg(test)]
#[path = "joining_tests.rs"]
mod tests;
