//! A random snapshot, and who holds which token of it.

use std::collections::{BTreeMap, BTreeSet};

use gateward_core::name::Uuid;
use gateward_core::permission::{CATALOGUE, PermissionSet};
use gateward_core::principal::PrincipalKind;
use gateward_core::snapshot::build::{Contents, PrincipalEntry, Scope, TokenEntry, VerifierLen};
use gateward_core::snapshot::{self, Revocation, Verified, View};
use gateward_core::time::{End, UnixSeconds};
use gateward_core::token::{self, Context, Secret, Token};
use gateward_core::trust::sign::{KeySetDraft, ManifestDraft};
use gateward_core::trust::{KeySet, Manifest};

use super::Dice;
use crate::authority::{
    ACCOUNT, Bytes, DAY, SNAPSHOT, T0, audience, by_roots, key, key_set, manifest,
};

/// A snapshot with its manifest, and everything that a request may name.
pub(super) struct World {
    pub(super) file: Vec<u8>,
    manifest: Manifest,
    /// When most requests come.
    base: u64,
    pub(super) stale_at: u64,
    pub(super) expires_at: u64,
    pub(super) contents: Contents,
    /// Ids of tokens and keys of principals, some of which the snapshot does not have.
    pub(super) revoked: (Vec<u64>, Vec<u32>),
    /// Texts of the tokens.
    pub(super) tokens: Vec<Vec<u8>>,
    pub(super) permissions: Vec<String>,
    pub(super) routes: Vec<(String, String)>,
}

impl World {
    /// Any snapshot: mostly small, sometimes empty, crowded, or with many divisions.
    pub(super) fn any(dice: &mut Dice) -> Self {
        let divisions = if dice.one_in(24) { 65 + dice.below(70) } else { dice.below(6) };
        let tokens = match dice.below(24) {
            0 => 0,
            1 => 200,
            _ => 1 + dice.below(16),
        };

        Self::draw(dice, divisions, tokens)
    }

    pub(super) fn small(dice: &mut Dice) -> Self {
        Self::draw(dice, 2, 6)
    }

    fn draw(dice: &mut Dice, divisions: usize, tokens: usize) -> Self {
        // Now and then in the last hours of 32 bits, which no end may be mistaken for.
        let base = if dice.one_in(16) { u64::from(u32::MAX) - 4_000 } else { T0 };
        let mut contents =
            Contents { account: ACCOUNT, suspended: dice.one_in(24), ..Contents::default() };
        for at in 0..divisions {
            contents.divisions.insert(uuid(dice), format!("division {at}"));
        }
        let (ext, permissions, routes) = extensions(dice);
        contents.ext = ext;
        principals(dice, &mut contents, base);
        for kind in [1, 1, 2, 3] {
            for _ in 0..dice.below(3) {
                let place = place(dice, &contents);
                contents.resources.insert((kind, uuid(dice)), place);
            }
        }
        let tokens = (0..tokens).map(|_| add_token(dice, &mut contents, base)).collect();
        let verifier = if dice.one_in(3) { VerifierLen::Half } else { VerifierLen::Full };
        let file = contents.compile(verifier).unwrap();
        let draft = ManifestDraft {
            issued_at: UnixSeconds(base - DAY),
            stale_after: 86_400 + 3_600,
            expires_after: 86_400 + 7_200,
            ..manifest(&file)
        };
        let lasting = KeySetDraft { expires: UnixSeconds(u32::MAX.into()), ..key_set(1) };
        let keys = KeySet::anchor(&by_roots(&lasting), ACCOUNT).unwrap();
        let signed = draft.sign(&[&key(SNAPSHOT)]).unwrap();
        let manifest = Manifest::verify(&signed, &keys, audience()).unwrap();
        let (stale_at, expires_at) = (manifest.stale_at().0, manifest.expires_at().0);

        let revoked = revoked(dice, &contents);

        Self {
            file,
            manifest,
            base,
            revoked,
            stale_at,
            expires_at,
            contents,
            tokens,
            permissions,
            routes,
        }
    }

    pub(super) fn open(&self) -> Verified<&[u8]> {
        snapshot::open(&self.file[..], self.manifest.clone()).unwrap()
    }

