//! A random snapshot, what is revoked beside it, and who holds which token of it.
//!
//! Most of them are small, some empty or crowded; now and then the account is suspended, a list is
//! missing, or time is about to run out of 32 bits.

use std::collections::BTreeSet;

use gateward_constant_time::Draw;
use gateward_core::name::Uuid;
use gateward_core::permission::{CATALOGUE, PermissionSet};
use gateward_core::principal::PrincipalKind;
use gateward_core::snapshot::build::{Contents, PrincipalEntry, Scope, TokenEntry, VerifierLen};
use gateward_core::snapshot::ext::PermissionRecord;
use gateward_core::time::{End, UnixSeconds};
use gateward_core::token::{self, Context, Token};
use gateward_core::trust::sign::{BeaconDraft, KeySetDraft, ManifestDraft, RevokedDraft};

use crate::authority::{
    ACCOUNT, BEACON, DAY, ROOTS, SNAPSHOT, T0, beacon, key, key_set, manifest, revoked,
};

/// The version of every one of these snapshots.
const VERSION: u64 = 7;
/// The first bit that no permission of the catalogue has.
const FREE: u8 = 19;

/// What a gateway is given, in the order in which it takes it.
#[derive(Clone, Debug)]
pub struct Given {
    /// The key set of enrolment, signed.
    pub keys: Vec<u8>,
    /// The manifest, signed.
    pub manifest: Vec<u8>,
    /// The snapshot.
    pub file: Vec<u8>,
    /// A beacon, signed.
    pub beacon: Option<Vec<u8>>,
    /// Revocation lists, signed, one after the other.
    pub lists: Vec<Vec<u8>>,
    /// The time when all of it is taken.
    pub at: u64,
}

/// A snapshot, and everything that a question may name.
#[derive(Debug)]
pub struct World {
    /// What a gateway is given.
    pub given: Given,
    /// When most requests come.
    pub base: u64,
    /// See [`gateward_core::trust::Manifest::stale_at`].
    pub stale_at: u64,
    /// See [`gateward_core::trust::Manifest::expires_at`].
    pub expires_at: u64,
    /// Texts of tokens.
    pub tokens: Vec<Vec<u8>>,
    /// Divisions by id, with their names.
    pub divisions: Vec<(Uuid, String)>,
    /// The id by which a question may name each bit; none where no id leads to it.
    pub ids: [Option<String>; 64],
    /// Bits that an added permission has.
    pub added: Vec<u8>,
}

/// How much there may be of everything.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Size {
    /// Now and then hundreds.
    Any,
    /// Little enough for the flash of a small machine.
    Small,
}

impl World {
    /// Draws one.
    ///
    /// # Panics
    ///
    /// If what it draws is not a snapshot.
    #[must_use]
    pub fn draw(draw: &mut Draw, size: Size) -> Self {
        // In the last hours of 32 bits no end may be mistaken for another.
        let base = if draw.one_in(16) { u64::from(u32::MAX) - 4_000 } else { T0 };
        let mut contents = Contents { account: ACCOUNT, ..Contents::default() };
        contents.suspended = draw.one_in(24);
        divisions(draw, size, &mut contents);
        let (ids, added) = extend(draw, &mut contents);
        principals(draw, &mut contents, base);
        let count = match draw.below(24) {
            0 => 0,
            1 if size == Size::Any => 200,
            _ => 1 + draw.below(16),
        };
        let tokens = (0..count).map(|_| add_token(draw, &mut contents, base)).collect();
        let verifier = if draw.one_in(3) { VerifierLen::Half } else { VerifierLen::Full };
        let file = contents.compile(verifier).expect("the contents fit");
        let manifest = ManifestDraft {
            issued_at: UnixSeconds(base - DAY),
            stale_after: 86_400 + 3_600,
            expires_after: 86_400 + 7_200,
            // Now and then it speaks of a list that does not come.
            revoked_counter: if draw.one_in(8) { 1 + draw.next() % 2 } else { 0 },
            ..manifest(&file, VERSION)
        };
        let (stale_at, expires_at) = (base + 3_600, base + 7_200);
        let given = give(draw, file, &contents, &manifest, base);
        let divisions = contents.divisions.into_iter().collect();

        Self { given, base, stale_at, expires_at, tokens, divisions, ids, added }
    }
}

fn give(
    draw: &mut Draw,
    file: Vec<u8>,
    contents: &Contents,
    manifest: &ManifestDraft,
    at: u64,
) -> Given {
    let [first, second, _] = ROOTS.map(key);
    let keys = KeySetDraft { expires: UnixSeconds(u32::MAX.into()), ..key_set(1, ROOTS) };
    let lists = match draw.below(4) {
        0 | 1 => Vec::new(),
        2 => vec![list(draw, contents, 1)],
        _ => vec![list(draw, contents, 1), list(draw, contents, 2)],
    };
    let beacon = draw.one_in(8).then(|| {
        // As often as not, of what is here; then it changes nothing.
        let (version, list) = (VERSION + draw.next() % 2, draw.next() % 3);
        BeaconDraft { time: UnixSeconds(at - 60), ..beacon(1, version, list) }
    });

    Given {
        keys: keys.sign(&[&first, &second]).expect("it is small"),
        manifest: manifest.sign(&[&key(SNAPSHOT)]).expect("it is small"),
        file,
        beacon: beacon.map(|draft| draft.sign(&[&key(BEACON)]).expect("it is small")),
        lists,
        at,
    }
}

