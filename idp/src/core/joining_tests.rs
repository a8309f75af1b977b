use super::*;
use crate::core::provider::{OidcSettings, Settings};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn person(n: usize) -> PersonId {
    PersonId::from_uuid(uuid::Uuid::from_u128(n as u128 + 1))
}

fn provider(id: &str, domains: &[&str], creation: Creation) -> Provider {
    Provider {
        id: id.into(),
        name: id.into(),
        settings: Settings::Oidc(OidcSettings::default()),
        domains: domains.iter().map(|d| (*d).to_owned()).collect(),
        creation,
        authoritative: false,
        enabled: true,
        version: 1,
    }
}

fn said(email: &str, verified: bool, tenant: Option<&str>) -> Said {
    Said { email: Some(email.into()), email_verified: verified, tenant: tenant.map(str::to_owned), ..Said::default() }
}

fn invited(email: &str, tenant: Option<&str>) -> Circumstances {
    let invitation =
        Invitation { person: person(0), provider: "entra".into(), email: email.into(), tenant: tenant.map(str::to_owned) };
    Circumstances { invitation: Some(invitation), ..Circumstances::default() }
}

#[test]
fn an_invitation_is_claimed_by_proof_only() {
    let p = provider("entra", &["fabrikam.com"], Creation::Nobody);
    let of = |said: &Said, now: &Circumstances| decide(&p, said, now);
    let (join, ask) = (Decision::Join(person(0)), Decision::Ask(person(0)));
    let mine = invited("geoff@fabrikam.com", None);
    assert_eq!(of(&said("Geoff@Fabrikam.com", true, None), &mine), join, "the domain is its own, and it verified it");
    assert_eq!(of(&said("geoff@fabrikam.com", false, None), &mine), ask, "not verified");
    assert_eq!(of(&said("eve@fabrikam.com", true, None), &mine), ask, "another address");
    assert_eq!(of(&said("geoff@x.com", true, None), &invited("geoff@x.com", None)), ask, "a domain that is not its own");
    let pinned = invited("geoff@x.com", Some("t1"));
    assert_eq!(of(&said("whatever", false, Some("t1")), &pinned), join, "the administrator named the tenant");
    assert_eq!(of(&said("geoff@x.com", true, Some("t2")), &pinned), ask, "another tenant");
    assert_eq!(of(&said("geoff@x.com", true, None), &pinned), ask, "no tenant");
    let pinned_own = invited("geoff@fabrikam.com", Some("t1"));
    assert_eq!(
        of(&said("geoff@fabrikam.com", true, Some("t2")), &pinned_own),
        ask,
        "the tenant is pinned, an address does not do"
    );
}

#[test]
fn an_invitation_is_for_its_provider_and_its_person() {
    let google = provider("google", &["fabrikam.com"], Creation::Nobody);
    let mine = invited("geoff@fabrikam.com", None);
    assert_eq!(decide(&google, &said("geoff@fabrikam.com", true, None), &mine), Decision::Unknown);
    let entra = provider("entra", &["fabrikam.com"], Creation::Nobody);
    let known = Circumstances { owner: Some(person(7)), ..mine };
    assert_eq!(decide(&entra, &said("geoff@fabrikam.com", true, None), &known), Decision::Taken);
}

#[test]
fn people_are_made_as_the_administrator_said() {
    let of = |creation, said: &Said, taken| {
        let now = Circumstances { name_taken: taken, ..Circumstances::default() };
        decide(&provider("okta", &["a.com"], creation), said, &now)
    };
    let domains = || Creation::Domains { domains: ["a.com".to_owned()].into() };
    let groups = || Creation::Groups { groups: ["g1".to_owned()].into() };
    let member = |groups: &[&str]| Said { groups: Some(groups.iter().map(|g| (*g).to_owned()).collect()), ..Said::default() };
    assert_eq!(of(Creation::Nobody, &said("x@a.com", true, None), false), Decision::Unknown);
    assert_eq!(of(Creation::Everybody, &Said::default(), false), Decision::Create);
    assert_eq!(of(Creation::Everybody, &Said::default(), true), Decision::Conflict);
    assert_eq!(of(domains(), &said("x@a.com", true, None), false), Decision::Create);
    assert_eq!(of(domains(), &said("x@a.com", false, None), false), Decision::Unknown);
    assert_eq!(of(domains(), &said("x@b.com", true, None), false), Decision::Unknown);
    assert_eq!(of(groups(), &member(&["g0", "g1"]), false), Decision::Create);
    assert_eq!(of(groups(), &member(&["g2"]), false), Decision::Unknown);
    assert_eq!(of(groups(), &Said::default(), false), Decision::Unknown);
}

