//! The one parameter of a query that matters: `division_id`.
//!
//! Everything else in a query is for the upstream and is neither judged nor recorded (DOMAIN F12,
//! G14). What the upstream could take for a second `division_id` counts as one (DOMAIN D13).

use super::DivisionText;
use super::path::{Byte, unescape};
use crate::name::Uuid;

const NAME: &[u8] = b"division_id";

/// The longest query that is looked at, in bytes; the local API takes no longer header.
const MAX_QUERY: usize = 8_192;

/// Reads the division that a query names.
pub(super) fn division(query: &str) -> DivisionText {
    if query.len() > MAX_QUERY {
        return DivisionText::Bad;
    }
    let mut found = DivisionText::Absent;
    // Some readers take `;` for a separator, others for a part of the value.
    for parameter in query.split(['&', ';']) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match spelling(name) {
            Spelling::Other => {}
            Spelling::Exact if found == DivisionText::Absent && !query.contains(';') => {
                found = id(value).map_or(DivisionText::Bad, DivisionText::Id);
            }
            Spelling::Exact | Spelling::Close => found = DivisionText::Bad,
        }
    }

    found
}

enum Spelling {
    /// Another case, white space around it or an index behind it: a lenient reader knows it.
    Close,
    Exact,
    Other,
}

fn spelling(name: &str) -> Spelling {
    let mut rest = NAME;
    let mut exact = true;
    for byte in decode(name) {
        match (rest, byte) {
            ([next, after @ ..], Some(byte)) if next.eq_ignore_ascii_case(&byte) => {
                exact &= *next == byte;
                rest = after;
            }
            ([], Some(b'[' | b'.' | b' ' | b'\0')) => return Spelling::Close,
            (_, Some(b' ')) if rest == NAME => exact = false,
            (_, Some(_) | None) => return Spelling::Other,
        }
    }

    match (rest, exact) {
        ([], true) => Spelling::Exact,
        ([], false) => Spelling::Close,
        _ => Spelling::Other,
    }
}

fn id(value: &str) -> Option<Uuid> {
    let mut text = [0; 36];
    let mut places = text.iter_mut();
    for byte in decode(value) {
        *places.next()? = byte?;
    }
    if places.next().is_some() {
        return None;
    }

    Uuid::parse(core::str::from_utf8(&text).ok()?)
}

/// Decodes a form parameter; none for a percent sign that is no escape.
fn decode(text: &str) -> impl Iterator<Item = Option<u8>> + '_ {
    unescape(text.as_bytes()).map(|byte| match byte {
        Byte::Plain(b'+') => Some(b' '),
        Byte::Escaped(byte) | Byte::Plain(byte) => Some(byte),
        Byte::Stray => None,
    })
}
