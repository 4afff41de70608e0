//! The workload: a tenth as many administrators as API tokens and as many service users with one
//! token each, 64 divisions, names of 24 bytes; and what it takes to have a gateway believe it.

use std::time::{SystemTime, UNIX_EPOCH};

use gateward_agent::store::{Place, Store};
use gateward_control::keys::{Chain, signing_key};
use gateward_core::name::Uuid;
use gateward_core::permission::PermissionSet;
use gateward_core::principal::{PrincipalKind, TokenKind};
use gateward_core::snapshot::build::{Contents, PrincipalEntry, Scope, TokenEntry, VerifierLen};
use gateward_core::snapshot::chunk::{self, HashList};
use gateward_core::time::{End, TimeQuality, UnixSeconds};
use gateward_core::token::{self, Context, Secret};
use gateward_core::trust::sign::{ManifestDraft, PrivateKey};
use gateward_core::trust::{Audience, KeySet, Now, Role};
use gateward_tests::{Deck, Gateway};
use serde_json::Value;

/// The group of the gateway.
pub(crate) const GROUP: &str = "plant-7";
/// As the control plane publishes.
pub(crate) const CHUNK_LOG2: u8 = 15;
/// How many different tokens ask.
const ASKING: usize = 4_096;
/// What they ask about, 24 bytes.
pub(crate) const RESOURCE: &str = "device/0123456789abcdef0";

/// An account of so many API tokens.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) api_tokens: usize,
    contents: Contents,
    allowed: Vec<String>,
}

impl World {
    pub(crate) fn new(account: Uuid, api_tokens: usize) -> Self {
        let mut draw = Draw(1);
        let mut contents = Contents { account, ..Contents::default() };
        contents.divisions = (0..64).map(|n| (uuid(n), format!("division {n}"))).collect();
        let admins = api_tokens / 10;
        for key in 0..2 * admins {
            contents.principals.insert(number(key), principal(key, key >= admins, &mut draw));
        }
        let context = Context::new(&account.0);
        let mut allowed = Vec::new();
        for at in 0..api_tokens + admins {
            let service = at >= api_tokens;
            let owner = number(if service { at + admins - api_tokens } else { at % admins });
            let (id, secret) = (draw.next(), draw.secret());
            let disabled = draw.below(20) == 0;
            let end = if draw.below(10) == 0 { End(1_700_000_000) } else { End::NEVER };
            let verifier = context.verifier(id, &secret);
            contents.tokens.insert(id, TokenEntry { principal: owner, disabled, end, verifier });
            let may = contents.principals.get(&owner).is_some_and(|owner| {
                owner.scope == Scope::All && !owner.disabled && owner.permissions.0 & 1 << 7 != 0
            });
            if allowed.len() < ASKING && may && !disabled && end == End::NEVER {
                let kind = if service { TokenKind::Service } else { TokenKind::Api };
                let text = token::write(kind, id, &secret);
                allowed.push(String::from_utf8_lossy(&text).into_owned());
            }
        }

        Self { api_tokens, contents, allowed }
    }

    pub(crate) fn file(&self, verifier: VerifierLen) -> Vec<u8> {
        self.contents.compile(verifier).expect("the workload fits")
    }

    /// Requests that are allowed, each with another token.
    pub(crate) fn questions(&self) -> Vec<Vec<u8>> {
        self.allowed.iter().map(|token| question(token, Some("division 3"))).collect()
    }
}

/// Returns a request to `/v1/authorize`.
pub(crate) fn question(token: &str, division: Option<&str>) -> Vec<u8> {
    post("/v1/authorize", &body(token, division))
}

/// Returns a request to `/v1/authorize/batch` that asks with each of these tokens.
pub(crate) fn batch(tokens: &[String]) -> Vec<u8> {
    let requests: Vec<_> = tokens.iter().map(|token| body(token, None)).collect();

    post("/v1/authorize/batch", &serde_json::json!({ "requests": requests }))
}

