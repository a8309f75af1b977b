//! One connection to one server. An operation at a time, each with an end; whatever goes wrong, or is given up half way, breaks
//! the connection, and a broken one is never used again.
//!
//! Bytes are read only when somebody waits for a message: what a server sends too early waits in its own memory.

use super::ber::{Malformed, header};
use super::error::Error;
use super::proto::{Control, Entry, Message, Outcome, Request, Response, Search, decode};
use super::tls;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

enum Stream {
    Plain(TcpStream),
    Tls(Box<tls::Stream>),
}

/// Where to connect, and how.
#[derive(Clone)]
pub struct Target {
    /// Name: in the certificate and in messages.
    pub host: String,
    /// TLS, and whether it begins with the connection.
    pub tls: Option<(Arc<rustls::ClientConfig>, Begin)>,
}

/// When TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// At once.
    AtOnce,
    /// After an operation.
    StartTls,
}

/// A part of the answer to a search.
#[derive(Debug)]
pub enum Item {
    /// An entry.
    Entry(Entry),
    /// An intermediate response.
    Between(String, Vec<u8>),
    /// The end.
    Done(Outcome),
}

/// A connection.
pub struct Connection {
    stream: Stream,
    host: String,
    buffer: Vec<u8>,
    /// Where in the buffer the next message begins.
    at: usize,
    last_id: i64,
    /// A search that is not over.
    searching: Option<i64>,
    broken: bool,
    most: usize,
    /// Bytes of all messages so far.
    taken: usize,
    patience: Duration,
    /// Continuation references that were passed over.
    references: u64,
    /// What the server said of itself.
    pub known: Option<super::pull::Known>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection({}, broken: {})", self.host, self.broken)
    }
}

const CHUNK: usize = 16 * 1024;

impl Connection {
    /// Connects to an address that was looked up before.
    ///
    /// `most` is the most bytes of a message; `patience` how long one message may take.
    ///
    /// # Errors
    /// [`Error::Unreachable`] with what is wrong.
    pub async fn open(
        target: &Target,
        address: SocketAddr,
        end: Instant,
        patience: Duration,
        most: usize,
    ) -> Result<Self, Error> {
        let host = target.host.clone();
        let late = |_| Error::Unreachable(format!("{host} ({address}) did not answer in time"));
        let connect = timeout_at(end, TcpStream::connect(address)).await.map_err(late)?;
        let stream = connect.map_err(|e| Error::Unreachable(format!("{host} ({address}) takes no connection: {e}")))?;
        let _ = stream.set_nodelay(true);
        let mut connection = Self {
            stream: Stream::Plain(stream),
            host: host.clone(),
            buffer: Vec::new(),
            at: 0,
            last_id: 0,
            searching: None,
            broken: false,
            most,
            taken: 0,
            patience,
            references: 0,
            known: None,
        };
        let Some((config, begin)) = target.tls.clone() else { return Ok(connection) };
        if begin == Begin::StartTls {
            timeout_at(end, connection.start_tls()).await.map_err(late)??;
        }
        let Stream::Plain(stream) = connection.stream else { return Err(Error::Nonsense("TLS in TLS".into())) };
        let secured = timeout_at(end, tls::handshake(config, &host, stream)).await.map_err(late)??;
        connection.stream = Stream::Tls(Box::new(secured));
        Ok(connection)
    }

    async fn start_tls(&mut self) -> Result<(), Error> {
        let id = self.send(&Request::StartTls).await?;
        match self.receive(self.deadline()).await? {
            Message { id: answered, response: Response::Extended(outcome) } if answered == id => {
                if outcome.code != 0 {
                    let words = Error::refused(outcome.code, &outcome.text);
                    return Err(Error::Unreachable(format!("{} does not begin TLS: {words}", self.host)));
                }
                // what was sent before TLS is nobody's word
                if self.at < self.buffer.len() {
                    return Err(self.broke(Malformed.into()));
                }
                self.broken = false;
                Ok(())
            }
            _ => Err(self.broke(Malformed.into())),
        }
    }

