//! A server that does what a test says, byte by byte. It has its own BER writer and reader: sharing ours would share its faults.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub fn tlv(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match body.len() {
        n @ 0..=127 => out.push(n as u8),
        n => out.extend([0x84, (n >> 24) as u8, (n >> 16) as u8, (n >> 8) as u8, n as u8]),
    }
    out.extend_from_slice(body);
    out
}

pub fn text(value: &str) -> Vec<u8> {
    tlv(4, value.as_bytes())
}

pub fn int(tag: u8, value: u32) -> Vec<u8> {
    let bytes = [0, (value >> 24) as u8, (value >> 16) as u8, (value >> 8) as u8, value as u8];
    tlv(tag, &bytes)
}

pub fn message(id: u32, op: &[u8], controls: &[u8]) -> Vec<u8> {
    let mut body = int(2, id);
    body.extend_from_slice(op);
    if !controls.is_empty() {
        body.extend(tlv(0xa0, controls));
    }
    tlv(0x30, &body)
}

pub fn result(tag: u8, code: u8, words: &str) -> Vec<u8> {
    tlv(tag, &[tlv(0x0a, &[code]), text(""), text(words)].concat())
}

pub fn control(oid: &str, value: &[u8]) -> Vec<u8> {
    tlv(0x30, &[text(oid), tlv(4, value)].concat())
}

pub fn page_cookie(cookie: &str) -> Vec<u8> {
    control("1.2.840.113556.1.4.319", &tlv(0x30, &[int(2, 0), text(cookie)].concat()))
}

pub type Attributes<'a> = &'a [(&'a str, &'a [&'a [u8]])];

pub fn entry(dn: &str, attributes: Attributes<'_>) -> Vec<u8> {
    let list: Vec<u8> = attributes
        .iter()
        .flat_map(|(name, values)| {
            let set: Vec<u8> = values.iter().flat_map(|v| tlv(4, v)).collect();
            tlv(0x30, &[text(name), tlv(0x31, &set)].concat())
        })
        .collect();
    tlv(0x64, &[text(dn), tlv(0x30, &list)].concat())
}

pub fn reference(url: &str) -> Vec<u8> {
    tlv(0x73, &text(url))
}

/// A request as far as tests look at it.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub id: u32,
    pub tag: u8,
    /// Name of a bind, base of a search.
    pub name: String,
    /// Password of a bind.
    pub password: String,
    /// Bytes of the whole message: for a look whether something is in them.
    pub raw: Vec<u8>,
}

impl Asked {
    pub fn is_bind(&self) -> bool {
        self.tag == 0x60
    }
    pub fn has(&self, what: &str) -> bool {
        self.raw.windows(what.len()).any(|w| w == what.as_bytes())
    }
    /// The cookie of the paged-results control, if there is one.
    pub fn page(&self) -> Option<String> {
        let oid = b"1.2.840.113556.1.4.319";
        let at = self.raw.windows(oid.len()).position(|w| w == oid)? + oid.len();
        // critical, then the value: SEQ { size, cookie }
        let rest = &self.raw[at..];
        let rest = if rest[0] == 1 { &rest[3..] } else { rest };
        let (_, value, _) = read(rest)?;
        let (_, body, _) = read(value)?;
        let (_, _, after) = read(body)?;
        let (_, cookie, _) = read(after)?;
        Some(String::from_utf8_lossy(cookie).into_owned())
    }
}

pub fn read(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, first) = (*bytes.first()?, *bytes.get(1)?);
    let (head, length) = if first < 128 {
        (2, usize::from(first))
    } else {
        let n = usize::from(first & 127);
        (2 + n, bytes.get(2..2 + n)?.iter().fold(0, |a, b| (a << 8) | usize::from(*b)))
    };
    Some((tag, bytes.get(head..head + length)?, bytes.get(head + length..)?))
}

/// The server's end of a connection.
pub struct Peer {
    pub stream: TcpStream,
    buffer: Vec<u8>,
}

impl Peer {
    /// The next request; nothing when the client has gone.
    pub async fn next(&mut self) -> Option<Asked> {
        loop {
            if let Some((_, body, rest)) = read(&self.buffer) {
                let raw = self.buffer[..self.buffer.len() - rest.len()].to_vec();
                let (_, id, body) = read(body)?;
                let id = id.iter().fold(0, |a, b| (a << 8) | u32::from(*b));
                let (tag, op, _) = read(body)?;
                let mut asked = Asked { id, tag, ..Asked::default() };
                let string = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
                match tag {
                    0x60 => {
                        let (_, _, op) = read(op)?;
                        let (_, name, op) = read(op)?;
                        let (_, password, _) = read(op)?;
                        (asked.name, asked.password) = (string(name), string(password));
                    }
                    0x63 => asked.name = string(read(op)?.1),
                    _ => {}
                }
                asked.raw = raw;
                self.buffer = rest.to_vec();
                return Some(asked);
            }
            let mut chunk = [0; 4096];
            match self.stream.read(&mut chunk).await {
                Ok(n) if n > 0 => self.buffer.extend_from_slice(&chunk[..n]),
                _ => return None,
            }
        }
    }

    pub async fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    pub async fn ok_bind(&mut self, asked: &Asked) -> bool {
        self.send(&message(asked.id, &result(0x61, 0, ""), &[])).await
    }

    /// Entries, then success.
    pub async fn answer(&mut self, asked: &Asked, entries: &[Vec<u8>]) -> bool {
        let mut bytes: Vec<u8> = entries.iter().flat_map(|e| message(asked.id, e, &[])).collect();
        bytes.extend(message(asked.id, &result(0x65, 0, ""), &[]));
        self.send(&bytes).await
    }
}

/// A running server.
pub struct Script {
    pub address: SocketAddr,
    pub connections: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Script {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Script {
    /// Serves every connection with `play`.
    pub async fn start<F, Fut>(play: F) -> Self
    where
        F: Fn(Peer) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = connections.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(play(Peer { stream, buffer: Vec::new() }));
            }
        });
        Self { address, connections, task }
    }

    /// As `host:port` of the name `dc.test`.
    pub fn server(&self) -> String {
        format!("dc.test:{}", self.address.port())
    }
}
