//! Signing keys and their life: next → active → retired → gone, without a moment in which a token cannot be verified.
//! A key is published before it signs (everybody has fetched it by then) and stays published while what it signed is valid.

use super::Timestamp;
use serde::{Deserialize, Serialize};

/// A signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Alg {
    /// RSASSA-PKCS1-v1_5 with SHA-256, 2048 bits: what Octopus accepts.
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Alg {
    /// The registered name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
    /// Reads the registered name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Rs256, Self::Es256, Self::EdDsa].into_iter().find(|alg| alg.as_str() == text)
    }
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Signs tokens; published in the key set.
    Token,
    /// Signs documents for agents, which pin it at enrolment.
    Fleet,
}

impl Purpose {
    /// As stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Fleet => "fleet",
        }
    }
    /// Reads the stored form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Token, Self::Fleet].into_iter().find(|purpose| purpose.as_str() == text)
    }
}

/// Where a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Published, does not sign yet.
    Next {
        /// Since when it is published.
        since: Timestamp,
    },
    /// Signs.
    Active {
        /// Since when.
        since: Timestamp,
    },
    /// Signs no more; published until then.
    Retired {
        /// When it leaves the key set.
        until: Timestamp,
    },
}

/// A key as far as planning goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    /// Key id.
    pub kid: String,
    /// Purpose.
    pub purpose: Purpose,
    /// Algorithm.
    pub alg: Alg,
    /// State.
    pub state: KeyState,
}

/// What is to be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make a key and let it sign at once: there is none.
    Create(Purpose, Alg),
    /// This key signs from now on.
    Activate(String),
    /// This key signs no more and leaves the key set at that time.
    Retire(String, Timestamp),
    /// This key leaves the key set.
    Remove(String),
}

/// The keys that must exist.
pub const NEEDED: [(Purpose, Alg); 3] =
    [(Purpose::Token, Alg::Rs256), (Purpose::Token, Alg::Es256), (Purpose::Fleet, Alg::EdDsa)];

/// What to do with `keys` at `now`. A `next` key becomes active `lead_s` seconds after it was published, its predecessor
/// stays published for another `overlap_s`.
#[must_use]
pub fn plan(keys: &[KeyFacts], now: Timestamp, lead_s: i64, overlap_s: i64) -> Vec<Step> {
    let mut steps = Vec::new();
    for (purpose, alg) in NEEDED {
        let of_kind = || keys.iter().filter(move |key| key.purpose == purpose && key.alg == alg);
        // The newest key that is due wins; on equal times the greater id, so that all nodes agree.
        let due = of_kind()
            .filter_map(|key| match key.state {
                KeyState::Next { since } if since.plus_secs(lead_s) <= now => Some((since, key)),
                _ => None,
            })
            .max_by(|a, b| (a.0, &a.1.kid).cmp(&(b.0, &b.1.kid)))
            .map(|(_, key)| key);
        let active = || of_kind().filter(|key| matches!(key.state, KeyState::Active { .. }));
        if let Some(next) = due {
            steps.extend(active().map(|key| Step::Retire(key.kid.clone(), now.plus_secs(overlap_s))));
            steps.push(Step::Activate(next.kid.clone()));
        } else if active().next().is_none() {
            steps.push(Step::Create(purpose, alg));
        }
    }
    steps.extend(keys.iter().filter_map(|key| match key.state {
        KeyState::Retired { until } if until <= now => Some(Step::Remove(key.kid.clone())),
        _ => None,
    }));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kid: &str, alg: Alg, state: KeyState) -> KeyFacts {
        KeyFacts { kid: kid.into(), purpose: if alg == Alg::EdDsa { Purpose::Fleet } else { Purpose::Token }, alg, state }
    }
    fn others() -> Vec<KeyFacts> {
        let since = Timestamp(0);
        vec![key("r", Alg::Rs256, KeyState::Active { since }), key("f", Alg::EdDsa, KeyState::Active { since })]
    }

    #[test]
    fn an_empty_deployment_gets_three_keys() {
        let steps = plan(&[], Timestamp(0), 60, 600);
        assert_eq!(steps, NEEDED.map(|(purpose, alg)| Step::Create(purpose, alg)));
    }

    #[test]
    fn the_life_of_a_rotation() {
        let (t0, lead, overlap) = (Timestamp(1_000_000), 60, 600);
        let with = |more: Vec<KeyFacts>| others().into_iter().chain(more).collect::<Vec<_>>();
        let old = key("old", Alg::Es256, KeyState::Active { since: Timestamp(0) });
        let new = key("new", Alg::Es256, KeyState::Next { since: t0 });
        let both = with(vec![old, new]);
        assert_eq!(plan(&both, t0.plus_ms(59_999), lead, overlap), []);
        let at = t0.plus_secs(60);
        let expected = [Step::Retire("old".into(), at.plus_secs(600)), Step::Activate("new".into())];
        assert_eq!(plan(&both, at, lead, overlap), expected);
        let until = at.plus_secs(600);
        let after = with(vec![
            key("old", Alg::Es256, KeyState::Retired { until }),
            key("new", Alg::Es256, KeyState::Active { since: at }),
        ]);
        assert_eq!(plan(&after, until.plus_ms(-1), lead, overlap), []);
        assert_eq!(plan(&after, until, lead, overlap), [Step::Remove("old".into())]);
    }

    #[test]
    fn of_two_due_keys_the_newest_is_chosen_on_every_node() {
        let (a, b) = (
            key("a", Alg::Es256, KeyState::Next { since: Timestamp(0) }),
            key("b", Alg::Es256, KeyState::Next { since: Timestamp(0) }),
        );
        let mut keys = others();
        keys.extend([a, b]);
        let forward = plan(&keys, Timestamp(100_000), 60, 600);
        keys.reverse();
        assert_eq!(forward, plan(&keys, Timestamp(100_000), 60, 600));
        assert_eq!(forward, [Step::Activate("b".into())]);
    }
}
