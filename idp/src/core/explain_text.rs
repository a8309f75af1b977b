//! Explanations in plain English.

use super::Timestamp;
use super::directory::{Facts, Span, Subject};
use super::explain::{Edge, Explanation, Lack, Proof, Step, Way};
use super::ids::GroupId;

impl Explanation {
    /// One sentence a line, answer first, with the names in `facts`.
    #[must_use]
    pub fn sentences(&self, facts: &Facts) -> Vec<String> {
        let names = Names { facts, explanation: self };
        let (person, space) = (names.person(), names.space());
        let mut lines = Vec::new();
        match self.span {
            Some(span) => lines.push(format!("{person} may enter {space}{}.", until(span))),
            None => lines.push(format!("{person} may not enter {space}.")),
        }
        if self.disabled {
            lines.push(format!("{person} is disabled: nobody who is disabled may enter a Space."));
        }
        for way in &self.ways {
            lines.push(names.way(way));
        }
        if self.more {
            lines.push("There are more ways, which are not listed.".into());
        }
        for bound in &self.teams {
            lines.push(format!("In {space}, {} stands in the team {}, so {person} does.", names.group(&bound.group), bound.team));
        }
        lines
    }
}

struct Names<'a> {
    facts: &'a Facts,
    explanation: &'a Explanation,
}

impl Names<'_> {
    fn person(&self) -> &str {
        let id = &self.explanation.person;
        self.facts.people.get(id).map_or(id.as_str(), |person| &person.display_name)
    }

    fn space(&self) -> &str {
        let id = &self.explanation.space;
        self.facts.spaces.get(id).map_or(id.as_str(), String::as_str)
    }

    fn group<'b>(&'b self, id: &'b GroupId) -> &'b str {
        self.facts.groups.get(id).map_or(id.as_str(), String::as_str)
    }

    fn subject<'b>(&'b self, subject: &'b Subject) -> &'b str {
        match subject {
            Subject::Person(_) => self.person(),
            Subject::Group(id) => self.group(id),
        }
    }

    fn way(&self, way: &Way) -> String {
        let there: Vec<_> = way.steps.iter().filter(|step| step.holds).map(|step| self.holds(step)).collect();
        let there = there.join(", ");
        let lacking = way.steps.iter().find(|step| !step.holds).map(|step| self.lacks(step, way.lack)).unwrap_or_default();
        match (way.lack, there.is_empty()) {
            (None, _) => format!("Because {there}."),
            (Some(Lack::Active), _) => format!("If enabled: because {there}."),
            (Some(_), true) => format!("Lacking: {lacking}."),
            (Some(_), false) => format!("Lacking: {lacking}; the rest is there: {there}."),
        }
    }

    fn holds(&self, step: &Step) -> String {
        let proofs: Vec<_> = step.proofs.iter().map(|proof| proven(&step.edge, proof)).collect();
        let proofs = proofs.iter().filter(|text| !text.is_empty()).cloned().collect::<Vec<_>>().join("; ");
        let what = match &step.edge {
            Edge::Membership { member, group } => format!("{} is in {}", self.subject(member), self.group(group)),
            Edge::Grant { subject } => format!("{} may enter {}", self.subject(subject), self.space()),
        };
        if proofs.is_empty() { what } else { format!("{what} ({proofs})") }
    }

    fn lacks(&self, step: &Step, lack: Option<Lack>) -> String {
        let (subject, verb, object) = match &step.edge {
            Edge::Membership { member, group } => (self.subject(member), "be in", self.group(group)),
            Edge::Grant { subject } => (self.subject(subject), "enter", self.space()),
        };
        match (lack, &step.edge) {
            (Some(Lack::NotBegun { at }), Edge::Membership { .. }) => {
                format!("{subject} will {verb} {object} only from {}", moment(at))
            }
            (Some(Lack::NotBegun { at }), Edge::Grant { .. }) => {
                format!("{subject} may {verb} {object} only from {}", moment(at))
            }
            (Some(Lack::Ended { at }), Edge::Membership { .. }) => format!("{subject} was in {object} until {}", moment(at)),
            (Some(Lack::Ended { at }), Edge::Grant { .. }) => format!("{subject} could {verb} {object} until {}", moment(at)),
            (_, Edge::Membership { .. }) => format!("{subject} is not in {object}"),
            (_, Edge::Grant { .. }) => format!("{subject} has no grant to {object}"),
        }
    }
}

/// Source and end of a proof; nothing for an unbounded grant.
fn proven(edge: &Edge, proof: &Proof) -> String {
    let end = until(proof.span);
    match edge {
        Edge::Grant { .. } => end.trim_start().to_owned(),
        Edge::Membership { .. } => match proof.source.split_once(':') {
            Some(("directory", id)) => format!("from directory {id}{end}"),
            Some(("rule", id)) => format!("by rule {id}{end}"),
            _ if proof.source == "manual" => format!("added by hand{end}"),
            _ => format!("from {}{end}", proof.source),
        },
    }
}

fn until(span: Span) -> String {
    span.until.map(|until| format!(" until {}", moment(until))).unwrap_or_default()
}

/// `2026-11-22 13:00 UTC`, with seconds where there are any.
fn moment(at: Timestamp) -> String {
    let text = at.rfc3339().replacen('T', " ", 1);
    let text = text.trim_end_matches('Z');
    let text = text.strip_suffix(".000").unwrap_or(text);
    let text = text.strip_suffix(":00").unwrap_or(text);
    format!("{text} UTC")
}
