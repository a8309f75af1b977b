//! One HTTP/1.1 connection that is kept, with cookies: small, so that it disturbs the server on the same machine little.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub location: String,
    pub body: String,
}

impl Answer {
    /// Checks the status.
    pub fn expect(self, status: u16) -> Result<Self, String> {
        if self.status == status {
            return Ok(self);
        }
        Err(format!("expected {status}, got {} {} {}", self.status, self.location, self.body))
    }

    /// The value of an input of the page.
    pub fn input(&self, name: &str) -> Result<String, String> {
        let tag = self.body.split('<').find(|tag| tag.contains(&format!("name=\"{name}\"")));
        let value = tag.and_then(|tag| tag.split("value=\"").nth(1)?.split('"').next());
        value.map(|v| v.replace("&#x2f;", "/")).ok_or_else(|| format!("no input {name} in {}", self.body))
    }

    /// The action of the form whose action ends so.
    pub fn action(&self, end: &str) -> Result<String, String> {
        let page = self.body.replace("&#x2f;", "/");
        let mut actions = page.split("action=\"").skip(1).filter_map(|p| p.split('"').next());
        actions.find(|a| a.ends_with(end)).map(str::to_owned).ok_or_else(|| format!("no form …{end} in {}", self.body))
    }

    /// A parameter of the address that it redirects to.
    pub fn query(&self, name: &str) -> Result<String, String> {
        let found = url::Url::parse(&self.location).ok();
        let value = found.and_then(|u| u.query_pairs().find(|(n, _)| n == name).map(|(_, v)| v.into_owned()));
        value.ok_or_else(|| format!("no {name} in the redirect to `{}`: {} {}", self.location, self.status, self.body))
    }
}

/// A client.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
    port: u16,
    pub cookies: BTreeMap<String, String>,
}

impl Client {
    /// Connects.
    pub async fn new(port: u16) -> Result<Self, String> {
        Ok(Self { stream: Self::connect(port).await?, port, cookies: BTreeMap::new() })
    }

    async fn connect(port: u16) -> Result<BufReader<TcpStream>, String> {
        let connecting = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port)));
        let stream = timeout(PATIENCE, connecting).await.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        Ok(BufReader::new(stream))
    }

    /// Sends a request and reads the answer.
    pub async fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Result<Answer, String> {
        let mut text = format!("{method} {path} HTTP/1.1\r\nhost: localhost:{}\r\n", self.port);
        if !self.cookies.is_empty() {
            let pairs: Vec<String> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
            text.push_str(&format!("cookie: {}\r\n", pairs.join("; ")));
        }
        headers.iter().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\r\n")));
        if method != "GET" {
            text.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        text.push_str(body);
        if let Some(answer) = self.exchange(&text).await? {
            return Ok(answer);
        }
        // the server ends connections on which nothing was asked for a while
        self.stream = Self::connect(self.port).await?;
        self.exchange(&text).await?.ok_or_else(|| "no answer".into())
    }

    /// Nothing when the connection was over before an answer began.
    async fn exchange(&mut self, text: &str) -> Result<Option<Answer>, String> {
        let mut line = String::new();
        if self.stream.get_mut().write_all(text.as_bytes()).await.is_err() {
            return Ok(None);
        }
        match timeout(PATIENCE, self.stream.read_line(&mut line)).await.map_err(|e| e.to_string())? {
            Ok(0) | Err(_) => Ok(None),
            Ok(_) => self.read(line).await.map(Some),
        }
    }

    async fn read(&mut self, mut line: String) -> Result<Answer, String> {
        let status = line.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or_else(|| format!("no answer: `{line}`"))?;
        let (mut length, mut location) = (0, String::new());
        loop {
            line.clear();
            self.stream.read_line(&mut line).await.map_err(|e| e.to_string())?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            match name {
                "content-length" => length = value.parse().map_err(|_| "a wrong content-length")?,
                "location" => location = value.to_owned(),
                "transfer-encoding" => return Err("an answer in chunks".into()),
                "set-cookie" => self.keep(value),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.map_err(|e| e.to_string())?;
        Ok(Answer { status, location, body: String::from_utf8(body).map_err(|e| e.to_string())? })
    }

    fn keep(&mut self, line: &str) {
        let Some((name, value)) = line.split(';').next().and_then(|pair| pair.split_once('=')) else { return };
        if line.contains("Max-Age=0") {
            self.cookies.remove(name);
        } else {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }

    /// `GET`, as a browser.
    pub async fn get(&mut self, path: &str) -> Result<Answer, String> {
        self.send("GET", path, &[("accept", "text/html")], "").await
    }

    /// A form, as a browser on the own origin sends it.
    pub async fn form(&mut self, path: &str, fields: &[(&str, &str)]) -> Result<Answer, String> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let origin = format!("http://localhost:{}", self.port);
        let headers = [("accept", "text/html"), ("content-type", "application/x-www-form-urlencoded"), ("origin", &origin)];
        self.send("POST", path, &headers, &body).await
    }

    /// Gets a page and follows redirects on this site.
    pub async fn open(&mut self, path: &str) -> Result<Answer, String> {
        let mut answer = self.get(path).await?;
        for _ in 0..10 {
            if !(300..400).contains(&answer.status) || !answer.location.starts_with('/') {
                break;
            }
            answer = self.get(&answer.location.clone()).await?;
        }
        Ok(answer)
    }

    /// Sends the form of a page, without following the redirect.
    pub async fn submit(&mut self, page: &Answer, end: &str, field: (&str, &str)) -> Result<Answer, String> {
        let (action, csrf) = (page.action(end)?, page.input("csrf")?);
        self.form(&action, &[("csrf", &csrf), field]).await
    }
}
