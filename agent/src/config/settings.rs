//! All that was written, from all sources, and all that is wrong with it.
//!
//! Every setting is asked for once, by name, type and range; what nobody asked for does not exist.
//! A setting that is wrong reads as its default, so that the check goes on; [`Settings::finish`]
//! then gives the mistakes and nothing else.

use core::fmt;
use core::ops::RangeInclusive;
use std::collections::BTreeMap;
use std::path::Path;

use super::mistake::{BadConfig, Mistake, Place};

/// How a variable that is a setting begins.
const PREFIX: &str = "GATEWARD__";

/// A value as it was written.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// On a line that is not TOML, which is reported already.
    Broken,
    Flag(bool),
    List(Vec<Self>),
    /// Of a type that no setting has.
    Other(String),
    /// From the environment, where everything is text.
    Raw(String),
    Text(String),
    Whole(i64),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken => Ok(()),
            Self::Flag(flag) => flag.fmt(f),
            Self::List(items) => {
                let items = items.iter().map(Self::to_string).collect::<Vec<_>>();
                write!(f, "[{}]", items.join(", "))
            }
            Self::Other(text) | Self::Raw(text) | Self::Text(text) => f.write_str(text),
            Self::Whole(number) => number.fmt(f),
        }
    }
}

/// Splits a variable of the environment that is a list.
fn split(text: &str) -> Vec<Value> {
    if text.trim().is_empty() {
        return Vec::new();
    }

    text.split(',').map(|item| Value::Text(item.trim().to_owned())).collect()
}

/// Collects what is set and what is wrong.
#[derive(Debug)]
pub(super) struct Settings {
    main: Place,
    written: BTreeMap<String, (Value, Place)>,
    sections: Vec<(String, Place)>,
    asked: Vec<&'static str>,
    places: BTreeMap<&'static str, Place>,
    /// Some text could not be read, so what seems missing or misplaced may stand there.
    unread: bool,
    mistakes: Vec<Mistake>,
}

impl Settings {
    /// Starts with nothing set; what is missing is missing in the file at `path`.
    pub(super) fn new(path: &Path) -> Self {
        Self {
            main: Place::File { rank: 0, path: path.into(), line: 0, column: 0 },
            written: BTreeMap::new(),
            sections: Vec::new(),
            asked: Vec::new(),
            places: BTreeMap::new(),
            unread: false,
            mistakes: Vec::new(),
        }
    }

    /// Tells whether everything that was written could be read, so that what is not set is left to
    /// its default on purpose.
    pub(super) fn is_complete(&self) -> bool {
        !self.unread
    }

    /// Sets `key`; the last one wins.
    pub(super) fn set(&mut self, key: String, value: Value, place: Place) {
        self.written.insert(key, (value, place));
    }

    /// Notes that a section was opened.
    pub(super) fn section(&mut self, name: String, place: Place) {
        self.sections.push((name, place));
    }

    /// Sets what the environment sets.
    pub(super) fn add_environment(&mut self, env: &[(String, String)]) {
        for (name, value) in env {
            let Some(rest) = name.strip_prefix(PREFIX) else { continue };
            // A name in small letters is none of ours; it keeps its prefix and so is unknown.
            let known = !rest.bytes().any(|byte| byte.is_ascii_lowercase() || byte == b'.');
            let key =
                if known { rest.to_ascii_lowercase().replace("__", ".") } else { name.clone() };
            self.set(key, Value::Raw(value.clone()), Place::Environment(name.clone()));
        }
    }

    /// Notes that a line or a whole source cannot be read.
    pub(super) fn blame_unread(&mut self, mistake: Mistake) {
        self.unread = true;
        self.mistakes.push(mistake);
    }

    /// Notes that `key`, which was asked for, came out as `got` and cannot be that.
    pub(super) fn blame_value(&mut self, key: &'static str, got: &str, remedy: &str) {
        let place = self.places.get(key).unwrap_or(&self.main).clone();
        self.mistakes.push(Mistake::wrong(place, key, got, remedy));
    }

    /// Tells whether `key`, which was asked for, was set.
    pub(super) fn is_set(&self, key: &str) -> bool {
        self.places.contains_key(key)
    }

    fn ask(&mut self, key: &'static str) -> Option<Value> {
        self.asked.push(key);
        let (value, place) = self.written.remove(key)?;
        self.places.insert(key, place);
        (!matches!(value, Value::Broken)).then_some(value)
    }

    /// Asks for a text that `parse` understands.
    pub(super) fn text<T, E: fmt::Display>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let value = self.ask(key)?;
        let (Value::Text(text) | Value::Raw(text)) = &value else {
            self.blame_value(key, &value.to_string(), "write it as text, in quotes");
            return None;
        };

