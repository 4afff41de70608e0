//! What a vector is, and the file of a kind.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gateward_core::name::Hex;
use serde::Serialize;
use serde_json::Value;

use crate::replay;

/// One object, what it is judged with, and the verdict.
#[derive(Serialize)]
pub(crate) struct Vector {
    name: String,
    about: &'static str,
    given: BTreeMap<&'static str, Value>,
    bytes: String,
    /// Zero bytes after them, where they would be too many to write down.
    #[serde(skip_serializing_if = "Option::is_none")]
    zeros: Option<usize>,
    pub(crate) verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<Value>,
}

impl Vector {
    /// Lets zero bytes follow, up to this length.
    pub(crate) fn pad_to(&mut self, len: usize) {
        self.zeros = Some(len - self.bytes.len() / 2);
    }
}

/// All vectors of one kind.
#[derive(Serialize)]
pub(crate) struct Kind {
    #[serde(skip)]
    pub(crate) name: &'static str,
    about: &'static str,
    /// Bytes that several vectors are given, as `@name`.
    shared: BTreeMap<&'static str, String>,
    pub(crate) vectors: Vec<Vector>,
}

/// The verdict of what is believed.
pub(crate) const ACCEPTED: &str = "accepted";

impl Kind {
    pub(crate) fn new(name: &'static str, about: &'static str) -> Self {
        Self { name, about, shared: BTreeMap::new(), vectors: Vec::new() }
    }

    /// Keeps bytes under a name; returns how a vector refers to them.
    pub(crate) fn share(&mut self, name: &'static str, bytes: &[u8]) -> String {
        self.shared.insert(name, hex(bytes));

        format!("@{name}")
    }

    pub(crate) fn add(
        &mut self,
        (name, verdict, about): (&str, &'static str, &'static str),
        bytes: &[u8],
        given: &BTreeMap<&'static str, Value>,
    ) -> &mut Vector {
        self.vectors.push(Vector {
            name: name.to_owned(),
            about,
            given: given.clone(),
            bytes: hex(bytes),
            zeros: None,
            verdict,
            fields: None,
        });
        let at = self.vectors.len() - 1;

        &mut self.vectors[at]
    }

    /// Returns the file. The fields of what is accepted are those that this code reads.
    pub(crate) fn text(mut self) -> String {
        let shared = serde_json::to_value(&self.shared).unwrap();
        let mut wrong = Vec::new();
        for vector in &mut self.vectors {
            let told =
                replay::verdict(self.name, &serde_json::to_value(&*vector).unwrap(), &shared);
            if told.verdict != vector.verdict {
                wrong.push(format!("{}: {}, not {}", vector.name, told.verdict, vector.verdict));
            }
            vector.fields = told.fields;
        }
        assert!(wrong.is_empty(), "{}: {wrong:#?}", self.name);

        serde_json::to_string_pretty(&self).unwrap() + "\n"
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    Hex(bytes).to_string()
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let mut bytes = vec![0; text.len() / 2];
    assert!(gateward_core::name::unhex(text, &mut bytes), "{text} is not hexadecimal");

    bytes
}

pub(crate) fn given<const N: usize>(
    entries: [(&'static str, Value); N],
) -> BTreeMap<&'static str, Value> {
    entries.into()
}

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/vectors")
}

pub(crate) fn committed(name: &str) -> Value {
    let path = folder().join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap();

    serde_json::from_str(&text).unwrap()
}
