//! LDAP messages (RFC 4511): requests as bytes, responses as values. Bounded: a message cannot become much more in memory than
//! it was on the wire.

use super::ber::{BOOLEAN, ENUMERATED, INTEGER, Malformed, OCTETS, Reader, SEQUENCE, SET, Writer};
use crate::core::ldap_filter::Filter;

/// A control with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// Its OID.
    pub oid: String,
    /// Whether the server must refuse what it cannot do.
    pub critical: bool,
    /// Value.
    pub value: Option<Vec<u8>>,
}

/// How an operation ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Result code (RFC 4511 Appendix A).
    pub code: i64,
    /// What the server says for people; never trusted.
    pub text: String,
    /// Controls that came with it.
    pub controls: Vec<Control>,
}

impl Outcome {
    /// The value of a control.
    #[must_use]
    pub fn control(&self, oid: &str) -> Option<&[u8]> {
        self.controls.iter().find(|c| c.oid == oid)?.value.as_deref()
    }
}

/// An entry as the server sent it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub dn: String,
    /// Attributes with their values, in the order sent.
    pub attributes: Vec<(String, Vec<Vec<u8>>)>,
    /// Controls that came with it.
    pub controls: Vec<Control>,
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// To a bind.
    Bound(Outcome),
    /// One entry of a search.
    Entry(Entry),
    /// "Look elsewhere": how many addresses.
    Reference(usize),
    /// The end of a search.
    Done(Outcome),
    /// To an extended operation, or unsolicited.
    Extended(Outcome),
    /// In between.
    Intermediate {
        /// Its OID.
        oid: String,
        /// Value.
        value: Vec<u8>,
    },
}

/// A response and the request that it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Number of the request; 0: unsolicited.
    pub id: i64,
    /// What it says.
    pub response: Response,
}

/// Where a search looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// At the base alone.
    Base,
    /// At it and everything below.
    Subtree,
}

/// A search.
#[derive(Clone, Debug)]
pub struct Search {
    /// Where it begins.
    pub base: String,
    /// How deep it goes.
    pub scope: Scope,
    /// What is looked for.
    pub filter: Filter,
    /// Which attributes are wanted.
    pub attributes: Vec<String>,
    /// Most entries; 0: any number.
    pub size: u32,
    /// Controls.
    pub controls: Vec<Control>,
}

impl Search {
    /// A search of one entry.
    #[must_use]
    pub fn at(base: &str, attributes: &[&str]) -> Self {
        Self { scope: Scope::Base, ..Self::below(base, Filter::everything(), attributes) }
    }

    /// A search of a whole tree.
    #[must_use]
    pub fn below(base: &str, filter: Filter, attributes: &[&str]) -> Self {
        let attributes = attributes.iter().map(|a| (*a).to_owned()).collect();
        Self { base: base.to_owned(), scope: Scope::Subtree, filter, attributes, size: 0, controls: Vec::new() }
    }

    /// With a control.
    #[must_use]
    pub fn with(mut self, control: Control) -> Self {
        self.controls.push(control);
        self
    }

    /// At most so many entries.
    #[must_use]
    pub fn most(mut self, size: u32) -> Self {
        self.size = size;
        self
    }

    fn encode(&self) -> Writer {
        let scope = if self.scope == Scope::Base { 0 } else { 2 };
        let wanted = self.attributes.iter().fold(Writer::default(), |w, a| w.put(OCTETS, a.as_bytes()));
        Writer::default()
            .put(OCTETS, self.base.as_bytes())
            .number(ENUMERATED, scope)
            .number(ENUMERATED, 0)
            .number(INTEGER, i64::from(self.size))
            .number(INTEGER, 0)
            .boolean(false)
            .raw(&filter(&self.filter).done())
            .nest(SEQUENCE, wanted)
    }
}

/// A request, ready to be sent.
#[derive(Clone, Debug)]
pub enum Request<'a> {
    /// Simple bind.
    Bind {
        /// Who.
        name: &'a str,
        /// Secret.
        password: &'a str,
        /// Controls.
        controls: &'a [Control],
    },
    /// Search.
    Search(&'a Search),
    /// StartTLS (RFC 4511 §4.14).
    StartTls,
    /// Good-bye.
    Unbind,
}

impl Request<'_> {
    /// The bytes of the message with this number.
    #[must_use]
    pub fn encode(&self, id: i64) -> Vec<u8> {
        let empty: &[Control] = &[];
        let (operation, list) = match self {
            Self::Bind { name, password, controls } => {
                let body = Writer::default().number(INTEGER, 3).put(OCTETS, name.as_bytes()).put(0x80, password.as_bytes());
                (Writer::default().nest(0x60, body), *controls)
            }
            Self::Search(search) => (Writer::default().nest(0x63, search.encode()), search.controls.as_slice()),
            Self::StartTls => (Writer::default().nest(0x77, Writer::default().put(0x80, b"1.3.6.1.4.1.1466.20037")), empty),
            Self::Unbind => (Writer::default().put(0x42, &[]), empty),
        };
        let mut message = Writer::default().number(INTEGER, id).raw(&operation.done());
        if !list.is_empty() {
            message = message.nest(0xa0, list.iter().fold(Writer::default(), |w, c| w.nest(SEQUENCE, control(c))));
        }
        Writer::default().nest(SEQUENCE, message).done()
    }
}

fn control(c: &Control) -> Writer {
    let mut out = Writer::default().put(OCTETS, c.oid.as_bytes());
    if c.critical {
        out = out.boolean(true);
    }
    match &c.value {
        Some(value) => out.put(OCTETS, value),
        None => out,
    }
}

