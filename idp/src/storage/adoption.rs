//! Accounts that existed in a Space before, and what an administrator decided about them (rules A6); managed accounts in a
//! newly bound team that no bound group names, and the confirmation to remove them (rules A3).

use super::page::Page;
use super::{FromRow, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::core::ids::{PersonId, SpaceId};
use crate::sql;

/// A candidate.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct CandidateRow {
    /// The person.
    pub person_id: PersonId,
    /// The account that may be theirs.
    pub account_id: String,
    /// JSON of the wire's candidate.
    pub candidate: String,
    /// JSON of the wire's decision, once there is one.
    pub decision: Option<String>,
    /// Who decided.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<Timestamp>,
    /// When the agent last reported it.
    pub reported_at: Timestamp,
}

/// All candidates of a Space, decided or not.
///
/// # Errors
/// Any storage error.
pub async fn of_space<Q: Rowish>(q: &mut Q, space: &SpaceId) -> Result<Vec<CandidateRow>> {
    q.all(
        sql!(
            "SELECT person_id, account_id, candidate, decision, decided_by, decided_at, reported_at FROM adoption WHERE space_id = $1 ORDER BY person_id, account_id"
        ),
        &[space],
    )
    .await
}

/// A candidate with the person's name and whether the Space has linked an account to the person.
#[derive(FromRow)]
struct NamedRow {
    #[sqlx(flatten)]
    row: CandidateRow,
    person_name: String,
    linked: bool,
}

/// All candidates of a Space with the person's display name and whether an account is linked already, in order of person.
///
/// # Errors
/// Any storage error.
pub async fn of_space_named<Q: Rowish>(q: &mut Q, space: &SpaceId) -> Result<Vec<(CandidateRow, String, bool)>> {
    let rows: Vec<NamedRow> = q
        .all(
            sql!(
                "SELECT a.person_id, a.account_id, a.candidate, a.decision, a.decided_by, a.decided_at, a.reported_at, p.display_name AS person_name, (l.person_id IS NOT NULL) AS linked FROM adoption a JOIN person p ON p.id = a.person_id LEFT JOIN account_link l ON l.space_id = a.space_id AND l.person_id = a.person_id WHERE a.space_id = $1 ORDER BY a.person_id, a.account_id"
            ),
            &[space],
        )
        .await?;
    Ok(rows.into_iter().map(|r| (r.row, r.person_name, r.linked)).collect())
}

/// The candidates of at most so many people, in order of person after `after` (empty for the first page), as
/// [`of_space_named`]; with `open` only people about whom something is undecided.
///
/// # Errors
/// Any storage error.
pub async fn page_named<Q: Rowish>(
    q: &mut Q,
    space: &SpaceId,
    open: bool,
    after: &str,
    people: i64,
) -> Result<Vec<(CandidateRow, String, bool)>> {
    let rows: Vec<NamedRow> = q
        .all(
            sql!(
                "SELECT a.person_id, a.account_id, a.candidate, a.decision, a.decided_by, a.decided_at, a.reported_at, p.display_name AS person_name, (l.person_id IS NOT NULL) AS linked FROM adoption a JOIN person p ON p.id = a.person_id LEFT JOIN account_link l ON l.space_id = a.space_id AND l.person_id = a.person_id WHERE a.space_id = $1 AND a.person_id IN (SELECT DISTINCT o.person_id FROM adoption o WHERE o.space_id = $1 AND o.person_id > $2 AND (NOT CAST($4 AS BOOLEAN) OR o.decision IS NULL) ORDER BY o.person_id LIMIT $3) ORDER BY a.person_id, a.account_id"
            ),
            &[space, &after, &people, &open],
        )
        .await?;
    Ok(rows.into_iter().map(|r| (r.row, r.person_name, r.linked)).collect())
}

/// The candidates of one person in a Space.
///
/// # Errors
/// Any storage error.
pub async fn of_person<Q: Rowish>(q: &mut Q, space: &SpaceId, person: &PersonId) -> Result<Vec<CandidateRow>> {
    q.all(
        sql!(
            "SELECT person_id, account_id, candidate, decision, decided_by, decided_at, reported_at FROM adoption WHERE space_id = $1 AND person_id = $2 ORDER BY account_id"
        ),
        &[space, person],
    )
    .await
}

/// Stores a candidate as reported; a decision that was made stays.
///
/// # Errors
/// Any storage error.
pub async fn put(tx: &mut Tx, space: &SpaceId, person: &PersonId, account: &str, candidate: &str, now: Timestamp) -> Result<()> {
    tx.one(
        "adoption",
        sql!(
            "INSERT INTO adoption (space_id, person_id, account_id, candidate, reported_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (space_id, person_id, account_id) DO UPDATE SET candidate = excluded.candidate, reported_at = excluded.reported_at"
        ),
        &[space, person, &account, &candidate, &now],
    )
    .await
}

/// Removes undecided candidates that the newest report did not name.
///
/// # Errors
/// Any storage error.
pub async fn remove(tx: &mut Tx, space: &SpaceId, person: &PersonId, account: &str) -> Result<()> {
    tx.exec(
        sql!("DELETE FROM adoption WHERE space_id = $1 AND person_id = $2 AND account_id = $3 AND decision IS NULL"),
        &[space, person, &account],
    )
    .await?;
    Ok(())
}

