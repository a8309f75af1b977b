//! Section *authentication*: the Space's own sign-in is pointed at ODCM (rules B9, B12).
//!
//! Order: what was there before is stored; the client secret is made; its hash goes to ODCM; only when ODCM says that it
//! keeps the hash is the secret written, and with it the settings; then everything is read back.

use super::conclude::millis;
use super::{Engine, Flow, Input};
use crate::entropy::{back_off, secret};
use crate::state::{ClientSecret, SecretStage};
use odcm_space_plugin::{AdapterError, AuthenticationSeen, AuthenticationSetUp, Capability};
use odcm_wire::latest::{
    Ack, AuthenticationState, Drift, DriftAction, FromAgent, ItemResult, ItemState, Probe, ReportKind, Section,
};
use std::time::Duration;
use tokio::sync::mpsc;

/// Probes under way at once; more are not answered.
const PROBES: usize = 4;
/// Name of the item in reports.
const ITEM: &str = "setting/authentication";

/// What is under way.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The hash of the secret went to ODCM on this connection.
    pub asked: bool,
    after: Duration,
    failures: u32,
    check_at: Duration,
    /// What was told last, if something failed.
    told: Option<String>,
}

impl Progress {
    /// A new document is tried at once.
    pub fn retry(&mut self, now: Duration) {
        self.after = now;
        self.failures = 0;
    }
}

impl Engine {
    /// How long until the sign-in needs something; `None` when nothing can be done now.
    pub(super) fn until_sign_in(&self) -> Option<Duration> {
        let held = self.state.authentication.accepted.as_ref()?;
        if self.state.floor.refused.is_some() || self.restored() {
            return None;
        }
        let now = self.mono();
        let ready = match &self.state.sign_in.secret {
            // Waiting for ODCM to keep the hash.
            Some(s) if s.generation == held.state.secret_generation && s.stage == SecretStage::Made => {
                self.connection.is_some() && !self.sign_in.asked
            }
            Some(s) => s.stage == SecretStage::Known || s.generation != held.state.secret_generation,
            None => true,
        };
        let blocked = self.secret_waits(held.state.secret_generation);
        let at = if (ready && self.needs_secret()) || (self.state.authentication.pending() && !blocked) {
            Duration::ZERO
        } else if blocked {
            return None;
        } else {
            self.sign_in.check_at
        };
        Some(at.max(self.sign_in.after).saturating_sub(now))
    }

    /// `restore-auth` was used, and ODCM has not wanted anything else since (rules B12).
    fn restored(&self) -> bool {
        let wanted = self.state.authentication.accepted.as_ref().and_then(|h| h.state.digest().ok());
        wanted.is_some() && self.state.sign_in.restored == wanted
    }

    /// A revision that wants what was restored away changes nothing; ODCM is told so.
    pub(super) fn leave_restored(&mut self) {
        if !self.restored() {
            if self.state.sign_in.restored.take().is_some() {
                self.save_sign_in();
            }
            return;
        }
        if let (true, Some(held)) = (self.state.authentication.pending(), self.state.authentication.accepted.clone()) {
            self.state.authentication.mark_applied(held);
            let result = self.state.save_authentication();
            if self.stored(result) {
                self.acknowledge_authentication(0);
            }
        }
    }

    /// No probe proved the secret: somebody may have put another one into the Space (rules B6).
    pub(super) fn write_secret_again(&mut self, generation: u64) {
        let written = |s: &&mut ClientSecret| s.generation == generation && s.stage == SecretStage::Written;
        if let Some(secret) = self.state.sign_in.secret.as_mut().filter(written) {
            tracing::warn!(generation, "no probe proved the client secret: it is written again");
            secret.stage = SecretStage::Known;
            self.save_sign_in();
            self.sign_in.retry(self.clock.monotonic());
        }
    }

    fn needs_secret(&self) -> bool {
        self.description.as_ref().is_none_or(|d| d.capabilities.contains(&Capability::ClientSecret))
    }

    /// Whether everything waits until ODCM keeps the hash.
    fn secret_waits(&self, generation: u64) -> bool {
        let made = |s: &ClientSecret| s.generation == generation && s.stage == SecretStage::Made;
        self.needs_secret()
            && self.state.sign_in.secret.as_ref().is_some_and(made)
            && (self.sign_in.asked || self.connection.is_none())
    }

