//! The path of a request target: read strictly to be matched, leniently to be recorded.
//!
//! Escapes are decoded once. Whatever another reader could decode again, cut or resolve (a slash,
//! backslash, percent sign or semicolon, dots, empty segments) makes the path unreadable, so that
//! the upstream never sees another path than the one that was judged (DOMAIN G1 to G3).

use core::fmt;

use super::mask::mask_tokens;

/// The longest path that is looked at, in bytes as sent (DOMAIN G13).
pub(super) const MAX_PATH: usize = 2_048;

/// The most segments of a path.
pub(super) const MAX_SEGMENTS: usize = 64;

/// Segments, decoded.
pub(super) type Segments<'p> = heapless::Vec<&'p str, MAX_SEGMENTS>;

/// Splits a request target into path and query; none where it is not an absolute path (DOMAIN G9)
/// or has a fragment.
pub(super) fn split(target: &str) -> Option<(&str, Option<&str>)> {
    if !target.starts_with('/') || target.contains('#') {
        return None;
    }

    Some(match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    })
}

/// A path that can be read in one way only: decoded, without a slash at its end.
pub(super) struct Path(heapless::String<MAX_PATH>);

impl Path {
    /// Reads a path as sent.
    pub(super) fn read(raw: &str) -> Option<Self> {
        let mut bytes = heapless::Vec::<u8, MAX_PATH>::new();
        if raw.len() > MAX_PATH {
            return None;
        }
        for byte in unescape(raw.as_bytes()) {
            let byte = match byte {
                Byte::Plain(byte) => byte,
                Byte::Escaped(b'/' | b'%' | b'?' | b'#') | Byte::Stray => return None,
                Byte::Escaped(byte) => byte,
            };
            if matches!(byte, b'\\' | b';') {
                return None;
            }
            bytes.push(byte).ok()?;
        }
        let mut text = heapless::String::from_utf8(bytes).ok()?;
        if text.chars().any(char::is_control) {
            return None;
        }
        if text.ends_with('/') {
            text.pop();
        }

        Some(Self(text))
    }

    /// Returns the segments; none where there are too many, or one is empty or only dots.
    pub(super) fn segments(&self) -> Option<Segments<'_>> {
        let mut segments = Segments::new();
        for segment in self.0.split('/').skip(1) {
            if matches!(segment, "" | "." | "..") {
                return None;
            }
            segments.push(segment).ok()?;
        }

        Some(segments)
    }

    /// Returns the path for records.
    pub(super) fn normal(&self) -> NormalPath {
        let mut path = NormalPath::default();
        path.add(if self.0.is_empty() { "/" } else { &self.0 });

        path
    }
}

/// The mark at the end of a path that was cut, and in place of what is not a path.
const CUT: char = '…';

/// A path as records show it: at most 256 bytes, without the query (DOMAIN F12), tokens masked
/// (DOMAIN I4), and with `…` at its end where it was cut (DOMAIN G13).
#[derive(Clone, Default, Eq, PartialEq)]
pub struct NormalPath(heapless::String<{ Self::MAX }>);

impl NormalPath {
    /// The most bytes of a recorded path.
    pub const MAX: usize = 256;

    /// Records whatever was sent as a target, also where no rule knows it.
    ///
    /// A target that does not begin with a slash becomes `…`: it may be a URI with a password in
    /// it. Bytes that are not UTF-8 become U+FFFD; control characters stay, to be escaped by
    /// whoever shows them.
    #[must_use]
    pub fn of(target: &str) -> Self {
        let mut path = Self::default();
        let raw = target.split(['?', '#']).next().unwrap_or_default();
        if !raw.starts_with('/') {
            path.cut();
            return path;
        }
        let mut bytes = heapless::Vec::<u8, MAX_PATH>::new();
        let looked_at = raw.as_bytes().get(..MAX_PATH).unwrap_or(raw.as_bytes());
        for byte in unescape(looked_at) {
            let (Byte::Plain(byte) | Byte::Escaped(byte)) = byte else {
                // There is room: decoding never makes a text longer.
                let _ = bytes.push(b'%');
                continue;
            };
            let _ = bytes.push(byte);
        }
        let shown = match bytes.as_slice() {
            [rest @ .., b'/'] if !rest.is_empty() => rest,
            all => all,
        };
        let whole = shown.utf8_chunks().all(|chunk| {
            path.add(chunk.valid()) && (chunk.invalid().is_empty() || path.add("\u{fffd}"))
        });
        if whole && looked_at.len() < raw.len() {
            path.cut();
        }

        path
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Adds `text`, masked before it is cut; returns whether all of it found room.
    fn add(&mut self, text: &str) -> bool {
        let fits = mask_tokens(text, &mut Fill(&mut self.0)).is_ok();
        if !fits {
            self.cut();
        }

        fits
    }

    /// Puts the mark at the end, in place of as many characters as it needs.
    fn cut(&mut self) {
        while self.0.len() + CUT.len_utf8() > Self::MAX {
            self.0.pop();
        }
        // The loop above made room.
        let _ = self.0.push(CUT);
    }
}

impl fmt::Display for NormalPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NormalPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Takes characters until one finds no room.
struct Fill<'a>(&'a mut heapless::String<{ NormalPath::MAX }>);

impl fmt::Write for Fill<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|character| self.0.write_char(character))
    }
}

/// One byte of an escaped text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Byte {
    /// It was written `%xx`.
    Escaped(u8),
    /// It stood there as it is.
    Plain(u8),
    /// A percent sign without two hexadecimal digits.
    Stray,
}

/// Decodes percent escapes once (RFC 3986, section 2.1).
pub(super) fn unescape(text: &[u8]) -> impl Iterator<Item = Byte> + '_ {
    let mut rest = text;
    core::iter::from_fn(move || {
        let (byte, after) = match rest {
            [b'%', high, low, after @ ..] => match hex(*high, *low) {
                Some(byte) => (Byte::Escaped(byte), after),
                None => (Byte::Stray, rest.get(1..)?),
            },
            [b'%', after @ ..] => (Byte::Stray, after),
            [byte, after @ ..] => (Byte::Plain(*byte), after),
            [] => return None,
        };
        rest = after;
        Some(byte)
    })
}

fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}
