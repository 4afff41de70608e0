//! What is wrong with a configuration, in words that say where it stands and how to mend it.

use core::fmt;
use std::path::Path;
use std::sync::Arc;

/// The longest piece of what was written that is repeated in a message, in characters.
const SHOWN: usize = 80;

/// Where a setting was made. Ordered as the sources are read, then from top to bottom.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Place {
    /// In a file: the how manyth, which, line and column from 1; line 0 means the whole file.
    File { rank: usize, path: Arc<Path>, line: usize, column: usize },
    /// In this variable of the environment.
    Environment(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line: 0, .. } => write!(f, "{}", path.display()),
            Self::File { path, line, column, .. } => {
                write!(f, "{}:{line}:{column}", path.display())
            }
            Self::Environment(name) => write!(f, "environment variable {}", shown(name)),
        }
    }
}

/// One thing that is wrong: one line with its place, the key, what was written, and the remedy.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Mistake {
    place: Place,
    text: String,
}

impl Mistake {
    /// The text at `place` cannot be read.
    pub(super) fn unreadable(place: Place, why: impl fmt::Display) -> Self {
        // The parser's messages may span lines; a mistake is one line.
        let text = why.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        Self { place, text }
    }

    /// `key` is not set.
    pub(super) fn missing(place: Place, key: &str, remedy: &str) -> Self {
        Self { place, text: format!("`{key}` is missing: {remedy}") }
    }

    /// `key` does not exist.
    pub(super) fn unknown(place: Place, key: &str, remedy: &str) -> Self {
        Self { place, text: format!("`{}` is not a setting: {remedy}", shown(key)) }
    }

    /// `key` was written as `got`, which cannot be.
    pub(super) fn wrong(place: Place, key: &str, got: &str, remedy: &str) -> Self {
        let remedy = remedy.replace(char::is_control, " ");
        Self { place, text: format!("`{key}` is `{}`: {remedy}", shown(got)) }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

/// Returns `text` on one line and not too long, without what stands before an `@`: that may be a
/// password.
fn shown(text: &str) -> String {
    let text = match text.rsplit_once('@') {
        Some((before, rest)) => {
            let scheme = before.split_once("://").map_or("", |(scheme, _)| scheme);
            let separator = if scheme.is_empty() { "" } else { "://" };
            format!("{scheme}{separator}…@{rest}")
        }
        None => text.to_owned(),
    };
    let mut shown = text.chars().take(SHOWN).flat_map(char::escape_debug).collect::<String>();
    if text.chars().count() > SHOWN {
        shown.push('…');
    }
    shown
}

/// Why a configuration cannot be used: at least one mistake, in the order of the files.
#[derive(Debug)]
pub struct BadConfig(pub(super) Vec<Mistake>);

impl BadConfig {
    /// Returns the mistakes.
    #[must_use]
    pub fn mistakes(&self) -> &[Mistake] {
        &self.0
    }
}

impl fmt::Display for BadConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, mistake) in self.0.iter().enumerate() {
            let separator = if nth == 0 { "" } else { "\n" };
            write!(f, "{separator}{mistake}")?;
        }
        Ok(())
    }
}

impl core::error::Error for BadConfig {}
