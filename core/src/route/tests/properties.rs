//! Any input: no panic, one answer, and the one that a plainer matcher gives.

use std::vec::Vec;

use proptest::prelude::*;

use super::*;

/// Decodes, splits and compares in the plainest way, with as much memory as it likes.
fn plainly(method: &str, target: &str) -> Option<&'static str> {
    let path = plain_path(target)?;
    let mut candidates: Vec<(Vec<u8>, bool, &Rule<'static>)> = Vec::new();
    for rule in &RULES {
        let names = method_names(rule);
        let follows = method == "HEAD" && names.contains(&"GET");
        if (names.contains(&method) || follows)
            && let Some(ranks) = plain_match(rule.pattern.as_str(), &path)
        {
            candidates.push((ranks, names.contains(&method), rule));
        }
    }
    candidates.sort_by(|one, other| (&other.0, other.1).cmp(&(&one.0, one.1)));

    candidates.first().filter(|(_, _, rule)| rule.enabled).map(|(_, _, rule)| rule.id)
}

fn method_names(rule: &Rule<'_>) -> Vec<&'static str> {
    let all = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    all.into_iter()
        .zip(0..)
        .filter(|(_, bit)| rule.methods.0 >> bit & 1 == 1)
        .map(|(n, _)| n)
        .collect()
}

fn plain_path(target: &str) -> Option<Vec<String>> {
    if target.contains('#') {
        return None;
    }
    let raw = target.split('?').next()?.strip_prefix('/')?;
    if raw.len() + 1 > 2_048 {
        return None;
    }
    let segments: Vec<&str> = raw.strip_suffix('/').unwrap_or(raw).split('/').collect();
    if segments.len() > 64 || raw.is_empty() {
        return None;
    }
    segments.into_iter().map(plain_segment).collect()
}

fn plain_segment(raw: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut at = 0;
    while at < raw.len() {
        if raw.as_bytes()[at] == b'%' {
            let digits = raw.get(at + 1..at + 3)?;
            if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return None;
            }
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            at += 3;
            // Decoded, none of these is part of a name.
            if b"/%?#".contains(bytes.last()?) {
                return None;
            }
        } else {
            bytes.push(raw.as_bytes()[at]);
            at += 1;
        }
    }
    let text = String::from_utf8(bytes).ok()?;
    let refused = text.is_empty()
        || text == "."
        || text == ".."
        || text.chars().any(|c| c.is_control() || c == ';' || c == '\\');

    (!refused).then_some(text)
}

/// Returns how specific each segment of the match is, and at last whether the pattern ends.
fn plain_match(pattern: &str, path: &[String]) -> Option<Vec<u8>> {
    let pattern: Vec<&str> = pattern.split('/').skip(1).collect();
    let (fixed, tail) = match pattern.split_last() {
        Some((&"**", fixed)) => (fixed, true),
        _ => (&pattern[..], false),
    };
    if path.len() < fixed.len() || (!tail && path.len() > fixed.len()) {
        return None;
    }
    let mut ranks = Vec::new();
    for (piece, segment) in fixed.iter().zip(path) {
        let digits = segment.strip_prefix('v').unwrap_or_default();
        let version = !digits.is_empty()
            && digits.len() <= 2
            && digits.chars().all(|digit| digit.is_ascii_digit());
        ranks.push(match *piece {
            "{v:ver}" if version => 2,
            "{v:ver}" => return None,
            piece if piece.starts_with('{') => 1,
            piece if piece == segment => 3,
            _ => return None,
        });
    }
    ranks.push(if tail { 0 } else { 4 });

    Some(ranks)
}

fn methods() -> impl Strategy<Value = &'static str> {
    prop::sample::select(Vec::from([
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get",
    ]))
}

/// A target near one that some rule knows: pieces of the table with odd ones between them.
fn near_targets() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(Vec::from([
        "",
        ".",
        "..",
        "v1",
        "v22",
        "v333",
        "**",
        "{id}",
        "%2e",
        "%2F",
        "%63",
        "%",
        "%ff",
        "a;b",
        "certificate",
        "renew",
        "x",
        "é",
        "/",
        "?division_id=1",
        "#",
        "passcode",
        "\u{85}",
    ]));
    let table = prop::sample::select(
        RULES.iter().map(|rule| sample(rule.pattern.as_str())).collect::<Vec<_>>(),
    );
    let edits = prop::collection::vec((0_usize..10, any::<bool>(), odd), 0..3);
    (table, edits).prop_map(|(target, edits)| {
        let mut segments: Vec<&str> = target.split('/').collect();
        for (at, insert, odd) in edits {
            let at = at.min(segments.len());
            if insert || at == segments.len() {
                segments.insert(at, odd);
            } else {
                segments[at] = odd;
            }
        }
        segments.join("/")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_plainer_matcher_finds_the_same_rule(method in methods(), target in near_targets()) {
        prop_assert_eq!(id(method, &target).ok(), plainly(method, &target), "{} {}", method, target);
    }

    #[test]
    fn any_input_has_one_answer_and_a_record_that_fits(
        method in ".{0,8}",
        target in prop_oneof!["(/|%|\\?|;|\\.|gwd1\\.|division_id=|[a-f0-9]|\\PC){0,300}", any::<String>()],
    ) {
        prop_assert_eq!(id(&method, &target), id(&method, &target));
        let path = NormalPath::of(&target);
        prop_assert!(path.as_str().len() <= NormalPath::MAX);
        if let Ok(found) = found("GET", &target) {
            prop_assert_eq!(found.path, path);
        }
    }

    #[test]
    fn any_query_is_read_without_a_panic(query in "(division_id|%|=|&|;|[0-9a-f-]|\\PC){0,80}") {
        let _ = query::division(&query);
    }

    #[test]
    fn a_pattern_that_was_accepted_matches_what_it_says(pattern in "(/([a-z.~]{1,4}|\\{x\\}|\\{v:ver\\})){1,6}(/\\*\\*)?") {
        let added = rule("added", "DELETE", "/x");
        if let Ok(checked) = Pattern::check(&pattern) {
            let added = Rule { pattern: checked, ..added };
            let target = sample(&pattern);
            let found = find("DELETE", &target, iter::once(added));
            prop_assert_eq!(found.map(|found| found.rule.id), Ok("added"));
        }
    }
}
