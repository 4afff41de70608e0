//! The patterns of rules: `/iot/api/{v:ver}/certificate/{id}/**`.
//!
//! A literal segment, `{v:ver}` (`v` and one or two digits), `{x}` (any one segment), and `**` at
//! the end (any number of segments, also none). The most specific wins, compared from the left:
//! literal, version, one segment, tail; and an end before a tail (DOMAIN section 7).

use core::cmp::Ordering;
use core::fmt;

use super::path::MAX_SEGMENTS;

/// The longest pattern in bytes.
const MAX_PATTERN: usize = 256;

const TAIL: &str = "**";

/// A pattern that can be matched; made only by [`Pattern::check`] and from the built-in table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pattern<'a>(pub(super) &'a str);

/// One segment of a pattern, the most specific last.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Piece<'a> {
    Tail,
    One(&'a str),
    Version,
    Literal(&'a str),
}

impl<'a> Pattern<'a> {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// Returns the first thing that is wrong with it; segments are counted from 1.
    pub fn check(text: &'a str) -> Result<Self, BadPattern> {
        let segments = text.strip_prefix('/').ok_or(BadPattern::Start)?;
        if text.len() > MAX_PATTERN || split(segments).count() > MAX_SEGMENTS {
            return Err(BadPattern::TooLong);
        }
        let mut ended = false;
        for (segment, at) in split(segments).zip(1..) {
            if ended {
                return Err(BadPattern::AfterTail { segment: at });
            }
            ended = segment == TAIL;
            check_segment(segment, at)?;
        }

        Ok(Self(text))
    }

    /// Returns the text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// Returns whether a path with these segments matches.
    pub(super) fn matches(self, segments: &[&str]) -> bool {
        let mut rest = self.0;
        for segment in segments {
            let Some(pattern) = rest.strip_prefix('/') else { return false };
            if pattern == TAIL {
                return true;
            }
            rest = if pattern.starts_with('{') {
                let (slot, after) = pattern.split_once('}').unwrap_or((pattern, ""));
                if slot.ends_with(":ver") && !is_version(segment) {
                    return false;
                }
                after
            } else {
                // What a longer literal leaves over begins without a slash and matches nothing.
                let Some(after) = pattern.strip_prefix(segment) else { return false };
                after
            };
        }

        rest.is_empty() || rest == "/**"
    }

    /// Returns which of two patterns is more specific, given that one path matches both.
    pub(super) fn specificity(self, other: Pattern<'_>) -> Ordering {
        let mut others = other.pieces();
        for piece in self.pieces() {
            match others.next().map(|other| piece.rank().cmp(&other.rank())) {
                // The other one ends here, so this one has a tail.
                None => return Ordering::Less,
                Some(Ordering::Equal) => {}
                Some(unequal) => return unequal,
            }
        }

        if others.next().is_some() { Ordering::Greater } else { Ordering::Equal }
    }

    /// Returns whether one path can match both patterns while neither is more specific.
    pub(super) fn equals(self, other: Pattern<'_>) -> bool {
        let mut others = other.pieces();
        let same = self.pieces().all(|piece| match (piece, others.next()) {
            (Piece::Literal(one), Some(Piece::Literal(other))) => one == other,
            (piece, Some(other)) => piece.rank() == other.rank(),
            (_, None) => false,
        });

        same && others.next().is_none()
    }

    /// Returns the place of the segment that the slot `name` matches, else of the first one that
    /// the tail does.
    pub(super) fn place(self, name: &str) -> Option<usize> {
        self.pieces()
            .position(|piece| piece == Piece::One(name))
            .or_else(|| self.pieces().position(|piece| piece == Piece::Tail))
    }

    fn pieces(self) -> impl Iterator<Item = Piece<'a>> {
        split(self.0).skip(1).map(|text| match text.strip_prefix('{') {
            _ if text == TAIL => Piece::Tail,
            Some(slot) if slot.ends_with(":ver}") => Piece::Version,
            Some(slot) => Piece::One(slot.strip_suffix('}').unwrap_or(slot)),
            None => Piece::Literal(text),
        })
    }
}

impl Piece<'_> {
    const fn rank(self) -> u8 {
        match self {
            Self::Tail => 0,
            Self::One(_) => 1,
            Self::Version => 2,
            Self::Literal(_) => 3,
        }
    }
}

/// Returns what stands between slashes. The search of the standard library has panics that no compiler
/// takes out.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut left = Some(text);

    core::iter::from_fn(move || {
        let text = left?;
        let end = text.bytes().position(|byte| byte == b'/').unwrap_or(text.len());
        let (segment, rest) = text.split_at_checked(end)?;
        left = rest.strip_prefix('/');

        Some(segment)
    })
}

/// `v` and one or two digits (DOMAIN G5).
fn is_version(segment: &str) -> bool {
    segment.strip_prefix('v').is_some_and(|digits| {
        matches!(digits.len(), 1 | 2) && digits.bytes().all(|digit| digit.is_ascii_digit())
    })
}