        parse(text).map_err(|remedy| self.blame_value(key, text, &remedy.to_string())).ok()
    }

    /// Asks for a text that must be there.
    pub(super) fn required<T, E: fmt::Display>(
        &mut self,
        key: &'static str,
        remedy: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let value = self.text(key, parse);
        if !self.is_set(key) && self.is_complete() {
            self.mistakes.push(Mistake::missing(self.main.clone(), key, remedy));
        }
        value
    }

    /// Asks for a number within `range`; `why` says what happens beyond it.
    pub(super) fn whole<T>(
        &mut self,
        key: &'static str,
        default: T,
        range: &RangeInclusive<T>,
        why: &str,
    ) -> T
    where
        T: Copy + fmt::Display + PartialOrd + TryFrom<i64>,
    {
        let Some(value) = self.ask(key) else { return default };
        let number = match &value {
            Value::Whole(number) => Some(*number),
            Value::Raw(text) => text.parse::<i64>().ok(),
            Value::Broken | Value::Flag(_) | Value::List(_) | Value::Other(_) | Value::Text(_) => {
                None
            }
        };
        let number = number.and_then(|number| T::try_from(number).ok());

        number.filter(|number| range.contains(number)).unwrap_or_else(|| {
            let remedy =
                format!("write a whole number from {} to {}: {why}", range.start(), range.end());
            self.blame_value(key, &value.to_string(), &remedy);
            default
        })
    }

    /// Asks for `true` or `false`.
    pub(super) fn flag(&mut self, key: &'static str, default: bool) -> bool {
        let Some(value) = self.ask(key) else { return default };
        let flag = match &value {
            Value::Flag(flag) => Some(*flag),
            Value::Raw(text) => text.parse().ok(),
            Value::Broken | Value::List(_) | Value::Other(_) | Value::Text(_) | Value::Whole(_) => {
                None
            }
        };

        flag.unwrap_or_else(|| {
            self.blame_value(key, &value.to_string(), "write `true` or `false`, without quotes");
            default
        })
    }

    /// Asks for a word, which is `default` or one of the `others`.
    pub(super) fn choice<T: Copy, const N: usize>(
        &mut self,
        key: &'static str,
        default: (&str, T),
        others: [(&str, T); N],
    ) -> T {
        self.text(key, |text| {
            let mut choices = core::iter::once(default).chain(others);
            choices.find(|(word, _)| *word == text).map(|(_, choice)| choice).ok_or_else(|| {
                let words = others.map(|(word, _)| format!(" or \"{word}\"")).concat();
                format!("write \"{}\"{words}", default.0)
            })
        })
        .unwrap_or(default.1)
    }

    /// Asks for a list of texts; from the environment, separated by commas.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        const REMEDY: &str = "write a list of texts, such as [\"a\", \"b\"]";
        match self.ask(key) {
            None => Vec::new(),
            Some(Value::List(items)) => self.parse_all(key, items, REMEDY, parse),
            Some(Value::Raw(text)) => self.parse_all(key, split(&text), REMEDY, parse),
            Some(other) => {
                self.blame_value(key, &other.to_string(), REMEDY);
                Vec::new()
            }
        }
    }

    /// Asks for a text or a list of them, at least one; none where anything is wrong with it.
    pub(super) fn one_or_more<T, E: fmt::Display>(
        &mut self,
        key: &'static str,
        remedy: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        let items = match self.ask(key) {
            None => {
                if !self.is_set(key) && self.is_complete() {
                    self.mistakes.push(Mistake::missing(self.main.clone(), key, remedy));
                }
                return None;
            }
            Some(Value::List(items)) => items,
            Some(Value::Raw(text)) => split(&text),
            Some(other) => vec![other],
        };
        if items.is_empty() {
            self.blame_value(key, "[]", remedy);
        }
        let wanted = items.len();
        let parsed = self.parse_all(key, items, remedy, parse);

        (parsed.len() == wanted && wanted > 0).then_some(parsed)
    }

    fn parse_all<T, E: fmt::Display>(
        &mut self,
        key: &'static str,
        items: Vec<Value>,
        remedy: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Vec<T> {
        let mut parsed = Vec::new();
        for item in items {
            let result = if let Value::Text(text) = &item {
                parse(text).map_err(|remedy| remedy.to_string())
            } else {
                Err(remedy.to_owned())
            };
            match result {
                Ok(item) => parsed.push(item),
                Err(remedy) => self.blame_value(key, &item.to_string(), &remedy),
            }
        }
        parsed
    }

    /// Returns what was asked for and not set.
    #[cfg(test)]
    pub(super) fn unset(&self) -> Vec<&'static str> {
        self.asked.iter().copied().filter(|key| !self.is_set(key)).collect()
    }

    /// Returns `config` if nothing is wrong.
    pub(super) fn finish<T>(mut self, config: Option<T>) -> Result<T, BadConfig> {
        if self.is_complete() {
            self.blame_unknown();
        }
        self.mistakes.sort();
        self.mistakes.dedup();

        match config {
            Some(config) if self.mistakes.is_empty() => Ok(config),
            _ => Err(BadConfig(self.mistakes)),
        }
    }

    fn blame_unknown(&mut self) {
        let opened = |name: &str| {
            let name = format!("{name}.");
            self.asked.iter().any(|key| key.starts_with(&name))
                || self.written.keys().any(|key| key.starts_with(&name))
        };
        let mut unknown = Vec::new();
        for (name, place) in &self.sections {
            if !opened(name) {
                unknown.push(Mistake::unknown(place.clone(), name, &self.remedy(name)));
            }
        }
        for (key, (_, place)) in &self.written {
            unknown.push(Mistake::unknown(place.clone(), key, &self.remedy(key)));
        }
        self.mistakes.append(&mut unknown);
    }

    /// Says what could have been meant by `key`.
    fn remedy(&self, key: &str) -> String {
        let section = key.split_once('.').map_or("", |(section, _)| section);
        let inside = format!("{section}.");
        let list = |keys: Vec<&str>| keys.join("`, `");
        if self.asked.iter().any(|asked| asked.starts_with(&format!("{key}."))) {
            return format!("it is a section; write `[{key}]` and its settings below");
        }
        if !section.is_empty() {
            let known = self.asked.iter().filter_map(|asked| asked.strip_prefix(&inside));
            let known = known.collect::<Vec<_>>();
            if !known.is_empty() {
                return format!("`[{section}]` has `{}`", list(known));
            }
        }

        let mut known = Vec::new();
        for asked in &self.asked {
            let name = asked.split_once('.').map_or(*asked, |(section, _)| section);
            if !known.contains(&name) {
                known.push(name);
            }
        }
        format!("at the top there are `{}`", list(known))
    }
}
