//! What all resources share: answers, pages with cursors, times, subjects, spans.

use crate::core::Timestamp;
use crate::core::directory::{Span, Subject};
use crate::core::ids::{GroupId, PersonId, SpaceId};
use crate::core::text_rule::{CONTROL, Chars, Fault, TextRule};
use crate::deps::Deps;
use crate::http::{Ctx, Problem, etag};
use crate::{accounts, storage};
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// What a handler answers: a response, or a problem under the id of the request.
pub(super) type Answer = Result<Response, Problem>;

/// A problem document (RFC 9457), as it is described to clients.
#[derive(ToSchema)]
#[schema(as = Problem)]
#[expect(dead_code, reason = "only described; http::Problem writes it")]
pub(super) struct ProblemBody {
    /// URI of the kind of problem.
    #[schema(example = "urn:odcm:problem:group.cycle")]
    r#type: String,
    /// The status in words.
    title: String,
    /// HTTP status.
    status: u16,
    /// What is wrong and what would be right.
    detail: String,
    /// Stable code for programs.
    code: String,
    /// The input field to blame.
    field: Option<String>,
    /// Where to find it in the log.
    request_id: Option<String>,
    /// Seconds after which trying again makes sense.
    retry_after_s: Option<u32>,
}

/// The problems that any operation may answer.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "only described")]
pub(super) enum Problems {
    /// The request cannot be read.
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(ProblemBody),
    /// No valid token.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(ProblemBody),
    /// The token or its owner may not do this.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemBody),
    /// No such object, or the caller may not know it.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemBody),
    /// The state does not allow it.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(ProblemBody),
    /// Changed since it was read (If-Match).
    #[response(status = 412, content_type = "application/problem+json")]
    Stale(ProblemBody),
    /// The body is too large.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(ProblemBody),
    /// The address is too long.
    #[response(status = 414, content_type = "application/problem+json")]
    AddressTooLong(ProblemBody),
    /// The body is not JSON.
    #[response(status = 415, content_type = "application/problem+json")]
    MediaType(ProblemBody),
    /// A field is wrong.
    #[response(status = 422, content_type = "application/problem+json")]
    Unprocessable(ProblemBody),
    /// Too many attempts.
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(ProblemBody),
    /// Busy; try again.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(ProblemBody),
}

/// A problem of a use case, under the id of the request.
pub(super) fn of(ctx: &Ctx) -> impl Fn(accounts::Error) -> Problem {
    let ctx = ctx.clone();
    move |error| Problem::from(error).of(&ctx)
}

/// A storage error of a read, under the id of the request.
pub(super) fn read(ctx: &Ctx) -> impl Fn(storage::Error) -> Problem {
    let ctx = ctx.clone();
    move |error| Problem::from(accounts::Error::from(error)).of(&ctx)
}

/// A refusal, under the id of the request.
pub(super) fn refused(ctx: &Ctx) -> impl Fn(crate::core::Refusal) -> Problem {
    let ctx = ctx.clone();
    move |refusal| Problem::from(refusal).of(&ctx)
}

/// 404 for an object.
pub(super) fn missing(ctx: &Ctx, what: &'static str) -> Problem {
    Problem::from(crate::core::Refusal::not_found(what)).of(ctx)
}

/// That a Space is there, for lists of what belongs to it. Ask after the right to know.
pub(super) async fn known_space(deps: &Deps, ctx: &Ctx, id: &SpaceId) -> Result<(), Problem> {
    let found = storage::spaces::find(&mut &deps.db, id).await.map_err(read(ctx))?;
    found.map(drop).ok_or_else(|| missing(ctx, "Space"))
}

/// That a group is there, for lists of what belongs to it. Ask after the right to know.
pub(super) async fn known_group(deps: &Deps, ctx: &Ctx, id: &GroupId) -> Result<(), Problem> {
    let found = storage::groups::find(&mut &deps.db, id).await.map_err(read(ctx))?;
    found.map(drop).ok_or_else(|| missing(ctx, "group"))
}

/// That a person is there, for lists of what belongs to it. Ask after the right to know.
pub(super) async fn known_person(deps: &Deps, ctx: &Ctx, id: &PersonId) -> Result<(), Problem> {
    let found = storage::people::find(&mut &deps.db, id).await.map_err(read(ctx))?;
    found.map(drop).ok_or_else(|| missing(ctx, "person"))
}

/// 200 with a body.
pub(super) fn ok(body: impl Serialize) -> Answer {
    Ok(Json(body).into_response())
}

