//! The `seen_digest` (rules B2, B6): the agent looks at the Space and says a digest of what it saw. Here it is held against
//! the look before: a Space that looks different, without a revision applied and without a word of the agent that says why,
//! was changed by somebody whom the agent did not notice.

use super::connection::Connection;
use super::{Error, Result, events};
use crate::run_tx;
use odcm_wire::Digest;
use odcm_wire::latest::ReportKind;
use serde_json::json;

/// What was seen before.
#[derive(Default)]
pub(super) struct Watch {
    /// The last look that is explained.
    base: Option<Digest>,
    /// Since that look the agent reported something that may change the picture.
    explained: bool,
    /// A look that nothing explains yet: what explains it may be on its way.
    odd: Option<Digest>,
}

impl Watch {
    /// The look that is stored from an earlier connection.
    pub fn begin(&mut self, stored: Option<&str>) {
        self.base = stored.and_then(|text| Digest::parse(text).ok());
    }

    /// The agent said something that may explain another picture.
    pub fn explain(&mut self, what: &ReportKind) {
        match what {
            ReportKind::Seen { .. } | ReportKind::Alarm(_) | ReportKind::Unknown => {}
            ReportKind::Bindings { .. }
            | ReportKind::Drift { .. }
            | ReportKind::Candidates { .. }
            | ReportKind::Sweeps { .. }
            | ReportKind::ClosedSpaces { .. }
            | ReportKind::Links { .. }
            | ReportKind::Items { .. } => {
                self.explained = true;
                self.odd = None;
            }
        }
    }

    /// A revision was applied: of course the Space looks different.
    pub fn applied(&mut self, seen: Option<Digest>) {
        *self = Self { base: seen.or(self.base), explained: seen.is_none(), odd: None };
    }

    /// A look; `true` when it differs from the last one, nothing explains it, and it is seen for the second time.
    pub fn look(&mut self, seen: Digest) -> bool {
        let explained = std::mem::take(&mut self.explained);
        if self.base.is_none_or(|base| base == seen) || explained {
            *self = Self { base: Some(seen), ..Self::default() };
            return false;
        }
        if self.odd == Some(seen) {
            *self = Self { base: Some(seen), ..Self::default() };
            return true;
        }
        self.odd = Some(seen);
        false
    }
}

impl Connection {
    /// Takes a look at section access.
    pub(super) async fn saw(&mut self, seen: Digest) -> Result<()> {
        if !self.watch.look(seen) {
            return Ok(());
        }
        tracing::warn!(space = %self.peer.space, "the Space looks different and the agent has not said why");
        let found =
            "accounts or members look different from the last look, and neither ODCM nor a report of the agent explains it";
        let detail = json!({ "item": "", "found": found, "action": "other" });
        let now = self.peer.deps.clock.now();
        run_tx!(self.peer.deps.db, "push.seen", |tx| {
            events::add(tx, &self.peer.deps, &self.peer.space, now, "drift", &detail).await?;
            events::trim(tx, &self.peer.space).await?;
            Ok::<_, Error>(())
        })?;
        self.peer.deps.live.ring(&self.peer.space);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(n: u8) -> Digest {
        Digest::of(&[n])
    }

    #[test]
    fn what_nothing_explains_is_told_once_it_is_seen_twice() {
        let mut watch = Watch::default();
        watch.begin(Some(&digest(1).to_string()));
        assert!(!watch.look(digest(1)));
        assert!(!watch.look(digest(2)), "an acknowledgement may follow");
        assert!(watch.look(digest(2)));
        assert!(!watch.look(digest(2)), "once");
        assert!(!watch.look(digest(1)) && !watch.look(digest(2)), "back again");
    }

    #[test]
    fn revisions_and_reports_explain() {
        let mut watch = Watch::default();
        assert!(!watch.look(digest(1)), "the first look ever");
        watch.applied(Some(digest(2)));
        assert!(!watch.look(digest(2)));
        assert!(!watch.look(digest(3)));
        watch.applied(None);
        assert!(!watch.look(digest(3)), "the agent was before the acknowledgement");
        watch.explain(&ReportKind::Drift { items: Vec::new() });
        assert!(!watch.look(digest(4)) && !watch.look(digest(4)));
        watch.explain(&ReportKind::Items { items: Vec::new() });
        assert!(!watch.look(digest(4)));
        assert!(!watch.look(digest(5)) && watch.look(digest(5)), "an explanation does not last for ever");
        watch.explain(&ReportKind::Alarm(odcm_wire::latest::Alarm { code: String::new(), message: String::new() }));
        assert!(!watch.look(digest(6)) && watch.look(digest(6)), "an alarm explains nothing");
    }
}
