//! What is wrong with a policy, all of it at once, each with its place and its remedy.

use std::fmt;

/// Where something stands: a file of the policy folder and a line, counted from 1.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Place {
    /// The file's name.
    pub file: &'static str,
    /// The line.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Mistake {
    /// Where.
    pub place: Place,
    /// The key, such as `users.roles`.
    pub key: String,
    /// What is wrong, and how to mend it.
    pub what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.place, self.key, self.what)
    }
}

/// Everything that is wrong, in the order of files and lines.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// Returns them.
    #[must_use]
    pub fn list(&self) -> &[Mistake] {
        &self.0
    }

    pub(crate) fn add(&mut self, place: Place, key: impl Into<String>, what: impl Into<String>) {
        let (key, what) = (printable(key.into()), printable(what.into()));
        self.0.push(Mistake { place, key, what });
    }

    /// Returns `value` where nothing is wrong.
    pub(crate) fn none_or<T>(mut self, value: T) -> Result<T, Self> {
        self.0.sort();
        self.0.dedup();

        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }
}

/// What a policy says must not forge a line of the terminal that shows it.
fn printable(text: String) -> String {
    if !text.chars().any(char::is_control) {
        return text;
    }
    let shown = |c: char| if c.is_control() { c.escape_debug().to_string() } else { c.into() };

    text.chars().map(shown).collect()
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, mistake) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            mistake.fmt(f)?;
        }

        Ok(())
    }
}

impl std::error::Error for Mistakes {}