    pub(super) async fn sign_in_round(&mut self, inbox: &mut mpsc::Receiver<Input>) {
        match self.sign_in_steps(inbox).await {
            // Interrupted, or waiting for ODCM: nothing is known of the settings.
            Ok(Flow::Broken) => {}
            Ok(Flow::Done) => {
                self.sign_in.failures = 0;
                if self.sign_in.told.take().is_some() {
                    self.event(ReportKind::Items { items: vec![super::tell::applied(ITEM.into())] });
                }
            }
            Err(e) => {
                let wait = back_off(&*self.entropy, self.sign_in.failures, self.timing.retry_first, self.timing.retry_most);
                self.sign_in.failures = self.sign_in.failures.saturating_add(1);
                self.sign_in.after = self.mono() + wait;
                let message = Some(e.to_string());
                if self.sign_in.told != message {
                    self.sign_in.told = message;
                    self.tell_item(ITEM.into(), ItemState::Failed, &e.to_string());
                }
            }
        }
    }

    async fn sign_in_steps(&mut self, inbox: &mut mpsc::Receiver<Input>) -> Result<Flow, AdapterError> {
        let Some(held) = self.state.authentication.accepted.clone() else { return Ok(Flow::Broken) };
        let space = self.adapter.clone();
        // Asked anew every time: another server may answer by now (rules B5).
        let Some(description) = self.listen(space.describe(), inbox).await else { return Ok(Flow::Broken) };
        let description = description?;
        if description.installation_id != self.state.enrolment.installation_id {
            self.other_installation(&description.installation_id);
            return Err(AdapterError::Invalid("another installation answers than was enrolled".into()));
        }
        self.description = Some(description);
        if self.state.sign_in.backup.is_none() {
            let Some(backup) = self.listen(space.back_up_authentication(&held.state.issuer), inbox).await else {
                return Ok(Flow::Broken);
            };
            self.state.sign_in.backup = Some(backup?);
            if !self.save_sign_in() {
                // Nothing is written before the way back is stored.
                self.state.sign_in.backup = None;
                return Err(AdapterError::Invalid("the previous settings cannot be stored on the agent's host".into()));
            }
        }
        if self.needs_secret() && !self.prepare_secret(held.state.secret_generation)? {
            return Ok(Flow::Broken);
        }
        let Some(seen) = self.listen(space.authentication(), inbox).await else { return Ok(Flow::Broken) };
        let seen = seen?;
        let secret = self.state.sign_in.secret.clone().filter(|_| self.needs_secret());
        let write_secret =
            secret.as_ref().is_some_and(|s| s.stage != SecretStage::Written) || seen.has_client_secret == Some(false);
        let wrong = differences(&seen, &held.state);
        let pending = self.state.authentication.pending();
        if !wrong.is_empty() || write_secret || pending {
            let set_up = AuthenticationSetUp {
                state: (*held.state).clone(),
                client_secret: secret.filter(|_| write_secret).map(|s| s.value),
            };
            let Some(after) = self.listen(space.set_authentication(&set_up), inbox).await else { return Ok(Flow::Broken) };
            let left = differences(&after?, &held.state);
            if !left.is_empty() {
                return Err(AdapterError::NotHeld(left.join(", ")));
            }
            if let Some(s) = self.state.sign_in.secret.as_mut().filter(|_| write_secret) {
                s.stage = SecretStage::Written;
            }
            self.save_sign_in();
            let cleared = seen.has_client_secret == Some(false) && !pending;
            if !pending && (!wrong.is_empty() || cleared) {
                let found = if wrong.is_empty() { "the client secret was cleared".to_owned() } else { wrong.join(", ") };
                let drift = Drift { item: ITEM.into(), found, by: None, action: DriftAction::Repaired };
                self.event(ReportKind::Drift { items: vec![drift] });
            }
        }
        self.sign_in.check_at = self.mono() + self.timing.full;
        if pending && !self.unsaved {
            self.state.authentication.mark_applied(held);
            let result = self.state.save_authentication();
            if self.stored(result) {
                let took = self.received[1].take().map_or(0, |at| millis(self.mono().saturating_sub(at)));
                self.acknowledge_authentication(took);
            }
        } else if pending {
            self.sign_in.after = self.mono() + self.timing.retry_first;
        }
        Ok(Flow::Done)
    }

