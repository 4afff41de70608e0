//! Reads the keys of one table; whatever is wrong with one does not hide what is wrong with the
//! next.
//!
//! A value that is wrong is given back as a harmless stand-in: no policy is made where there is a
//! mistake, so it is never used.

use std::collections::BTreeMap;

use gateward_core::name::{BadName, Name, Uuid};

use super::mistake::{Mistakes, Place};
use super::text::{Node, Table, Value};
use crate::day::Day;

/// The keys of one table that have not been asked for yet.
pub(super) struct Fields<'a> {
    place: Place,
    section: &'static str,
    entries: BTreeMap<&'a str, &'a Node>,
    known: Vec<&'static str>,
    mistakes: &'a mut Mistakes,
}

/// A text with its place.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Text {
    pub(super) place: Place,
    pub(super) text: String,
}

impl<'a> Fields<'a> {
    pub(super) fn new(
        section: &'static str,
        place: Place,
        table: &'a Table,
        mistakes: &'a mut Mistakes,
    ) -> Self {
        let entries = table.iter().map(|(key, node)| (key.as_str(), node)).collect();

        Self { place, section, entries, known: Vec::new(), mistakes }
    }

    pub(super) const fn place(&self) -> Place {
        self.place
    }

    fn at(&self, node: &Node) -> Place {
        Place { line: node.line, ..self.place }
    }

    fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.section)
    }

    /// Notes what is wrong with `key`, at `place`.
    pub(super) fn wrong(&mut self, place: Place, key: &str, what: impl Into<String>) {
        let key = self.key(key);
        self.mistakes.add(place, key, what);
    }

    fn take(&mut self, key: &'static str) -> Option<&'a Node> {
        self.known.push(key);
        self.entries.remove(key)
    }

    fn missing(&mut self, key: &'static str, remedy: &str) {
        self.wrong(self.place, key, format!("is missing; {remedy}"));
    }

    fn unfit(&mut self, node: &Node, key: &str, wanted: &str) {
        let what = format!("is {}; write {wanted}", node.value.kind());
        self.wrong(self.at(node), key, what);
    }

    /// Returns a text that may be left out.
    pub(super) fn optional(&mut self, key: &'static str) -> Option<Text> {
        let node = self.take(key)?;
        if let Value::Text(text) = &node.value {
            return Some(Text { place: self.at(node), text: text.clone() });
        }
        self.unfit(node, key, "a text in quotation marks");

        None
    }

    /// Returns a text that must be there.
    pub(super) fn required(&mut self, key: &'static str, remedy: &str) -> Text {
        if !self.entries.contains_key(key) {
            self.missing(key, remedy);
        }

        self.optional(key).unwrap_or_default()
    }

    /// Returns a name that must be there, of any printable characters.
    pub(super) fn name(&mut self, key: &'static str) -> String {
        self.checked(key, |text| Name::new(text).err())
    }

    /// Returns a name that must be there, of letters, numbers, space, `-` and `_`.
    pub(super) fn plain_name(&mut self, key: &'static str) -> String {
        self.checked(key, |text| Name::plain(text).err())
    }

    fn checked(&mut self, key: &'static str, bad: fn(&str) -> Option<BadName>) -> String {
        let given = self.entries.contains_key(key);
        let Text { place, text } = self.required(key, "give it a name");
        if let Some(bad) = bad(&text)
            && given
        {
            self.wrong(place, key, format!("`{}`: {bad}", text.escape_debug()));
        }

        text
    }

    /// Returns an id of letters, digits and what `extra` says, 1 to 64 of them.
    pub(super) fn token(&mut self, key: &'static str, extra: &str) -> Text {
        let given = self.entries.contains_key(key);
        let text = self.required(key, "name it");
        if given && !is_token(&text.text, extra) {
            let what = bad_token(&text.text, extra);
            self.wrong(text.place, key, what);
        }

        text
    }

    /// Returns a UUID that must be there.
    pub(super) fn uuid(&mut self, key: &'static str) -> Uuid {
        let given = self.entries.contains_key(key);
        let text = self.required(key, "give it a UUID");
        let id = Uuid::parse(&text.text);
        if id.is_none() && given {
            let what = format!(
                "`{}` is not a UUID; write 36 characters like 0193a5d4-0b9e-7c61-8d5e-3f1a7b2c9d10",
                text.text.escape_debug()
            );
            self.wrong(text.place, key, what);
        }

        id.unwrap_or_default()
    }

    /// Returns one of a few words; the first is the default where one may be left out.
    pub(super) fn word<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let text = self.optional(key)?;
        let found = words.iter().find(|(word, _)| *word == text.text);
        if found.is_none() {
            let known: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            let what = format!("`{}`: write {}", text.text.escape_debug(), known.join(" or "));
            self.wrong(text.place, key, what);
        }

        found.map(|(_, value)| *value)
    }

    /// Returns a number that may be left out.
    pub(super) fn number(&mut self, key: &'static str) -> Option<(Place, i64)> {
        let node = self.take(key)?;
        if let Value::Number(number) = node.value {
            return Some((self.at(node), number));
        }
        self.unfit(node, key, "a whole number");

        None
    }

    /// Returns a yes or no that may be left out.
    pub(super) fn flag(&mut self, key: &'static str) -> Option<bool> {
        let node = self.take(key)?;
        if let Value::Flag(flag) = node.value {
            return Some(flag);
        }
        self.unfit(node, key, "true or false");

        None
    }

    /// Returns an end date that may be left out.
    pub(super) fn day(&mut self, key: &'static str) -> Option<Day> {
        let text = self.optional(key)?;
        match Day::parse(&text.text) {
            Ok(day) => Some(day),
            Err(bad) => {
                self.wrong(text.place, key, format!("`{}`: {bad}", text.text.escape_debug()));
                None
            }
        }
    }

    /// Returns a list of texts that may be left out, without those that stand in it twice.
    pub(super) fn texts(&mut self, key: &'static str) -> Option<(Place, Vec<Text>)> {
        let node = self.take(key)?;
        let place = self.at(node);
        let Value::List(nodes) = &node.value else {
            self.unfit(node, key, "a list of texts, such as [\"a\", \"b\"]");
            return None;
        };
        let mut texts: Vec<Text> = Vec::new();
        for node in nodes {
            let Value::Text(text) = &node.value else {
                self.unfit(node, key, "texts in quotation marks only");
                continue;
            };
            if texts.iter().any(|known| known.text == *text) {
                let what = format!("`{}` stands here twice; remove one", text.escape_debug());
                self.wrong(self.at(node), key, what);
                continue;
            }
            texts.push(Text { place: self.at(node), text: text.clone() });
        }

        Some((place, texts))
    }

    /// Ends the reading: what nobody asked for is a mistake.
    pub(super) fn finish(mut self) {
        let known = self.known.join("`, `");
        for (key, node) in std::mem::take(&mut self.entries) {
            let what = format!("is no key of {}; the keys are `{known}`", self.section);
            self.wrong(self.at(node), &key.escape_debug().to_string(), what);
        }
    }
}

/// Returns whether `text` is 1 to 64 letters, digits and characters of `extra`.
pub(crate) fn is_token(text: &str, extra: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || extra.contains(c);

    (1..=64).contains(&text.len()) && text.chars().all(legal)
}

pub(crate) fn bad_token(text: &str, extra: &str) -> String {
    let extra: Vec<_> = extra.chars().map(|c| format!("`{c}`")).collect();

    format!("`{}`: use 1 to 64 letters, digits and {}", text.escape_debug(), extra.join(", "))
}
