//! A snapshot: its shape, everything that it says, and who is let in by it.

mod held;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use gateward_core::name::Uuid;
use gateward_core::permission::PermissionSet;
use gateward_core::principal::PrincipalKind;
use gateward_core::snapshot::build::{Contents, PrincipalEntry, Scope, TokenEntry, VerifierLen};
use gateward_core::snapshot::{self, unsigned};
use gateward_core::time::End;

use crate::fixture::{account, fixture, scatter};
use crate::{Input, cast, heap, is_a_message};

pub(super) fn run(data: &[u8]) {
    let mut input = Input(data);
    match input.way(4) {
        0 => read(input.rest()),
        1 => changed(input),
        2 => compiled(input),
        _ => vouched(input.rest()),
    }
}

/// A file of good shape is read to its end, says one thing, and lets in nobody whom it does not name.
pub(crate) fn read(file: &[u8]) {
    match heap::within(0, || unsigned(file)) {
        Ok(opened) => {
            let view = opened.view();
            told::everything(&view, file);
            held::nobody_else(&view, file);
        }
        Err(why) => refused(why),
    }
}

fn refused(why: snapshot::Refused) {
    is_a_message(&why.to_string());
    assert!(!why.code().is_empty());
}

/// One of the good files with bytes exchanged, so that its lengths stay right.
fn changed(mut input: Input<'_>) {
    let files = files();
    let at = usize::from(input.byte()) % files.len();
    let mut file = files.get(at).cloned().unwrap_or_default();
    while !input.is_over() {
        let (at, byte) = (usize::from(input.u16()) % file.len(), input.byte());
        file.iter_mut().skip(at).take(1).for_each(|place| *place ^= byte);
    }
    read(&file);
}

/// What somebody compiles is accepted, and then the same with bytes exchanged.
fn compiled(mut input: Input<'_>) {
    let contents = contents(&mut input);
    let half = if input.byte() & 1 == 0 { VerifierLen::Full } else { VerifierLen::Half };
    let Ok(mut file) = contents.compile(half) else { return };
    assert!(!contents.ext.is_empty() || unsigned(&file[..]).is_ok(), "not what was meant");
    read(&file);
    while !input.is_over() {
        let (at, byte) = (usize::from(input.u16()) % file.len(), input.byte());
        file.iter_mut().skip(at).take(1).for_each(|place| *place ^= byte);
    }
    read(&file);
}

/// A file that a manifest names is opened if its shape is good and it is for this account; another
/// file under the same manifest never is.
fn vouched(file: &[u8]) {
    let Some(manifest) = cast::manifest(file, 12) else { return };
    let (good, ours) = match unsigned(file) {
        Ok(opened) => (true, opened.view().account() == cast::ACCOUNT),
        Err(_) => (false, false),
    };
    match heap::within(0, || snapshot::open(file, manifest.clone())) {
        Ok(verified) => {
            assert!(good && ours && verified.bytes() == file);
            assert_eq!(verified.view().limits().expires_at, verified.manifest().expires_at());
            assert!(verified.refreshed(manifest.clone()).is_ok());
        }
        Err(why) => {
            assert!(!good || !ours, "{why:?}");
            refused(why);
        }
    }
    let mut other = file.to_vec();
    other.iter_mut().last().into_iter().for_each(|byte| *byte ^= 1);
    assert_eq!(snapshot::open(&other[..], manifest).err(), Some(snapshot::Refused::Root));
}

/// Good files of different shapes.
pub(super) fn files() -> &'static [Vec<u8>] {
    static FILES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();

    FILES.get_or_init(|| {
        let whole = fixture().bytes().to_vec();
        let half = account().0.compile(VerifierLen::Half);
        let nobody = Contents { account: cast::ACCOUNT, ..Contents::default() };
        let nobody = nobody.compile(VerifierLen::Full);
        let wide = contents(&mut Input(&[70, 3, 40, 7, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]));
        let wide = wide.compile(VerifierLen::Full);

        [Ok(whole), half, nobody, wide].map(|file| file.expect("the contents fit")).into()
    })
}

/// Contents of sizes and fields that the input says.
pub(crate) fn contents(input: &mut Input<'_>) -> Contents {
    let [divisions, principals, tokens, resources] = input.array();
    let place = |kind: u8, at: u8| Uuid([kind, at, kind, at, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let divisions: BTreeMap<_, _> =
        (0..divisions % 72).map(|at| (place(1, at), format!("division {at}"))).collect();
    let some = |bits: u8| -> BTreeSet<Uuid> {
        divisions
            .keys()
            .zip(0_u32..)
            .filter(|(_, at)| bits >> (at % 8) & 1 == 1)
            .map(|d| *d.0)
            .collect()
    };
    let principals: BTreeMap<_, _> = (0..principals % 9)
        .map(|at| (u32::from(at) * 3, principal(input, at, place(2, at), &some)))
        .collect();
    let owners: Vec<u32> = principals.keys().copied().collect();
    let tokens = (0..tokens % 64).filter_map(|at| {
        let owner = owners.get(usize::from(at) % owners.len().max(1))?;
        let (id, flags) = (scatter(u64::from(at)), input.byte());
        let end = if flags & 2 == 0 { End::NEVER } else { End(input.u32()) };
        let verifier = [at; 32];
        Some((id, TokenEntry { principal: *owner, disabled: flags & 1 == 1, end, verifier }))
    });
    let tokens = tokens.collect();
    let resources = (0..resources % 9)
        .map(|at| ((at, place(3, at)), divisions.keys().nth(usize::from(input.byte())).copied()))
        .collect();
    let ext = input.byte();
    let ext = input.bytes(usize::from(ext)).to_vec();

    Contents {
        account: cast::ACCOUNT,
        suspended: input.byte() == 1,
        divisions,
        principals,
        tokens,
        resources,
        ext,
    }
}

fn principal(
    input: &mut Input<'_>,
    at: u8,
    id: Uuid,
    some: &impl Fn(u8) -> BTreeSet<Uuid>,
) -> PrincipalEntry {
    let [kind, flags, scope] = input.array();

    PrincipalEntry {
        id,
        name: format!("somebody {at}"),
        kind: PrincipalKind::from_byte(kind % 3).expect("one of three"),
        disabled: flags & 1 == 1,
        no_iot_access: flags & 2 == 2,
        permissions: PermissionSet(input.u64()),
        scope: if flags & 4 == 4 { Scope::All } else { Scope::Only(some(scope)) },
        end: if flags & 8 == 0 { End::NEVER } else { End(input.u32()) },
    }
}