    /// Whether it can be used for another operation.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        !self.broken && self.searching.is_none() && self.at >= self.buffer.len()
    }

    /// Whether it is sound and the server has said nothing since: not even that it is leaving.
    pub async fn is_quiet(&self) -> bool {
        let tcp = match &self.stream {
            Stream::Plain(tcp) => tcp,
            Stream::Tls(tls) => tls.get_ref().0,
        };
        let mut one = [0];
        // a peek that is not over at once has nothing to show
        self.is_sound() && tokio::time::timeout(Duration::ZERO, tcp.peek(&mut one)).await.is_err()
    }

    /// Name of the server.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Continuation references that were passed over so far.
    #[must_use]
    pub fn references(&self) -> u64 {
        self.references
    }

    /// When the next message must be there.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.patience
    }

    fn broke(&mut self, error: Error) -> Error {
        self.broken = true;
        error
    }

    async fn send(&mut self, request: &Request<'_>) -> Result<i64, Error> {
        if !self.is_sound() {
            return Err(Error::Lost(self.host.clone()));
        }
        // until the answer is there: whoever gives up waiting leaves a broken connection behind
        self.broken = true;
        self.last_id += 1;
        let bytes = request.encode(self.last_id);
        let end = self.deadline();
        let written = timeout_at(end, async {
            match &mut self.stream {
                Stream::Plain(s) => s.write_all(&bytes).await,
                Stream::Tls(s) => {
                    s.write_all(&bytes).await?;
                    s.flush().await
                }
            }
        });
        match written.await {
            Ok(Ok(())) => Ok(self.last_id),
            Ok(Err(_)) => Err(Error::Lost(self.host.clone())),
            Err(_) => Err(Error::Slow(self.host.clone(), self.patience.as_secs())),
        }
    }

    /// The next whole message, as bytes of the buffer that it fills.
    async fn receive(&mut self, end: Instant) -> Result<Message, Error> {
        loop {
            let ready = self.buffer.get(self.at..).unwrap_or_default();
            if ready.first().is_some_and(|tag| *tag != super::ber::SEQUENCE) {
                return Err(self.broke(Malformed.into()));
            }
            if let Some((head, body)) = header(ready).map_err(|e| self.broke(e.into()))? {
                let whole = head.saturating_add(body);
                if whole > self.most {
                    let mib = self.most / 1024 / 1024;
                    return Err(self.broke(Error::TooMuch(format!("{} sent an entry of more than {mib} MiB", self.host))));
                }
                if let Some(bytes) = self.buffer.get(self.at..self.at.saturating_add(whole)) {
                    let message = decode(bytes);
                    self.at += whole;
                    self.taken = self.taken.wrapping_add(whole);
                    self.tidy();
                    return message.map_err(|e| self.broke(e.into()));
                }
            }
            self.fill(end).await?;
        }
    }

    /// Gives memory back that a large message took.
    fn tidy(&mut self) {
        if self.at >= self.buffer.len() {
            self.buffer.clear();
            self.at = 0;
            self.buffer.shrink_to(CHUNK * 4);
        } else if self.at > CHUNK * 8 {
            self.buffer.drain(..self.at);
            self.at = 0;
        }
    }

    async fn fill(&mut self, end: Instant) -> Result<(), Error> {
        // a server that always has something ready would never be late otherwise
        if Instant::now() >= end {
            return Err(self.broke(Error::Slow(self.host.clone(), self.patience.as_secs())));
        }
        self.buffer.reserve(CHUNK);
        let read = timeout_at(end, async {
            match &mut self.stream {
                Stream::Plain(s) => s.read_buf(&mut self.buffer).await,
                Stream::Tls(s) => s.read_buf(&mut self.buffer).await,
            }
        });
        match read.await {
            Ok(Ok(0) | Err(_)) => Err(self.broke(Error::Lost(self.host.clone()))),
            Ok(Ok(_)) => Ok(()),
            Err(_) => Err(self.broke(Error::Slow(self.host.clone(), self.patience.as_secs()))),
        }
    }

    async fn answer(&mut self, id: i64, end: Instant) -> Result<Response, Error> {
        match self.receive(end).await? {
            Message { id: found, response } if found == id => Ok(response),
            Message { id: 0, response: Response::Extended(outcome) } => {
                let words = super::error::clean(&outcome.text);
                tracing::debug!(server = self.host, code = outcome.code, words, "a directory says good-bye");
                Err(self.broke(Error::Lost(self.host.clone())))
            }
            _ => Err(self.broke(Malformed.into())),
        }
    }

    /// A simple bind. An empty name or password would be an anonymous bind, which succeeds and proves nothing: never sent.
    ///
    /// # Errors
    /// Anything but an answer to the bind, whatever that says.
    pub async fn bind(&mut self, name: &str, password: &str, controls: &[Control]) -> Result<Outcome, Error> {
        if name.is_empty() || password.is_empty() {
            return Err(Error::Misconfigured("a bind needs a name and a password".into()));
        }
        let id = self.send(&Request::Bind { name, password, controls }).await?;
        match self.answer(id, self.deadline()).await? {
            Response::Bound(outcome) => {
                self.broken = false;
                Ok(outcome)
            }
            _ => Err(self.broke(Malformed.into())),
        }
    }

    /// Begins a search; [`Self::item`] brings what is found.
    ///
    /// # Errors
    /// Nothing could be sent.
    pub async fn search(&mut self, search: &Search) -> Result<(), Error> {
        let id = self.send(&Request::Search(search)).await?;
        self.broken = false;
        self.searching = Some(id);
        Ok(())
    }

    /// The next part of the answer, which must be there before `end`.
    ///
    /// # Errors
    /// The connection is broken then.
    pub async fn item(&mut self, end: Instant) -> Result<Item, Error> {
        let Some(id) = self.searching else { return Err(Error::Lost(self.host.clone())) };
        loop {
            match self.answer(id, end).await? {
                Response::Entry(entry) => return Ok(Item::Entry(entry)),
                Response::Reference(count) => self.references = self.references.saturating_add(count as u64),
                Response::Intermediate { oid, value } => return Ok(Item::Between(oid, value)),
                Response::Done(outcome) => {
                    self.searching = None;
                    return Ok(Item::Done(outcome));
                }
                Response::Bound(_) | Response::Extended(_) => return Err(self.broke(Malformed.into())),
            }
        }
    }

    /// A whole search of few entries: all of it before one deadline, at most `most` entries, and not more bytes than four of
    /// the largest entries have.
    ///
    /// # Errors
    /// Also when there are more.
    pub async fn few(&mut self, search: &Search, most: usize) -> Result<(Vec<Entry>, Outcome), Error> {
        self.search(search).await?;
        let (end, before) = (self.deadline(), self.taken);
        let mut entries = Vec::new();
        loop {
            match self.item(end).await? {
                Item::Entry(_) if self.taken.wrapping_sub(before) > self.most.saturating_mul(4) => {
                    return Err(self.broke(Error::TooMuch(format!("{} sent too much for one question", self.host))));
                }
                Item::Entry(_) if entries.len() >= most => {
                    let words = format!("{} sent more than {most} entries for one question", self.host);
                    return Err(self.broke(Error::TooMuch(words)));
                }
                Item::Entry(entry) => entries.push(entry),
                Item::Between(..) => {}
                Item::Done(outcome) => return Ok((entries, outcome)),
            }
        }
    }

    /// As [`Self::few`], and a result other than success is an error.
    ///
    /// # Errors
    /// As said.
    pub async fn find(&mut self, search: &Search, most: usize) -> Result<Vec<Entry>, Error> {
        let (entries, outcome) = self.few(search, most).await?;
        if outcome.code == 0 { Ok(entries) } else { Err(Error::refused(outcome.code, &outcome.text)) }
    }

    /// The entry of a name; `None` when there is none, or it is not shown.
    ///
    /// # Errors
    /// Anything else.
    pub async fn entry(&mut self, search: &Search) -> Result<Option<Entry>, Error> {
        match self.few(search, 1).await? {
            (mut entries, Outcome { code: 0, .. }) => Ok(entries.pop()),
            (_, Outcome { code: 32, .. }) => Ok(None),
            (_, outcome) => Err(Error::refused(outcome.code, &outcome.text)),
        }
    }

    /// Says good-bye, without waiting for anything.
    pub async fn close(mut self) {
        if self.is_sound() && self.send(&Request::Unbind).await.is_ok() {
            let _ = match &mut self.stream {
                Stream::Plain(s) => tokio::time::timeout(Duration::from_millis(200), s.shutdown()).await,
                Stream::Tls(s) => tokio::time::timeout(Duration::from_millis(200), s.shutdown()).await,
            };
        }
    }
}
