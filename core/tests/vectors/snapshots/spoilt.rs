//! Each way to spoil the file, and what may be otherwise.

use super::*;

pub(super) fn all() -> impl Iterator<Item = Case<Vec<u8>>> {
    accepted().into_iter().chain(heads()).chain(records()).chain(ends())
}

fn accepted() -> Vec<Case<Vec<u8>>> {
    let crowd = changed(|contents| {
        contents.divisions = (0..65).map(|n| (id(n), format!("division {n}"))).collect();
        let ana = contents.principals.get_mut(&1).unwrap();
        ana.scope = Scope::Only([id(0), id(64)].into());
        contents.resources.clear();
    });
    let no_list = { extended(&extensions()[..16]) };

    vec![
        ("something-of-everything", ACCEPTED, "the file that the others spoil", file()),
        ("nothing", ACCEPTED, "no division, principal, token or extension", {
            Contents { account: ACCOUNT, ..Contents::default() }.compile(VerifierLen::Full).unwrap()
        }),
        ("half-verifiers", ACCEPTED, "16 bytes of each", {
            contents().compile(VerifierLen::Half).unwrap()
        }),
        ("suspended", ACCEPTED, "the account is", changed(|contents| contents.suspended = true)),
        ("sixty-five-divisions", ACCEPTED, "two words of scope", crowd),
        ("other-feature", ACCEPTED, "a bit that may be ignored", with(56, &[1])),
        ("permission-bit-40", ACCEPTED, "unknown, and grants nothing", with(GRANTS + 5, &[1])),
        (
            "resource-of-an-unknown-kind",
            ACCEPTED,
            "nothing asks for it",
            with(RESOURCES + 24, &[3]),
        ),
        ("no-second-list", ACCEPTED, "extensions without routes", no_list),
    ]
}

fn heads() -> Vec<Case<Vec<u8>>> {
    vec![
        ("empty", "bad_length", "no bytes", Vec::new()),
        ("cut-in-the-head", "bad_length", "79 bytes", file()[..79].to_vec()),
        ("cut-at-the-end", "bad_length", "one byte is missing", {
            let mut file = file();
            file.pop();
            file
        }),
        ("trailing-byte", "bad_length", "one byte follows", [&file()[..], &[0]].concat()),
        ("another-magic", "unknown_format", "a later format", with(7, b"2")),
        ("critical-feature", "unknown_feature", "a bit that this version lacks", with(52, &[1])),
        ("critical-feature-31", "unknown_feature", "the last bit", with(55, &[0x80])),
        ("four-gib-of-tokens", "bad_counts", "n_tokens", with(24, &[0xff; 4])),
        ("too-many-principals", "bad_counts", "n_principals", with(28, &[1, 0, 16, 0])),
        ("too-many-divisions", "bad_counts", "257", with(34, &[1, 1])),
        ("a-word-of-scope-too-many", "bad_counts", "scope_words", with(36, &[2])),
        ("no-word-of-scope", "bad_counts", "scope_words", with(36, &[0])),
        ("verifiers-of-17-bytes", "bad_counts", "verifier_len", with(37, &[17])),
        ("verifiers-of-no-bytes", "bad_counts", "verifier_len", with(37, &[0])),
        ("finer-directory", "bad_counts", "dir_bits", with(48, &[2])),
        ("too-many-resources", "bad_counts", "n_resources", with(60, &[1, 0, 1, 0])),
        ("too-long-extensions", "bad_counts", "ext_len", with(64, &[1, 0, 16, 0])),
        ("too-long-heap", "bad_counts", "heap_len", with(40, &[1, 0, 0, 16])),
        ("one-token-fewer-said", "bad_length", "n_tokens", with(24, &[8])),
        ("other-file-length", "bad_length", "file_len is not the file's", with(44, &[0])),
        ("flag-in-the-head", "bad_reserved", "flags", with(38, &[1])),
        ("byte-50-set", "bad_reserved", "must be zero", with(50, &[1])),
        ("byte-79-set", "bad_reserved", "must be zero", with(79, &[1])),
        (
            "unknown-account-status",
            "unknown_status",
            "neither active nor suspended",
            with(68, &[2]),
        ),
    ]
}

