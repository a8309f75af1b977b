//! Administrative rights of people (rules C7).

use super::page::Page;
use super::{Error, FromRow, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::core::ids::{GroupId, PersonId, RightId, SpaceId};
use crate::core::policy::{Right, Role, Scope};
use crate::sql;

/// A right as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RightRow {
    /// Id.
    pub id: RightId,
    /// Whose.
    pub person: PersonId,
    /// Name of that person.
    pub person_name: String,
    /// Role and scope.
    pub right: Right,
    /// End, if it has one.
    pub until: Option<Timestamp>,
    /// Since when.
    pub created_at: Timestamp,
    /// Who gave it.
    pub created_by: String,
}

#[derive(FromRow)]
struct Raw {
    id: RightId,
    person_id: PersonId,
    person_name: String,
    role: String,
    scope_kind: String,
    scope_id: String,
    until_at: Option<Timestamp>,
    created_at: Timestamp,
    created_by: String,
}

fn role_column(role: Role) -> &'static str {
    match role {
        Role::Owner => "owner",
        Role::Auditor => "auditor",
        Role::SpaceAdmin => "space-admin",
        Role::GroupAdmin => "group-admin",
    }
}

fn scope_columns(scope: &Scope) -> (&'static str, String) {
    match scope {
        Scope::All => ("all", String::new()),
        Scope::Space(id) => ("space", id.to_string()),
        Scope::Group(id) => ("group", id.to_string()),
    }
}

fn right(row: &RightId, role: &str, scope_kind: &str, scope_id: &str) -> Result<Right> {
    let bad = |column| Error::Inconsistent { table: "admin_right", column, row: row.to_string() };
    let role = match role {
        "owner" => Role::Owner,
        "auditor" => Role::Auditor,
        "space-admin" => Role::SpaceAdmin,
        "group-admin" => Role::GroupAdmin,
        _ => return Err(bad("role")),
    };
    let scope = match scope_kind {
        "all" if scope_id.is_empty() => Scope::All,
        "space" => Scope::Space(SpaceId::parse(scope_id).map_err(|_| bad("scope_id"))?),
        "group" => Scope::Group(GroupId::parse(scope_id).map_err(|_| bad("scope_id"))?),
        _ => return Err(bad("scope_kind")),
    };
    Ok(Right { role, scope })
}

impl Raw {
    fn parse(self) -> Result<RightRow> {
        let right = right(&self.id, &self.role, &self.scope_kind, &self.scope_id)?;
        Ok(RightRow {
            id: self.id,
            person: self.person_id,
            person_name: self.person_name,
            right,
            until: self.until_at,
            created_at: self.created_at,
            created_by: self.created_by,
        })
    }
}

/// The rights of a person that are in force at `now`.
///
/// # Errors
/// Any storage error.
pub async fn in_force(db: &mut impl Rowish, person: &PersonId, now: Timestamp) -> Result<Vec<Right>> {
    let rows: Vec<(RightId, String, String, String)> = db
        .all(
            sql!(
                "SELECT id, role, scope_kind, scope_id FROM admin_right WHERE person_id = $1 AND (until_at IS NULL OR until_at > $2) ORDER BY id"
            ),
            &[person, &now],
        )
        .await?;
    rows.iter().map(|(id, role, kind, scope)| right(id, role, kind, scope)).collect()
}

/// All rights, ended ones included, in order of name.
///
/// # Errors
/// Any storage error.
pub async fn all(db: &mut impl Rowish) -> Result<Vec<RightRow>> {
    let raw: Vec<Raw> = db
        .all(
            sql!(
                "SELECT r.id, r.person_id, p.display_name AS person_name, r.role, r.scope_kind, r.scope_id, r.until_at, r.created_at, r.created_by FROM admin_right r JOIN person p ON p.id = r.person_id ORDER BY p.sort_key, r.id"
            ),
            &[],
        )
        .await?;
    raw.into_iter().map(Raw::parse).collect()
}