/// A list of some that are there and some that are not. Where a newer snapshot denies what it leaves
/// out, it is added to the list before.
fn list(draw: &mut Draw, contents: &Contents, counter: u64) -> Vec<u8> {
    let tokens: Vec<u64> = contents.tokens.keys().copied().filter(|_| draw.one_in(12)).collect();
    let near: Vec<u64> = tokens.iter().map(|id| id.wrapping_add(1)).collect();
    let keys = contents.principals.keys().copied().filter(|_| draw.one_in(12));
    let keys: Vec<u32> = keys.chain([0xffff]).collect();
    let base_version = VERSION - 1 + draw.next() % 2 + u64::from(draw.one_in(8));
    let draft =
        RevokedDraft { base_version, ..revoked(counter, tokens.into_iter().chain(near), keys) };

    draft.sign(&[&key(SNAPSHOT)]).expect("it is small")
}

fn divisions(draw: &mut Draw, size: Size, contents: &mut Contents) {
    let many = size == Size::Any && draw.one_in(24);
    let count = if many { 65 + draw.below(192) } else { draw.below(6) };
    for at in 0..count {
        contents.divisions.insert(uuid(draw), format!("division {at}"));
    }
}

/// Adds permissions; returns by which id each bit can be asked for, and which bits were added.
fn extend(draw: &mut Draw, contents: &mut Contents) -> ([Option<String>; 64], Vec<u8>) {
    let mut ids = [const { None }; 64];
    for entry in &CATALOGUE {
        ids[usize::from(entry.permission.bit())] = Some(entry.id.to_owned());
    }
    let bits: BTreeSet<u8> = (0..draw.below(4)).map(|_| FREE + draw.byte() % (64 - FREE)).collect();
    let mut records = Vec::new();
    for bit in &bits {
        // An id that is taken leads to whoever has it, so this bit cannot be asked for.
        let taken = draw.one_in(4).then(|| draw.pick(&ids[..]).clone()).flatten();
        let id = taken.clone().unwrap_or_else(|| format!("added_{bit}"));
        if taken.is_none() {
            ids[usize::from(*bit)] = Some(id.clone());
        }
        records.push((*bit, id, draw.byte() & 0x7f, draw.byte() & 0x7f, draw.one_in(2)));
    }
    let records: Vec<PermissionRecord<'_>> = (records.iter())
        .map(|(bit, id, ops, fresh_ops, division_scoped)| PermissionRecord {
            bit: *bit,
            id,
            ops: *ops,
            fresh_ops: *fresh_ops,
            division_scoped: *division_scoped,
        })
        .collect();
    if !records.is_empty() {
        // Behind the permissions stand the routes, of which there are none.
        contents.ext = postcard::to_allocvec(&(records, 0_u8)).expect("it is small");
    }

    (ids, bits.into_iter().collect())
}

fn principals(draw: &mut Draw, contents: &mut Contents, base: u64) {
    let kinds = [PrincipalKind::User, PrincipalKind::SystemUser, PrincipalKind::ServiceUser];
    let all: Vec<Uuid> = contents.divisions.keys().copied().collect();
    for at in 0..=draw.below(6) {
        let held = [0x3_f7ef, 0x3_fbbf, 0x7_ffff, u64::MAX, u64::MAX, u64::MAX, draw.next(), 0];
        let often = if draw.one_in(4) { usize::MAX } else { 3 };
        let some = all.iter().copied().filter(|_| draw.one_in(often)).collect();
        let entry = PrincipalEntry {
            id: uuid(draw),
            name: format!("principal {at}"),
            kind: *draw.pick(&kinds),
            disabled: draw.one_in(24),
            no_iot_access: draw.one_in(24),
            permissions: PermissionSet(*draw.pick(&held)),
            scope: if draw.one_in(2) { Scope::All } else { Scope::Only(some) },
            end: end(draw, base),
        };
        contents.principals.insert(draw.byte().into(), entry);
    }
}

/// Mostly never; else about when requests come, or when signed time is later than the clock.
fn end(draw: &mut Draw, base: u64) -> End {
    let at = |second: u64| End(u32::try_from(second).expect("it has 32 bits"));
    let signed = base - DAY;
    match draw.below(64) {
        0 => at(base),
        1 => at(base + 1),
        2 => at(base + 3_600),
        3 => End(0),
        4 => End(u32::MAX - 1),
        5 => at(signed),
        // As far as a beacon lifts the time.
        6 => at(signed + 3_600),
        _ => End::NEVER,
    }
}

/// Adds a token to the snapshot; returns its text.
fn add_token(draw: &mut Draw, contents: &mut Contents, base: u64) -> Vec<u8> {
    let keys: Vec<u32> = contents.principals.keys().copied().collect();
    let principal = *draw.pick(&keys);
    let text = if draw.one_in(6) {
        let len = 22 + draw.below(40);
        (0..len).map(|_| b'!' + draw.byte() % 94).collect()
    } else {
        let kind = contents.principals[&principal].kind.token_kind();
        let id = if draw.one_in(6) { draw.next() >> 56 } else { draw.next() };
        token::write(kind, id, &draw.secret()).to_vec()
    };
    let read = Token::read(&text).expect("its length is right");
    let verifier = Context::new(&ACCOUNT.0).verifier(read.lookup.id, read.secret());
    let entry = TokenEntry { principal, disabled: draw.one_in(24), end: end(draw, base), verifier };
    contents.tokens.insert(read.lookup.id, entry);

    text
}

/// Any id.
#[must_use]
pub fn uuid(draw: &mut Draw) -> Uuid {
    Uuid(core::array::from_fn(|_| draw.byte()))
}