    /// Resolves what is revoked into the bits of the snapshot.
    pub(super) fn revoke(&self, view: &View<'_>) -> Revocation<Vec<u8>> {
        let room = view.revocation_room();
        let (rows, principals) = (vec![0; room.rows], vec![0; room.principals]);
        let mut bits = Revocation::none(view, rows, principals).unwrap();
        self.revoked.0.iter().for_each(|id| bits.revoke_token(view, *id));
        self.revoked.1.iter().for_each(|key| bits.revoke_principal(view, *key));

        bits
    }

    /// Mostly while the snapshot is fresh; sometimes to the second at which something ends.
    pub(super) fn moment(&self, dice: &mut Dice) -> UnixSeconds {
        UnixSeconds(match dice.below(16) {
            0 => self.stale_at - 1,
            1 | 2 => self.stale_at,
            3 => self.expires_at - 1,
            4 => self.expires_at + dice.next() % 2,
            5 if dice.one_in(4) => u64::MAX,
            6 => self.base + 4_000,
            7 => self.base + 4_001,
            _ => self.base,
        })
    }
}

pub(super) fn uuid(dice: &mut Dice) -> Uuid {
    Uuid(core::array::from_fn(|_| dice.byte()))
}

fn revoked(dice: &mut Dice, contents: &Contents) -> (Vec<u64>, Vec<u32>) {
    if dice.one_in(2) {
        return (Vec::new(), Vec::new());
    }
    let tokens = contents.tokens.keys().copied().filter(|_| dice.one_in(12)).collect::<Vec<_>>();
    let near = tokens.iter().map(|id| id.wrapping_add(1)).collect::<Vec<_>>();
    let keys = contents.principals.keys().copied().filter(|_| dice.one_in(12));

    ([tokens, near].concat(), keys.chain([0xffff]).collect())
}

fn place(dice: &mut Dice, contents: &Contents) -> Option<Uuid> {
    let all: Vec<_> = contents.divisions.keys().copied().collect();

    if all.is_empty() || dice.one_in(3) { None } else { Some(*dice.pick(&all)) }
}

fn end(dice: &mut Dice, base: u64) -> End {
    let at = |seconds: u64| End(u32::try_from(base + seconds).unwrap());
    match dice.below(48) {
        0 => at(0),
        1 => at(1),
        2 => at(3_600),
        3 => End(0),
        4 => End(u32::MAX - 1),
        _ => End::NEVER,
    }
}

fn principals(dice: &mut Dice, contents: &mut Contents, base: u64) {
    let kinds = [PrincipalKind::User, PrincipalKind::SystemUser, PrincipalKind::ServiceUser];
    let all: Vec<_> = contents.divisions.keys().copied().collect();
    for at in 0..=dice.below(6) {
        let mask = [0x3f7ef, 0x3fbbf, 0x7ffff, u64::MAX, u64::MAX, u64::MAX, dice.next(), 0];
        let often = if dice.one_in(4) { usize::MAX } else { 3 };
        let some: BTreeSet<_> = all.iter().copied().filter(|_| dice.one_in(often)).collect();
        let entry = PrincipalEntry {
            id: uuid(dice),
            name: format!("principal {at}"),
            kind: *dice.pick(&kinds),
            disabled: dice.one_in(24),
            no_iot_access: dice.one_in(24),
            permissions: PermissionSet(*dice.pick(&mask)),
            scope: if dice.one_in(2) { Scope::All } else { Scope::Only(some) },
            end: end(dice, base),
        };
        contents.principals.insert(dice.next().to_le_bytes()[0].into(), entry);
    }
}

/// Adds a token to the snapshot; returns its text.
fn add_token(dice: &mut Dice, contents: &mut Contents, base: u64) -> Vec<u8> {
    let keys: Vec<_> = contents.principals.keys().copied().collect();
    let principal = *dice.pick(&keys);
    let secret = Secret(core::array::from_fn(|_| dice.byte()));
    let text = if dice.one_in(6) {
        let len = 22 + dice.below(40);
        (0..len).map(|_| b'!' + dice.byte() % 94).collect()
    } else {
        let kind = contents.principals[&principal].kind.token_kind();
        let id = if dice.one_in(6) { dice.next() >> 56 } else { dice.next() };
        token::write(kind, id, &secret).to_vec()
    };
    let read = Token::read(&text).unwrap();
    let verifier = Context::new(&contents.account.0).verifier(read.lookup.id, read.secret());
    let entry = TokenEntry { principal, disabled: dice.one_in(24), end: end(dice, base), verifier };
    contents.tokens.insert(read.lookup.id, entry);

    text
}

