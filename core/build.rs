//! Turns the tables in `data/` into constants, so that they are data for readers and code for the
//! firmware.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a build script says what is wrong by failing"
)]

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-changed=data");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));

    fs::write(out.join("permissions.rs"), permissions(&rows("data/permissions.tsv")))
        .expect("OUT_DIR can be written");
    fs::write(out.join("routes.rs"), routes(&rows("data/routes.tsv")))
        .expect("OUT_DIR can be written");
}

/// Reads a tab-separated table with a head line, fields quoted as in RFC 4180.
fn rows(path: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let unquote = |field: &str| match field.strip_prefix('"').and_then(|f| f.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => field.to_owned(),
    };
    let mut lines = text.lines();
    let columns = lines.next().map_or(0, |head| head.split('\t').count());

    lines
        .map(|line| {
            let row: Vec<String> = line.split('\t').map(unquote).collect();
            assert_eq!(row.len(), columns, "{path}: a row has another number of columns: {line}");
            row
        })
        .collect()
}

const OPERATIONS: [&str; 7] = ["approve", "delete", "issue", "issue_ca", "read", "revoke", "write"];

fn operations(names: &str) -> u8 {
    names.split_whitespace().fold(0, |set, name| {
        let bit = OPERATIONS.iter().position(|known| *known == name);
        set | 1 << bit.unwrap_or_else(|| panic!("unknown operation {name}"))
    })
}

fn permissions(rows: &[Vec<String>]) -> String {
    let mut code = format!(
        "/// The built-in permissions, in the order of their bits (DOMAIN section 5).\n\
         pub const CATALOGUE: [Entry<'static>; {}] = [\n",
        rows.len()
    );
    let (mut account, mut system) = (0u64, 0u64);
    for row in rows {
        let [bit, id, alias, _, _, label, _, in_account, in_system, ops, fresh, scoped] =
            row.as_slice()
        else {
            panic!("permissions.tsv has twelve columns");
        };
        let number: u8 = bit.parse().expect("a bit is a number");
        account |= u64::from(in_account == "yes") << number;
        system |= u64::from(in_system == "yes") << number;
        writeln!(
            code,
            "Entry {{ permission: Permission({bit}), id: {id:?}, alias: {alias:?}, label: {label:?}, \
             ops: Operations({}), fresh_ops: Operations({}), division_scoped: {} }},",
            operations(ops),
            operations(fresh),
            scoped == "yes"
        )
        .expect("a string can be written");
    }
    write!(
        code,
        "];\nconst ACCOUNT_ADMIN: PermissionSet = PermissionSet({account});\n\
         const SYSTEM_ADMIN: PermissionSet = PermissionSet({system});\n"
    )
    .expect("a string can be written");

    code
}

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const CREDENTIALS: [&str; 4] = ["key", "passcode", "mtls", "device"];

/// Routes that work only where a policy switches them on (DOMAIN G16).
const OFF: [&str; 2] = ["scep", "acme"];

fn bits(names: &str, known: &[&str]) -> u8 {
    names.split_whitespace().filter(|name| *name != "none").fold(0, |set, name| {
        let bit = known.iter().position(|known| *known == name);
        set | 1 << bit.unwrap_or_else(|| panic!("unknown word {name}"))
    })
}

fn routes(rows: &[Vec<String>]) -> String {
    let mut code = format!(
        "/// The built-in rules, in the order of their numbers (DOMAIN section 7).\n\
         pub static RULES: [Rule<'static>; {}] = [\n",
        rows.len()
    );
    for row in rows {
        let [id, methods, pattern, any_of, op, auth, division, stale, name, _] = row.as_slice()
        else {
            panic!("routes.tsv has ten columns");
        };
        let (resource, action) = name.split_once('/').expect("a resource has an action");
        let any_of = if any_of == "-" { "" } else { any_of.as_str() };
        writeln!(
            code,
            "Rule {{ id: {id:?}, methods: Methods({}), pattern: Pattern({pattern:?}), \
             permissions: AnyOf({any_of:?}), operation: {}, accepts: Accepts({}), \
             division: DivisionSource::{}, fresh: {}, resource: {resource:?}, \
             action: {action:?}, enabled: {} }},",
            bits(methods, &METHODS),
            route_operation(op),
            bits(auth, &CREDENTIALS),
            division_source(division),
            stale == "fresh",
            !OFF.contains(&id.as_str()),
        )
        .expect("a string can be written");
    }
    code.push_str("];\n");

    code
}

fn route_operation(word: &str) -> &str {
    match word {
        "public" => "RouteOperation::Public",
        "enroll" => "RouteOperation::Enroll",
        "approve" => "RouteOperation::Needs(Operation::Approve)",
        "delete" => "RouteOperation::Needs(Operation::Delete)",
        "issue" => "RouteOperation::Needs(Operation::Issue)",
        "issue_ca" => "RouteOperation::Needs(Operation::IssueCa)",
        "read" => "RouteOperation::Needs(Operation::Read)",
        "revoke" => "RouteOperation::Needs(Operation::Revoke)",
        "write" => "RouteOperation::Needs(Operation::Write)",
        _ => panic!("unknown operation {word}"),
    }
}

fn division_source(words: &str) -> &str {
    match words {
        "none" => "None",
        "path:division" => "PathDivision",
        "path:enrollment_profile" => "PathResource(ResourceKind::ENROLLMENT_PROFILE)",
        "path:policy" => "PathResource(ResourceKind::POLICY)",
        "query:division_id else filter" => "Query",
        "upstream"
        | "upstream(body)"
        | "upstream(body.division_id)"
        | "upstream(body.enrollment_profile_id)" => "Upstream",
        _ => panic!("unknown source of the division: {words}"),
    }
}
