//! Teams of all inner spaces and of the system.

use super::client::Api;
use super::describe::Root;
use super::json::{flag, has_id, is_id, list, object, optional, text, texts};
use super::links::{expand, link};
use super::paging::{self, TAKE};
use super::roles::Administrators;
use super::{OctopusAdapter, fresh};
use crate::adapter::{AdapterError, ExternalGroup, MemberChange, Result, Team, Teams};
use odcm_wire::latest::InnerSpace;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::time::Instant;

impl OctopusAdapter {
    pub(super) async fn list_teams(&self, api: &Api<'_>) -> Result<Teams> {
        let root = self.root(api).await?;
        let template = root.need("Teams", "show its teams")?;
        let mut teams = paging::all(api, &root.everywhere(template, &[("take", TAKE)])?).await?;
        let closed = self.add_missing_spaces(api, &root, &mut teams).await?;
        let administrators = self.administrators_among(api, &teams).await?;
        let seen = teams.iter().map(|found| team(found, &administrators)).collect::<Result<_>>()?;
        Ok(Teams { seen, closed })
    }

    /// A server that does not understand `spaces=all` leaves inner spaces out. Each has a team of its managers, so one
    /// without any team was left out, and is asked for by itself. One that then refuses, or still shows no team, is closed
    /// to the key: the others must not wait for it.
    async fn add_missing_spaces(&self, api: &Api<'_>, root: &Root, teams: &mut Vec<Value>) -> Result<Vec<InnerSpace>> {
        let seen: BTreeSet<String> = teams.iter().map(|team| optional(team, "SpaceId")).collect();
        let mut closed = Vec::new();
        let mut reread = None;
        for space in self.inner_spaces(api, root).await?.iter().filter(|space| !seen.contains(&space.id)) {
            let found = match self.list_of_space(api, root, &space.id, "Teams").await {
                Ok(found) => found.unwrap_or_default(),
                Err(AdapterError::Denied(cause)) => {
                    tracing::debug!(space = space.id, %cause, "the teams of an inner space are closed to the key");
                    Vec::new()
                }
                // Deleted since the inner spaces were listed, or a refusal in other words.
                Err(AdapterError::NotFound(_)) => {
                    let now = match &reread {
                        Some(now) => now,
                        None => reread.insert(self.read_inner_spaces(api, root).await?),
                    };
                    if !now.iter().any(|listed| listed.id == space.id) {
                        continue;
                    }
                    Vec::new()
                }
                Err(error) => return Err(error),
            };
            if !found.iter().any(|team| optional(team, "SpaceId") == space.id) {
                closed.push(space.clone());
            }
            let known: BTreeSet<String> = teams.iter().map(|team| optional(team, "Id")).collect();
            teams.extend(found.into_iter().filter(|team| !known.contains(&optional(team, "Id"))));
        }
        Ok(closed)
    }

    /// A collection of one inner space, through the root of that space; `None` when its root does not name it.
    pub(super) async fn list_of_space(&self, api: &Api<'_>, root: &Root, space: &str, name: &str) -> Result<Option<Vec<Value>>> {
        let home = match root.link("SpaceHome") {
            Some(template) => expand(template, &[("spaceId", space)])?,
            None => format!("~/api/{space}"),
        };
        let home = api.get(&home).await?;
        let Some(template) = link(&home, name) else { return Ok(None) };
        paging::all(api, &expand(template, &[("take", TAKE)])?).await.map(Some)
    }

    /// The inner spaces that the key may see; none on a server that has no inner spaces.
    pub(super) async fn inner_spaces(&self, api: &Api<'_>, root: &Root) -> Result<Arc<Vec<InnerSpace>>> {
        let known = fresh(&self.cache().spaces);
        match known {
            Some(known) => Ok(known),
            None => self.read_inner_spaces(api, root).await,
        }
    }

