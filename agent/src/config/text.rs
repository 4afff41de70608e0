//! The text of the configuration files, flattened to settings that know their place.
//!
//! Errors of grammar are collected as everything else is. A line that has one gives no value, so it
//! is not reported twice.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::mistake::{Mistake, Place};
use super::settings::{Settings, Value};

/// The largest file that is read.
const MAX_BYTES: u64 = 1024 * 1024;

/// Reads `path`, then every `*.toml` of the folder named like it with `.d`.
pub(super) fn read(path: &Path, settings: &mut Settings) {
    let pieces = pieces(&path.with_extension("d"), settings);

    for (rank, path) in core::iter::once(path.to_owned()).chain(pieces).enumerate() {
        let source = Source { rank, path: path.into() };
        match text(&source.path) {
            Ok(text) => source.parse(&text, settings),
            Err(error) => {
                let why = format!("cannot be read ({error}): create it, or name another one");
                settings.blame_unread(Mistake::unreadable(source.whole(), why));
            }
        }
    }
}

/// Lists the pieces in the order of their names; a folder that is not there has none.
fn pieces(folder: &Path, settings: &mut Settings) -> Vec<PathBuf> {
    let listed = fs::read_dir(folder).and_then(|entries| {
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()
    });
    match listed {
        Ok(mut pieces) => {
            pieces.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
            pieces.sort();
            pieces
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            let place = Source { rank: 1, path: folder.into() }.whole();
            let why = format!("cannot be listed ({error}): mend it, or remove it");
            settings.blame_unread(Mistake::unreadable(place, why));
            Vec::new()
        }
    }
}

fn text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if u64::try_from(read).is_ok_and(|read| read > MAX_BYTES) {
        return Err(io::Error::other("it has more than 1 MiB"));
    }

    Ok(text)
}

/// One file.
struct Source {
    rank: usize,
    path: Arc<Path>,
}

impl Source {
    fn whole(&self) -> Place {
        Place::File { rank: self.rank, path: Arc::clone(&self.path), line: 0, column: 0 }
    }

    fn place(&self, text: &str, at: usize) -> Place {
        let before = text.get(..at).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Place::File { rank: self.rank, path: Arc::clone(&self.path), line, column }
    }

    fn parse(&self, text: &str, settings: &mut Settings) {
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut broken = Vec::new();
        for error in errors {
            let place = self.place(text, error.span().map_or(0, |span| span.start));
            broken.push(line(&place));
            settings.blame_unread(Mistake::unreadable(place, error.message()));
        }

        for (key, value) in table.get_ref() {
            let place = self.place(text, key.span().start);
            let name = name(key.get_ref());
            if let DeValue::Table(section) = value.get_ref() {
                for (key, value) in section {
                    let place = self.place(text, key.span().start);
                    let path = format!("{name}.{}", self::name(key.get_ref()));
                    let value = self.value(value.get_ref(), &place, &broken);
                    settings.set(path, value, place);
                }
                settings.section(name, place);
            } else {
                let value = self.value(value.get_ref(), &place, &broken);
                settings.set(name, value, place);
            }
        }
    }

    fn value(&self, value: &DeValue<'_>, place: &Place, broken: &[usize]) -> Value {
        if broken.contains(&line(place)) { Value::Broken } else { plain(value) }
    }
}

fn line(place: &Place) -> usize {
    match place {
        Place::File { line, .. } => *line,
        Place::Environment(_) => 0,
    }
}

/// Keeps a quoted key with a dot in it apart from a section.
fn name(key: &str) -> String {
    if key.contains('.') { format!("\"{key}\"") } else { key.to_owned() }
}

fn plain(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::Array(items) => {
            Value::List(items.iter().map(|item| plain(item.get_ref())).collect())
        }
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Whole(number),
            Err(_) => Value::Other(number.to_string()),
        },
        DeValue::String(text) => Value::Text(text.clone().into_owned()),
        DeValue::Datetime(time) => Value::Other(time.to_string()),
        DeValue::Float(number) => Value::Other(number.to_string()),
        DeValue::Table(_) => Value::Other("{…}".to_owned()),
    }
}
