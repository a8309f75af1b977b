//! The kinds of plain documents of a space: where they live, what they are called, which fields they have.

use serde_json::{Value, json};

/// A kind of document.
pub struct Kind {
    /// Name in addresses, such as `environments`.
    pub collection: &'static str,
    /// Name of the link in the root documents.
    pub link: &'static str,
    /// Prefix of ids, such as `Environments`.
    pub prefix: &'static str,
    /// `ItemType`, and the word of messages and events, such as `Environment`.
    pub word: &'static str,
    /// First word of the permissions.
    pub permission: &'static str,
    /// What follows the address in the link template.
    pub template: &'static str,
    /// Whether clients may write.
    pub writable: bool,
    /// The fields beside `Id`, `Name`, `SpaceId`, `Slug` and `Links`, with their values in a new document.
    pub defaults: fn() -> Value,
}

const LIST: &str = "{/id}{?name,skip,ids,take,partialName}";

/// Kinds that clients may write, and releases.
pub const KINDS: &[Kind] = &[
    Kind {
        collection: "environments",
        link: "Environments",
        prefix: "Environments",
        word: "Environment",
        permission: "Environment",
        template: LIST,
        writable: true,
        defaults: || {
            json!({
                "Description": "", "SortOrder": 0, "UseGuidedFailure": false, "AllowDynamicInfrastructure": false,
                "EnvironmentTags": [], "ExtensionSettings": [],
            })
        },
    },
    Kind {
        collection: "projectgroups",
        link: "ProjectGroups",
        prefix: "ProjectGroups",
        word: "ProjectGroup",
        permission: "ProjectGroup",
        template: LIST,
        writable: true,
        defaults: || json!({"Description": "", "EnvironmentIds": [], "RetentionPolicyId": null}),
    },
    Kind {
        collection: "lifecycles",
        link: "Lifecycles",
        prefix: "Lifecycles",
        word: "Lifecycle",
        permission: "Lifecycle",
        template: LIST,
        writable: true,
        defaults: || {
            json!({
                "Description": "", "Phases": [],
                "ReleaseRetentionPolicy": {"Unit": "Days", "QuantityToKeep": 0, "ShouldKeepForever": true},
                "TentacleRetentionPolicy": {"Unit": "Days", "QuantityToKeep": 0, "ShouldKeepForever": true},
            })
        },
    },
    Kind {
        collection: "projects",
        link: "Projects",
        prefix: "Projects",
        word: "Project",
        permission: "Project",
        template: "{/id}{?name,skip,ids,clone,take,partialName}",
        writable: true,
        defaults: || {
            json!({
                "Description": "", "IsDisabled": false, "ProjectGroupId": "ProjectGroups-1", "LifecycleId": "Lifecycles-1",
                "TenantedDeploymentMode": "Untenanted", "AutoCreateRelease": false, "AutoDeployReleaseOverrides": [],
                "ClonedFromProjectId": null, "DefaultGuidedFailureMode": "EnvironmentDefault",
                "DefaultToSkipIfAlreadyInstalled": false, "DeploymentChangesTemplate": null, "DiscreteChannelRelease": false,
                "ExtensionSettings": [], "IncludedLibraryVariableSetIds": [], "IsVersionControlled": false,
                "PersistenceSettings": {"Type": "Database"},
                "ProjectConnectivityPolicy": {
                    "AllowDeploymentsToNoTargets": false, "ExcludeUnhealthyTargets": false, "SkipMachineBehavior": "None",
                    "TargetRoles": [],
                },
                "ReleaseCreationStrategy": {
                    "ChannelId": null, "ReleaseCreationPackage": null, "ReleaseCreationPackageStepId": null,
                },
                "ReleaseNotesTemplate": null, "Templates": [],
                "VersioningStrategy": {
                    "Template": "#{Octopus.Version.LastMajor}.#{Octopus.Version.LastMinor}.#{Octopus.Version.NextPatch}",
                    "DonorPackage": null, "DonorPackageStepId": null,
                },
            })
        },
    },
    read_only("releases", "Releases", "Releases", "Release", "Release", "{/id}{?skip,ignoreChannelRules,take,ids}"),
    read_only("channels", "Channels", "Channels", "Channel", "Process", "{/id}{?skip,take,ids,partialName}"),
    // From here on always empty, so that clients that list them find a list.
    read_only("accounts", "Accounts", "Accounts", "Account", "Account", "{/id}{?skip,take,ids,partialName,accountType}"),
    read_only("artifacts", "Artifacts", "Artifacts", "Artifact", "Artifact", "{/id}{?skip,take,regarding,ids,partialName,order}"),
    read_only("certificates", "Certificates", "Certificates", "Certificate", "Certificate", LIST),
    read_only("feeds", "Feeds", "Feeds", "Feed", "Feed", "{/id}{?skip,take,ids,partialName,feedType}"),
    read_only(
        "interruptions",
        "Interruptions",
        "Interruptions",
        "Interruption",
        "Interruption",
        "{/id}{?skip,take,regarding,ids}",
    ),
    read_only(
        "libraryvariablesets",
        "LibraryVariables",
        "LibraryVariableSets",
        "LibraryVariableSet",
        "LibraryVariableSet",
        "{/id}{?skip,contentType,take,ids,partialName}",
    ),
    read_only("machinepolicies", "MachinePolicies", "MachinePolicies", "MachinePolicy", "MachinePolicy", LIST),
    read_only("machines", "Machines", "Machines", "DeploymentTarget", "Machine", LIST),
    read_only(
        "projecttriggers",
        "ProjectTriggers",
        "ProjectTriggers",
        "ProjectTrigger",
        "Trigger",
        "{/id}{?skip,take,ids,runbooks}",
    ),
    read_only("proxies", "Proxies", "Proxies", "Proxy", "Proxy", "{/id}{?skip,take,ids,partialName}"),
    read_only(
        "runbookRuns",
        "RunbookRuns",
        "RunbookRuns",
        "RunbookRun",
        "RunbookRun",
        "{/id}{?skip,take,ids,projects,environments}",
    ),
    read_only("runbooks", "Runbooks", "Runbooks", "Runbook", "Runbook", "{/id}{?skip,take,ids,partialName,projectIds}"),
    read_only("tagsets", "TagSets", "TagSets", "TagSet", "Tenant", "{/id}{?skip,take,ids,partialName}"),
    read_only("tenants", "Tenants", "Tenants", "Tenant", "Tenant", "{/id}{?skip,projectId,name,tags,take,ids,clone,partialName}"),
    read_only("workerpools", "WorkerPools", "WorkerPools", "WorkerPool", "Worker", LIST),
    read_only("workers", "Workers", "Workers", "Worker", "Worker", LIST),
];

const fn read_only(
    collection: &'static str,
    link: &'static str,
    prefix: &'static str,
    word: &'static str,
    permission: &'static str,
    template: &'static str,
) -> Kind {
    Kind { collection, link, prefix, word, permission, template, writable: false, defaults: || json!({}) }
}

/// The kind of a collection.
pub fn kind(collection: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.collection == collection)
}
