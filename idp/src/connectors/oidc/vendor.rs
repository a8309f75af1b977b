//! Groups that do not stand in the token: Entra leaves them out above 200 and says so, Google never has them. Asked with the
//! person's own access token; that the answer is about somebody else is impossible, because it is asked about "me".

use super::OpenId;
use super::id_token::Claims;
use super::said::groups;
use crate::connectors::Error;
use crate::core::provider::Profile;
use crate::deps::Deps;
use serde_json::{Value, json};
use url::Url;

/// Longest page, in bytes, and most pages.
const LIMIT: usize = 1024 * 1024;
const PAGES: usize = 40;
const GRAPH: &str = "https://graph.microsoft.com";
const GOOGLE: &str = "https://cloudidentity.googleapis.com";

/// Whether Entra says that it left the groups out (`_claim_names`, in the implicit flow `hasgroups`).
fn left_out(claims: &Claims) -> bool {
    claims.get("_claim_names").is_some_and(|names| names.get("groups").is_some()) || claims.contains_key("hasgroups")
}

/// The groups of somebody, if the settings say that the vendor is to be asked and there is something to ask.
///
/// # Errors
/// The vendor does not tell. Then nobody is let in: groups that cannot be read must not go on holding.
pub(super) async fn ask(
    connector: &OpenId,
    deps: &Deps,
    claims: &Claims,
    access_token: Option<&str>,
) -> Result<Option<Vec<String>>, Error> {
    let settings = &connector.settings;
    if !settings.vendor_groups {
        return Ok(None);
    }
    let base = settings.vendor_url.as_deref();
    let token = access_token.ok_or_else(|| Error::Upstream("there is no access token to ask for groups with".into()))?;
    match settings.profile {
        Profile::Entra if left_out(claims) => entra(deps, base.unwrap_or(GRAPH), token).await.map(Some),
        Profile::Google => google(deps, base.unwrap_or(GOOGLE), token, claims).await.map(Some),
        _ => Ok(None),
    }
}

fn address(base: &str, path: &str) -> Result<Url, Error> {
    let text = format!("{}{path}", base.trim_end_matches('/'));
    Url::parse(&text).map_err(|_| Error::Misconfigured(format!("`{text}` is no address")))
}

fn told(status: u16, vendor: &str, permission: &str) -> Result<(), Error> {
    match status {
        200 => Ok(()),
        401 | 403 => Err(Error::Misconfigured(format!("{vendor} does not let us read groups: grant {permission}"))),
        429 | 503 => Err(Error::Busy),
        status => Err(Error::Upstream(format!("{vendor} answered {status} when asked for groups"))),
    }
}

/// The next page; one that leads to another host is none.
fn next(first: &Url, link: Option<&Value>) -> Result<Option<Url>, Error> {
    let Some(link) = link.and_then(Value::as_str) else { return Ok(None) };
    let url = Url::parse(link).ok().filter(|url| url.origin() == first.origin());
    url.map(Some).ok_or_else(|| Error::Upstream("the next page of groups is at another host".into()))
}

/// Microsoft Graph, `directoryObject: getMemberObjects`: security groups, nested ones included.
async fn entra(deps: &Deps, base: &str, token: &str) -> Result<Vec<String>, Error> {
    let first = address(base, "/v1.0/me/getMemberObjects")?;
    let (mut found, mut page) = (Vec::new(), Some(first.clone()));
    for at in 0..=PAGES {
        let Some(url) = page.take() else { return Ok(found) };
        if at == PAGES {
            break;
        }
        let answer = if at == 0 {
            deps.http.post_json(&url, &json!({ "securityEnabledOnly": true }), token, LIMIT).await?
        } else {
            deps.http.get(&url, Some(token), LIMIT).await?
        };
        told(answer.status, "Microsoft Graph", "GroupMember.Read.All (delegated)")?;
        let answer: Value = answer.json()?;
        found.extend(groups(answer.get("value")).unwrap_or_default());
        page = next(&first, answer.get("@odata.nextLink"))?;
    }
    Err(Error::Upstream("the list of groups does not end".into()))
}

/// Cloud Identity, `groups.memberships.searchTransitiveGroups`.
async fn google(deps: &Deps, base: &str, token: &str, claims: &Claims) -> Result<Vec<String>, Error> {
    let email = claims.get("email").and_then(Value::as_str).filter(|e| !e.contains(['\'', '\\']));
    let email = email.ok_or_else(|| Error::Upstream("the ID token has no `email` to ask for groups with".into()))?;
    let query = format!("member_key_id == '{email}' && 'cloudidentity.googleapis.com/groups.discussion_forum' in labels");
    let (mut found, mut after) = (Vec::new(), None::<String>);
    for _ in 0..PAGES {
        let mut url = address(base, "/v1/groups/-/memberships:searchTransitiveGroups")?;
        url.query_pairs_mut().append_pair("query", &query).append_pair("pageSize", "200");
        if let Some(after) = &after {
            url.query_pairs_mut().append_pair("pageToken", after);
        }
        let answer = deps.http.get(&url, Some(token), LIMIT).await?;
        told(answer.status, "Google", "the scope cloud-identity.groups.readonly")?;
        let answer: Value = answer.json()?;
        let list = answer.get("memberships").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let names: Vec<Value> = list.iter().filter_map(|m| m.get("group").cloned()).collect();
        found.extend(groups(Some(&Value::Array(names))).unwrap_or_default());
        match answer.get("nextPageToken").and_then(Value::as_str).filter(|t| !t.is_empty()) {
            Some(token) => after = Some(token.chars().take(2000).collect()),
            None => return Ok(found),
        }
    }
    Err(Error::Upstream("the list of groups does not end".into()))
}