fn body(token: &str, division: Option<&str>) -> Value {
    let mut body = serde_json::json!({
        "token": token, "permission": "manage_device", "operation": "write", "resource": RESOURCE
    });
    if let (Some(division), Some(fields)) = (division, body.as_object_mut()) {
        fields.insert("division".to_owned(), division.into());
    }

    body
}

fn post(target: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();

    format!(
        "POST {target} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Returns the same request to a path of the same length that no endpoint has.
pub(crate) fn elsewhere(question: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(question);

    text.replacen("/v1/authorize", "/v1/no-such-1", 1).into_bytes()
}

fn principal(key: usize, service: bool, draw: &mut Draw) -> PrincipalEntry {
    let scope = (0..=draw.below(4)).map(|_| uuid(draw.below(64))).collect();

    PrincipalEntry {
        id: uuid(1_000 + key as u64),
        name: format!("principal at line {key:>6}"),
        kind: if service { PrincipalKind::ServiceUser } else { PrincipalKind::User },
        disabled: draw.below(20) == 0,
        no_iot_access: false,
        permissions: PermissionSet(0x3f7ef & !(1 << draw.below(12))),
        scope: if draw.below(2) == 0 { Scope::All } else { Scope::Only(scope) },
        end: End::NEVER,
    }
}

/// Signs as the account's control plane.
pub(crate) struct Signer {
    pub(crate) account: Uuid,
    pub(crate) keys: KeySet,
    anchor: Vec<u8>,
    key: PrivateKey,
}

impl Signer {
    pub(crate) fn of(deck: &Deck) -> Self {
        let chain = Chain::load(&deck.dir(), deck.account()).expect("`init` made a key set");
        let key = signing_key(&deck.dir(), Role::Snapshot).expect("`init` made the key");

        Self {
            account: deck.account(),
            keys: chain.newest().clone(),
            anchor: chain.anchor().to_vec(),
            key,
        }
    }

    pub(crate) fn anchor(&self) -> &[u8] {
        &self.anchor
    }

    pub(crate) fn manifest(&self, file: &[u8]) -> Vec<u8> {
        let draft = ManifestDraft {
            keyset: self.keys.epoch(),
            ..ManifestDraft::of(
                self.account,
                Audience::of(self.account, GROUP),
                now(),
                file,
                CHUNK_LOG2,
            )
            .expect("a snapshot is not that long")
        };

        draft.sign(&[&self.key]).expect("one signature fits")
    }

    /// Puts `file` in force on a gateway that does not run, as its agent does.
    pub(crate) fn install(&self, gateway: &Gateway, file: &[u8]) {
        let place = Place {
            account: self.account,
            group: GROUP.to_owned(),
            dir: gateway.state(),
            anchor: self.anchor.clone(),
        };
        let now = Now { at: now(), quality: TimeQuality::Synced, backed: now() };
        let envelope = self.manifest(file);
        let list: Vec<u8> = chunk::leaves(file, CHUNK_LOG2).flatten().collect();
        let (mut store, _) = Store::open(place, &now).expect("a new state folder");
        let (manifest, _) = store.admit(&envelope, &now).expect("it was just signed");
        let list = HashList::check(list, &manifest).expect("it is the file's");
        store.begin(&manifest, &list).expect("the disk has room");
        for (index, chunk) in (0..).zip(file.chunks(1 << CHUNK_LOG2)) {
            store.keep_chunk(index, chunk).expect("the disk has room");
        }
        store.commit(&manifest, &envelope, &now).expect("it is whole");
    }
}

#[expect(clippy::disallowed_methods, reason = "a manifest is signed now")]
fn now() -> UnixSeconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");

    UnixSeconds(since.as_secs())
}

fn uuid(n: u64) -> Uuid {
    let mut bytes = [0x22; 16];
    let place = bytes.last_chunk_mut().expect("sixteen are more than eight");
    *place = n.to_be_bytes();

    Uuid(bytes)
}

fn number(n: usize) -> u32 {
    u32::try_from(n).expect("not that many principals")
}

/// A repeatable stream of numbers.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn secret(&mut self) -> Secret {
        Secret(core::array::from_fn(|_| self.next().to_le_bytes()[0]))
    }
}