/// Writes the decision about a person on all their candidates; gives the number of candidates.
///
/// # Errors
/// Any storage error.
pub async fn decide(tx: &mut Tx, space: &SpaceId, person: &PersonId, decision: &str, by: &str, now: Timestamp) -> Result<u64> {
    tx.exec(
        sql!("UPDATE adoption SET decision = $3, decided_by = $4, decided_at = $5 WHERE space_id = $1 AND person_id = $2"),
        &[space, person, &decision, &by, &now],
    )
    .await
}

/// The decisions of a Space: person and JSON of the wire's decision.
///
/// # Errors
/// Any storage error.
pub async fn decisions<Q: Rowish>(q: &mut Q, space: &SpaceId) -> Result<Vec<(PersonId, String)>> {
    q.all(
        sql!(
            "SELECT DISTINCT person_id, decision FROM adoption WHERE space_id = $1 AND decision IS NOT NULL ORDER BY person_id, decision"
        ),
        &[space],
    )
    .await
}

/// A team that waits for the one-time confirmation.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct SweepRow {
    /// The team.
    pub team_id: String,
    /// JSON of the wire's sweep candidate.
    pub sweep: String,
    /// Who confirmed.
    pub confirmed_by: Option<String>,
    /// When.
    pub confirmed_at: Option<Timestamp>,
    /// When the agent last reported it.
    pub reported_at: Timestamp,
}

/// All sweeps of a Space.
///
/// # Errors
/// Any storage error.
pub async fn sweeps<Q: Rowish>(q: &mut Q, space: &SpaceId) -> Result<Vec<SweepRow>> {
    q.all(
        sql!("SELECT team_id, sweep, confirmed_by, confirmed_at, reported_at FROM sweep WHERE space_id = $1 ORDER BY team_id"),
        &[space],
    )
    .await
}

/// A page of the sweeps of a Space, in order of team. `after` is the team of the last one seen, empty for the first page.
///
/// # Errors
/// Any storage error.
pub async fn sweeps_page<Q: Rowish>(q: &mut Q, space: &SpaceId, after: &str, limit: i64) -> Result<Page<SweepRow>> {
    let rows = q
        .all(
            sql!(
                "SELECT team_id, sweep, confirmed_by, confirmed_at, reported_at FROM sweep WHERE space_id = $1 AND team_id > $2 ORDER BY team_id LIMIT $3"
            ),
            &[space, &after, &(limit + 1)],
        )
        .await?;
    Ok(Page::cut(rows, limit))
}

/// Stores a sweep as reported. `keep` says whether a confirmation that was given still covers it.
///
/// # Errors
/// Any storage error.
pub async fn put_sweep(tx: &mut Tx, space: &SpaceId, team: &str, sweep: &str, keep: bool, now: Timestamp) -> Result<()> {
    tx.one(
        "sweep",
        sql!(
            "INSERT INTO sweep (space_id, team_id, sweep, reported_at) VALUES ($1, $2, $3, $5) ON CONFLICT (space_id, team_id) DO UPDATE SET sweep = excluded.sweep, reported_at = excluded.reported_at, confirmed_by = CASE WHEN $4 THEN sweep.confirmed_by ELSE NULL END, confirmed_at = CASE WHEN $4 THEN sweep.confirmed_at ELSE NULL END"
        ),
        &[space, &team, &sweep, &keep, &now],
    )
    .await
}

/// Removes a sweep that the newest report did not name.
///
/// # Errors
/// Any storage error.
pub async fn remove_sweep(tx: &mut Tx, space: &SpaceId, team: &str) -> Result<()> {
    tx.exec(sql!("DELETE FROM sweep WHERE space_id = $1 AND team_id = $2"), &[space, &team]).await?;
    Ok(())
}

/// Confirms a sweep; gives `false` when there is none, or when it was confirmed before.
///
/// # Errors
/// Any storage error.
pub async fn confirm_sweep(tx: &mut Tx, space: &SpaceId, team: &str, by: &str, now: Timestamp) -> Result<bool> {
    let rows = tx
        .exec(
            sql!(
                "UPDATE sweep SET confirmed_by = $3, confirmed_at = $4 WHERE space_id = $1 AND team_id = $2 AND confirmed_at IS NULL"
            ),
            &[space, &team, &by, &now],
        )
        .await?;
    Ok(rows == 1)
}

/// The confirmed teams of a Space.
///
/// # Errors
/// Any storage error.
pub async fn confirmed_sweeps<Q: Rowish>(q: &mut Q, space: &SpaceId) -> Result<Vec<String>> {
    let rows: Vec<(String,)> = q
        .all(sql!("SELECT team_id FROM sweep WHERE space_id = $1 AND confirmed_at IS NOT NULL ORDER BY team_id"), &[space])
        .await?;
    Ok(rows.into_iter().map(|(team,)| team).collect())
}

/// Forgets candidates and sweeps of a Space: they name accounts and teams of another installation.
///
/// # Errors
/// Any storage error.
pub async fn forget_space(tx: &mut Tx, space: &SpaceId) -> Result<()> {
    tx.exec(sql!("DELETE FROM adoption WHERE space_id = $1"), &[space]).await?;
    tx.exec(sql!("DELETE FROM sweep WHERE space_id = $1"), &[space]).await?;
    Ok(())
}
