//! What handlers take and give: [`Req`], [`Query`], [`Body`], JSON answers.

use std::sync::Arc;

use axum::{
    body::Body as HttpBody,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::Response,
};
use serde_json::Value;

use super::{
    auth::Caller,
    errors::{ApiError, ApiResult},
    permissions,
    server::App,
    state::{Document, State, User},
};

/// Largest body that is read, in bytes.
pub const MAX_BODY: usize = 4 << 20;

/// A JSON answer with the API's content type.
pub fn json_response(status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(HttpBody::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json; charset=utf-8"));
    response
}

/// 200 with lines of comma separated values.
pub fn csv(head: &[&str], lines: &[Vec<String>]) -> Response {
    let cell = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let head = head.iter().map(|name| cell(name)).collect::<Vec<_>>().join(",");
    let lines = lines.iter().map(|line| line.iter().map(|text| cell(text)).collect::<Vec<_>>().join(","));
    let text = std::iter::once(head).chain(lines).collect::<Vec<_>>().join("\r\n");
    let mut response = Response::new(HttpBody::from(text + "\r\n"));
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/csv; charset=utf-8"));
    response
}

/// 200 with a body.
#[expect(clippy::unnecessary_wraps, reason = "the last line of most handlers")]
pub fn ok(body: &Value) -> ApiResult {
    Ok(json_response(StatusCode::OK, body))
}

/// 201 with a body and its address.
pub fn created(body: &Value) -> ApiResult {
    let mut response = json_response(StatusCode::CREATED, body);
    if let Some(address) = body.pointer("/Links/Self").and_then(Value::as_str).and_then(|link| link.parse().ok()) {
        response.headers_mut().insert(header::LOCATION, address);
    }
    Ok(response)
}

/// The query string; names ignore case, unknown ones are ignored.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a raw query string.
    pub fn parse(raw: &str) -> Self {
        Self(url::form_urlencoded::parse(raw.as_bytes()).map(|(name, value)| (name.to_lowercase(), value.into_owned())).collect())
    }

    /// The first non-empty value.
    pub fn get(&self, name: &str) -> Option<&str> {
        let name = name.to_lowercase();
        self.0.iter().find(|(known, value)| *known == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// All values, split at commas; `None` when the name does not occur with a value.
    pub fn list(&self, name: &str) -> Option<Vec<String>> {
        let name = name.to_lowercase();
        let values = self.0.iter().filter(|(known, _)| *known == name).flat_map(|(_, value)| value.split(','));
        let values = values.map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        (!values.is_empty()).then_some(values)
    }

    /// A boolean.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.get(name).and_then(|value| value.to_lowercase().parse().ok())
    }

    /// A number.
    ///
    /// # Errors
    /// 400 that names the parameter.
    pub fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value
            .parse()
            .map(Some)
            .map_err(|_| ApiError::invalid(format!("The value '{value}' is not valid for {name}: a number from 0 is.")))
    }

    /// The pairs as they came, names in lower case.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }
}

/// What the front of the server found out about a request.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Who calls.
    pub caller: Caller,
    /// Path as it came.
    pub path: String,
    /// Inner space of the path, such as `Spaces-1`.
    pub space: Option<String>,
    /// `Host` header.
    pub host: String,
    /// `User-Agent` header.
    pub user_agent: String,
}

/// A request to the API.
pub struct Req {
    /// The server.
    pub app: App,
    /// What the front found out.
    pub facts: Arc<Facts>,
    /// The query string.
    pub query: Query,
    /// All headers.
    pub headers: HeaderMap,
}

impl FromRequestParts<App> for Req {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let facts = parts.extensions.get::<Arc<Facts>>().cloned().ok_or_else(ApiError::no_route)?;
        let query = Query::parse(parts.uri.query().unwrap_or_default());
        Ok(Self { app: app.clone(), facts, query, headers: parts.headers.clone() })
    }
}

