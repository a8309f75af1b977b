//! The permissions of a server: where each applies and what it can be restricted to.

use serde_json::{Map, Value, json};

/// Permissions of the whole server only.
pub const SYSTEM: &[&str] = &[
    "AdministerSystem",
    "ConfigureServer",
    "UserView",
    "UserInvite",
    "UserEdit",
    "UserRoleView",
    "UserRoleEdit",
    "SpaceView",
    "SpaceEdit",
    "SpaceCreate",
    "SpaceDelete",
];

/// Permissions that exist at both levels.
pub const BOTH: &[&str] = &[
    "TeamView",
    "TeamCreate",
    "TeamEdit",
    "TeamDelete",
    "TaskView",
    "TaskCreate",
    "TaskCancel",
    "TaskEdit",
    "EventView",
    "InterruptionView",
    "InterruptionSubmit",
    "InterruptionViewSubmitResponsible",
    "SubscriptionView",
    "SubscriptionCreate",
    "SubscriptionEdit",
    "SubscriptionDelete",
];

/// Permissions inside spaces only.
pub const SPACE: &[&str] = &[
    "AccountView",
    "AccountCreate",
    "AccountEdit",
    "AccountDelete",
    "ActionTemplateView",
    "ActionTemplateCreate",
    "ActionTemplateEdit",
    "ActionTemplateDelete",
    "ArtifactView",
    "ArtifactCreate",
    "ArtifactEdit",
    "ArtifactDelete",
    "BuildInformationPush",
    "BuildInformationAdminister",
    "BuiltInFeedAdminister",
    "BuiltInFeedDownload",
    "BuiltInFeedPush",
    "CertificateView",
    "CertificateCreate",
    "CertificateEdit",
    "CertificateDelete",
    "CertificateExportPrivateKey",
    "DefectReport",
    "DefectResolve",
    "DeploymentView",
    "DeploymentCreate",
    "DeploymentDelete",
    "EnvironmentView",
    "EnvironmentCreate",
    "EnvironmentEdit",
    "EnvironmentDelete",
    "FeedView",
    "FeedEdit",
    "GitCredentialView",
    "GitCredentialEdit",
    "LibraryVariableSetView",
    "LibraryVariableSetCreate",
    "LibraryVariableSetEdit",
    "LibraryVariableSetDelete",
    "LifecycleView",
    "LifecycleCreate",
    "LifecycleEdit",
    "LifecycleDelete",
    "MachineView",
    "MachineCreate",
    "MachineEdit",
    "MachineDelete",
    "MachinePolicyView",
    "MachinePolicyCreate",
    "MachinePolicyEdit",
    "MachinePolicyDelete",
    "ProcessView",
    "ProcessEdit",
    "ProjectView",
    "ProjectCreate",
    "ProjectEdit",
    "ProjectDelete",
    "ProjectGroupView",
    "ProjectGroupCreate",
    "ProjectGroupEdit",
    "ProjectGroupDelete",
    "ProxyView",
    "ProxyCreate",
    "ProxyEdit",
    "ProxyDelete",
    "ReleaseView",
    "ReleaseCreate",
    "ReleaseEdit",
    "ReleaseDelete",
    "RunbookView",
    "RunbookEdit",
    "RunbookRunView",
    "RunbookRunCreate",
    "RunbookRunDelete",
    "TagSetCreate",
    "TagSetEdit",
    "TagSetDelete",
    "TenantView",
    "TenantCreate",
    "TenantEdit",
    "TenantDelete",
    "TriggerView",
    "TriggerCreate",
    "TriggerEdit",
    "TriggerDelete",
    "VariableView",
    "VariableEdit",
    "VariableViewUnscoped",
    "VariableEditUnscoped",
    "WorkerView",
    "WorkerEdit",
];

/// What a permission can be restricted to.
pub fn restrictions(permission: &str) -> &'static [&'static str] {
    match permission {
        "DeploymentView" | "DeploymentCreate" | "DeploymentDelete" | "EventView" | "TaskView" | "TaskCreate" | "TaskCancel"
        | "TaskEdit" | "RunbookRunView" | "RunbookRunCreate" | "RunbookRunDelete" | "ArtifactView" | "InterruptionView"
        | "InterruptionSubmit" | "VariableView" | "VariableEdit" => &["Projects", "Environments", "Tenants"],
        "ProjectView" | "ProjectEdit" | "ProjectDelete" | "ProcessView" | "ProcessEdit" | "ReleaseView" | "ReleaseCreate"
        | "ReleaseEdit" | "ReleaseDelete" | "RunbookView" | "RunbookEdit" | "TriggerView" | "TriggerEdit" => {
            &["Projects", "Tenants"]
        }
        "EnvironmentView" | "EnvironmentEdit" | "EnvironmentDelete" | "MachineView" | "MachineCreate" | "MachineEdit"
        | "MachineDelete" => &["Environments", "Tenants"],
        _ => &[],
    }
}

/// The body of `/api/permissions/all`.
pub fn descriptions() -> Value {
    let entry = |name: &&str, space: bool, system: bool| {
        let value = json!({
            "Description": words(name),
            "SupportedRestrictions": restrictions(name),
            "CanApplyAtSpaceLevel": space,
            "CanApplyAtSystemLevel": system,
        });
        ((*name).to_owned(), value)
    };
    let system = SYSTEM.iter().map(|name| entry(name, false, true));
    let both = BOTH.iter().map(|name| entry(name, true, true));
    Value::Object(system.chain(both).chain(SPACE.iter().map(|name| entry(name, true, false))).collect::<Map<_, _>>())
}

fn words(name: &str) -> String {
    name.chars().fold(String::new(), |text, letter| match letter.is_uppercase() && !text.is_empty() {
        true => format!("{text} {}", letter.to_lowercase()),
        false => format!("{text}{letter}"),
    })
}

/// All names that may stand in the space part of a role.
pub fn in_spaces() -> impl Iterator<Item = &'static str> {
    SPACE.iter().chain(BOTH).copied()
}

/// All names that may stand in the system part of a role.
pub fn in_system() -> impl Iterator<Item = &'static str> {
    SYSTEM.iter().chain(BOTH).copied()
}
