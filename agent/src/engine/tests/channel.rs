//! The property of rules B1: whatever the channel does (reorder, duplicate, drop, cut) and whenever the agent is killed,
//! it converges to the newest state, and no acknowledged removal is undone without a newer grant.

use crate::testkit::{Rig, state};
use odcm_wire::latest::{AccessState, FromAgent, SignedDocument};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const PEOPLE: [&str; 4] = ["ann", "bob", "cyd", "dan"];
const GROUPS: [&str; 2] = ["g1", "g2"];

#[derive(Clone, Debug)]
enum Act {
    /// A new state becomes a revision: a delta from one of the last three, or a snapshot.
    Revise {
        people: u8,
        members: [u8; 2],
        back: Option<u8>,
    },
    /// One of the last documents reaches the agent, perhaps again, perhaps out of order.
    Deliver {
        back: u8,
    },
    /// Time passes.
    Wait {
        ms: u16,
    },
    Cut,
    Kill,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0..16u8, [0..16u8, 0..16u8], prop::option::of(0..3u8))
            .prop_map(|(people, members, back)| Act::Revise { people, members, back }),
        6 => (0..4u8).prop_map(|back| Act::Deliver { back }),
        3 => (0..400u16).prop_map(|ms| Act::Wait { ms }),
        1 => Just(Act::Cut),
        1 => Just(Act::Kill),
    ];
    prop::collection::vec(act, 1..25)
}

fn make(people: u8, members: [u8; 2]) -> AccessState {
    let of = |bits: u8| PEOPLE.iter().enumerate().filter(|(n, _)| bits >> n & 1 == 1).map(|(_, p)| *p).collect::<Vec<_>>();
    let (a, b) = (of(members[0] & people), of(members[1] & people));
    state(&of(people), &[(GROUPS[0], &a), (GROUPS[1], &b)])
}

/// Facts of a state: who may enter, who is in which group.
fn facts(state: &AccessState) -> BTreeSet<String> {
    let members = state.groups.iter().flat_map(|(g, group)| group.members.keys().map(move |p| format!("{g}/{p}")));
    state.people.keys().cloned().chain(members).collect()
}

struct Play {
    rig: Rig,
    teams: Vec<String>,
    states: BTreeMap<u64, AccessState>,
    documents: Vec<SignedDocument>,
    acked: u64,
}

impl Play {
    /// What is true in the Space now.
    fn truth(&self) -> BTreeSet<String> {
        let people = PEOPLE.iter().filter(|p| self.rig.active(p) == Some(true)).map(|p| (*p).to_owned());
        let members =
            GROUPS.iter().zip(&self.teams).flat_map(|(g, t)| self.rig.members(t).into_iter().map(move |p| format!("{g}/{p}")));
        people.chain(members).collect()
    }

    fn check(&mut self) {
        self.rig.listen();
        for message in self.rig.heard.drain(..) {
            match message {
                FromAgent::Ack(ack) => self.acked = self.acked.max(ack.revision),
                FromAgent::Report(report) => {
                    let quiet = !matches!(report.what, odcm_wire::latest::ReportKind::Drift { .. });
                    assert!(quiet, "nobody touched the Space: {report:?}");
                }
                _ => {}
            }
        }
        let allowed: BTreeSet<String> = self.states.range(self.acked..).flat_map(|(_, s)| facts(s)).collect();
        let undone: Vec<String> = self.truth().difference(&allowed).cloned().collect();
        assert!(undone.is_empty(), "removed by revision {} or earlier, and there again: {undone:?}", self.acked);
    }

    async fn act(&mut self, act: &Act) {
        match act {
            Act::Revise { people, members, back } => {
                let new = make(*people, *members);
                let newest = self.rig.odcm.revision;
                let base = back.map(|b| newest.saturating_sub(u64::from(b))).filter(|b| *b > 0);
                let document = match base {
                    Some(base) => self.rig.odcm.delta(base, &self.states[&base], &new),
                    None => self.rig.odcm.snapshot(&new),
                };
                self.states.insert(self.rig.odcm.revision, new);
                self.documents.push(document);
            }
            Act::Deliver { back } => {
                if let Some(document) = self.documents.iter().rev().nth(usize::from(*back)) {
                    self.rig.say(&document.clone()).await;
                }
            }
            Act::Wait { ms } => self.rig.pass(Duration::from_millis(u64::from(*ms))).await,
            Act::Cut => {
                self.rig.disconnect().await;
                self.check();
                self.rig.connect().await;
            }
            Act::Kill => {
                self.rig.kill().await;
                self.check();
                self.rig.go().await;
            }
        }
    }
}

async fn play(acts: Vec<Act>) {
    let mut rig = Rig::new();
    let teams = GROUPS.map(|g| rig.team(g, g)).to_vec();
    rig.space.set_latency(Duration::from_millis(10));
    rig.go().await;
    let mut play = Play { rig, teams, states: BTreeMap::from([(0, AccessState::default())]), documents: Vec::new(), acked: 0 };
    for act in &acts {
        play.act(act).await;
        play.check();
    }
    let last = play.states.values().next_back().unwrap().clone();
    let document = play.rig.odcm.snapshot(&last);
    play.states.insert(play.rig.odcm.revision, last.clone());
    play.rig.say(&document).await;
    play.rig.acked().await;
    play.rig.pass(Duration::from_secs(20)).await;
    play.check();
    assert_eq!(play.truth(), facts(&last));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, max_shrink_iters: 400, ..ProptestConfig::default() })]
    #[test]
    fn converges_whatever_the_channel_does(acts in acts()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(play(acts));
    }
}