type Extensions = (Vec<u8>, Vec<String>, Vec<(String, String)>);

/// Added permissions and routes, as section 3.6 writes them.
fn extensions(dice: &mut Dice) -> Extensions {
    let mut permissions: BTreeMap<u8, (String, u8, u8)> = BTreeMap::new();
    for _ in 0..dice.below(4) {
        let bit = 19 + u8::try_from(dice.below(45)).unwrap();
        let named = format!("added_{bit}");
        // Whoever takes the name of a built-in permission gets nothing by it.
        let name = if dice.one_in(12) { "manage_device".to_owned() } else { named };
        permissions.insert(bit, (name, dice.byte() & 0x7f, dice.byte() & 0x7f));
    }
    let names: Vec<_> = permissions.values().map(|(name, ..)| name.clone()).collect();
    let routes: Vec<_> = (0..dice.below(5)).map(|_| Route::draw(dice, &names)).collect();
    if permissions.is_empty() && routes.is_empty() {
        return (Vec::new(), names, Vec::new());
    }
    let mut bytes = Bytes::default().v(u64::try_from(permissions.len()).unwrap());
    for (bit, (name, ops, fresh)) in &permissions {
        bytes = bytes.u8(*bit).bytes(name.as_bytes()).u8(*ops).u8(*fresh).u8(dice.byte() & 1);
    }
    bytes = bytes.v(u64::try_from(routes.len()).unwrap());
    for route in &routes {
        bytes = route.write(bytes);
    }
    let patterns =
        routes.into_iter().map(|route| (route.method.to_owned(), route.pattern.to_owned()));

    (bytes.0, names, patterns.collect())
}

struct Route {
    id: &'static str,
    pattern: &'static str,
    method: &'static str,
    methods: u8,
    permissions: String,
    operation: u8,
    accepts: u8,
    division: u8,
    fresh: bool,
    enabled: bool,
}

impl Route {
    fn draw(dice: &mut Dice, added: &[String]) -> Self {
        // Some stand in for built-in rules, some are as specific as others.
        let ids = ["line.a", "line.b", "line.c", "health.heartbeat", "device.list", "scep", "acme"];
        let patterns = [
            "/line/{division}",
            "/line/{x}",
            "/line/{x}/**",
            "/line/{v:ver}/**",
            "/line/**",
            "/line/{ep}/batch/{policy}",
            "/iot/api/{v:ver}/device",
            "/iot/api/{v:ver}/scep/{ep}/**",
            "/**",
        ];
        let methods = [("GET", 1), ("POST", 4), ("PUT", 8), ("GET", 3), ("DELETE", 0x7f)];
        let (method, methods) = *dice.pick(&methods);
        let known: Vec<_> = CATALOGUE.iter().map(|entry| entry.id.to_owned()).collect();
        let all: Vec<String> = known.into_iter().chain(added.iter().cloned()).collect();
        let some = [
            dice.pick(&all).clone(),
            format!("{}|{}", dice.pick(&all), dice.pick(&all)),
            "manage_device|of_the_future".to_owned(),
            String::new(),
        ];
        let sorts = if dice.one_in(3) { 4 } else { 2 };
        let operation = match dice.below(12) {
            0 => 0x80,
            1 => 0x81,
            _ => u8::try_from(dice.below(7)).unwrap(),
        };

        Self {
            id: ids[dice.below(ids.len())],
            pattern: patterns[dice.below(patterns.len())],
            method,
            methods,
            permissions: dice.pick(&some[..sorts]).clone(),
            operation,
            accepts: if dice.one_in(3) { dice.byte() & 15 } else { 1 },
            division: *dice.pick(&[0, 1, 2, 3, 0x81, 0x82]),
            fresh: dice.one_in(2),
            enabled: !dice.one_in(6),
        }
    }

    fn write(&self, to: Bytes) -> Bytes {
        to.bytes(self.id.as_bytes())
            .u8(self.methods)
            .bytes(self.pattern.as_bytes())
            .bytes(self.permissions.as_bytes())
            .u8(self.operation)
            .u8(self.accepts)
            .u8(self.division)
            .u8(u8::from(self.fresh))
            .bytes(b"line")
            .bytes(b"run")
            .u8(u8::from(self.enabled))
    }
}
