//! Files and cases as C reads them, so that a program embeds them without tools.

use std::fmt::Write as _;

use crate::firmware;
use crate::plant::Case;
use crate::question::Question;

const ABOUT: &str = "Written by `cargo run -p gateward-firmware-tests --bin fixtures`; \
                     the keys and tokens are for tests, and everybody knows their secrets.";

/// Returns `fixtures.h`: every file by the name of its array.
#[must_use]
pub fn header(files: &[(String, Vec<u8>)]) -> String {
    let mut text = format!(
        "/* {ABOUT} */\n#ifndef GATEWARD_FIXTURES_H\n#define GATEWARD_FIXTURES_H\n\n\
         #ifdef __cplusplus\nextern \"C\" {{\n#endif\n\n"
    );
    for (name, _) in files {
        line(&mut text, &format!("extern const unsigned char gateward_fixture_{name}[];"));
        line(&mut text, &format!("extern const unsigned gateward_fixture_{name}_len;"));
    }
    text += "\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n";

    text
}

/// Returns `fixtures.c`.
#[must_use]
pub fn arrays(files: &[(String, Vec<u8>)]) -> String {
    let mut text = format!("/* {ABOUT} */\n#include \"fixtures.h\"\n");
    for (name, bytes) in files {
        line(&mut text, &format!("\nconst unsigned char gateward_fixture_{name}[] = {{"));
        for row in bytes.chunks(24) {
            let row: Vec<String> = row.iter().map(u8::to_string).collect();
            line(&mut text, &format!("{},", row.join(",")));
        }
        line(&mut text, "};");
        line(&mut text, &format!("const unsigned gateward_fixture_{name}_len = {};", bytes.len()));
    }

    text
}

/// Returns `cases.h`.
#[must_use]
pub fn cases(cases: &[Case]) -> String {
    let mut text = format!(
        "/* {ABOUT}\n\
         \n   Every outcome of a check against `file` once `revoked` was taken; `now` is a synchronised\n   \
         clock's. */\n\
         #ifndef GATEWARD_CASES_H\n#define GATEWARD_CASES_H\n\n#include <stdint.h>\n\n\
         struct gateward_case {{\n    \
         const char *name;\n    \
         const char *token;\n    \
         uint64_t permissions;\n    \
         uint32_t operation;\n    \
         const char *division; /* null where it is not said */\n    \
         uint64_t now;\n    \
         uint32_t reason;\n    \
         uint32_t counted; /* 1: takes as many instructions as every other such case */\n}};\n\n\
         static const struct gateward_case gateward_cases[] = {{\n"
    );
    for Case { name, question, reason, counted } in cases {
        let Question { token, permissions, division, now, .. } = question;
        let division = division.as_deref();
        let division = division.map_or_else(|| "0".to_owned(), |name| quoted(name.as_bytes()));
        let [operation, ..] = firmware::numbers(question);
        let (set, reason, counted) = (permissions.0, *reason as u8, u8::from(*counted));
        line(&mut text, &format!("    {{{}, {},", quoted(name.as_bytes()), quoted(token)));
        let numbers = format!("UINT64_C(0x{set:x}), {operation}, {division}, UINT64_C({now})");
        line(&mut text, &format!("     {numbers}, {reason}, {counted}}},"));
    }
    text += "};\n\n#endif\n";

    text
}

fn quoted(text: &[u8]) -> String {
    let mut quoted = String::from("\"");
    for byte in text {
        match byte {
            b'"' | b'\\' => {
                quoted.push('\\');
                quoted.push(char::from(*byte));
            }
            b' '..=b'~' => quoted.push(char::from(*byte)),
            // Three digits always, so that no digit that follows is taken for one of them.
            _ => write!(quoted, "\\{byte:03o}").expect("a string grows"),
        }
    }
    quoted.push('"');

    quoted
}

fn line(text: &mut String, of: &str) {
    text.push_str(of);
    text.push('\n');
}
