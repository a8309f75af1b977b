//! Reading the audit trail.

use super::Result;
use crate::core::ids::AuditId;
use crate::core::policy::{Act, Actor};
use crate::deps::Deps;
use crate::storage::audit::{Filter, Line, page};
use crate::storage::page::Page;

/// A page of the audit trail, newest first. Who may not read all of it may read what concerns one Space they may read.
///
/// # Errors
/// Refused: `right.missing`, `not_found`.
pub async fn list(deps: &Deps, actor: &Actor, filter: &Filter, after: Option<&AuditId>, limit: i64) -> Result<Page<Line>> {
    if let Err(no) = actor.may(&Act::ReadAudit) {
        let Some(space) = &filter.space else { return Err(no.into()) };
        actor.may(&Act::ReadSpace(space.clone()))?;
    }
    Ok(page(&mut &deps.db, filter, after, limit.clamp(1, 500)).await?)
}
