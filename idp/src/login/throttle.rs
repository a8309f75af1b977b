//! How often somebody may try (rules D1). Failures only are counted: per name as typed, per person whatever name was typed,
//! and per address. A device on which the person signed in before has a lane of its own, so that a stranger who fails on
//! purpose locks out nobody but strangers.
//!
//! The count of the person is never seen: that two names are locked together would tell that both are somebody's, and the
//! same one's. While it is locked, an attempt under a name that is not is made against nobody's password, costs the same
//! and is wrong, as it would be for a name that is nobody's.

use crate::core::text::fold;
use crate::crypto::hash::sha256;
use crate::crypto::password::Lane;
use crate::deps::Deps;
use crate::http::Ctx;
use crate::http::cookies::Cookie;
use crate::storage::{self, Tx, throttle};
use std::net::IpAddr;

/// Failures that cost nothing, per name and per person (or per person and known device).
const FREE_NAME: i64 = 5;
/// Failures that cost nothing, per address: offices share one.
const FREE_ADDRESS: i64 = 30;
/// A count that nobody added to for this long begins anew, in seconds.
const STALE_S: i64 = 3600;

/// An attempt that was counted before it is made.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) lane: Lane,
    /// Whatever is typed is wrong for now, and nobody must see why.
    pub(super) in_vain: bool,
    name: [u8; 32],
    person: Option<[u8; 32]>,
    address: Option<[u8; 32]>,
}

/// Whether the attempt may be made.
#[derive(Debug)]
pub(super) enum Verdict {
    Go(Counted),
    /// Not for so many seconds.
    Wait(u32),
}

fn key(kind: &str, parts: &[&str]) -> [u8; 32] {
    sha256(format!("odcm throttle\0{kind}\0{}", parts.join("\0")).as_bytes())
}

/// The network of an address that is counted: an IPv6 customer has a /64 at least.
pub(super) fn network(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// Counts an attempt under a name.
pub(super) async fn count(deps: &Deps, ctx: &Ctx, name: &str) -> Result<Verdict, storage::Error> {
    let (now, name) = (deps.clock.now(), fold(name));
    let stale = now.plus_secs(-STALE_S);
    let device = ctx.cookie(Cookie::Device).unwrap_or("none");
    let (person, known) = throttle::person_and_device(&mut &deps.db, &name, &sha256(device.as_bytes())).await?;
    // one person has one count, under however many names and addresses they are known; a name that is nobody's has two,
    // which costs the same
    let (kind, who) = person.as_ref().map_or(("nobody", name.as_str()), |id| ("person", id.as_str()));
    let mut counted = if known {
        Counted { lane: Lane::Known, in_vain: false, name: key("device", &[device, who]), person: None, address: None }
    } else {
        let address = Some(key("address", &[&network(ctx.address)]));
        let (name, person) = (key("name", &[&name]), Some(key(kind, &[who])));
        Counted { lane: Lane::Unknown, in_vain: false, name, person, address }
    };
    // the address first: one that has to wait must not lock names meanwhile
    let mut until = None;
    if let Some(address) = &counted.address {
        until = throttle::attempt(&deps.db, address, FREE_ADDRESS, now, stale).await?;
    }
    if until.is_none() {
        until = throttle::attempt(&deps.db, &counted.name, FREE_NAME, now, stale).await?;
        if let (Some(_), Some(address)) = (until, &counted.address) {
            crate::run_tx!(deps.db, "throttle.undo", |tx| throttle::undo(tx, address, FREE_ADDRESS).await)?;
        }
    }
    if until.is_none()
        && let Some(person) = &counted.person
    {
        counted.in_vain = !throttle::count(&deps.db, person, FREE_NAME, now, stale).await?;
    }
    Ok(match until {
        None => Verdict::Go(counted),
        Some(until) => Verdict::Wait(u32::try_from((until.since(now) + 999).max(1000) / 1000).unwrap_or(900)),
    })
}

impl Counted {
    /// The sign-in succeeded: nothing is held against the name any more, and this attempt not against the address.
    pub(super) async fn succeeded(&self, tx: &mut Tx) -> Result<(), storage::Error> {
        throttle::forget(tx, &self.name).await?;
        if let Some(person) = &self.person {
            throttle::forget(tx, person).await?;
        }
        if let Some(address) = &self.address {
            throttle::undo(tx, address, FREE_ADDRESS).await?;
        }
        Ok(())
    }

    /// The attempt was not made after all (we were too busy).
    pub(super) async fn not_made(&self, deps: &Deps) -> Result<(), storage::Error> {
        crate::run_tx!(deps.db, "throttle.undo", |tx| {
            throttle::undo(tx, &self.name, FREE_NAME).await?;
            if let Some(person) = self.person.as_ref().filter(|_| !self.in_vain) {
                throttle::undo(tx, person, FREE_NAME).await?;
            }
            if let Some(address) = &self.address {
                throttle::undo(tx, address, FREE_ADDRESS).await?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_customer_count_together() {
        let n = |s: &str| network(s.parse().unwrap());
        assert_eq!(n("2001:db8:1:2::1"), n("2001:db8:1:2:ffff::9"));
        assert_ne!(n("2001:db8:1:2::1"), n("2001:db8:1:3::1"));
        assert_ne!(n("192.0.2.1"), n("192.0.2.2"));
    }
}
