//! The text of a policy as a tree in which every value knows its line.
//!
//! TOML and JSON lines become the same tree, so that one reader checks both and can report
//! everything that is wrong instead of the first thing.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use toml::de::{DeTable, DeValue};

use super::mistake::{Mistakes, Place};

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Flag(bool),
    List(Vec<Node>),
    Number(i64),
    Table(Table),
    Text(String),
    /// What no key of a policy takes, by its name.
    Other(&'static str),
}

/// A value and its line.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) value: Value,
}

/// Keys with their lines.
pub(super) type Table = Vec<(String, Node)>;

impl Value {
    /// Names what it is, as a person would.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Flag(_) => "true or false",
            Self::List(_) => "a list",
            Self::Number(_) => "a number",
            Self::Table(_) => "a table",
            Self::Text(_) => "a text",
            Self::Other(kind) => kind,
        }
    }
}

/// Reads a TOML file; what cannot be read is a mistake, and the rest is still there.
pub(super) fn toml(file: &'static str, text: &str, mistakes: &mut Mistakes) -> Table {
    let lines = Lines::new(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let line = lines.at(error.span().map_or(0, |span| span.start));
        let what = format!("{}; mend the TOML here", error.message().trim_end());
        mistakes.add(Place { file, line }, "syntax", what);
    }

    lines.table(table.get_ref())
}

/// Reads a file of JSON objects, one a line; empty lines are passed over.
pub(super) fn json_lines(file: &'static str, text: &str, mistakes: &mut Mistakes) -> Vec<Node> {
    let mut nodes = Vec::new();
    for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
        match serde_json::from_str::<Json>(text) {
            Ok(Json(mut value)) => {
                put_line(&mut value, line);
                nodes.push(Node { line, value });
            }
            Err(error) => {
                let what = format!("{error}; write one JSON object a line");
                mistakes.add(Place { file, line }, "syntax", what);
            }
        }
    }

    nodes
}

fn put_line(value: &mut Value, line: usize) {
    let each = |node: &mut Node| {
        node.line = line;
        put_line(&mut node.value, line);
    };
    match value {
        Value::List(nodes) => nodes.iter_mut().for_each(each),
        Value::Table(entries) => entries.iter_mut().map(|(_, node)| node).for_each(each),
        Value::Flag(_) | Value::Number(_) | Value::Text(_) | Value::Other(_) => {}
    }
}

/// Where the lines of a text begin.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        Self(
            text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect(),
        )
    }

    fn at(&self, offset: usize) -> usize {
        self.0.partition_point(|newline| *newline < offset) + 1
    }

    fn table(&self, table: &DeTable<'_>) -> Table {
        let mut entries: Table = table
            .iter()
            .map(|(key, value)| {
                let line = self.at(key.span().start);
                (key.get_ref().to_string(), Node { line, value: self.value(value.get_ref()) })
            })
            .collect();
        entries.sort_by_key(|(_, node)| node.line);

        entries
    }

    fn value(&self, value: &DeValue<'_>) -> Value {
        match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or(Value::Other("a number beyond 64 bits"), Value::Number),
            DeValue::Float(_) => Value::Other("a number with a fraction"),
            DeValue::Boolean(flag) => Value::Flag(*flag),
            DeValue::Datetime(day) => Value::Text(day.to_string()),
            DeValue::Array(values) => Value::List(
                values
                    .iter()
                    .map(|node| Node {
                        line: self.at(node.span().start),
                        value: self.value(node.get_ref()),
                    })
                    .collect(),
            ),
            DeValue::Table(table) => Value::Table(self.table(table)),
        }
    }
}

/// A JSON value; a key that stands twice in an object is an error instead of the last one winning.
struct Json(Value);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor).map(Self)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(i64::try_from(number).map_or(Value::Other("a number beyond 64 bits"), Value::Number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Other("a number with a fraction"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Other("null"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut nodes = Vec::new();
        while let Some(Json(value)) = seq.next_element()? {
            nodes.push(Node { line: 0, value });
        }

        Ok(Value::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Table::new();
        while let Some((key, Json(value))) = map.next_entry::<String, Json>()? {
            if entries.iter().any(|(known, _)| *known == key) {
                return Err(A::Error::custom(format_args!("key `{}` twice", key.escape_debug())));
            }
            entries.push((key, Node { line: 0, value }));
        }

        Ok(Value::Table(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_of_a_toml_file_knows_its_line() {
        let mut mistakes = Mistakes::default();
        let text = "[a]\nb = 1\n\n[[c]]\nd = 2027-06-30\n[[c]]\nd = [\n  \"x\",\n  \"y\",\n]\n";
        let table = toml("policy.toml", text, &mut mistakes);

        assert!(mistakes.list().is_empty());
        let Value::List(entries) = &table[1].1.value else { panic!("{table:?}") };
        assert_eq!((entries[0].line, entries[1].line), (4, 6));
        let Value::Table(second) = &entries[1].value else { panic!("{table:?}") };
        assert_eq!(second[0].1.line, 7);
        let Value::List(texts) = &second[0].1.value else { panic!("{table:?}") };
        assert_eq!((texts[0].line, texts[1].line), (8, 9));
    }

    #[test]
    fn a_file_that_is_no_toml_names_every_line_that_is_wrong() {
        let mut mistakes = Mistakes::default();
        let table = toml("policy.toml", "a = \nb = 1\nc = = 2\nd = 2\n", &mut mistakes);

        let mut lines: Vec<_> = mistakes.list().iter().map(|mistake| mistake.place.line).collect();
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines, [1, 3]);
        assert!(table.iter().any(|(key, _)| key == "d"));
    }

    #[test]
    fn a_line_that_is_no_object_is_a_mistake_and_the_others_are_read() {
        let mut mistakes = Mistakes::default();
        let text = "{\"a\": 1}\n\n{\"a\": 1, \"a\": 2}\n{\"a\":\n{\"b\": null}\n";
        let nodes = json_lines("users.jsonl", text, &mut mistakes);

        assert_eq!(nodes.iter().map(|node| node.line).collect::<Vec<_>>(), [1, 5]);
        let lines: Vec<_> = mistakes.list().iter().map(|mistake| mistake.place.line).collect();
        assert_eq!(lines, [3, 4]);
    }

    #[test]
    fn deep_nesting_is_an_error_not_an_overflow() {
        let mut mistakes = Mistakes::default();
        json_lines("users.jsonl", &"[".repeat(1 << 20), &mut mistakes);
        toml("policy.toml", &format!("a = {}", "[".repeat(1 << 16)), &mut mistakes);

        assert!(mistakes.list().len() >= 2);
    }
}
