//! BER (X.690) as far as LDAP uses it: definite lengths, one-byte tags. Reading never recurses, never copies and never believes
//! a length: what a hostile server sends can at worst be [`Malformed`].

/// What was read is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server sent something that is no LDAP")]
pub struct Malformed;

/// A type of the universal class.
pub const BOOLEAN: u8 = 0x01;
/// A type of the universal class.
pub const INTEGER: u8 = 0x02;
/// A type of the universal class.
pub const OCTETS: u8 = 0x04;
/// A type of the universal class.
pub const ENUMERATED: u8 = 0x0a;
/// A type of the universal class.
pub const SEQUENCE: u8 = 0x30;
/// A type of the universal class.
pub const SET: u8 = 0x31;

/// Reads one value after another.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Begins at the front.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether everything was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tag of what comes next.
    #[must_use]
    pub fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// Whatever comes next: tag and contents.
    ///
    /// # Errors
    /// [`Malformed`], also at the end.
    pub fn any(&mut self) -> Result<(u8, &'a [u8]), Malformed> {
        let (head, body) = header(self.0)?.ok_or(Malformed)?;
        let tag = self.peek().ok_or(Malformed)?;
        let end = head.checked_add(body).ok_or(Malformed)?;
        let contents = self.0.get(head..end).ok_or(Malformed)?;
        self.0 = self.0.get(end..).ok_or(Malformed)?;
        Ok((tag, contents))
    }

    /// What comes next, if it has this tag.
    ///
    /// # Errors
    /// [`Malformed`], also when it has another.
    pub fn expect(&mut self, tag: u8) -> Result<&'a [u8], Malformed> {
        match self.any()? {
            (found, contents) if found == tag => Ok(contents),
            _ => Err(Malformed),
        }
    }

    /// What comes next, if it has this tag; else nothing is read.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn maybe(&mut self, tag: u8) -> Result<Option<&'a [u8]>, Malformed> {
        if self.peek() == Some(tag) { self.expect(tag).map(Some) } else { Ok(None) }
    }

    /// A constructed value, to read on within.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn within(&mut self, tag: u8) -> Result<Self, Malformed> {
        self.expect(tag).map(Self)
    }

    /// A whole number.
    ///
    /// # Errors
    /// [`Malformed`], also when it needs more than 64 bits.
    pub fn number(&mut self, tag: u8) -> Result<i64, Malformed> {
        number(self.expect(tag)?)
    }
}

/// The contents of a whole number.
///
/// # Errors
/// [`Malformed`] when it is empty or needs more than 64 bits.
pub fn number(bytes: &[u8]) -> Result<i64, Malformed> {
    if bytes.len() > 8 {
        return Err(Malformed);
    }
    let first = *bytes.first().ok_or(Malformed)?;
    let sign = if first & 0x80 == 0 { 0_i64 } else { -1 };
    Ok(bytes.iter().fold(sign, |all, b| (all << 8) | i64::from(*b)))
}

/// Lengths of the header and of the contents that `bytes` begin with; nothing while the header is not there whole.
///
/// # Errors
/// [`Malformed`] when no more bytes can make it right.
pub fn header(bytes: &[u8]) -> Result<Option<(usize, usize)>, Malformed> {
    let Some(tag) = bytes.first() else { return Ok(None) };
    if tag & 0x1f == 0x1f {
        return Err(Malformed);
    }
    let Some(first) = bytes.get(1) else { return Ok(None) };
    if *first < 0x80 {
        return Ok(Some((2, usize::from(*first))));
    }
    let count = usize::from(first & 0x7f);
    if !(1..=4).contains(&count) {
        return Err(Malformed);
    }
    let Some(digits) = bytes.get(2..2 + count) else { return Ok(None) };
    let length = digits.iter().fold(0_u64, |all, b| (all << 8) | u64::from(*b));
    Ok(Some((2 + count, usize::try_from(length).map_err(|_| Malformed)?)))
}

/// Writes values one after another.
#[derive(Clone, Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// A value with these contents.
    #[must_use]
    pub fn put(mut self, tag: u8, contents: &[u8]) -> Self {
        self.0.push(tag);
        let length = contents.len();
        match u8::try_from(length) {
            Ok(short) if short < 0x80 => self.0.push(short),
            _ => {
                let bytes = length.to_be_bytes();
                let digits = bytes.iter().copied().skip_while(|b| *b == 0).collect::<Vec<_>>();
                self.0.push(0x80 | u8::try_from(digits.len()).unwrap_or(8));
                self.0.extend_from_slice(&digits);
            }
        }
        self.0.extend_from_slice(contents);
        self
    }

    /// A constructed value.
    #[must_use]
    pub fn nest(self, tag: u8, within: Self) -> Self {
        self.put(tag, &within.0)
    }

    /// A whole number.
    #[must_use]
    pub fn number(self, tag: u8, value: i64) -> Self {
        let bytes = value.to_be_bytes();
        let fits = |from: &[u8]| number(from) == Ok(value);
        let start = (0..8).rev().find(|at| bytes.get(*at..).is_some_and(fits)).unwrap_or(0);
        self.put(tag, bytes.get(start..).unwrap_or(&bytes))
    }

    /// A truth value.
    #[must_use]
    pub fn boolean(self, value: bool) -> Self {
        self.put(BOOLEAN, &[if value { 0xff } else { 0 }])
    }

    /// Values that were made elsewhere.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// What was written.
    #[must_use]
    pub fn done(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back_and_are_short(value in any::<i64>()) {
            let bytes = Writer::default().number(INTEGER, value).done();
            prop_assert_eq!(Reader::new(&bytes).number(INTEGER), Ok(value));
            prop_assert!(bytes.len() <= 10);
        }

        #[test]
        fn contents_come_back(contents in proptest::collection::vec(any::<u8>(), 0..70_000)) {
            let bytes = Writer::default().put(OCTETS, &contents).done();
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.expect(OCTETS), Ok(contents.as_slice()));
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn garbage_is_malformed_or_read_but_nothing_panics(bytes in any::<Vec<u8>>()) {
            let mut reader = Reader::new(&bytes);
            while let Ok((_, contents)) = reader.any() {
                let _ = number(contents);
                if reader.is_empty() { break }
            }
        }
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        for bytes in
            [&[0x04, 0x05, 1][..], &[0x04, 0x84, 0xff, 0xff, 0xff, 0xff, 1], &[0x04, 0x80, 0, 0], &[0x04, 0x85, 0, 0, 0, 0, 1]]
        {
            assert_eq!(Reader::new(bytes).any(), Err(Malformed), "{bytes:x?}");
        }
        assert_eq!(header(&[0x1f, 1]), Err(Malformed));
        assert_eq!(header(&[0x30, 0x82, 1]), Ok(None));
        assert_eq!(number(&[]), Err(Malformed));
        assert_eq!((number(&[0xff]), number(&[0, 0xff])), (Ok(-1), Ok(255)));
    }
}
