//! The Space in memory under the conformance suite.

use super::{FakeSpace, LocalAccount, StoredIdentity};
use crate::adapter::{ExternalGroup, SpaceAdapter};
use crate::conformance::Bench;
use async_trait::async_trait;
use serde_json::{Value, json};

#[async_trait]
impl Bench for FakeSpace {
    fn adapter(&self) -> &dyn SpaceAdapter {
        self
    }

    async fn create_account(&self, username: &str, email: &str) -> String {
        self.create_local_account(LocalAccount::person(username, email))
    }

    async fn add_identity(&self, account: &str, provider: &str, email: &str) {
        let identity = StoredIdentity { provider: provider.into(), email: email.into() };
        let _ = self.edit_account(account, |account| account.identities.push(identity));
    }

    async fn set_active(&self, account: &str, active: bool) {
        let _ = self.set_local_active(account, active);
    }

    async fn create_api_key(&self, account: &str, purpose: &str) {
        let _ = Self::create_api_key(self, account, purpose);
    }

    async fn open_session(&self, account: &str) {
        let _ = Self::open_session(self, account);
    }

    async fn sessions(&self, account: &str) -> usize {
        self.stored_account(account).map_or(0, |account| account.sessions as usize)
    }

    async fn create_team(&self, name: &str, members: &[&str], group: &str) -> String {
        let id = Self::create_team(self, name, None);
        let _ = self.edit_team(&id, |team| {
            team.members = members.iter().map(|id| (*id).to_owned()).collect();
            team.external_groups.push(ExternalGroup { id: group.into(), name: group.into() });
        });
        id
    }

    async fn set_members(&self, team: &str, members: &[&str]) {
        let _ = self.edit_team(team, |team| team.members = members.iter().map(|id| (*id).to_owned()).collect());
    }

    fn built_in_teams(&self) -> (String, String) {
        ("teams-administrators".into(), "teams-everyone".into())
    }

    async fn configure(&self, enabled: bool, issuer: &str, client_id: &str, secret: Option<&str>) {
        self.set_local_provider(enabled, issuer, client_id);
        self.set_local_client_secret(secret);
    }

    async fn open_doors(&self) {
        self.set_local_openness(true, true);
    }

    async fn client_secret(&self) -> Option<String> {
        Self::client_secret(self)
    }

    async fn other_settings(&self) -> Value {
        self.other_providers()
    }

    async fn untouchable(&self, document: &str) -> Value {
        if let Some(account) = self.stored_account(document) {
            let keys: Vec<&String> = account.keys.iter().map(|key| &key.id).collect();
            return json!({"active": account.active, "service": account.service, "keys": keys, "password": account.password});
        }
        let team = self.look_at_team(document);
        team.map_or(Value::Null, |team| json!({"name": team.name, "groups": format!("{:?}", team.external_groups)}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::Capability;
    use crate::conformance;

    #[tokio::test]
    async fn a_new_space_conforms() {
        assert_eq!(conformance::run(async || Box::new(FakeSpace::new("mars")) as Box<dyn Bench>).await, []);
    }

    #[tokio::test]
    async fn a_space_that_can_do_little_conforms() {
        let old = async || Box::new(FakeSpace::with_capabilities("mars", [Capability::EventCursor])) as Box<dyn Bench>;
        assert_eq!(conformance::run(old).await, []);
    }
}
