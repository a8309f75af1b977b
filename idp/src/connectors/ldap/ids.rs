//! Identifiers of Active Directory: GUIDs and SIDs, from bytes that may lie about their length.

use std::fmt;

/// A security identifier ([MS-DTYP] §2.4.2).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sid {
    authority: u64,
    parts: Vec<u32>,
}

/// Most parts of a SID.
const MAX_PARTS: usize = 15;

impl Sid {
    /// From the bytes of `objectSid`.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<8>()?;
        let [1, count, authority @ ..] = *head else { return None };
        let count = usize::from(count);
        if count > MAX_PARTS || rest.len() != count * 4 {
            return None;
        }
        let authority = authority.iter().fold(0_u64, |all, b| (all << 8) | u64::from(*b));
        let (parts, _) = rest.as_chunks::<4>();
        Some(Self { authority, parts: parts.iter().map(|p| u32::from_le_bytes(*p)).collect() })
    }

    /// From its text, `S-1-5-21-…`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("S-1-").or_else(|| text.strip_prefix("s-1-"))?;
        let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
        let mut numbers = rest.split('-');
        let authority = numbers.next().filter(|t| digits(t))?.parse().ok().filter(|a| *a < 1 << 48)?;
        let parts = numbers.map(|t| if digits(t) { t.parse().ok() } else { None }).collect::<Option<Vec<u32>>>()?;
        (parts.len() <= MAX_PARTS).then_some(Self { authority, parts })
    }

    /// The bytes that a filter compares with.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![1, u8::try_from(self.parts.len()).unwrap_or(0)];
        bytes.extend(self.authority.to_be_bytes().iter().skip(2));
        bytes.extend(self.parts.iter().flat_map(|p| p.to_le_bytes()));
        bytes
    }

    /// Whether it belongs to something made in a domain, not to something that every domain has.
    #[must_use]
    pub fn is_of_a_domain(&self) -> bool {
        self.authority == 5 && self.parts.first() == Some(&21) && self.parts.len() == 5
    }

    /// Its last part: the number within the domain.
    #[must_use]
    pub fn rid(&self) -> Option<u32> {
        self.parts.last().copied()
    }

    /// The SID of another number in the same domain.
    #[must_use]
    pub fn sibling(&self, rid: u32) -> Self {
        let mut sibling = self.clone();
        if let Some(last) = sibling.parts.last_mut() {
            *last = rid;
        }
        sibling
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S-1-{}", self.authority)?;
        self.parts.iter().try_for_each(|p| write!(f, "-{p}"))
    }
}

/// The text of a GUID from the 16 bytes of `objectGUID`.
#[must_use]
pub fn guid(bytes: &[u8]) -> Option<String> {
    let b: &[u8; 16] = bytes.try_into().ok()?;
    let [a, b4, c, d @ ..] = [
        u64::from(u32::from_le_bytes([b[0], b[1], b[2], b[3]])),
        u64::from(u16::from_le_bytes([b[4], b[5]])),
        u64::from(u16::from_le_bytes([b[6], b[7]])),
        u64::from(u16::from_be_bytes([b[8], b[9]])),
    ];
    let node = b.iter().skip(10).fold(0_u64, |all, x| (all << 8) | u64::from(*x));
    Some(format!("{a:08x}-{b4:04x}-{c:04x}-{:04x}-{node:012x}", d[0]))
}

/// The bytes of a GUID from its text.
#[must_use]
pub fn guid_bytes(text: &str) -> Option<Vec<u8>> {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    if lengths != [8, 4, 4, 4, 12] || !text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit()) {
        return None;
    }
    let mut parts = text.split('-').map(|p| u64::from_str_radix(p, 16).ok());
    let mut next = || parts.next().flatten();
    let mut bytes = u32::try_from(next()?).ok()?.to_le_bytes().to_vec();
    bytes.extend(u16::try_from(next()?).ok()?.to_le_bytes());
    bytes.extend(u16::try_from(next()?).ok()?.to_le_bytes());
    bytes.extend(u16::try_from(next()?).ok()?.to_be_bytes());
    bytes.extend(next()?.to_be_bytes().iter().skip(2));
    Some(bytes)
}

/// A UUID from its 16 bytes in network order, as `entryUUID` has it.
#[must_use]
pub fn uuid(bytes: &[u8]) -> Option<String> {
    let whole = u128::from_be_bytes(bytes.try_into().ok()?);
    let hex = format!("{whole:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    Some([part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_values() {
        let bytes = [1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0xf4, 1, 0, 0];
        let sid = Sid::from_bytes(&bytes).unwrap();
        assert_eq!(sid.to_string(), "S-1-5-21-1-2-3-500");
        assert_eq!(sid.to_bytes(), bytes);
        assert!(sid.is_of_a_domain() && sid.rid() == Some(500));
        assert_eq!(sid.sibling(513).to_string(), "S-1-5-21-1-2-3-513");
        assert!(!Sid::parse("S-1-5-32-544").unwrap().is_of_a_domain() && !Sid::parse("S-1-5-11").unwrap().is_of_a_domain());
        let raw: Vec<u8> = (0..16).collect();
        assert_eq!(guid(&raw).unwrap(), "03020100-0504-0706-0809-0a0b0c0d0e0f");
        assert_eq!(uuid(&raw).unwrap(), "00010203-0405-0607-0809-0a0b0c0d0e0f");
    }

    #[test]
    fn lies_are_refused() {
        let good = Sid::parse("S-1-5-21-1-2-3-500").unwrap().to_bytes();
        for count in [0, 4, 6, 16, 255] {
            let mut bad = good.clone();
            bad[1] = count;
            assert_eq!(Sid::from_bytes(&bad), None, "{count}");
        }
        let mut bad = good.clone();
        bad[0] = 2;
        assert_eq!(Sid::from_bytes(&bad), None);
        assert_eq!((Sid::from_bytes(&[]), Sid::from_bytes(&good[..27])), (None, None));
        for text in ["", "S-1-", "S-1-5-", "S-2-5-1", "S-1-5-x", "S-1-5--1", "S-1-5-4294967296", "S-1-+5-1"] {
            assert_eq!(Sid::parse(text), None, "{text}");
        }
        assert_eq!((guid(&[1, 2, 3]), guid(&[0; 17]), guid_bytes("x"), uuid(&[0; 15])), (None, None, None, None));
        assert_eq!(guid_bytes("03020100-0504-0706-0809-+a0b0c0d0e0f"), None);
    }

    proptest! {
        #[test]
        fn sids_come_back(authority in 0u64..1 << 48, parts in proptest::collection::vec(any::<u32>(), 0..15)) {
            let sid = Sid { authority, parts };
            prop_assert_eq!(Sid::from_bytes(&sid.to_bytes()), Some(sid.clone()));
            prop_assert_eq!(Sid::parse(&sid.to_string()), Some(sid));
        }

        #[test]
        fn guids_come_back(bytes in any::<[u8; 16]>()) {
            prop_assert_eq!(guid_bytes(&guid(&bytes).unwrap()).unwrap(), bytes.to_vec());
        }

        #[test]
        fn nothing_panics(bytes in any::<Vec<u8>>(), text in any::<String>()) {
            let _ = (Sid::from_bytes(&bytes), guid(&bytes), uuid(&bytes), Sid::parse(&text), guid_bytes(&text));
        }
    }
}