/// A page of all rights, ended ones included, in order of name. `after` is the (folded name, id) of the last one seen.
///
/// # Errors
/// Any storage error.
pub async fn page(db: &mut impl Rowish, after: Option<&(String, RightId)>, limit: i64) -> Result<Page<RightRow>> {
    let (key, id) = after.map_or((String::new(), String::new()), |(key, id)| (key.clone(), id.to_string()));
    let raw: Vec<Raw> = db
        .all(
            sql!(
                "SELECT r.id, r.person_id, p.display_name AS person_name, r.role, r.scope_kind, r.scope_id, r.until_at, r.created_at, r.created_by FROM admin_right r JOIN person p ON p.id = r.person_id WHERE (p.sort_key, r.id) > ($1, $2) ORDER BY p.sort_key, r.id LIMIT $3"
            ),
            &[&key, &id, &(limit + 1)],
        )
        .await?;
    Ok(Page::cut(raw.into_iter().map(Raw::parse).collect::<Result<_>>()?, limit))
}

/// Rights of a person, ended ones included.
///
/// # Errors
/// Any storage error.
pub async fn of_person(db: &mut impl Rowish, person: &PersonId) -> Result<Vec<RightRow>> {
    let raw: Vec<Raw> = db
        .all(
            sql!(
                "SELECT r.id, r.person_id, p.display_name AS person_name, r.role, r.scope_kind, r.scope_id, r.until_at, r.created_at, r.created_by FROM admin_right r JOIN person p ON p.id = r.person_id WHERE r.person_id = $1 ORDER BY r.id"
            ),
            &[person],
        )
        .await?;
    raw.into_iter().map(Raw::parse).collect()
}

/// One right.
///
/// # Errors
/// Any storage error.
pub async fn find(db: &mut impl Rowish, id: &RightId) -> Result<Option<RightRow>> {
    let raw: Option<Raw> = db
        .opt(
            sql!(
                "SELECT r.id, r.person_id, p.display_name AS person_name, r.role, r.scope_kind, r.scope_id, r.until_at, r.created_at, r.created_by FROM admin_right r JOIN person p ON p.id = r.person_id WHERE r.id = $1"
            ),
            &[id],
        )
        .await?;
    raw.map(Raw::parse).transpose()
}

/// Gives a right, or gives it another end.
///
/// # Errors
/// Any storage error.
pub async fn put(tx: &mut Tx, r: &RightRow) -> Result<()> {
    let (kind, scope) = scope_columns(&r.right.scope);
    tx.one(
        "right",
        sql!(
            "INSERT INTO admin_right (id, person_id, role, scope_kind, scope_id, until_at, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (person_id, role, scope_kind, scope_id) DO UPDATE SET until_at = $6"
        ),
        &[&r.id, &r.person, &role_column(r.right.role), &kind, &scope, &r.until, &r.created_at, &r.created_by],
    )
    .await
}

/// The row of this right of this person.
///
/// # Errors
/// Any storage error.
pub async fn held(db: &mut impl Rowish, person: &PersonId, right: &Right) -> Result<Option<(RightId, Option<Timestamp>)>> {
    let (kind, scope) = scope_columns(&right.scope);
    db.opt(
        sql!("SELECT id, until_at FROM admin_right WHERE person_id = $1 AND role = $2 AND scope_kind = $3 AND scope_id = $4"),
        &[person, &role_column(right.role), &kind, &scope],
    )
    .await
}

/// Takes a right.
///
/// # Errors
/// Any storage error.
pub async fn remove(tx: &mut Tx, id: &RightId) -> Result<()> {
    tx.one("right", sql!("DELETE FROM admin_right WHERE id = $1"), &[id]).await
}

/// An owner of everything, as far as being locked out goes (rules C11).
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct OwnerRow {
    /// Who.
    pub person_id: PersonId,
    /// End of the right, if it has one.
    pub until_at: Option<Timestamp>,
    /// No reason to be disabled.
    pub active: bool,
    /// Has a local password: a credential that needs neither upstream nor mail.
    pub password: bool,
}

/// Everybody who owns everything and whose right has not ended at `now`.
///
/// # Errors
/// Any storage error.
pub async fn owners(db: &mut impl Rowish, now: Timestamp) -> Result<Vec<OwnerRow>> {
    db.all(
        sql!(
            "SELECT r.person_id, r.until_at, NOT EXISTS (SELECT 1 FROM person_disabled d WHERE d.person_id = r.person_id) AS active, EXISTS (SELECT 1 FROM password w WHERE w.person_id = r.person_id) AS password FROM admin_right r WHERE r.role = 'owner' AND r.scope_kind = 'all' AND (r.until_at IS NULL OR r.until_at > $1) ORDER BY r.person_id"
        ),
        &[&now],
    )
    .await
}
