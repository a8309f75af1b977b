//! `/api`: what this server is and where things are. Only links to what it really does.

use axum::{
    Router,
    routing::{get, post},
};
use serde_json::{Map, Value, json};

use super::{
    errors::ApiResult,
    kinds,
    relying_party::{self, Provider},
    request::{Body, Query, Req, ok},
    section_data,
    server::App,
    state::State,
    users,
};

/// Link template of teams.
pub const TEAMS: &str = "{/id}{?skip,take,ids,partialName,spaces,includeSystem}";
/// Link template of scoped roles.
pub const SCOPED_ROLES: &str = "{/id}{?skip,take,ids,partialName,spaces,includeSystem}";
/// Link template of events.
pub const EVENTS: &str = "{/id}{?skip,regarding,regardingAny,user,users,projects,projectGroups,environments,eventGroups,eventCategories,\
                          eventAgents,tags,tenants,from,to,internal,fromAutoId,toAutoId,documentTypes,asCsv,take,ids,spaces,\
                          includeSystem,excludeDifference}";
/// Link template of deployments.
pub const DEPLOYMENTS: &str = "{/id}{?skip,take,ids,projects,environments,tenants,channels,taskState,partialName}";
/// Link template of tasks.
pub const TASKS: &str = "{/id}{?skip,name,states,take,ids,partialName}";

/// Routes of the root.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api", get(root))
        .route("/api/authentication", get(authentication))
        .route("/api/authentication/checklogininitiated", post(check_login_initiated))
}

async fn root(req: Req) -> ApiResult {
    let state = req.app.read();
    if let Some(space) = req.facts.space.clone() {
        req.user(&state)?;
        return ok(&json!({
            "Application": "Octopus Deploy",
            "Version": "",
            "ApiVersion": "",
            "InstallationId": null,
            "IsEarlyAccessProgram": false,
            "HasLongTermSupport": false,
            "Links": space_links(&space),
        }));
    }
    ok(&json!({
        "Application": "Octopus Deploy",
        "Version": req.app.config.version.to_string(),
        "ApiVersion": "3.0.0",
        "InstallationId": state.installation_id,
        "IsEarlyAccessProgram": false,
        "HasLongTermSupport": true,
        "Links": system_links(&req.app, &state),
    }))
}

fn links(pairs: &[(&str, String)]) -> Map<String, Value> {
    pairs.iter().map(|(name, target)| ((*name).to_owned(), json!(target))).collect()
}

/// Links of what belongs to a space.
fn space_links(space: &str) -> Map<String, Value> {
    let base = format!("/api/{space}");
    let mut map = links(&[
        ("Self", base.clone()),
        ("Dashboard", format!("{base}/dashboard{{?projectId}}")),
        ("Deployments", format!("{base}/deployments{DEPLOYMENTS}")),
        ("Events", format!("{base}/events{EVENTS}")),
        ("ScopedUserRoles", format!("{base}/scopeduserroles{SCOPED_ROLES}")),
        ("Tasks", format!("{base}/tasks{TASKS}")),
        ("Teams", format!("{base}/teams{TEAMS}")),
        ("Web", "/app".into()),
    ]);
    for kind in kinds::KINDS {
        map.insert(kind.link.into(), json!(format!("{base}/{}{}", kind.collection, kind.template)));
    }
    map
}

fn system_links(app: &App, state: &State) -> Map<String, Value> {
    // Of the default space first; what belongs to the server then goes over it.
    let mut map = space_links("Spaces-1");
    let own = |path: &str| format!("/api{path}");
    map.extend(links(&[
        ("Self", "/api".into()),
        ("Authentication", own("/authentication")),
        ("Capabilities", own("/capabilities")),
        ("Configuration", own("/configuration{/id}")),
        ("CurrentLicense", own("/licenses/licenses-current")),
        ("CurrentLicenseStatus", own("/licenses/licenses-current-status")),
        ("CurrentUser", own("/users/me")),
        ("EventAgents", own("/events/agents")),
        ("EventCategories", own("/events/categories")),
        ("EventDocumentTypes", own("/events/documenttypes")),
        ("EventGroups", own("/events/groups")),
        ("Events", own(&format!("/events{EVENTS}"))),
        ("ExtensionStats", own("/serverstatus/extensions")),
        ("ExternalSecurityGroupProviders", own("/externalsecuritygroupproviders")),
        ("ExternalUserSearch", own("/users/external-search{?partialName}")),
        ("FeaturesConfiguration", own("/featuresconfiguration")),
        ("LoginInitiated", own("/authentication/checklogininitiated")),
        ("MaintenanceConfiguration", own("/maintenanceconfiguration")),
        ("OctopusServerClusterSummary", own("/octopusservernodes/summary")),
        ("OctopusServerNodes", own("/octopusservernodes{/id}{?skip,ids,take,partialName}")),
        ("PermissionDescriptions", own("/permissions/all")),
        ("ScopedUserRoles", own(&format!("/scopeduserroles{SCOPED_ROLES}"))),
        ("ServerHealthStatus", own("/serverstatus/health")),
        ("ServerStatus", own("/serverstatus")),
        ("SignIn", own("/users/login{?returnUrl}")),
        ("SignOut", own("/users/logout")),
        ("SpaceHome", "/api/{spaceId}".into()),
        ("Spaces", own("/spaces{/id}{?name,skip,ids,take,partialName}")),
        ("Tasks", own(&format!("/tasks{TASKS}"))),
        ("TeamMembership", own("/teammembership{?userId,spaces,includeSystem}")),
        ("TeamMembershipPreviewTeam", own("/teammembership/previewteam")),
        ("Teams", own(&format!("/teams{TEAMS}"))),
        ("Timezones", own("/serverstatus/timezones")),
        ("UserAuthentication", own("/users/authentication{/userId}")),
        ("UserIdentityMetadata", own("/users/identity-metadata")),
        ("UserRoles", own("/userroles{/id}{?skip,ids,take,partialName}")),
        ("Users", own("/users{/id}{?skip,take,ids,filter}")),
    ]));
    for provider in users::providers(app).filter(|provider| provider.enabled(state)) {
        let target = format!("/users/authenticate/{}{{?returnUrl}}", provider.settings);
        map.insert(format!("Authenticate_{}", provider.name), json!(target));
    }
    map
}

