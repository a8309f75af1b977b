//! Assumptions: behaviours of the real server that public sources leave open and on which a client could depend.

use std::collections::BTreeSet;

/// One field per assumption. The defaults are what is most likely; tests run both values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switches {
    /// `IsActive:false` ends cookie sessions at once (likely, undocumented). Off: they live until they time out.
    pub disable_ends_sessions: bool,
    /// An administrator may delete API keys of human users (sources contradict each other).
    pub admin_may_delete_human_keys: bool,
    /// `PUT /users/{id}` without `Identities` removes them all. Off: they stay.
    pub put_without_identities_clears: bool,
    /// `POST /users` may create an inactive user. Off: the user is created active whatever the body says.
    pub post_inactive_user_allowed: bool,
    /// The hidden external id survives a `PUT` that keeps the identity's visible identifying claims.
    pub put_users_keeps_eid: bool,
    /// `PUT` of a section without its `ClientSecret` clears the stored secret. Off: it stays.
    pub put_without_secret_clears: bool,
    /// Mixed lists (teams, scoped roles, events) without `spaces`/`includeSystem` answer everything.
    /// Off: only what belongs to the default space.
    pub mixed_lists_default_to_all: bool,
    /// A user's teams without `spaces`/`includeSystem` come all ("all Teams a user is a member of").
    /// Off: only those of the default space.
    pub membership_lists_default_to_all: bool,
    /// Lists of teams and of scoped roles ignore `spaces` and `includeSystem`, which the newest reference does not name: without a space in
    /// the address they show what the system and the default space have, with one what that space has.
    pub scope_flags_ignored: bool,
    /// Lists of scoped roles leave out those that are given in the system; each team still names its own.
    pub scoped_roles_omit_system: bool,
    /// `GET /teams/{id}` finds system teams and those of the default space only; the teams of other spaces live below
    /// the address of their space, as their `Self` link says.
    pub teams_by_space_address: bool,
    /// Unknown ids in `MemberUserIds` are dropped without a word. Off: 400.
    pub unknown_members_dropped: bool,
    /// `GET /users/identity-metadata` lists enabled providers only. Off: all that the version has.
    pub identity_metadata_enabled_only: bool,
    /// `fromAutoId=N` includes event N.
    pub events_from_auto_id_inclusive: bool,
    /// The generic OIDC provider starts a sign-in for `?iss=`, as the Okta provider does.
    pub generic_supports_iss: bool,
    /// Lists of users leave `LastModifiedOn` and `LastModifiedBy` out (seen by the Go client's authors).
    pub lists_omit_last_modified: bool,
    /// Password change ends the user's sessions (announced for 2022.2).
    pub password_change_ends_sessions: bool,
    /// A missing anti-forgery token is 403. Off: 400.
    pub csrf_refusal_is_403: bool,
    /// A sign-in that comes back too late or twice is 400. Off: 500, as an exception outside the provider's own
    /// refusals would be.
    pub expired_sign_in_is_400: bool,
    /// `IdentityProviderName` of the generic OIDC provider, which is in no public source.
    pub generic_name: String,
    /// Keys whose `PUT`s must carry every field that the server sent; `*` means every key.
    pub strict_roundtrip: BTreeSet<String>,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            disable_ends_sessions: true,
            admin_may_delete_human_keys: true,
            put_without_identities_clears: true,
            post_inactive_user_allowed: false,
            put_users_keeps_eid: true,
            put_without_secret_clears: true,
            mixed_lists_default_to_all: false,
            membership_lists_default_to_all: true,
            scope_flags_ignored: false,
            scoped_roles_omit_system: false,
            teams_by_space_address: false,
            unknown_members_dropped: false,
            identity_metadata_enabled_only: false,
            events_from_auto_id_inclusive: true,
            generic_supports_iss: true,
            lists_omit_last_modified: true,
            password_change_ends_sessions: true,
            csrf_refusal_is_403: false,
            expired_sign_in_is_400: false,
            generic_name: "Generic OpenID Connect".into(),
            strict_roundtrip: BTreeSet::new(),
        }
    }
}

