//! The controls that this connector uses: their values as bytes, and the answers to them.

use super::ber::{BOOLEAN, ENUMERATED, INTEGER, Malformed, OCTETS, Reader, SEQUENCE, SET, Writer};
use super::proto::Control;

/// Paged results (RFC 2696).
pub const PAGED: &str = "1.2.840.113556.1.4.319";
/// Names with GUID and SID ([MS-ADTS] §3.1.1.3.4.1.5).
pub const EXTENDED_DN: &str = "1.2.840.113556.1.4.529";
/// Deleted entries too ([MS-ADTS] §3.1.1.3.4.1.14).
pub const SHOW_DELETED: &str = "1.2.840.113556.1.4.417";
/// What changed since ([MS-ADTS] §3.1.1.3.4.1.3).
pub const DIRSYNC: &str = "1.2.840.113556.1.4.841";
/// Tell me when something changes ([MS-ADTS] §3.1.1.3.4.1.9).
pub const NOTIFY: &str = "1.2.840.113556.1.4.528";
/// Stay within the domain: no references elsewhere ([MS-ADTS] §3.1.1.3.4.1.4).
pub const DOMAIN_SCOPE: &str = "1.2.840.113556.1.4.1339";
/// Content synchronisation: request (RFC 4533 §2.2).
pub const SYNC_REQUEST: &str = "1.3.6.1.4.1.4203.1.9.1.1";
/// Content synchronisation: with each entry (RFC 4533 §2.3).
pub const SYNC_STATE: &str = "1.3.6.1.4.1.4203.1.9.1.2";
/// Content synchronisation: at the end (RFC 4533 §2.4).
pub const SYNC_DONE: &str = "1.3.6.1.4.1.4203.1.9.1.3";
/// Content synchronisation: in between (RFC 4533 §2.5).
pub const SYNC_INFO: &str = "1.3.6.1.4.1.4203.1.9.1.4";

/// Longest cookie that is taken and stored.
pub const MAX_COOKIE: usize = 32 * 1024;

fn of(oid: &str, critical: bool, value: Option<Writer>) -> Control {
    Control { oid: oid.into(), critical, value: value.map(Writer::done) }
}

/// A control without a value.
#[must_use]
pub fn plain(oid: &str, critical: bool) -> Control {
    of(oid, critical, None)
}

/// So many entries, from this cookie on.
#[must_use]
pub fn paged(size: u32, cookie: &[u8]) -> Control {
    let body = Writer::default().number(INTEGER, i64::from(size)).put(OCTETS, cookie);
    of(PAGED, true, Some(Writer::default().nest(SEQUENCE, body)))
}

/// The cookie of the next page; empty: there is none.
///
/// # Errors
/// [`Malformed`].
pub fn next_page(value: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut body = Reader::new(value).within(SEQUENCE)?;
    body.number(INTEGER)?;
    cookie(body.expect(OCTETS)?)
}

fn cookie(bytes: &[u8]) -> Result<Vec<u8>, Malformed> {
    if bytes.len() > MAX_COOKIE { Err(Malformed) } else { Ok(bytes.to_vec()) }
}

/// Names as texts with GUID and SID in front.
#[must_use]
pub fn extended_dn() -> Control {
    of(EXTENDED_DN, false, Some(Writer::default().nest(SEQUENCE, Writer::default().number(INTEGER, 1))))
}

/// What changed since this cookie, as far as the account may read it (flag 1: no special right is needed).
#[must_use]
pub fn dirsync(since: &[u8]) -> Control {
    let body = Writer::default().number(INTEGER, 1).number(INTEGER, 1 << 20).put(OCTETS, since);
    of(DIRSYNC, true, Some(Writer::default().nest(SEQUENCE, body)))
}

/// Whether there is more, and the next cookie.
///
/// # Errors
/// [`Malformed`].
pub fn dirsync_answer(value: &[u8]) -> Result<(bool, Vec<u8>), Malformed> {
    let mut body = Reader::new(value).within(SEQUENCE)?;
    let more = body.number(INTEGER)? != 0;
    body.number(INTEGER)?;
    Ok((more, cookie(body.expect(OCTETS)?)?))
}

/// Content synchronisation: refresh only.
#[must_use]
pub fn sync_request(since: Option<&[u8]>) -> Control {
    let mut body = Writer::default().number(ENUMERATED, 1);
    if let Some(since) = since {
        body = body.put(OCTETS, since);
    }
    of(SYNC_REQUEST, true, Some(Writer::default().nest(SEQUENCE, body)))
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is as it was.
    Present,
    /// New or changed.
    Changed,
    /// Gone.
    Deleted,
}