    async fn read_inner_spaces(&self, api: &Api<'_>, root: &Root) -> Result<Arc<Vec<InnerSpace>>> {
        let Some(template) = root.link("Spaces") else { return Ok(Arc::default()) };
        let spaces = paging::all(api, &expand(template, &[("take", TAKE)])?).await?;
        let named = spaces.iter().map(|space| InnerSpace { id: optional(space, "Id"), name: optional(space, "Name") });
        let found: Arc<Vec<InnerSpace>> = Arc::new(named.filter(|space| is_id(&space.id)).collect());
        self.cache().spaces = Some((Instant::now(), found.clone()));
        Ok(found)
    }

    /// Teams whose rights a user has, by the user's own list: it names those through external groups, too.
    pub(super) async fn read_teams_of(&self, api: &Api<'_>, account: &str) -> Result<BTreeSet<String>> {
        let user = self.need_user(api, account).await?;
        let template = link(&user, "Teams").ok_or(AdapterError::Unsupported("list the teams of a user"))?;
        let address = self.root(api).await?.everywhere(template, &[])?;
        let id = |membership: &Value| {
            // Older servers call it `Id`.
            let ids = [optional(membership, "TeamId"), optional(membership, "Id")];
            let found = ids.into_iter().find(|id| !id.is_empty());
            found.ok_or_else(|| AdapterError::Garbage("a team membership without the id of its team".into()))
        };
        paging::all(api, &address).await?.iter().map(id).collect()
    }