impl Switches {
    /// Names of the switches that are on or off, for the command line and the documents.
    pub const NAMES: [&str; 19] = [
        "disable_ends_sessions",
        "admin_may_delete_human_keys",
        "put_without_identities_clears",
        "post_inactive_user_allowed",
        "put_users_keeps_eid",
        "put_without_secret_clears",
        "mixed_lists_default_to_all",
        "membership_lists_default_to_all",
        "scope_flags_ignored",
        "scoped_roles_omit_system",
        "teams_by_space_address",
        "unknown_members_dropped",
        "identity_metadata_enabled_only",
        "events_from_auto_id_inclusive",
        "generic_supports_iss",
        "lists_omit_last_modified",
        "password_change_ends_sessions",
        "csrf_refusal_is_403",
        "expired_sign_in_is_400",
    ];

    fn flag(&mut self, name: &str) -> Option<&mut bool> {
        Some(match name {
            "disable_ends_sessions" => &mut self.disable_ends_sessions,
            "admin_may_delete_human_keys" => &mut self.admin_may_delete_human_keys,
            "put_without_identities_clears" => &mut self.put_without_identities_clears,
            "post_inactive_user_allowed" => &mut self.post_inactive_user_allowed,
            "put_users_keeps_eid" => &mut self.put_users_keeps_eid,
            "put_without_secret_clears" => &mut self.put_without_secret_clears,
            "mixed_lists_default_to_all" => &mut self.mixed_lists_default_to_all,
            "membership_lists_default_to_all" => &mut self.membership_lists_default_to_all,
            "scope_flags_ignored" => &mut self.scope_flags_ignored,
            "scoped_roles_omit_system" => &mut self.scoped_roles_omit_system,
            "teams_by_space_address" => &mut self.teams_by_space_address,
            "unknown_members_dropped" => &mut self.unknown_members_dropped,
            "identity_metadata_enabled_only" => &mut self.identity_metadata_enabled_only,
            "events_from_auto_id_inclusive" => &mut self.events_from_auto_id_inclusive,
            "generic_supports_iss" => &mut self.generic_supports_iss,
            "lists_omit_last_modified" => &mut self.lists_omit_last_modified,
            "password_change_ends_sessions" => &mut self.password_change_ends_sessions,
            "csrf_refusal_is_403" => &mut self.csrf_refusal_is_403,
            "expired_sign_in_is_400" => &mut self.expired_sign_in_is_400,
            _ => return None,
        })
    }

    /// Sets one switch from text such as `disable_ends_sessions=off`, `generic_name=OIDC` or `strict_roundtrip=API-AGENT`.
    ///
    /// # Errors
    /// A sentence that names the unknown switch or the wrong value.
    pub fn set(&mut self, text: &str) -> Result<(), String> {
        let (name, value) = text.split_once('=').ok_or_else(|| format!("switch `{text}`: write NAME=on or NAME=off"))?;
        match name {
            "strict_roundtrip" => {
                self.strict_roundtrip.insert(value.to_owned());
                return Ok(());
            }
            "generic_name" if value.trim().is_empty() => return Err("switch `generic_name`: a name is needed".into()),
            "generic_name" => {
                value.clone_into(&mut self.generic_name);
                return Ok(());
            }
            _ => {}
        }
        let unknown =
            || format!("switch `{name}` is unknown; there are: {}, generic_name, strict_roundtrip", Self::NAMES.join(", "));
        let field = self.flag(name).ok_or_else(unknown)?;
        *field = match value {
            "on" | "true" => true,
            "off" | "false" => false,
            _ => return Err(format!("switch `{name}`: `{value}` is neither on nor off")),
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_can_be_set_and_others_are_refused() {
        for name in Switches::NAMES {
            let (mut on, mut off) = (Switches::default(), Switches::default());
            on.set(&format!("{name}=on")).unwrap();
            off.set(&format!("{name}=off")).unwrap();
            assert_ne!(on, off, "{name}");
        }
        let mut named = Switches::default();
        named.set("generic_name=Sign in with us").unwrap();
        assert_eq!(named.generic_name, "Sign in with us");
        assert!(named.set("generic_name= ").is_err());
        assert!(Switches::default().set("nonsense=on").unwrap_err().contains("unknown"));
        assert!(Switches::default().set("put_users_keeps_eid=maybe").is_err());
    }
}
