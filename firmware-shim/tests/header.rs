//! `include/gateward.h` is what the Rust source says, and C can read it.
//!
//! To write it anew: `GATEWARD_HEADER=write cargo test -p gateward-shim --test header`.
#![expect(clippy::unwrap_used, reason = "a header that cannot be made or read is the failure")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cbindgen::{Builder, Config};
use gateward::*;

/// In the order in which a program calls them.
const MODULES: [&str; 13] = [
    "version", "status", "storage", "foreign", "keys", "manifest", "delta", "snapshot", "time",
    "check", "audit", "names", "bundle",
];

#[test]
fn the_header_is_what_the_source_says() {
    let path = shim("include/gateward.h");
    let made = header();
    if std::env::var_os("GATEWARD_HEADER").is_some_and(|asked| asked == "write") {
        fs::write(&path, &made).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap();

    let differs = kept.lines().zip(made.lines()).position(|(kept, made)| kept != made);
    assert!(
        kept == made,
        "line {:?} and perhaps more: write it anew with GATEWARD_HEADER=write",
        differs.map(|at| at + 1)
    );
}

#[test]
fn every_name_is_the_librarys_own_and_every_function_is_there() {
    let kept = fs::read_to_string(shim("include/gateward.h")).unwrap();
    let exported: BTreeSet<_> = sources().iter().flat_map(|source| functions(source)).collect();
    let declared: BTreeSet<_> = called(&kept).map(str::to_owned).collect();
    let strange = kept.lines().find(|line| {
        let named = |before, prefix| {
            line.strip_prefix(before).is_none_or(|rest: &str| rest.starts_with(prefix))
        };
        !named("#define ", "GATEWARD_") || line.ends_with(';') && !named("} ", "gateward_")
    });

    assert_eq!(declared, exported);
    assert_eq!(strange, None);
    assert!(exported.len() > 40);
}

#[test]
fn c_checks_the_size_of_every_type() {
    let kept = fs::read_to_string(shim("include/gateward.h")).unwrap();
    let types = kept.lines().filter_map(|line| line.strip_prefix("} gateward_"));
    let unchecked: Vec<_> = types
        .filter_map(|rest| rest.strip_suffix(';'))
        .filter(|name| !kept.contains(&format!("GATEWARD_SIZE({name}, ")))
        .collect();

    assert!(unchecked.is_empty(), "{unchecked:?}");
}

#[test]
fn the_header_is_c99_and_needs_nothing_but_numbers() {
    let kept = fs::read_to_string(shim("include/gateward.h")).unwrap();
    let included: Vec<_> = kept.lines().filter(|line| line.starts_with("#include")).collect();
    let compiled = Command::new("cc")
        .args(["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-x", "c"])
        .arg(shim("include/gateward.h"))
        .output()
        .unwrap();

    assert_eq!(included, ["#include <stddef.h>", "#include <stdint.h>"]);
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
}

fn shim(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

fn sources() -> Vec<String> {
    let files = fs::read_dir(shim("src")).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.is_file() && !is_planted(path)).collect();
    files.sort();

    files.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// What a test plants in an archive of its own is no part of the interface.
fn is_planted(path: &Path) -> bool {
    path.ends_with("halt.rs")
}

/// The functions that a source exports.
fn functions(source: &str) -> Vec<String> {
    let exported = source.split("#[unsafe(no_mangle)]").skip(1);

    exported.map(|rest| called(rest).next().unwrap().to_owned()).collect()
}

/// The library's words that stand before a bracket, outside of comments.
fn called(text: &str) -> impl Iterator<Item = &str> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with(['*', '/']));
    let before =
        code.flat_map(|line| line.split_inclusive('(')).filter_map(|part| part.strip_suffix('('));
    let last = before.filter_map(|part| part.rsplit([' ', '*']).next());

    last.filter(|word| word.starts_with("gateward_") && !word.contains([')', '[']))
}

fn header() -> String {
    let config = Config::from_file(shim("cbindgen.toml")).unwrap();
    let renamed: Vec<_> = config.export.rename.clone().into_iter().collect();
    let builder = MODULES.iter().fold(Builder::new().with_config(config), |builder, module| {
        builder.with_src(shim("src").join(module).with_extension("rs"))
    });
    let mut made = Vec::new();
    builder.generate().unwrap().write(&mut made);
    let text = plain(&String::from_utf8(made).unwrap(), &renamed);
    let end = text.rfind("#ifdef __cplusplus").unwrap();

    format!("{}{}\n{}", &text[..end], sizes(), &text[end..])
}

/// Turns what only rustdoc understands into words, and numbers into unsigned ones.
fn plain(made: &str, renamed: &[(String, String)]) -> String {
    let mut text = made.replace("// # Safety\n//\n", "// The caller promises:\n");
    text = text.replace("[`crate::", "[`");
    for (rust, c) in renamed {
        text = text.replace(&format!("[`{rust}`]"), &format!("`{c}`"));
    }
    let mut plain = String::new();
    for line in text.lines() {
        let line = line.replace("[`", "`").replace("`]", "`");
        let number =
            line.starts_with("#define ") && line.ends_with(|last: char| last.is_ascii_digit());
        writeln!(plain, "{line}{}", if number { "u" } else { "" }).unwrap();
    }

    plain
}

/// Lets a C compiler find out that it lays out a type in another way than Rust.
fn sizes() -> String {
    let mut text = String::from(
        "// A compiler that lays out a type in another way says so here.\n\
         #define GATEWARD_SIZE(type, bytes) \\\n  \
         typedef char gateward_##type##_size[sizeof(gateward_##type) == (bytes) ? 1 : -1]\n",
    );
    for (name, rust, words) in [
        ("ask", size_of::<Ask>(), GATEWARD_ASK_WORDS),
        ("clock", size_of::<Clock>(), GATEWARD_CLOCK_WORDS),
        ("hash_list", size_of::<HashList>(), GATEWARD_HASH_LIST_WORDS),
        ("keys", size_of::<Keys>(), GATEWARD_KEYS_WORDS),
        ("manifest", size_of::<Manifest>(), GATEWARD_MANIFEST_WORDS),
        ("snapshot", size_of::<Snapshot>(), GATEWARD_SNAPSHOT_WORDS),
        ("token", size_of::<ParsedToken>(), GATEWARD_TOKEN_WORDS),
    ] {
        assert_eq!(rust, 8 * words, "{name}");
        let words = format!("GATEWARD_{}_WORDS", name.to_uppercase());
        writeln!(text, "GATEWARD_SIZE({name}, 8 * {words});").unwrap();
    }
    // So many bytes and so many pointers.
    for (name, rust, bytes, pointers) in [
        ("bundle", size_of::<Bundle>(), 0, 8),
        ("decision", size_of::<Decision>(), 32, 0),
        ("floor", size_of::<Floor>(), GATEWARD_FLOOR_SIZE, 0),
        ("list", size_of::<List>(), 16, 4),
        ("manifest_fields", size_of::<ManifestFields>(), 88, 0),
        ("now", size_of::<Now>(), 24, 0),
        ("record", size_of::<Record>(), 128, 14),
        ("request", size_of::<Request>(), 24, 2),
        ("shown", size_of::<Shown>(), 16, 0),
        ("status", size_of::<Status>(), 4, 0),
        ("text", size_of::<Text>(), 0, 2),
    ] {
        assert_eq!(rust, bytes + pointers * size_of::<usize>(), "{name}");
        writeln!(text, "GATEWARD_SIZE({name}, {bytes} + {pointers} * sizeof(void *));").unwrap();
    }

    text + "#undef GATEWARD_SIZE\n"
}
