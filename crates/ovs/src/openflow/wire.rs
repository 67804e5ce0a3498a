//! Bytes in network order: what reads and what writes them.

/// What the switch sent and we cannot make sense of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("OpenFlow: {what} is not understood: {found}")]
pub struct Malformed {
    what: &'static str,
    found: String,
}

/// Bytes shown of what is not understood.
const FOUND_BYTES_MAX: usize = 48;

impl Malformed {
    pub(crate) fn new(what: &'static str, found: impl std::fmt::Display) -> Malformed {
        Malformed { what, found: found.to_string() }
    }

    pub(crate) fn bytes(what: &'static str, bytes: &[u8]) -> Malformed {
        Malformed::new(what, hex(bytes.get(..FOUND_BYTES_MAX).unwrap_or(bytes)))
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads from the front.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// Over `bytes`, which are said to be `what`.
    #[must_use]
    pub fn new(bytes: &'a [u8], what: &'static str) -> Reader<'a> {
        Reader { bytes, what }
    }

    /// What is left.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes some bytes.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (front, rest) =
            self.bytes.split_at_checked(count).ok_or_else(|| Malformed::bytes(self.what, self.bytes))?;
        self.bytes = rest;
        Ok(front)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let what = self.what;
        let bytes = self.take(N)?;
        bytes.try_into().map_err(|_| Malformed::bytes(what, bytes))
    }

    /// A number of one byte.
    ///
    /// # Errors
    /// When nothing is left.
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    /// A number of two bytes.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// A number of four bytes.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// A number of eight bytes.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// A number of up to sixteen bytes.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn number(&mut self, bytes: usize) -> Result<u128, Malformed> {
        Ok(self.take(bytes)?.iter().fold(0, |number, byte| (number << 8) | u128::from(*byte)))
    }
}

/// Writes at the end.
#[derive(Debug, Clone, Default)]
pub struct Writer {
    /// What was written.
    pub bytes: Vec<u8>,
}

impl Writer {
    /// A number of one byte.
    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// A number of two bytes.
    pub fn u16(&mut self, value: u16) {
        self.bytes.extend(value.to_be_bytes());
    }

    /// A number of four bytes.
    pub fn u32(&mut self, value: u32) {
        self.bytes.extend(value.to_be_bytes());
    }

    /// A number of eight bytes.
    pub fn u64(&mut self, value: u64) {
        self.bytes.extend(value.to_be_bytes());
    }

    /// The low bytes of a number.
    pub fn number(&mut self, value: u128, bytes: usize) {
        let all = value.to_be_bytes();
        self.bytes.extend(all.iter().skip(all.len().saturating_sub(bytes)));
    }

    /// Bytes that mean nothing.
    pub fn zeros(&mut self, count: usize) {
        self.bytes.resize(self.bytes.len() + count, 0);
    }

    /// Fills up to a multiple of eight bytes since `start`.
    pub fn pad8(&mut self, start: usize) {
        let len = self.bytes.len() - start;
        self.zeros(len.next_multiple_of(8) - len);
    }

    /// Overwrites two bytes at `at`: lengths are known when all is written.
    pub fn patch_u16(&mut self, at: usize, value: u16) {
        let low = value.to_be_bytes();
        for (offset, byte) in low.into_iter().enumerate() {
            if let Some(place) = self.bytes.get_mut(at + offset) {
                *place = byte;
            }
        }
    }
}

/// A length in its two bytes; nothing of ours is longer than a message may be.
pub(crate) fn length(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}