/// A filter on the wire. Its depth is bounded where it is read or built.
fn filter(f: &Filter) -> Writer {
    let pair =
        |tag: u8, a: &str, v: &[u8]| Writer::default().nest(tag, Writer::default().put(OCTETS, a.as_bytes()).put(OCTETS, v));
    let list = |tag: u8, parts: &[Filter]| {
        Writer::default().nest(tag, parts.iter().fold(Writer::default(), |w, part| w.raw(&filter(part).done())))
    };
    match f {
        Filter::And(parts) => list(0xa0, parts),
        Filter::Or(parts) => list(0xa1, parts),
        Filter::Not(inner) => Writer::default().nest(0xa2, filter(inner)),
        Filter::Equal(a, v) => pair(0xa3, a, v),
        Filter::Pieces { attribute, first, middle, last } => {
            let mut pieces = Writer::default();
            if !first.is_empty() {
                pieces = pieces.put(0x80, first);
            }
            pieces = middle.iter().fold(pieces, |w, piece| w.put(0x81, piece));
            if !last.is_empty() {
                pieces = pieces.put(0x82, last);
            }
            Writer::default().nest(0xa4, Writer::default().put(OCTETS, attribute.as_bytes()).nest(SEQUENCE, pieces))
        }
        Filter::AtLeast(a, v) => pair(0xa5, a, v),
        Filter::AtMost(a, v) => pair(0xa6, a, v),
        Filter::Present(a) => Writer::default().put(0x87, a.as_bytes()),
        Filter::Like(a, v) => pair(0xa8, a, v),
        Filter::Rule { attribute, rule, value, dn } => {
            let mut body = Writer::default();
            if !rule.is_empty() {
                body = body.put(0x81, rule.as_bytes());
            }
            if !attribute.is_empty() {
                body = body.put(0x82, attribute.as_bytes());
            }
            body = body.put(0x83, value);
            if *dn {
                body = body.put(0x84, &[0xff]);
            }
            Writer::default().nest(0xa9, body)
        }
    }
}

/// Most attributes and controls of one message.
const MAX_LIST: usize = 2_000;

/// Reads one whole message.
///
/// # Errors
/// [`Malformed`].
pub fn decode(bytes: &[u8]) -> Result<Message, Malformed> {
    let mut message = Reader::new(bytes).within(SEQUENCE)?;
    let id = message.number(INTEGER)?;
    let (tag, body) = message.any()?;
    // what else stands here is ignored: Active Directory puts the OID of its farewell in this place
    let controls = match message.maybe(0xa0)? {
        Some(list) => read_controls(list)?,
        None => Vec::new(),
    };
    let mut body = Reader::new(body);
    let response = match tag {
        0x61 => Response::Bound(outcome(&mut body, controls)?),
        0x64 => Response::Entry(entry(&mut body, controls, bytes.len())?),
        0x65 => Response::Done(outcome(&mut body, controls)?),
        0x73 => {
            let mut count = 0;
            while !body.is_empty() {
                body.expect(OCTETS)?;
                count += 1;
            }
            Response::Reference(count)
        }
        0x78 => Response::Extended(outcome(&mut body, controls)?),
        0x79 => {
            let oid = text(body.maybe(0x80)?.unwrap_or_default());
            let value = body.maybe(0x81)?.unwrap_or_default().to_vec();
            Response::Intermediate { oid, value }
        }
        _ => return Err(Malformed),
    };
    Ok(Message { id, response })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn outcome(body: &mut Reader<'_>, controls: Vec<Control>) -> Result<Outcome, Malformed> {
    let code = body.number(ENUMERATED)?;
    body.expect(OCTETS)?;
    Ok(Outcome { code, text: text(body.expect(OCTETS)?), controls })
}

fn entry(body: &mut Reader<'_>, controls: Vec<Control>, size: usize) -> Result<Entry, Malformed> {
    let dn = String::from_utf8(body.expect(OCTETS)?.to_vec()).map_err(|_| Malformed)?;
    let mut list = body.within(SEQUENCE)?;
    let mut attributes = Vec::new();
    // an empty value costs 2 bytes on the wire and 24 in memory
    let mut left = size / 16 + 64;
    while !list.is_empty() {
        let mut pair = list.within(SEQUENCE)?;
        let name = String::from_utf8(pair.expect(OCTETS)?.to_vec()).map_err(|_| Malformed)?;
        let mut set = pair.within(SET)?;
        let mut values = Vec::new();
        while !set.is_empty() {
            left = left.checked_sub(1).ok_or(Malformed)?;
            values.push(set.expect(OCTETS)?.to_vec());
        }
        if attributes.len() >= MAX_LIST {
            return Err(Malformed);
        }
        attributes.push((name, values));
    }
    Ok(Entry { dn, attributes, controls })
}

fn read_controls(list: &[u8]) -> Result<Vec<Control>, Malformed> {
    let mut list = Reader::new(list);
    let mut controls = Vec::new();
    while !list.is_empty() {
        let mut one = list.within(SEQUENCE)?;
        let oid = text(one.expect(OCTETS)?);
        let critical = one.maybe(BOOLEAN)?.is_some_and(|b| b.iter().any(|b| *b != 0));
        let value = one.maybe(OCTETS)?.map(<[u8]>::to_vec);
        if controls.len() >= 64 {
            return Err(Malformed);
        }
        controls.push(Control { oid, critical, value });
    }
    Ok(controls)
}

#[cfg(test)]
#[path = "proto_tests.rs"]
mod tests;
