//! What ODCM says.

use super::{Connection, Engine, Input, Standing};
use crate::clock::Anchor;
use crate::state::track::{self, Held, Verdict};
use odcm_wire::latest::{
    Body, FromAgent, FromServer, Heartbeat, Inheritance, ItemState, Millis, ReportKind, Section, SignedDocument, SignedSuccession,
};
use std::time::Duration;

/// The lease and the time are stored this often; a removal is enforced at its end either way.
const ANCHOR_EVERY: Duration = Duration::from_secs(60);

impl Engine {
    /// Takes an input. Never waits.
    pub(super) fn receive(&mut self, input: Input) {
        match input {
            Input::Standing(answer) => {
                let (positions, floor) = (self.state.positions(), self.state.floor.wire);
                let standing = Standing { positions, floor, fleet_key: self.state.keys.newest().to_owned() };
                // A link that stopped asking has no use for the answer.
                let _ = answer.send(standing);
            }
            Input::Connected(connection) => self.connected(connection),
            Input::Disconnected => self.disconnected(),
            Input::Refused(why) => self.refused(why),
            Input::Message(message) => self.message(message),
        }
    }

    fn connected(&mut self, connection: Connection) {
        tracing::info!(connection_epoch = connection.epoch, "connected");
        self.heard(connection.now);
        let was_refused = self.state.floor.refused.take().is_some();
        if was_refused || connection.wire_version > self.state.floor.wire {
            self.state.floor.wire = self.state.floor.wire.max(connection.wire_version);
            let result = self.state.save_floor();
            self.stored(result);
        }
        if was_refused {
            self.look_after = None;
        }
        self.connection = Some(connection);
        self.sign_in.asked = false;
        self.tell_everything();
    }

    fn disconnected(&mut self) {
        if self.connection.take().is_some() {
            tracing::info!("disconnected: the last state stays in force");
            self.spool_sent.clear();
            let result = self.keep_spool(true);
            self.stored(result);
            self.save_anchor(true);
        }
    }

    /// An agent that ODCM refuses may have been revoked, or replaced by one with a newer state: what it holds may be stale.
    /// It goes on taking away, and gives nothing until it is accepted again, restart or not.
    fn refused(&mut self, why: String) {
        if self.state.floor.refused.is_none() {
            tracing::error!(why, "ODCM refuses this agent: it gives no access until it is accepted again");
            // What is under way may give access: it ends between two items.
            self.urgent = true;
        }
        if self.state.floor.refused.as_ref() != Some(&why) {
            self.state.floor.refused = Some(why);
            let result = self.state.save_floor();
            self.stored(result);
        }
    }

    fn message(&mut self, message: FromServer) {
        match message {
            FromServer::Document(document) => self.document(&document),
            FromServer::Heartbeat(beat) => self.heartbeat(&beat),
            FromServer::SecretStored { generation } => self.secret_stored(generation),
            FromServer::Probe(probe) => self.probe(probe),
            FromServer::WriteSecret { generation } => self.write_secret_again(generation),
            FromServer::FleetKey(announcement) => self.fleet_key(&announcement),
            FromServer::Unknown => tracing::warn!("ODCM sent a message of a newer version: ignored"),
            FromServer::Challenge(_) | FromServer::Welcome(_) | FromServer::Refused(_) => {
                tracing::warn!("a message of the handshake outside of it: ignored");
            }
        }
    }

    /// The fleet key has a successor: from now on documents may be signed by it (rules B3).
    fn fleet_key(&mut self, announcement: &SignedSuccession) {
        let deployment = self.state.enrolment.deployment.clone();
        match self.state.keys.follow(announcement, &deployment) {
            Ok(true) => {
                tracing::info!(key = self.state.keys.newest(), "the fleet key was rolled");
                // Lost before it is stored, it comes again: the next hello names the key before it.
                let result = self.state.save_fleet();
                self.stored(result);
            }
            Ok(false) => {}
            Err(message) => self.alarm("fleet_key", message),
        }
    }

    fn heartbeat(&mut self, beat: &Heartbeat) {
        self.heard(beat.now);
        self.valid_until = self.valid_until.max(self.longest_lease(beat.valid_until));
        self.beats += 1;
        self.confirm_spool();
        self.save_anchor(false);
        if let Some(c) = &self.connection {
            let connection_epoch = c.epoch;
            self.send(FromAgent::Alive { connection_epoch });
        }
    }

    fn heard(&mut self, odcm: Millis) {
        if !self.time.heard(odcm, &*self.clock) {
            self.alarm("time", "ODCM's time went back; the agent's own goes on, so that nothing is open longer".into());
        }
    }

    /// Heartbeats are not signed: they renew the lease of the last signed document, and never for longer than it granted.
    fn longest_lease(&self, said: Millis) -> Millis {
        let granted = self.state.access.accepted.as_ref().map(|h| h.lease);
        granted.map_or(said, |lease| said.min(self.now().saturating_add(lease)))
    }