/// State and UUID of an entry.
///
/// # Errors
/// [`Malformed`].
pub fn sync_state(value: &[u8]) -> Result<(State, [u8; 16]), Malformed> {
    let mut body = Reader::new(value).within(SEQUENCE)?;
    let state = match body.number(ENUMERATED)? {
        0 => State::Present,
        1 | 2 => State::Changed,
        3 => State::Deleted,
        _ => return Err(Malformed),
    };
    Ok((state, body.expect(OCTETS)?.try_into().map_err(|_| Malformed)?))
}

/// The cookie, and whether the deleted were named (else: what was not named is gone).
///
/// # Errors
/// [`Malformed`].
pub fn sync_done(value: &[u8]) -> Result<(Option<Vec<u8>>, bool), Malformed> {
    let mut body = Reader::new(value).within(SEQUENCE)?;
    let next = body.maybe(OCTETS)?.map(cookie).transpose()?;
    Ok((next, body.maybe(BOOLEAN)?.is_some_and(|b| b != [0])))
}

/// What is said in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyncInfo {
    /// A cookie.
    Cookie(Vec<u8>),
    /// The deleted were named; what follows is of another phase.
    DeletesNamed,
    /// All present were named: what was not is gone.
    PresentNamed,
    /// UUIDs: of what is gone (`true`), or is as it was.
    Ids(bool, Vec<[u8; 16]>),
}

/// Reads what is said in between.
///
/// # Errors
/// [`Malformed`].
pub fn sync_info(value: &[u8]) -> Result<SyncInfo, Malformed> {
    let (tag, body) = Reader::new(value).any()?;
    let mut reader = Reader::new(body);
    match tag {
        0x80 => Ok(SyncInfo::Cookie(cookie(body)?)),
        0xa1 => Ok(SyncInfo::DeletesNamed),
        0xa2 => Ok(SyncInfo::PresentNamed),
        0xa3 => {
            reader.maybe(OCTETS)?;
            let deleted = reader.maybe(BOOLEAN)?.is_some_and(|b| b != [0]);
            let mut set = reader.within(SET)?;
            let mut ids = Vec::new();
            while !set.is_empty() {
                ids.push(set.expect(OCTETS)?.try_into().map_err(|_| Malformed)?);
            }
            Ok(SyncInfo::Ids(deleted, ids))
        }
        _ => Err(Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn dirsync_cookies_come_back(more in any::<bool>(), bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let body = Writer::default().number(INTEGER, i64::from(more)).number(INTEGER, 0).put(OCTETS, &bytes);
            let value = Writer::default().nest(SEQUENCE, body).done();
            prop_assert_eq!(dirsync_answer(&value), Ok((more, bytes.clone())));
            let asked = dirsync(&bytes).value.unwrap();
            let mut asked = Reader::new(&asked).within(SEQUENCE).unwrap();
            prop_assert_eq!(asked.number(INTEGER), Ok(1));
            prop_assert_eq!(asked.number(INTEGER), Ok(1 << 20));
            prop_assert_eq!(asked.expect(OCTETS), Ok(bytes.as_slice()));
        }

        #[test]
        fn garbage_never_panics(value in any::<Vec<u8>>()) {
            let _ = (next_page(&value), dirsync_answer(&value), sync_state(&value), sync_done(&value), sync_info(&value));
        }
    }

    #[test]
    fn content_synchronisation() {
        let id = [7; 16];
        let state = Writer::default().nest(SEQUENCE, Writer::default().number(ENUMERATED, 3).put(OCTETS, &id)).done();
        assert_eq!(sync_state(&state), Ok((State::Deleted, id)));
        let short = Writer::default().nest(SEQUENCE, Writer::default().number(ENUMERATED, 1).put(OCTETS, &[1; 3])).done();
        assert_eq!(sync_state(&short), Err(Malformed));
        let done = Writer::default().nest(SEQUENCE, Writer::default().put(OCTETS, b"c").boolean(true)).done();
        assert_eq!(sync_done(&done), Ok((Some(b"c".to_vec()), true)));
        assert_eq!(sync_done(&Writer::default().nest(SEQUENCE, Writer::default()).done()), Ok((None, false)));
        let ids = Writer::default().boolean(true).nest(SET, Writer::default().put(OCTETS, &id));
        assert_eq!(sync_info(&Writer::default().nest(0xa3, ids).done()), Ok(SyncInfo::Ids(true, vec![id])));
        let long = Writer::default().put(0x80, &vec![0; MAX_COOKIE + 1]).done();
        assert_eq!(sync_info(&long), Err(Malformed));
    }
}