/// 200 with a body and its ETag.
pub(super) fn tagged(version: i64, body: impl Serialize) -> Answer {
    let mut response = Json(body).into_response();
    response.headers_mut().insert(header::ETAG, etag::tag(version));
    Ok(response)
}

/// 201 with a body, and where the new object is.
pub(super) fn created(location: &str, body: impl Serialize) -> Answer {
    let mut response = (StatusCode::CREATED, Json(body)).into_response();
    if let Ok(value) = HeaderValue::from_str(&format!("/api/v1{location}")) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    Ok(response)
}

/// 204.
pub(super) fn done() -> Answer {
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Which part of a list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    /// Items per page, 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50)]
    #[serde(default)]
    pub(super) limit: Option<i64>,
    /// The `next` of the page before.
    #[param(max_length = 512)]
    #[serde(default)]
    pub(super) after: Option<String>,
}

impl Part {
    /// Items per page.
    pub(super) fn limit(&self, ctx: &Ctx) -> Result<i64, Problem> {
        match self.limit {
            None => Ok(50),
            Some(n @ 1..=200) => Ok(n),
            Some(_) => {
                Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "limit.invalid", "limit is 1 to 200.").field("limit").of(ctx))
            }
        }
    }
    /// The cursor, if one is given.
    pub(super) fn after<T: DeserializeOwned>(&self, ctx: &Ctx) -> Result<Option<T>, Problem> {
        let Some(text) = self.after.as_deref().filter(|t| !t.is_empty()) else { return Ok(None) };
        let bad = || {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "after.invalid", "after must be the `next` of the page before.")
                .field("after")
                .of(ctx)
        };
        let bytes = B64.decode(text).map_err(|_| bad())?;
        // no name or id has one, and no database need be asked whether it takes a NUL
        let seen: serde_json::Value = serde_json::from_slice(&bytes).map_err(|_| bad())?;
        if has_nul(&seen) {
            return Err(bad());
        }
        serde_json::from_value(seen).map(Some).map_err(|_| bad())
    }
}

fn has_nul(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::String(text) => text.contains('\0'),
        serde_json::Value::Array(list) => list.iter().any(has_nul),
        serde_json::Value::Object(map) => map.values().any(has_nul),
        _ => false,
    }
}

/// Which part of a list, of what fits a text.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Search {
    /// Items per page, 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50)]
    #[serde(default)]
    limit: Option<i64>,
    /// The `next` of the page before.
    #[param(max_length = 512)]
    #[serde(default)]
    after: Option<String>,
    /// Part of the name.
    #[param(max_length = 200)]
    #[serde(default)]
    q: Option<String>,
}

impl Search {
    /// Which part, and the text.
    pub(super) fn parts(self, ctx: &Ctx) -> Result<(Part, Option<String>), Problem> {
        let q = bounded(self.q, "q", 200, ctx)?.filter(|text| !text.is_empty());
        Ok((Part { limit: self.limit, after: self.after }, q))
    }
}

/// A cursor from the key of the last item.
pub(super) fn cursor(key: impl Serialize) -> String {
    B64.encode(serde_json::to_vec(&key).unwrap_or_default())
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct List<T> {
    /// The items.
    pub(super) items: Vec<T>,
    /// Give this as `after` for the next page; null: there is no more.
    pub(super) next: Option<String>,
}

impl<T> List<T> {
    /// A list that is whole.
    pub(super) fn whole(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
    /// From a page of storage; `key` makes the cursor of an item.
    pub(super) fn page<S, K: Serialize>(page: storage::page::Page<S>, key: impl Fn(&S) -> K, shape: impl Fn(S) -> T) -> Self {
        let next = page.items.last().filter(|_| page.more).map(|last| cursor(key(last)));
        Self { items: page.items.into_iter().map(shape).collect(), next }
    }
}

/// RFC 3339 in UTC.
pub(super) fn time(t: Timestamp) -> String {
    t.rfc3339()
}

/// RFC 3339 in UTC, or null.
pub(super) fn time_or(t: Option<Timestamp>) -> Option<String> {
    t.map(Timestamp::rfc3339)
}

/// What can be in a group or be granted a Space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum SubjectKind {
    /// A person.
    Person,
    /// A group.
    Group,
}

/// A person or group.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SubjectRef {
    /// Which.
    pub(super) kind: SubjectKind,
    /// Its id.
    #[schema(format = "uuid")]
    pub(super) id: String,
}

impl From<&Subject> for SubjectRef {
    fn from(subject: &Subject) -> Self {
        match subject {
            Subject::Person(id) => Self { kind: SubjectKind::Person, id: id.to_string() },
            Subject::Group(id) => Self { kind: SubjectKind::Group, id: id.to_string() },
        }
    }
}