/// The enabled providers as the sign-in page needs them.
pub fn authentication_providers(app: &App, state: &State) -> Vec<Value> {
    let enabled = |id: &str| state.sections.get(id).and_then(|section| section.get("IsEnabled")?.as_bool()) == Some(true);
    let one = |name: &str, kind: &str, forms: bool, links: Value, label: Value| {
        json!({
            "Name": name, "IdentityType": kind, "FormsLoginEnabled": forms, "Links": links,
            "JavascriptLinks": [], "CSSLinks": [], "DisplayName": label,
        })
    };
    let mut list = Vec::new();
    if enabled("authentication-usernamepassword") {
        list.push(one("Octopus", "UsernamePassword", true, json!({}), Value::Null));
    }
    if enabled("authentication-guest") {
        list.push(one("Octopus - Guest", "Guest", false, json!({}), Value::Null));
    }
    for (section, name) in [("authentication-directoryservices", "Active Directory"), ("authentication-ldap", "LDAP")] {
        if enabled(section) {
            list.push(one(name, "ActiveDirectory", true, json!({}), Value::Null));
        }
    }
    for provider in users::providers(app).filter(|provider| provider.enabled(state)) {
        let link = json!({"Authenticate": format!("/users/authenticate/{}{{?returnUrl}}", provider.settings)});
        list.push(one(&provider.name, "OAuth", false, link, json!(relying_party::label(&provider, state))));
    }
    list
}

async fn authentication(req: Req) -> ApiResult {
    let state = req.app.read();
    let section = section_data::sections(req.app.config.version).into_iter().find(|section| section.id == "authentication");
    let stored = state.sections.get("authentication").cloned();
    let values = stored.or_else(|| section.map(|section| section.start())).unwrap_or_default();
    let value = |name: &str| values.get(name).cloned().unwrap_or(json!(false));
    let passwords = state.sections.get("authentication-usernamepassword").and_then(|section| section.get("IsEnabled").cloned());
    ok(&json!({
        "AuthenticationProviders": authentication_providers(&req.app, &state),
        "AutoLoginEnabled": value("AutoLoginEnabled"),
        "AnyAuthenticationProvidersSupportPasswordManagement": passwords,
        "RememberMeEnabled": value("RememberMeEnabled"),
        "UserApiKeysEnabled": values.get("UserApiKeysEnabled").cloned().unwrap_or(json!(true)),
        "Links": {},
    }))
}

/// The provider whose issuer a third party names to start a sign-in.
pub fn initiated(app: &App, state: &State, issuer: &str) -> Option<Provider> {
    let generic = app.switches().generic_supports_iss;
    users::providers(app).find(|provider| {
        let starts = matches!(provider.settings, "Okta" | "OctopusID") || (provider.settings == "GenericOidc" && generic);
        starts && provider.enabled(state) && provider.text(state, "Issuer").as_deref() == Some(issuer)
    })
}

async fn check_login_initiated(req: Req, body: Body) -> ApiResult {
    let query = body.text("EncodedQueryString")?.unwrap_or_default();
    let query = Query::parse(query.trim_start_matches('?'));
    let state = req.app.read();
    let provider = query.get("iss").and_then(|issuer| initiated(&req.app, &state, issuer));
    ok(&json!({"WasLoginInitiated": provider.is_some(), "ProviderName": provider.map(|provider| provider.name)}))
}