#[test]
fn joining_takes_nothing_from_anybody() {
    let p = provider("github", &[], Creation::Nobody);
    let of = |owner: Option<usize>| {
        let now = Circumstances { owner: owner.map(person), joining: Some(person(1)), ..Circumstances::default() };
        decide(&p, &Said::default(), &now)
    };
    assert_eq!(of(None), Decision::Join(person(1)));
    assert_eq!(of(Some(1)), Decision::SignIn(person(1)));
    assert_eq!(of(Some(2)), Decision::Taken);
}

// ---- the model: people of flesh and blood, their accounts elsewhere, and addresses that wander -------------------------

const HUMANS: usize = 3;
const PROVIDERS: [&str; 3] = ["corp", "partner", "social"];
const ADDRESSES: [&str; 5] = ["a@corp.test", "b@corp.test", "a@partner.test", "b@partner.test", "c@elsewhere.test"];

/// An account elsewhere belongs to one human for ever; its address does not.
#[derive(Clone, Debug)]
struct Account {
    human: usize,
    provider: usize,
    email: usize,
    verified: bool,
}

#[derive(Clone, Debug)]
enum Step {
    /// The provider gives an account another address. A provider is honest about its own domain: whoever had the address there
    /// loses it. About others it says whatever its user typed, "verified" or not.
    Rename { account: usize, email: usize, verified: bool },
    /// Somebody signs in, perhaps with a link that they hold or found.
    SignIn { account: usize, link: Option<usize> },
    /// An administrator makes a person for a human, with a link to whoever owns that address at that provider now.
    Invite { account: usize },
    /// A human who is signed in with one account joins another of theirs.
    Join { first: usize, second: usize },
    /// An administrator unlinks an account.
    Unlink { account: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let account = 0..HUMANS * PROVIDERS.len();
    let step = prop_oneof![
        1 => (account.clone(), 0..ADDRESSES.len(), any::<bool>())
            .prop_map(|(account, email, verified)| Step::Rename { account, email, verified }),
        3 => (account.clone(), prop::option::of(0_usize..4)).prop_map(|(account, link)| Step::SignIn { account, link }),
        1 => account.clone().prop_map(|account| Step::Invite { account }),
        1 => (account.clone(), account.clone()).prop_map(|(first, second)| Step::Join { first, second }),
        1 => account.prop_map(|account| Step::Unlink { account }),
    ];
    prop::collection::vec(step, 1..60)
}

struct World {
    providers: Vec<Provider>,
    accounts: Vec<Account>,
    /// Whose each identity is here, by its key.
    owners: BTreeMap<usize, usize>,
    /// For which human each person here was made.
    made_for: Vec<usize>,
    /// Invitations that were not used: invitation, and who received the link.
    links: Vec<(Invitation, usize)>,
}

impl World {
    fn new(creation: &Creation) -> Self {
        let domains: [&[&str]; 3] = [&["corp.test"], &["partner.test"], &[]];
        let of = |n: usize| Account { human: n % HUMANS, provider: n / HUMANS, email: 4, verified: false };
        Self {
            providers: PROVIDERS.iter().zip(domains).map(|(id, own)| provider(id, own, creation.clone())).collect(),
            accounts: (0..HUMANS * PROVIDERS.len()).map(of).collect(),
            owners: BTreeMap::new(),
            made_for: Vec::new(),
            links: Vec::new(),
        }
    }

