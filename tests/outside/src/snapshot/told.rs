//! Everything that a snapshot says, said once.

use std::collections::BTreeSet;

use gateward_core::division::Target;
use gateward_core::permission::Entry;
use gateward_core::route;
use gateward_core::snapshot::build::{Contents, PrincipalEntry, Scope, TokenEntry, VerifierLen};
use gateward_core::snapshot::{View, unsigned};

use crate::heap;

/// Reads everything, looks everything up, and compiles it again: the same file comes out.
pub(super) fn everything(view: &View<'_>, file: &[u8]) {
    heap::within(0, || {
        divisions(view);
        people(view);
        additions(view);
    });
    let contents = contents(view, file);
    let len = if view.verifier_len() == 32 { VerifierLen::Full } else { VerifierLen::Half };
    let again = contents.compile(len).expect("what was read can be written");
    if same_grants(&again, file) {
        assert_eq!(without_features(&again), without_features(file), "a second spelling");
        return;
    }
    let reopened = unsigned(&again[..]).expect("what was written can be read");
    assert_eq!(said(&reopened.view()), said(view));
}

/// Nothing that is looked up is another thing.
fn divisions(view: &View<'_>) {
    for (id, name) in view.divisions() {
        let Target::Division(index) = view.division_of(id) else { panic!("a division is lost") };
        assert_eq!(view.division_id(index), Some(id));
        let named = view.division(name);
        // A name may read like the id of another division, which is looked for first.
        assert!(
            named == Target::Division(index) || gateward_core::name::Uuid::parse(name).is_some()
        );
    }
    for (kind, id, division) in view.resources() {
        let expected = division.map_or(Target::Unattached, |id| view.division_of(id));
        assert_eq!(view.resource(kind, id), Some(expected));
    }
}

fn people(view: &View<'_>) {
    assert_eq!(view.principals().count(), view.principal_count());
    assert_eq!(view.tokens().count(), view.token_count());
    for principal in view.principals() {
        assert!(!principal.name().is_empty());
        assert!(!principal.reaches_all_divisions() || principal.divisions().next().is_none());
        for id in principal.divisions() {
            assert!(matches!(view.division_of(id), Target::Division(_)));
        }
    }
    for token in view.tokens() {
        assert!(view.principal(token.owner).is_some() && token.has_the_secret_of(&token));
    }
    assert!(view.principal(view.principal_count()).is_none());
}

fn additions(view: &View<'_>) {
    let ext = view.ext();
    for entry in ext.permissions() {
        assert!(Entry::of(entry.permission).is_none(), "a built-in permission is replaced");
        assert_eq!(
            ext.entry(entry.permission).map(|found| found.permission),
            Some(entry.permission)
        );
        assert!(ext.permission(entry.id).is_some());
    }
    for rule in ext.routes() {
        // Whichever rule has the best claim, looking for it ends.
        for method in ["GET", "POST"] {
            let _found_or_not = route::find(method, rule.pattern.as_str(), ext.routes());
        }
    }
}

/// All that is said, in an order of its own, but for the keys of permission sets.
fn said(view: &View<'_>) -> Vec<String> {
    let divisions = view.divisions().map(|division| format!("{division:?}"));
    let people = view.principals().map(|one| {
        let scope: Vec<_> = one.divisions().collect();
        let (key, kind, end) = (one.key(), one.kind(), one.end());
        let flags = (one.is_disabled(), one.has_iot_access(), one.reaches_all_divisions());
        format!("{key} {one:?} {kind:?} {:?} {flags:?} {scope:?} {end:?}", one.permissions())
    });
    let tokens = view.tokens().map(|token| format!("{token:?}"));
    let resources = view.resources().map(|resource| format!("{resource:?}"));
    let added = view.ext().permissions().map(|entry| format!("{entry:?}"));
    let routes = view.ext().routes().map(|rule| format!("{rule:?}"));
    let head = [format!("{} {}", view.account(), view.is_suspended())].into_iter();

    head.chain(divisions)
        .chain(people)
        .chain(tokens)
        .chain(resources)
        .chain(added)
        .chain(routes)
        .collect()
}

fn contents(view: &View<'_>, file: &[u8]) -> Contents {
    let principals = view.principals().map(|one| {
        let only: BTreeSet<_> = one.divisions().collect();
        let entry = PrincipalEntry {
            id: one.id(),
            name: one.name().to_owned(),
            kind: one.kind(),
            disabled: one.is_disabled(),
            no_iot_access: !one.has_iot_access(),
            permissions: one.permissions(),
            scope: if one.reaches_all_divisions() { Scope::All } else { Scope::Only(only) },
            end: one.end(),
        };
        (one.key(), entry)
    });
    let keys: Vec<_> = view.principals().map(|one| one.key()).collect();
    let tokens = view.tokens().enumerate().map(|(at, token)| {
        let mut verifier = [0; 32];
        verifier.iter_mut().zip(verifier_at(file, at)).for_each(|(place, byte)| *place = *byte);
        let principal = keys.get(token.owner).copied().expect("an owner");
        (token.id, TokenEntry { principal, disabled: token.disabled, end: token.end, verifier })
    });

    Contents {
        account: view.account(),
        suspended: view.is_suspended(),
        divisions: view.divisions().map(|(id, name)| (id, name.to_owned())).collect(),
        principals: principals.collect(),
        tokens: tokens.collect(),
        resources: view.resources().map(|(kind, id, division)| ((kind, id), division)).collect(),
        ext: file.get(file.len() - number(file, 64, 4)..).unwrap_or_default().to_vec(),
    }
}

/// A number of the header, as FORMAT places it.
fn number(file: &[u8], at: usize, len: usize) -> usize {
    let bytes = file.iter().skip(at).take(len).rev();
    bytes.fold(0, |number, byte| number << 8 | usize::from(*byte))
}

/// The verifier of a row, as FORMAT places it.
pub(super) fn verifier_at(file: &[u8], row: usize) -> &[u8] {
    let (tokens, len) = (number(file, 24, 4), number(file, 37, 1));
    let rows = grants(file).end + number(file, 28, 4) * (40 + 8 * number(file, 36, 1)) + 8 * tokens;
    let start = rows + row * (8 + len) + 8;

    file.get(start..start + len).expect("a row of the file")
}

/// Where the permission sets stand.
fn grants(file: &[u8]) -> core::ops::Range<usize> {
    let start = 80 + 22 * number(file, 34, 2);
    start..start + 16 * number(file, 32, 2)
}

/// Whether both files hold the same permission sets under the same keys: a key is any number, and a
/// set may stand there that nobody has.
fn same_grants(one: &[u8], other: &[u8]) -> bool {
    one.get(grants(one)) == other.get(grants(other))
}

/// The file without the word of features that do not matter to who does not know them.
fn without_features(file: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    file.iter_mut().skip(56).take(4).for_each(|byte| *byte = 0);

    file
}