impl SubjectRef {
    /// As the core knows it; `within` is the field that holds it.
    pub(super) fn subject(&self, within: &str, ctx: &Ctx) -> Result<Subject, Problem> {
        let bad = |_| {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "id.invalid", "This is not an id of a person or group.")
                .field(format!("{within}.id"))
                .of(ctx)
        };
        match self.kind {
            SubjectKind::Person => PersonId::parse(&self.id).map(Subject::Person).map_err(bad),
            SubjectKind::Group => GroupId::parse(&self.id).map(Subject::Group).map_err(bad),
        }
    }
}

/// When something holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Validity)]
pub(super) struct When {
    /// First instant, RFC 3339 in UTC; null: at once.
    #[serde(default)]
    #[schema(format = DateTime)]
    pub(super) from: Option<String>,
    /// First instant after, RFC 3339 in UTC; null: without end.
    #[serde(default)]
    #[schema(format = DateTime)]
    pub(super) until: Option<String>,
}

impl From<Span> for When {
    fn from(span: Span) -> Self {
        Self { from: time_or(span.from), until: time_or(span.until) }
    }
}

/// When something holds, as part of a larger answer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Holds {
    /// First instant, in UTC; null: since ever.
    #[schema(format = DateTime)]
    from: Option<String>,
    /// First instant after, in UTC; null: without end.
    #[schema(format = DateTime)]
    until: Option<String>,
}

impl From<Span> for Holds {
    fn from(span: Span) -> Self {
        Self { from: time_or(span.from), until: time_or(span.until) }
    }
}

impl When {
    /// As the core knows it; `within` is the field that holds it, with a dot, or nothing.
    pub(super) fn span(&self, within: &str, ctx: &Ctx) -> Result<Span, Problem> {
        let parse = |text: &Option<String>, field: &str| match text {
            None => Ok(None),
            Some(text) => instant(text, &format!("{within}{field}"), ctx).map(Some),
        };
        let span = Span { from: parse(&self.from, "from")?, until: parse(&self.until, "until")? };
        if let (Some(from), Some(until)) = (span.from, span.until)
            && until <= from
        {
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "span.invalid", "until must be after from.")
                .field(format!("{within}until"))
                .of(ctx));
        }
        Ok(span)
    }
}

/// A point in time of a request.
pub(super) fn instant(text: &str, field: &str, ctx: &Ctx) -> Result<Timestamp, Problem> {
    Timestamp::parse_exact(text).ok_or_else(|| {
        let detail = format!("{field} must be a time in UTC such as 2026-11-22T13:00:00Z.");
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "time.invalid", detail).field(field).of(ctx)
    })
}

/// A text of a query; how long it may be stands with each.
pub(super) const QUERY_TEXT: TextRule = TextRule::of(0, 200, Chars::Not(&[CONTROL]));

/// A text of a query, at most so many characters long, without control characters.
pub(super) fn bounded(text: Option<String>, field: &'static str, most: usize, ctx: &Ctx) -> Result<Option<String>, Problem> {
    let rule = TextRule { max: most, ..QUERY_TEXT };
    let code = match text.as_ref().and_then(|t| rule.fault(t)) {
        None => return Ok(text),
        Some(fault @ Fault::Length { .. }) => ("text.too_long", fault),
        Some(fault) => ("text.invalid", fault),
    };
    let (code, detail) = (code.0, format!("The parameter `{field}` is not right: {}.", code.1));
    Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail).field(field).of(ctx))
}

/// An id in a body or query.
pub(super) fn id<T: std::str::FromStr>(text: &str, field: &'static str, ctx: &Ctx) -> Result<T, Problem> {
    text.parse().map_err(|_| {
        let detail = format!("{field} must be an id such as 01890a5d-ac96-774b-bcce-b302099a8057.");
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "id.invalid", detail).field(field).of(ctx)
    })
}

/// Mirrors an enum of `core`, which knows nothing of OpenAPI.
macro_rules! mirror {
    ($(#[$meta:meta])* enum $name:ident = $core:path { $($(#[$doc:meta])* $variant:ident,)* }) => {
        #[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        $(#[$meta])*
        enum $name { $($(#[$doc])* $variant,)* }
        impl From<$core> for $name {
            fn from(value: $core) -> Self { match value { $(<$core>::$variant => Self::$variant,)* } }
        }
        impl From<$name> for $core {
            fn from(value: $name) -> Self { match value { $($name::$variant => Self::$variant,)* } }
        }
    };
}

pub(super) use mirror;
