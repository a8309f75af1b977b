//! Waiting for something to change. It only wakes the pull, which finds out what.

use super::known;
use crate::connectors::ldap::Ldap;
use crate::connectors::ldap::conn::Item;
use crate::connectors::ldap::control::{NOTIFY, plain};
use crate::connectors::ldap::error::Error;
use crate::connectors::ldap::proto::Search;
use crate::core::ldap_filter::Filter;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// See [`crate::connectors::ldap::Directory::wait_for_change`].
///
/// # Errors
/// Any.
pub async fn wait(ldap: &Ldap, at_most: Duration) -> Result<bool, Error> {
    let end = Instant::now() + at_most;
    if !ldap.is_ad() {
        tokio::time::sleep_until(end).await;
        return Ok(false);
    }
    let mut lease = ldap.servers.service().await?;
    let conn = &mut lease.conn;
    let known = known(conn).await?;
    let tree = known.root.domain.unwrap_or_else(|| ldap.people.base.clone());
    let search = Search::below(&tree, Filter::everything(), &["objectGUID"]).with(plain(NOTIFY, true));
    conn.search(&search).await?;
    // afterwards the search is still open on the server: the connection is closed with the lease
    loop {
        match timeout(end.saturating_duration_since(Instant::now()), conn.item(end + Duration::from_secs(1))).await {
            Err(_) => return Ok(false),
            Ok(Err(error)) => return Err(error),
            Ok(Ok(Item::Entry(_))) => return Ok(true),
            Ok(Ok(Item::Between(..))) => {}
            Ok(Ok(Item::Done(outcome))) => return Err(Error::refused(outcome.code, &outcome.text)),
        }
    }
}
