//! One unit (a packet, a message, a record) read off the front of a stream of
//! bytes that may not be whole yet.

/// The longest text that is kept of anything that a peer sent, in characters.
const LONGEST_TEXT: usize = 512;

/// What a parser found: a unit, none yet, or nonsense.
pub type Parsed<T> = Result<Option<Unit<T>>, Garbled>;

/// A unit at the front of what is unread.
#[derive(Debug, Eq, PartialEq)]
pub struct Unit<T> {
    /// What it says.
    pub value: T,
    /// Bytes to take off the front; all of them are there.
    pub taken: usize,
    /// Bytes after those to pass over unread, as they come.
    pub skipped: usize,
}

impl<T> Unit<T> {
    /// A unit that is there as a whole.
    pub const fn whole(value: T, taken: usize) -> Self {
        Self {
            value,
            taken,
            skipped: 0,
        }
    }
}

/// The bytes are not what was expected, which is named.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Garbled(pub &'static str);

/// Text that a peer sent, cut to a sane length.
#[must_use]
pub fn text(bytes: &[u8]) -> String {
    let whole = String::from_utf8_lossy(bytes);
    match whole.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => format!("{}…", &whole[..end]),
        None => whole.into_owned(),
    }
}