    fn save_anchor(&mut self, at_once: bool) {
        let mono = self.mono();
        if at_once || self.anchor_saved.is_none_or(|at| mono.saturating_sub(at) >= ANCHOR_EVERY) {
            self.anchor_saved = Some(mono);
            self.state.anchor = Some(Anchor { odcm: self.now(), wall: self.clock.wall(), valid_until: self.valid_until });
            let result = self.state.save_anchor();
            self.stored(result);
        }
    }

    /// Until when the accepted state holds without word from ODCM.
    pub(super) fn lease(&self, of_document: Millis) -> Millis {
        self.valid_until.max(of_document)
    }

    fn document(&mut self, signed: &SignedDocument) {
        let (keys, now) = (&self.state.keys, self.now());
        let verify = |id: &str, bytes: &[u8], signature: &[u8]| keys.verify_at(now, id, bytes, signature);
        let document = match track::open(signed, &self.state.enrolment, verify) {
            Ok(document) => document,
            Err((code, message)) => return self.alarm(code, message),
        };
        let section = document.section;
        if section == Section::Unknown || document.body == Body::Unknown {
            return self.alarm("unknown_section", "ODCM sends a section that this version of the agent does not know".into());
        }
        if !self.policy.allows(section) {
            let item = format!("setting/{}", section.as_str());
            let message = "the policy on the agent's host does not let ODCM govern this section";
            self.alarm("policy", format!("{}: {message}", section.as_str()));
            return self.tell_item(item, ItemState::RefusedByPolicy, message);
        }
        match section {
            Section::Access => {
                let inheritance = match &document.body {
                    Body::AccessSnapshot { inheritance, .. } => inheritance.clone(),
                    _ => Inheritance::default(),
                };
                let verdict = self.state.access.judge(document, signed);
                if let Some(held) = self.judged(section, verdict, Self::again_access) {
                    let now = self.now();
                    let before = self.state.access.accepted.as_ref().map(|h| h.state.at(now));
                    // Who loses something must not wait until the additions of an older revision are done.
                    let removals = before.is_some_and(|b| b.diff(&held.state.at(now)).has_removals());
                    self.urgent |= removals;
                    if removals {
                        // Tried at once, however long the Space was not to be reached.
                        self.look_after = None;
                    }
                    if !inheritance.is_empty() {
                        // Stored before the document: what is lost in between is sent again.
                        self.state.records.inherited = inheritance;
                        self.look_at_all = true;
                        let result = self.state.save_records();
                        self.stored(result);
                    }
                    self.received[0] = Some(self.received[0].unwrap_or(self.mono()));
                    self.state.access.take(held);
                    self.valid_until = self.longest_lease(self.valid_until);
                    let result = self.state.save_access();
                    self.stored(result);
                }
            }
            Section::Authentication => {
                let verdict = self.state.authentication.judge(document, signed);
                if let Some(held) = self.judged(section, verdict, Self::again_authentication) {
                    self.received[1] = Some(self.received[1].unwrap_or(self.mono()));
                    self.sign_in.retry(self.clock.monotonic());
                    self.state.authentication.take(held);
                    let result = self.state.save_authentication();
                    self.stored(result);
                    self.leave_restored();
                }
            }
            Section::Unknown => {}
        }
    }

    fn judged<T>(&mut self, section: Section, verdict: Verdict<T>, again: impl FnOnce(&mut Self)) -> Option<Held<T>> {
        match verdict {
            Verdict::Take(held) => {
                tracing::info!(section = section.as_str(), epoch = held.epoch, revision = held.revision, "document accepted");
                Some(held)
            }
            Verdict::Again => {
                again(self);
                None
            }
            Verdict::Refuse { code, message, snapshot } => {
                // A delta that does not meet its base is everyday business, not an alarm.
                if code == "document" {
                    tracing::info!(section = section.as_str(), message, "document refused");
                } else {
                    self.alarm(code, format!("{}: {message}", section.as_str()));
                }
                if let (true, Some(c)) = (snapshot, &self.connection) {
                    let connection_epoch = c.epoch;
                    self.send(FromAgent::NeedSnapshot { section, reason: message, connection_epoch });
                }
                None
            }
        }
    }

    fn again_access(&mut self) {
        if self.told.known && !self.state.access.pending() {
            self.acknowledge_access_again();
        }
    }

    fn again_authentication(&mut self) {
        if !self.state.authentication.pending() {
            self.acknowledge_authentication(0);
        }
    }

    pub(super) fn tell_item(&mut self, item: String, state: ItemState, message: &str) {
        let result = odcm_wire::latest::ItemResult { item, state, message: Some(message.into()), residual: Vec::new() };
        self.event(ReportKind::Items { items: vec![result] });
    }
}