    /// Makes the secret and offers its hash to ODCM. `false` while ODCM has not said that it keeps it.
    fn prepare_secret(&mut self, generation: u64) -> Result<bool, AdapterError> {
        if self.state.sign_in.secret.as_ref().is_none_or(|s| s.generation != generation) {
            let value =
                secret(&*self.entropy).map_err(|e| AdapterError::Unavailable { message: e.to_string(), retry_after_ms: None })?;
            self.state.sign_in.secret = Some(ClientSecret { generation, value, stage: SecretStage::Made });
            self.sign_in.asked = false;
        }
        let Some(secret) = self.state.sign_in.secret.clone() else { return Ok(false) };
        if secret.stage != SecretStage::Made {
            return Ok(true);
        }
        // ODCM must never keep the hash of a secret that a crash makes us forget.
        if !self.save_sign_in() {
            return Err(AdapterError::Invalid("the client secret cannot be stored on the agent's host".into()));
        }
        if let (Some(c), false) = (&self.connection, self.sign_in.asked) {
            let connection_epoch = c.epoch;
            self.sign_in.asked = true;
            self.send(FromAgent::Secret { generation, sha256: secret.digest(), connection_epoch });
        }
        Ok(false)
    }

    pub(super) fn secret_stored(&mut self, generation: u64) {
        let made = |s: &&mut ClientSecret| s.generation == generation && s.stage == SecretStage::Made;
        // Asked on this connection only: a word about an earlier secret of the same generation proves nothing.
        if !self.sign_in.asked {
            return;
        }
        if let Some(secret) = self.state.sign_in.secret.as_mut().filter(made) {
            secret.stage = SecretStage::Known;
            self.save_sign_in();
        }
    }

    fn save_sign_in(&mut self) -> bool {
        let result = self.state.save_sign_in();
        self.stored(result)
    }

    pub(super) fn acknowledge_authentication(&mut self, took_ms: u64) {
        let Some(connection_epoch) = self.connection.as_ref().map(|c| c.epoch) else { return };
        let Some((epoch, revision, doc_digest)) = self.state.authentication.applied().map(|h| (h.epoch, h.revision, h.digest))
        else {
            return;
        };
        let item = ItemResult { item: ITEM.into(), state: ItemState::Applied, message: None, residual: Vec::new() };
        let item = if self.restored() {
            let message = "the settings from before ODCM were restored on the agent's host and stay until ODCM wants other ones";
            ItemResult { state: ItemState::RefusedByPolicy, message: Some(message.into()), ..item }
        } else {
            item
        };
        self.send(FromAgent::Ack(Ack {
            section: Section::Authentication,
            epoch,
            revision,
            doc_digest,
            connection_epoch,
            took_ms,
            items: vec![item],
            links: Vec::new(),
            seen: None,
        }));
    }

    /// Sends a dead code through the Space's sign-in (rules B6).
    pub(super) fn probe(&mut self, probe: Probe) {
        if self.probes.len() >= PROBES {
            tracing::warn!(probe = probe.id, "too many probes at once: ignored");
            return;
        }
        let space = self.adapter.clone();
        self.probes.spawn(async move {
            match space.probe_sign_in(&probe.code).await {
                Ok(()) => None,
                Err(e) => Some(format!("probe {}: {e}", probe.id)),
            }
        });
    }

    pub(super) fn probed(&mut self, failure: Option<String>) {
        if let Some(message) = failure {
            self.alarm("probe_failed", message);
        }
    }
}

/// What is not as wanted, for people.
fn differences(seen: &AuthenticationSeen, wanted: &AuthenticationState) -> Vec<String> {
    let mut found = Vec::new();
    if !seen.enabled {
        found.push(format!("{} is switched off", seen.provider.name));
    }
    if seen.issuer.trim_end_matches('/') != wanted.issuer.trim_end_matches('/') {
        found.push(format!("the issuer is {}", seen.issuer));
    }
    if seen.client_id != wanted.client_id {
        found.push(format!("the client id is {}", seen.client_id));
    }
    if seen.auto_user_creation {
        found.push("users are created automatically".into());
    }
    if seen.self_service_identities {
        found.push("people may edit their own identities".into());
    }
    found
}