    fn number(&self, id: &PersonId) -> usize {
        (0..self.made_for.len()).find(|n| person(*n) == *id).expect("somebody we made")
    }

    fn decide(&mut self, account: usize, mut now: Circumstances) -> (Decision, Option<usize>) {
        let Account { provider, email, verified, .. } = self.accounts[account].clone();
        now.owner = self.owners.get(&account).map(|n| person(*n));
        let said = said(ADDRESSES[email], verified, None);
        let decision = decide(&self.providers[provider], &said, &now);
        let reached = match &decision {
            Decision::SignIn(id) | Decision::Join(id) => Some(self.number(id)),
            Decision::Create => {
                self.made_for.push(self.accounts[account].human);
                Some(self.made_for.len() - 1)
            }
            Decision::Ask(_) | Decision::Conflict | Decision::Taken | Decision::Unknown => None,
        };
        if let Some(reached) = reached {
            self.owners.insert(account, reached);
        }
        (decision, reached)
    }

    fn run(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Rename { account, email, verified } => {
                let own = &self.providers[self.accounts[account].provider].domains;
                let at_home = own.contains(ADDRESSES[email].split_once('@').expect("an address").1);
                if at_home && verified {
                    let provider = self.accounts[account].provider;
                    for other in self.accounts.iter_mut().filter(|a| a.provider == provider && a.email == email) {
                        other.verified = false;
                    }
                    // a link that went to who had the address before is not claimed by who has it now: see below
                    self.links.retain(|(invitation, _)| invitation.email != ADDRESSES[email]);
                }
                self.accounts[account].email = email;
                self.accounts[account].verified = verified;
            }
            Step::Invite { account } => {
                let Account { human, provider, email, .. } = self.accounts[account];
                self.made_for.push(human);
                let invitation = Invitation {
                    person: person(self.made_for.len() - 1),
                    provider: PROVIDERS[provider].into(),
                    email: ADDRESSES[email].into(),
                    tenant: None,
                };
                // the administrator means the human who owns that address at that provider; else nobody can prove it
                let proves = self.accounts[account].verified;
                let own = self.accounts.iter().filter(|a| a.provider == provider && a.email == email && a.verified).count() == 1;
                if proves && own {
                    self.links.push((invitation, human));
                }
            }
            Step::SignIn { account, link } => {
                let found = link.filter(|n| *n < self.links.len());
                let invitation = found.map(|n| self.links[n].0.clone());
                let (decision, reached) = self.decide(account, Circumstances { invitation, ..Circumstances::default() });
                if let Some(reached) = reached {
                    prop_assert_eq!(self.made_for[reached], self.accounts[account].human, "{:?} by {:?}", decision, step);
                }
                if let (Some(n), Decision::Join(_)) = (found, &decision) {
                    self.links.remove(n);
                }
            }
            Step::Join { first, second } => {
                let human = self.accounts[first].human;
                if self.accounts[second].human != human {
                    return Ok(()); // nobody can prove somebody else's account
                }
                let Some(owner) = self.owners.get(&first).copied() else { return Ok(()) };
                let now = Circumstances { joining: Some(person(owner)), ..Circumstances::default() };
                let (_, reached) = self.decide(second, now);
                if let Some(reached) = reached {
                    prop_assert_eq!(reached, owner);
                }
            }
            Step::Unlink { account } => {
                self.owners.remove(&account);
            }
        }
        // whatever happened: every identity leads to a person that was made for the human who owns the account
        for (account, owner) in &self.owners {
            prop_assert_eq!(self.made_for[*owner], self.accounts[*account].human);
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn nobodys_account_reaches_somebody_else(steps in steps(), everybody in any::<bool>()) {
        let mut world = World::new(if everybody { &Creation::Everybody } else { &Creation::Nobody });
        for step in &steps {
            world.run(step)?;
        }
    }
}