fn check_segment(text: &str, segment: usize) -> Result<(), BadPattern> {
    let literal = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'@' | b':' | b'+')
    };
    match text {
        "" => Err(BadPattern::Empty { segment }),
        "." | ".." => Err(BadPattern::Dots { segment }),
        TAIL => Ok(()),
        slot if slot.starts_with('{') => check_slot(slot).ok_or(BadPattern::Slot { segment }),
        text if text.bytes().all(literal) => Ok(()),
        _ => Err(BadPattern::Literal { segment }),
    }
}

fn check_slot(text: &str) -> Option<()> {
    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
    let name = inner.strip_suffix(":ver").unwrap_or(inner);
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');

    (plain && !name.is_empty()).then_some(())
}

/// What is wrong with a pattern.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BadPattern {
    /// Something follows `**`.
    AfterTail {
        /// The first segment after it, counted from 1.
        segment: usize,
    },
    /// A segment is `.` or `..`, which no request can match.
    Dots {
        /// Which one, counted from 1.
        segment: usize,
    },
    /// A segment has no characters.
    Empty {
        /// Which one, counted from 1.
        segment: usize,
    },
    /// A literal segment has other characters than letters, digits and `-_.~@:+`.
    Literal {
        /// Which one, counted from 1.
        segment: usize,
    },
    /// A slot is neither `{name}` nor `{name:ver}`.
    Slot {
        /// Which one, counted from 1.
        segment: usize,
    },
    /// The pattern does not begin with a slash.
    Start,
    /// The pattern has more than 256 bytes or 64 segments.
    TooLong,
}

impl fmt::Display for BadPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AfterTail { segment } => {
                write!(f, "segment {segment} follows `**`: only the last one may be `**`")
            }
            Self::Dots { segment } => {
                write!(f, "segment {segment} is made of dots: no request matches it, leave it out")
            }
            Self::Empty { segment } => {
                write!(f, "segment {segment} is empty: write one slash, and none at the end")
            }
            Self::Literal { segment } => {
                write!(f, "segment {segment}: use letters, digits and `-_.~@:+`")
            }
            Self::Slot { segment } => write!(
                f,
                "segment {segment}: write `{{name}}`, or `{{name:ver}}` for a version, in lower case"
            ),
            Self::Start => f.write_str("begin with `/`"),
            Self::TooLong => {
                write!(f, "keep it to {MAX_PATTERN} bytes and {MAX_SEGMENTS} segments")
            }
        }
    }
}

impl core::error::Error for BadPattern {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_that_no_request_could_match_is_refused() {
        for (bad, why) in [
            ("", BadPattern::Start),
            ("iot", BadPattern::Start),
            ("/", BadPattern::Empty { segment: 1 }),
            ("/a//b", BadPattern::Empty { segment: 2 }),
            ("/a/", BadPattern::Empty { segment: 2 }),
            ("/a/../b", BadPattern::Dots { segment: 2 }),
            ("/**/a", BadPattern::AfterTail { segment: 2 }),
            ("/a*", BadPattern::Literal { segment: 1 }),
            ("/a%20b", BadPattern::Literal { segment: 1 }),
            ("/a;b", BadPattern::Literal { segment: 1 }),
            ("/a?b", BadPattern::Literal { segment: 1 }),
            ("/{}", BadPattern::Slot { segment: 1 }),
            ("/{:ver}", BadPattern::Slot { segment: 1 }),
            ("/{a", BadPattern::Slot { segment: 1 }),
            ("/{a}b", BadPattern::Slot { segment: 1 }),
            ("/{a:int}", BadPattern::Slot { segment: 1 }),
            ("/b{a}", BadPattern::Literal { segment: 1 }),
        ] {
            assert_eq!(Pattern::check(bad), Err(why), "{bad}");
        }
        for good in ["/**", "/a", "/{a}/{b:ver}/c.d/**"] {
            assert_eq!(Pattern::check(good).map(Pattern::as_str), Ok(good));
        }
    }

    #[test]
    fn the_most_specific_is_found_from_the_left_and_an_end_comes_before_a_tail() {
        let from_best = ["/v1/a", "/v1/{x}", "/{v:ver}/a", "/{x}/a", "/{x}/**", "/**"];
        for pair in from_best.windows(2) {
            assert_eq!(Pattern(pair[0]).specificity(Pattern(pair[1])), Ordering::Greater);
            assert_eq!(Pattern(pair[1]).specificity(Pattern(pair[0])), Ordering::Less);
        }
        assert_eq!(Pattern("/a/{x}").specificity(Pattern("/a/{x}/**")), Ordering::Greater);
        assert_eq!(Pattern("/a/{x}").specificity(Pattern("/a/{y}")), Ordering::Equal);
    }

    #[test]
    fn a_segment_that_is_spelt_like_a_slot_is_only_a_segment() {
        assert!(!Pattern("/{v:ver}").matches(&["{v:ver}"]));
        assert!(!Pattern("/a").matches(&["**"]));
        assert!(Pattern("/{x}").matches(&["{x}"]));
        assert!(!Pattern("/abc").matches(&["a"]));
        assert!(!Pattern("/a").matches(&["abc"]));
    }
}