impl Req {
    /// The signed-in user, or 401.
    ///
    /// # Errors
    /// 401 with its cause.
    pub fn user<'a>(&self, state: &'a State) -> Result<&'a User, ApiError> {
        let refusal = || ApiError::unauthenticated(self.facts.caller.refusal.as_deref());
        self.facts.caller.user_id.as_deref().and_then(|id| state.user(id)).ok_or_else(refusal)
    }

    /// Demands a permission of the whole server.
    ///
    /// # Errors
    /// 401 without a user, 403 that names the permission.
    pub fn need<'a>(&self, state: &'a State, permission: &str) -> Result<&'a User, ApiError> {
        self.need_at(state, permission, None)
    }

    /// Demands a permission where a document lives: of the whole server without a space, else inside that space.
    ///
    /// # Errors
    /// 401 without a user, 403 that names the permission.
    pub fn need_at<'a>(&self, state: &'a State, permission: &str, space: Option<&str>) -> Result<&'a User, ApiError> {
        let user = self.user(state)?;
        if permissions::at(state, &user.id, permission, space) { Ok(user) } else { Err(ApiError::missing(permission)) }
    }

    /// Demands a permission to look at a mixed list at all: in the space of the address, or anywhere. What the caller
    /// may not see is then left out by [`Req::sees`].
    ///
    /// # Errors
    /// 401 without a user, 403 that names the permission.
    pub fn need_somewhere<'a>(&self, state: &'a State, permission: &str) -> Result<&'a User, ApiError> {
        let user = self.user(state)?;
        let holds = match self.facts.space.as_deref() {
            Some(space) => permissions::at(state, &user.id, permission, Some(space)),
            None => permissions::anywhere(state, &user.id, permission),
        };
        if holds { Ok(user) } else { Err(ApiError::missing(permission)) }
    }

    /// Whether the caller holds a permission where a document lives.
    pub fn sees(&self, state: &State, permission: &str, space: Option<&str>) -> bool {
        self.need_at(state, permission, space).is_ok()
    }

    /// The inner space that this request is about: the one of the path, or the default one.
    pub fn space(&self) -> &str {
        self.facts.space.as_deref().unwrap_or("Spaces-1")
    }

    /// The path before links of collections: `/api/Spaces-1` or `/api`.
    pub fn base(&self) -> String {
        self.facts.space.as_deref().map_or_else(|| "/api".into(), |space| format!("/api/{space}"))
    }
}

/// A JSON object as the body of a request.
pub struct Body(pub Document);

impl FromRequest<App> for Body {
    type Rejection = ApiError;
    async fn from_request(request: Request, _: &App) -> Result<Self, ApiError> {
        let bytes = axum::body::to_bytes(request.into_body(), MAX_BODY)
            .await
            .map_err(|_| ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, format!("The body is larger than {MAX_BODY} bytes.")))?;
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(map)) => Ok(Self(map)),
            Ok(_) => Err(ApiError::invalid("The body must be a JSON object.")),
            Err(error) => Err(ApiError::invalid(format!("The body is not JSON: {error}"))),
        }
    }
}

/// A field of a JSON object. Case does not matter, as in the real server's typed bodies; the exact name goes first.
pub fn named<'a>(map: &'a Document, field: &str) -> Option<&'a Value> {
    map.get(field).or_else(|| map.iter().find(|(name, _)| name.eq_ignore_ascii_case(field)).map(|(_, value)| value))
}

/// A field of a JSON value, if that is an object; see [`named`].
pub fn member<'a>(value: &'a Value, field: &str) -> Option<&'a Value> {
    named(value.as_object()?, field)
}

impl Body {
    /// A field, whatever the case of its name.
    pub fn field(&self, name: &str) -> Option<&Value> {
        named(&self.0, name)
    }

    /// A text field: `None` when absent or null, 400 when it is something else.
    ///
    /// # Errors
    /// 400 that names the field.
    pub fn text(&self, field: &str) -> Result<Option<String>, ApiError> {
        match self.field(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(ApiError::invalid(format!("The field {field} must be a text."))),
        }
    }

    /// A boolean field.
    ///
    /// # Errors
    /// 400 that names the field.
    pub fn flag(&self, field: &str) -> Result<Option<bool>, ApiError> {
        match self.field(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(yes)) => Ok(Some(*yes)),
            Some(_) => Err(ApiError::invalid(format!("The field {field} must be true or false."))),
        }
    }

    /// A required text of bounded length.
    ///
    /// # Errors
    /// 400 that names the field.
    pub fn required(&self, field: &str, longest: usize) -> Result<String, ApiError> {
        let text = self.text(field)?.filter(|text| !text.trim().is_empty());
        let text = text.ok_or_else(|| ApiError::invalid(format!("{field} is required.")))?;
        short(field, text, longest)
    }

    /// An optional text of bounded length.
    ///
    /// # Errors
    /// 400 that names the field.
    pub fn optional(&self, field: &str, longest: usize) -> Result<Option<String>, ApiError> {
        self.text(field)?.map(|text| short(field, text, longest)).transpose()
    }

    /// A list of texts; absent and null are empty, as the real server's typed bodies make them.
    ///
    /// # Errors
    /// 400 that names the field.
    pub fn texts(&self, field: &str) -> Result<Vec<String>, ApiError> {
        let wrong = || ApiError::invalid(format!("The field {field} must be a list of texts."));
        match self.field(field) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(list)) => list.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong)).collect(),
            Some(_) => Err(wrong()),
        }
    }
}

fn short(field: &str, text: String, longest: usize) -> Result<String, ApiError> {
    if text.chars().count() > longest {
        return Err(ApiError::invalid(format!("{field} must not be longer than {longest} characters.")));
    }
    Ok(text)
}
