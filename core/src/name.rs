//! Names and ids that come from outside and end up in records.
//!
//! A [`Name`] fits one line of a log and one byte of length in a snapshot; a [`Uuid`] has one
//! spelling.

use core::fmt;

/// The longest name in bytes (DOMAIN 3.1).
pub const MAX_NAME: usize = 128;

/// A name that is safe to keep: 1 to 128 bytes of UTF-8, trimmed, without control characters.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Name<'a>(&'a str);

impl<'a> Name<'a> {
    /// Checks `text`, which is neither trimmed nor cut: two different names never become one
    /// (DOMAIN C5, C6).
    ///
    /// # Errors
    ///
    /// Returns what is wrong with `text`.
    pub fn new(text: &'a str) -> Result<Self, BadName> {
        if text.is_empty() {
            return Err(BadName::Empty);
        }
        if text.len() > MAX_NAME {
            return Err(BadName::TooLong(text.len()));
        }
        if text.trim() != text {
            return Err(BadName::Untrimmed);
        }
        if let Some((at, _)) = text.char_indices().find(|(_, c)| is_unprintable(*c)) {
            return Err(BadName::ControlCharacter { at });
        }

        Ok(Self(text))
    }

    /// Checks a friendly name, a nickname or a token's name: letters, numbers, space, `-` and `_`
    /// only (DOMAIN 3.1, C4).
    ///
    /// # Errors
    ///
    /// Returns what is wrong with `text`.
    pub fn plain(text: &'a str) -> Result<Self, BadName> {
        let name = Self::new(text)?;
        let plain = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        if let Some((at, _)) = text.char_indices().find(|(_, c)| !plain(*c)) {
            return Err(BadName::Alphabet { at });
        }

        Ok(name)
    }

    /// Returns the name as it is written down.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

/// Control characters and those that turn the direction of what follows would let a name rewrite
/// the line that it stands in.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{feff}')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What is wrong with a name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BadName {
    /// A character outside letters, numbers, space, `-` and `_`.
    Alphabet {
        /// Byte offset of the first one.
        at: usize,
    },
    /// A control or direction character could forge or split a line.
    ControlCharacter {
        /// Byte offset of the first one.
        at: usize,
    },
    /// The name has no characters.
    Empty,
    /// The name has this many bytes, more than [`MAX_NAME`].
    TooLong(usize),
    /// The name begins or ends with white space.
    Untrimmed,
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alphabet { at } => {
                write!(f, "character at byte {at}: use letters, numbers, space, `-` and `_`")
            }
            Self::ControlCharacter { at } => {
                write!(f, "control or direction character at byte {at}: leave it out")
            }
            Self::Empty => f.write_str("empty: give it 1 to 128 bytes"),
            Self::TooLong(len) => write!(f, "{len} bytes long: at most {MAX_NAME} are kept"),
            Self::Untrimmed => f.write_str("white space at an end: remove it"),
        }
    }
}

impl core::error::Error for BadName {}

/// A 16-byte id, written as RFC 9562 does: lower case with four hyphens.
#[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// Reads the 36-character form; upper case is read too, so that one id has one value
    /// (DOMAIN D13).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 36 {
            return None;
        }
        let mut id = [0; 16];
        let mut digits = 0;
        for (at, byte) in bytes.iter().enumerate() {
            if matches!(at, 8 | 13 | 18 | 23) {
                if *byte != b'-' {
                    return None;
                }
                continue;
            }
            let value = u8::try_from(char::from(*byte).to_digit(16)?).ok()?;
            let slot = id.get_mut(digits / 2)?;
            *slot = (*slot << 4) | value;
            digits += 1;
        }

        Some(Self(id))
    }

    /// Returns the 36 characters, all ASCII.
    #[must_use]
    pub fn text(&self) -> [u8; 36] {
        let mut text = [b'-'; 36];
        let mut places =
            text.iter_mut().enumerate().filter(|(at, _)| !matches!(at, 8 | 13 | 18 | 23));
        for byte in self.0 {
            for nibble in [byte >> 4, byte & 15] {
                if let Some((_, place)) = places.next() {
                    *place = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
                }
            }
        }

        text
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(core::str::from_utf8(&self.text()).unwrap_or_default())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads exactly as many bytes as `bytes` holds from lower-case hexadecimal digits, as [`Hex`] shows
/// them.
///
/// The caller owns the bytes, so that it can wipe them where they are a secret; on failure they hold
/// whatever was read before it.
#[must_use]
pub fn unhex(digits: &str, bytes: &mut [u8]) -> bool {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if pairs.len() != bytes.len() || !rest.is_empty() {
        return false;
    }
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };

    bytes.iter_mut().zip(pairs).all(|(byte, [high, low])| match (value(*high), value(*low)) {
        (Some(high), Some(low)) => {
            *byte = (high << 4) | low;
            true
        }
        _ => false,
    })
}

/// Bytes shown as lower-case hexadecimal.
#[derive(Clone, Copy)]
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::ToString;

    use super::*;

    #[test]
    fn c4_a_friendly_name_that_could_forge_a_line_is_refused() {
        for bad in ["a\nb", "a\"b", "a\0b", "=cmd()", "a\u{202e}b", "a\u{1F600}b"] {
            assert!(Name::plain(bad).is_err(), "{bad:?}");
        }
        for bad in ["a\nb", "a\0b", "a\u{202e}b"] {
            assert!(matches!(Name::new(bad), Err(BadName::ControlCharacter { at: 1 })), "{bad:?}");
        }
    }

    #[test]
    fn c5_a_name_of_129_bytes_is_refused_never_cut() {
        assert!(Name::new(&"x".repeat(128)).is_ok());
        assert_eq!(Name::new(&"x".repeat(129)), Err(BadName::TooLong(129)));
    }

    #[test]
    fn c6_a_name_with_white_space_at_an_end_is_refused_and_case_counts() {
        assert_eq!(Name::plain("MES sync "), Err(BadName::Untrimmed));
        assert_ne!(Name::plain("MES sync"), Name::plain("mes sync"));
    }

    #[test]
    fn hexadecimal_is_read_whole_or_not_at_all() {
        let mut bytes = [0; 2];

        assert!(unhex("0aff", &mut bytes));
        assert_eq!((bytes, Hex(&bytes).to_string()), ([0x0a, 0xff], "0aff".to_string()));
        for bad in ["", "0a", "0af", "0aff0", "0aFf", "0afg", "0a f", "é0a"] {
            assert!(!unhex(bad, &mut bytes), "{bad}");
        }
    }

    #[test]
    fn a_uuid_has_one_spelling_and_is_read_in_either_case() {
        let text = "0193a5d4-0b9e-7c61-8d5e-3f1a7b2c9d10";

        assert_eq!(Uuid::parse(text).unwrap().to_string(), text);
        assert_eq!(Uuid::parse(&text.to_uppercase()), Uuid::parse(text));
        for bad in [
            "",
            "0193a5d40b9e7c618d5e3f1a7b2c9d10",
            &text[1..],
            "0193a5d4-0b9e-7c61-8d5e-3f1a7b2c9d1g",
        ] {
            assert_eq!(Uuid::parse(bad), None, "{bad}");
        }
    }
}
