//! Extractors that bound what they read and say which field is wrong. For browsers the answer is a page, else a problem
//! document.

use super::{Ctx, Problem};
use crate::deps::Deps;
use crate::pages;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::Response;
use serde::de::DeserializeOwned;

/// A form may have this many bytes.
const FORM_LIMIT: usize = 64 * 1024;
/// A JSON document may have this many bytes.
const JSON_LIMIT: usize = 256 * 1024;
/// A query may have this many bytes.
const QUERY_LIMIT: usize = 8 * 1024;

/// A JSON body.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);
/// An `application/x-www-form-urlencoded` body.
#[derive(Clone, Copy, Debug)]
pub struct Form<T>(pub T);
/// The query of the address.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);
/// The variable parts of the path; what does not parse is not found.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

fn is_type(parts: &Parts, wanted: &str) -> bool {
    let value = parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(wanted)
}

async fn read(parts: &Parts, body: Body, wanted: &'static str, limit: usize) -> Result<Vec<u8>, Problem> {
    if !is_type(parts, wanted) {
        let detail = format!("The body must be {wanted}; say so in Content-Type.");
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "body.media_type", detail));
    }
    let bytes = to_bytes(body, limit).await.map_err(|error| {
        // the same error type stands for "too long" and "the connection broke"; its source tells
        let too_long = std::error::Error::source(&error).is_some_and(|s| s.to_string().contains("length limit"));
        if too_long {
            let detail = format!("The body is longer than {limit} bytes.");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body.too_large", detail)
        } else {
            Problem::new(StatusCode::BAD_REQUEST, "body.broken", "The body could not be read to its end.")
        }
    })?;
    Ok(bytes.to_vec())
}

/// Which field a deserialiser complains about: the path that it walked, or the name in its sentence.
fn problem<E: std::fmt::Display>(code: &'static str, error: &serde_path_to_error::Error<E>) -> Problem {
    let path = error.path().to_string();
    let text = error.inner().to_string();
    // where in the bytes is of no use once the field is named
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    let named = text.split('`').nth(1).filter(|_| text.starts_with("missing field") || text.starts_with("unknown field"));
    let field = match (path.as_str(), named) {
        ("." | "", named) => named.map(str::to_owned),
        (path, Some(name)) if path != name && !path.ends_with(&format!(".{name}")) => Some(format!("{path}.{name}")),
        (path, _) => Some(path.to_owned()),
    };
    let detail = match &field {
        Some(field) => format!("The field `{field}` is not right: {text}."),
        None => format!("The input is not right: {text}."),
    };
    let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail);
    match field {
        Some(field) => problem.field(field),
        None => problem,
    }
}

fn urlencoded<T: DeserializeOwned>(bytes: &[u8], code: &'static str) -> Result<T, Problem> {
    let pairs = serde_urlencoded::Deserializer::new(url::form_urlencoded::parse(bytes));
    serde_path_to_error::deserialize(pairs).map_err(|e| problem(code, &e))
}

fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        if error.inner().is_data() {
            return problem("body.invalid", &error);
        }
        let detail = format!("The body is not JSON: {}.", error.inner());
        Problem::new(StatusCode::BAD_REQUEST, "body.syntax", detail)
    })?;
    reader.end().map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "body.syntax", "Something follows the JSON document."))?;
    Ok(value)
}

impl<T: DeserializeOwned> FromRequest<Deps> for Json<T> {
    type Rejection = Response;
    async fn from_request(request: Request, deps: &Deps) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let read = read(&parts, body, "application/json", JSON_LIMIT).await;
        let value = read.and_then(|bytes| match bytes.iter().find(|b| !b.is_ascii_whitespace()) {
            // serde would take a list of values for a struct
            Some(b'[') => Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "body.invalid", "The body must be a JSON object.")),
            _ => json(&bytes),
        });
        value.map(Self).map_err(|problem| pages::fault(deps, &Ctx::of(deps, &parts), problem))
    }
}

impl<T: DeserializeOwned> FromRequest<Deps> for Form<T> {
    type Rejection = Response;
    async fn from_request(request: Request, deps: &Deps) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let read = read(&parts, body, "application/x-www-form-urlencoded", FORM_LIMIT).await;
        let value = read.and_then(|bytes| urlencoded(&bytes, "form.invalid"));
        value.map(Self).map_err(|problem| pages::fault(deps, &Ctx::of(deps, &parts), problem))
    }
}

impl<T: DeserializeOwned> FromRequestParts<Deps> for Query<T> {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, deps: &Deps) -> Result<Self, Response> {
        let query = parts.uri.query().unwrap_or_default();
        let value = if query.len() > QUERY_LIMIT {
            Err(Problem::new(StatusCode::URI_TOO_LONG, "query.too_long", "The address is too long."))
        } else {
            urlencoded(query.as_bytes(), "query.invalid")
        };
        value.map(Self).map_err(|problem| pages::fault(deps, &Ctx::of(deps, parts), problem))
    }
}

impl<T: DeserializeOwned + Send> FromRequestParts<Deps> for Path<T> {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, deps: &Deps) -> Result<Self, Response> {
        match axum::extract::Path::from_request_parts(parts, deps).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(_) => Err(pages::not_found(deps, &Ctx::of(deps, parts))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        name: String,
        #[serde(default)]
        inner: Vec<Inner>,
    }
    #[derive(Debug, Deserialize, PartialEq)]
    struct Inner {
        count: u8,
    }

    #[test]
    fn errors_name_the_field() {
        for (text, status, field) in [
            (r#"{"name":"a"}"#, 200, None),
            (r#"{"name":5}"#, 422, Some("name")),
            ("{}", 422, Some("name")),
            (r#"{"name":"a","nmae":1}"#, 422, Some("nmae")),
            (r#"{"name":"a","inner":[{"count":1},{"count":900}]}"#, 422, Some("inner[1].count")),
            (r#"{"name":"a","inner":[{}]}"#, 422, Some("inner[0].count")),
            (r#"{"name":"#, 400, None),
            (r#"{"name":"a"} x"#, 400, None),
        ] {
            match json::<Outer>(text.as_bytes()) {
                Ok(_) => assert_eq!(status, 200, "{text}"),
                Err(p) => assert_eq!((p.status.as_u16(), p.field.as_deref()), (status, field), "{text}: {}", p.detail),
            }
        }
    }

    #[test]
    fn deep_json_is_refused_not_a_crash() {
        let deep = "[".repeat(100_000);
        assert_eq!(json::<serde_json::Value>(deep.as_bytes()).unwrap_err().status, StatusCode::BAD_REQUEST);
    }
}
