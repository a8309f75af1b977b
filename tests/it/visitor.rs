//! A browser without scripts, in process: keeps cookies, follows redirects on request, reads forms.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode, header};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use tower::ServiceExt;

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
    to: String,
}

/// What a page says in an attribute.
fn unescaped(text: &str) -> String {
    [("&quot;", "\""), ("&#x27;", "'"), ("&#x2f;", "/"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

impl Answer {
    /// Where it leads by itself: by a redirect, or by a page that goes on at once.
    pub fn location(&self) -> &str {
        &self.to
    }
    /// The hidden inputs of the first form whose action ends so.
    pub fn hidden(&self, end: &str) -> Vec<(String, String)> {
        let form = self.text.split("<form").skip(1).find(|form| {
            form.split("action=\"").nth(1).and_then(|rest| rest.split('"').next()).is_some_and(|action| action.ends_with(end))
        });
        let form = form.unwrap_or_else(|| panic!("no form …{end} in {}", self.text)).split("</form>").next().unwrap();
        let value = |tag: &str, name: &str| {
            tag.split(&format!("{name}=\"")).nth(1).map(|v| unescaped(v.split('"').next().unwrap())).unwrap_or_default()
        };
        let inputs = form.split("<input").skip(1).map(|tag| tag.split('>').next().unwrap());
        inputs.filter(|tag| tag.contains("type=\"hidden\"")).map(|tag| (value(tag, "name"), value(tag, "value"))).collect()
    }
    /// The value of a hidden or prefilled input.
    pub fn input(&self, name: &str) -> String {
        let needle = format!("name=\"{name}\"");
        let at = self.text.find(&needle).unwrap_or_else(|| panic!("no input {name} in {}", self.text));
        let tag = &self.text[self.text[..at].rfind('<').unwrap()..];
        let tag = &tag[..tag.find('>').unwrap()];
        tag.split("value=\"").nth(1).map_or("", |v| v.split('"').next().unwrap()).to_owned()
    }
    /// The action of the first form whose action ends so.
    pub fn action(&self, end: &str) -> String {
        let found = self.text.split("action=\"").skip(1).map(|p| p.split('"').next().unwrap()).find(|a| a.ends_with(end));
        found.unwrap_or_else(|| panic!("no form …{end} in {}", self.text)).to_owned()
    }
}

/// A browser.
#[derive(Clone)]
pub struct Visitor {
    router: Router,
    pub cookies: BTreeMap<String, String>,
    pub origin: Option<String>,
    pub address: SocketAddr,
    pub headers: Vec<(&'static str, String)>,
}

impl Visitor {
    pub fn new(router: Router, origin: &str) -> Self {
        let address = "192.0.2.10:4000".parse().unwrap();
        Self { router, cookies: BTreeMap::new(), origin: Some(origin.into()), address, headers: vec![] }
    }

    async fn send(&mut self, method: &str, path: &str, body: String) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header(header::ACCEPT, "text/html");
        if !self.cookies.is_empty() {
            let line: Vec<String> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
            request = request.header(header::COOKIE, line.join("; "));
        }
        if method == "POST" {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            if let Some(origin) = &self.origin {
                request = request.header(header::ORIGIN, origin);
            }
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let request = request.extension(ConnectInfo(self.address)).body(Body::from(body)).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        for line in parts.headers.get_all(header::SET_COOKIE) {
            let line = line.to_str().unwrap();
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            if line.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.into(), value.into());
            }
        }
        let text = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
        let text = text.replace("&#x2f;", "/"); // as a parser of HTML would
        let refresh = || {
            let url = text.split("http-equiv=\"refresh\" content=\"0; url=").nth(1)?;
            Some(unescaped(url.split('"').next()?))
        };
        let location = parts.headers.get(header::LOCATION).map(|v| v.to_str().unwrap().to_owned());
        let to = location.or_else(refresh).unwrap_or_default();
        Answer { status: parts.status, headers: parts.headers, text, to }
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, String::new()).await
    }

    pub async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.send("POST", path, body).await
    }

    pub async fn head(&mut self, path: &str) -> Answer {
        self.send("HEAD", path, String::new()).await
    }

    /// Gets a page and follows it on this site where it leads by itself, at most ten times.
    pub async fn open(&mut self, path: &str) -> Answer {
        let mut answer = self.get(path).await;
        for _ in 0..10 {
            if !answer.location().starts_with('/') {
                return answer;
            }
            let to = answer.location().to_owned();
            answer = self.get(&to).await;
        }
        answer
    }

    /// Sends the first form of a page whose action ends so, with its hidden fields, and follows on this site where it leads.
    pub async fn submit(&mut self, page: &Answer, end: &str, fields: &[(&str, &str)]) -> Answer {
        let hidden = page.hidden(end);
        let kept = hidden.iter().filter(|(name, _)| fields.iter().all(|(field, _)| name != field));
        let form: Vec<(&str, &str)> = kept.map(|(n, v)| (n.as_str(), v.as_str())).chain(fields.iter().copied()).collect();
        let answer = self.post(&page.action(end), &form).await;
        if answer.location().starts_with('/') {
            let to = answer.location().to_owned();
            return self.open(&to).await;
        }
        answer
    }
}