fn records() -> Vec<Case<Vec<u8>>> {
    let all_and_some = with(PRINCIPALS + 48 + 40, &[1]);

    vec![
        ("divisions-out-of-order", "bad_order", "by id", swapped(DIVISIONS, 22)),
        ("a-division-twice", "bad_order", "the same id", with(DIVISIONS + 22, &[0x22; 16])),
        ("a-division-name-twice", "bad_name", "two of one name", with(HEAP + 13, b"7")),
        ("division-byte-21-set", "bad_reserved", "must be zero", with(DIVISIONS + 21, &[1])),
        (
            "division-name-elsewhere",
            "bad_name",
            "not where the heap begins",
            with(DIVISIONS + 16, &[1]),
        ),
        ("empty-division-name", "bad_name", "no characters", with(DIVISIONS + 20, &[0])),
        ("grants-out-of-order", "bad_order", "by key", swapped(GRANTS, 16)),
        ("grant-byte-15-set", "bad_reserved", "must be zero", with(GRANTS + 15, &[1])),
        ("principals-out-of-order", "bad_order", "by key", with(PRINCIPALS, &[2])),
        ("unknown-kind-of-principal", "unknown_status", "kind", with(PRINCIPALS + 27, &[3])),
        ("unknown-flag-of-a-principal", "bad_reserved", "flags", with(PRINCIPALS + 28, &[8])),
        ("principal-byte-29-set", "bad_reserved", "must be zero", with(PRINCIPALS + 29, &[1])),
        ("principal-byte-39-set", "bad_reserved", "must be zero", with(PRINCIPALS + 39, &[1])),
        ("grant-past-the-table", "bad_reference", "of a principal", with(PRINCIPALS + 24, &[3])),
        ("division-past-the-table", "bad_scope", "bit 2 of two", with(PRINCIPALS + 40, &[4])),
        ("every-division-and-some", "bad_scope", "flag 2 beside a bit", all_and_some),
        ("name-with-a-line-break", "bad_name", "could forge a line", with(HEAP + 17, b"\n")),
        ("name-that-turns-the-line", "bad_name", "U+202E", with(HEAP + 15, "\u{202e}".as_bytes())),
        ("name-that-ends-in-space", "bad_name", "not trimmed", with(HEAP + 21, b" ")),
        ("name-that-is-not-utf-8", "bad_name", "a stray byte", with(HEAP + 15, &[0xff])),
        ("name-past-the-heap", "bad_name", "name_len", with(PRINCIPALS + 96 + 26, &[200])),
        (
            "bytes-after-the-names",
            "bad_name",
            "the heap is longer",
            with(PRINCIPALS + 96 + 26, &[7]),
        ),
    ]
}

fn ends() -> Vec<Case<Vec<u8>>> {
    const BAD: &str = "bad_extension";
    let good = extensions();
    let ext = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        assert_ne!(bytes[at], byte, "nothing is changed at {at}");
        bytes[at] = byte;
        extended(&bytes)
    };
    let overlong = extended(&[&[0x81, 0], &good[1..]].concat());
    let twice = extended(&[&[2], &good[1..16], &good[1..16], &good[16..]].concat());

    vec![
        ("ids-out-of-order", "bad_order", "of tokens", swapped(IDS, 8)),
        ("an-id-twice", "bad_order", "of a token", with(IDS + 8, &[0; 8])),
        ("owner-past-the-table", "bad_reference", "of a token", with(ROWS, &[3])),
        ("directory-off-by-one", "bad_directory", "an entry", with(DIRECTORY + 4, &[6])),
        (
            "directory-too-short-at-its-end",
            "bad_directory",
            "the last entry",
            with(DIRECTORY + 8, &[8]),
        ),
        ("window-too-narrow", "bad_directory", "would not find every id", with(49, &[4])),
        ("window-too-wide", "bad_directory", "another spelling", with(49, &[12])),
        ("resources-out-of-order", "bad_order", "by kind and id", swapped(RESOURCES, 24)),
        ("resource-byte-1-set", "bad_reserved", "must be zero", with(RESOURCES + 1, &[1])),
        ("resource-byte-7-set", "bad_reserved", "must be zero", with(RESOURCES + 7, &[1])),
        (
            "resource-past-the-divisions",
            "bad_reference",
            "neither one nor none",
            with(RESOURCES + 2, &[2]),
        ),
        ("overlong-varint", BAD, "a count of extensions", overlong),
        ("extension-cut-short", BAD, "in a route", extended(&good[..good.len() - 1])),
        ("extension-trailing-byte", BAD, "after the routes", extended(&[&good[..], &[0]].concat())),
        ("extension-of-a-built-in-bit", BAD, "bit 18", ext(1, 18)),
        ("extension-of-bit-64", BAD, "past the set", ext(1, 64)),
        ("extension-of-one-bit-twice", BAD, "bit 19", twice),
        ("extension-operation-7", BAD, "of a permission", ext(13, 0xc0)),
        ("extension-division-scoped-2", BAD, "not a bool", ext(15, 2)),
        ("extension-id-not-utf-8", BAD, "a stray byte", ext(4, 0xff)),
        ("route-without-a-method", BAD, "methods is 0", ext(28, 0)),
        ("route-method-128", BAD, "no such method", ext(28, 0x80)),
        ("route-pattern-without-a-slash", BAD, "does not begin so", ext(30, b'v')),
        ("route-pattern-with-a-capital-slot", BAD, "`{Id}`", ext(38, b'I')),
        ("route-operation-7", BAD, "no such operation", ext(57, 7)),
        ("route-accepts-16", BAD, "no such credential", ext(58, 0x10)),
        ("route-division-4", BAD, "no such source", ext(59, 4)),
        ("route-resource-kind-3", BAD, "no such kind", ext(59, 0x83)),
    ]
}