    async fn read_team_document(&self, api: &Api<'_>, id: &str) -> Result<Option<Value>> {
        if !is_id(id) {
            return Ok(None);
        }
        let root = self.root(api).await?;
        let template = root.need("Teams", "show its teams")?;
        match api.get(&expand(template, &[("id", id)])?).await {
            Ok(found) if has_id(&found, id) => return Ok(Some(found)),
            Ok(_) | Err(AdapterError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
        if !root.has_inner_spaces() {
            return Ok(None);
        }
        // The address may cover the default space only.
        let everywhere = root.everywhere(template, &[("ids", id), ("take", TAKE)])?;
        Ok(paging::all(api, &everywhere).await?.into_iter().find(|team| has_id(team, id)))
    }

    pub(super) async fn read_team(&self, api: &Api<'_>, id: &str) -> Result<Option<Team>> {
        let Some(found) = self.read_team_document(api, id).await? else { return Ok(None) };
        team(&found, &*self.administrators_for(api, &found).await?).map(Some)
    }

    pub(super) async fn write_members(&self, api: &Api<'_>, id: &str, change: &MemberChange) -> Result<Team> {
        let unknown = || AdapterError::NotFound(id.into());
        let before = self.read_team_document(api, id).await?.ok_or_else(unknown)?;
        if !flag(&before, "CanChangeMembers", true) {
            return Err(AdapterError::Invalid(format!("{id} does not let its members be changed")));
        }
        let mut after = before.clone();
        edit(&mut after, change)?;
        if after == before {
            return team(&before, &*self.administrators_for(api, &before).await?);
        }
        let address = match link(&before, "Self") {
            Some(address) => address.to_owned(),
            None => expand(self.root(api).await?.need("Teams", "show its teams")?, &[("id", id)])?,
        };
        api.put(&address, &after).await?;
        let seen = self.read_team_document(api, id).await?.ok_or_else(unknown)?;
        let seen = team(&seen, &*self.administrators_for(api, &seen).await?)?;
        held(&seen, change)?;
        Ok(seen)
    }
}

fn team(document: &Value, administrators: &Administrators) -> Result<Team> {
    let group = |group: &Value| Ok(ExternalGroup { id: text(group, "Id")?.to_owned(), name: optional(group, "DisplayName") });
    Ok(Team {
        id: text(document, "Id")?.to_owned(),
        name: optional(document, "Name"),
        inner_space: Some(optional(document, "SpaceId")).filter(|space| !space.is_empty()),
        members: texts(document, "MemberUserIds").map(Into::into).collect(),
        external_groups: list(document, "ExternalSecurityGroups").iter().map(group).collect::<Result<_>>()?,
        can_change_members: flag(document, "CanChangeMembers", true),
        administrative: administrators.include(document),
    })
}

/// Edits the members of a team as received; those that are not named keep their places.
fn edit(team: &mut Value, change: &MemberChange) -> Result<()> {
    let members = object(team)?.entry("MemberUserIds").or_insert_with(|| json!([]));
    if members.is_null() {
        *members = json!([]);
    }
    let members = members.as_array_mut().ok_or_else(|| AdapterError::Garbage("`MemberUserIds` is no list".into()))?;
    members.retain(|member| !member.as_str().is_some_and(|id| change.remove.contains(id)));
    for id in change.add.difference(&change.remove) {
        if !members.iter().any(|member| member.as_str() == Some(id)) {
            members.push(json!(id));
        }
    }
    Ok(())
}

fn held(team: &Team, change: &MemberChange) -> Result<()> {
    let missing = change.add.difference(&change.remove).find(|id| !team.members.contains(*id));
    let left = change.remove.iter().find(|id| team.members.contains(*id));
    match (left, missing) {
        (Some(left), _) => Err(AdapterError::NotHeld(format!("{}: {left} is still a member", team.id))),
        (None, Some(missing)) => Err(AdapterError::NotHeld(format!("{}: {missing} is no member", team.id))),
        (None, None) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(remove: &[&str], add: &[&str]) -> MemberChange {
        let set = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        MemberChange { remove: set(remove), add: set(add) }
    }

    #[test]
    fn strangers_and_unknown_fields_stay() {
        let before = json!({
            "Id": "Teams-1", "MemberUserIds": ["Users-9", "Users-1", "Users-2"], "Future": {"x": 1},
            "ExternalSecurityGroups": [{"Id": "g", "DisplayName": "G", "DisplayIdAndName": true}],
        });
        let mut after = before.clone();
        edit(&mut after, &change(&["Users-1", "Users-7"], &["Users-3", "Users-2"])).unwrap();
        let mut wanted = before.clone();
        wanted["MemberUserIds"] = json!(["Users-9", "Users-2", "Users-3"]);
        assert_eq!(after, wanted);

        let mut same = before.clone();
        edit(&mut same, &change(&["Users-3"], &["Users-1", "Users-3"])).unwrap();
        assert_eq!(same, before, "named in both lists: outside");
        let mut null = json!({"MemberUserIds": null});
        edit(&mut null, &change(&[], &["Users-1"])).unwrap();
        assert_eq!(null, json!({"MemberUserIds": ["Users-1"]}));
        assert!(edit(&mut json!({"MemberUserIds": 7}), &change(&[], &["Users-1"])).is_err());
        assert!(edit(&mut json!([]), &change(&[], &["Users-1"])).is_err());
    }

    #[test]
    fn both_eras_are_read() {
        let administrators = Administrators::default();
        let new = json!({"Id": "Teams-1", "Name": "Dev", "SpaceId": "Spaces-1", "MemberUserIds": ["Users-1"], "CanChangeMembers": false});
        let read = team(&new, &administrators).unwrap();
        assert_eq!((read.inner_space.as_deref(), read.can_change_members), (Some("Spaces-1"), false));
        let old =
            json!({"Id": "Teams-1", "Name": "Dev", "UserRoleIds": ["userroles-systemadministrator"], "MemberUserIds": null});
        let read = team(&old, &administrators).unwrap();
        assert!(read.inner_space.is_none() && read.administrative && read.members.is_empty());
        assert!(team(&json!({"Name": "x"}), &administrators).is_err());
        assert!(team(&json!({"Id": "Teams-1", "ExternalSecurityGroups": [7]}), &administrators).is_err());
    }

    #[test]
    fn what_did_not_hold_is_noticed() {
        let read =
            |members: Value| team(&json!({"Id": "Teams-1", "MemberUserIds": members}), &Administrators::default()).unwrap();
        let wanted = change(&["Users-1"], &["Users-2"]);
        held(&read(json!(["Users-2", "Users-9"])), &wanted).unwrap();
        assert!(held(&read(json!(["Users-1", "Users-2"])), &wanted).is_err());
        assert!(held(&read(json!([])), &wanted).is_err());
    }
}
