//! What this code says of a vector, from the file alone.

mod deltas;
mod files;
mod gateways;
mod news;

use gateward_core::bundle::Bundle;
use gateward_core::decide::{Ask, Mode, Reason, decide};
use gateward_core::division::DivisionRules;
use gateward_core::name::{Hex, Uuid};
use gateward_core::snapshot::build::{Contents, VerifierLen};
use gateward_core::snapshot::chunk::HashList;
use gateward_core::snapshot::{self, View};
use gateward_core::time::{TimeQuality, UnixSeconds};
use gateward_core::token::{Context, Token};
use gateward_core::trust::{
    Admission, Audience, Checkpoint, Floor, GatewayId, Incarnation, Key, KeySet, Manifest, Now,
    Receipt, Refused, Revoked, Role, Status, VerifyingKey, Version, manifest,
};
use serde_json::{Value, json};

use crate::audits;
use crate::vector::{ACCEPTED, hex, unhex};

/// What was said, and what was read where it is believed.
pub(crate) struct Told {
    pub(crate) verdict: String,
    pub(crate) fields: Option<Value>,
}

pub(crate) type Said = Result<Value, &'static str>;

/// Judges one vector of a file; `shared` holds what it refers to.
pub(crate) fn verdict(kind: &str, vector: &Value, shared: &Value) -> Told {
    let mut bytes = unhex(text(&vector["bytes"]));
    let zeros = vector.get("zeros").and_then(Value::as_u64).unwrap_or_default();
    bytes.extend(vec![0; usize::try_from(zeros).unwrap()]);
    let given = Given { given: &vector["given"], shared };
    let said = match kind {
        "audit-chains" => audits::chain(&bytes, &given),
        "audit-records" => audits::record(&bytes),
        "beacons" => news::beacon(&bytes, &given),
        "bundles" => bundle(&bytes, &given),
        "checkpoints" => gateways::checkpoint(&bytes, &given),
        "deltas" => deltas::delta(&bytes, &given),
        "floors" => Floor::decode(&bytes).map(|floor| floor_fields(&floor)).map_err(Refused::code),
        "hybrid-key-sets" => key_set(&bytes, &given),
        "hybrid-manifests" => signed_manifest(&bytes, &given),
        "hash-lists" => hash_list(bytes, &given),
        "key-sets" => key_set(&bytes, &given),
        "manifests" => signed_manifest(&bytes, &given),
        "messages" => message(&bytes),
        "revocation-lists" => news::revocation_list(&bytes, &given),
        "receipts" => gateways::receipt(&bytes, &given),
        "snapshots" => files::snapshot_file(&bytes, &given),
        "statuses" => gateways::status(&bytes, &given),
        "tokens" => files::token(&bytes, &given),
        _ => panic!("{kind} is no kind"),
    };

    match said {
        Ok(fields) => Told { verdict: ACCEPTED.to_owned(), fields: Some(fields) },
        Err(code) => Told { verdict: code.to_owned(), fields: None },
    }
}

/// What a vector is judged with.
pub(crate) struct Given<'v> {
    given: &'v Value,
    shared: &'v Value,
}

impl Given<'_> {
    fn resolve(&self, value: &Value) -> Vec<u8> {
        let text = text(value);
        let shared = text.strip_prefix('@').map(|name| self::text(&self.shared[name]));

        unhex(shared.unwrap_or(text))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.given.get(name).is_some()
    }

    pub(crate) fn number(&self, name: &str) -> u64 {
        self.given[name].as_u64().unwrap()
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        self.resolve(&self.given[name])
    }

    pub(crate) fn array<const N: usize>(&self, name: &str) -> [u8; N] {
        self.bytes(name).try_into().unwrap()
    }

    fn account(&self) -> Uuid {
        Uuid(self.array("account"))
    }

    /// Walks the key sets from the first one.
    fn keys(&self) -> Result<KeySet, Refused> {
        let mut sets = self.given["key_sets"].as_array().unwrap().iter();
        let anchor = KeySet::anchor(&self.resolve(sets.next().unwrap()), self.account())?;

        sets.try_fold(anchor, |keys, set| keys.follow(&self.resolve(set)))
    }

    fn floor(&self) -> Result<Floor, &'static str> {
        Floor::decode(&self.bytes("floor")).map_err(Refused::code)
    }

    fn now(&self) -> Now {
        let quality =
            [TimeQuality::Synced, TimeQuality::Holdover, TimeQuality::Floor, TimeQuality::Unknown];
        let named = |one: &TimeQuality| one.name() == text(&self.given["time_quality"]);
        let quality = quality.into_iter().find(named).unwrap();
        let (at, backed) = (UnixSeconds(self.number("now")), UnixSeconds(self.number("backed")));

        Now { at, quality, backed }
    }

    fn manifest(&self, envelope: &[u8]) -> Result<Manifest, Refused> {
        Manifest::verify(envelope, &self.keys()?, Audience(self.array("audience")))
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn hash_list(bytes: Vec<u8>, given: &Given<'_>) -> Said {
    let manifest = given.manifest(&given.bytes("manifest")).map_err(Refused::code)?;
    let list = HashList::check(bytes, &manifest).map_err(Refused::code)?;

    Ok(json!({ "chunks": list.chunk_count() }))
}

fn signed_manifest(bytes: &[u8], given: &Given<'_>) -> Said {
    let manifest = given.manifest(bytes).map_err(Refused::code)?;
    let mut fields = manifest_fields(&manifest);
    if given.has("floor") {
        let floor = given.floor()?;
        let admission = floor.admit(&manifest, &given.now()).map_err(Refused::code)?;
        fields["admission"] = json!(word(admission));
        let after = if admission == Admission::Same { floor } else { floor.with(&manifest) };
        fields["floor_after"] = json!(hex(&after.encode()));
    }

    Ok(fields)
}

const fn word(admission: Admission) -> &'static str {
    match admission {
        Admission::Newer => "newer",
        Admission::Refresh => "refresh",
        Admission::Same => "same",
    }
}

fn manifest_fields(manifest: &Manifest) -> Value {
    let deltas = manifest
        .deltas()
        .iter()
        .map(|delta| json!({ "from": delta.from, "len": delta.len, "sha256": hex(&delta.sha256) }));

    json!({
        "allow": u8::from(manifest.allow_observe()) | u8::from(manifest.allow_drop()) << 1,
        "chunk_log2": manifest.chunk_log2(),
        "deltas": deltas.collect::<Vec<_>>(),
        "expires_at": manifest.expires_at().0,
        "file_len": manifest.file_len(),
        "issued_at": manifest.issued_at().0,
        "keyset": manifest.version().epoch,
        "revoked_counter": manifest.revoked_counter(),
        "root": hex(&manifest.root().0),
        "stale_at": manifest.stale_at().0,
        "version": manifest.version().number,
    })
}

fn message(bytes: &[u8]) -> Said {
    let message = manifest::split(bytes).map_err(Refused::code)?;
    let deltas = message.deltas.iter();
    let deltas = deltas.map(|delta| json!({ "bytes": hex(delta.bytes), "from": delta.from }));

    Ok(json!({ "deltas": deltas.collect::<Vec<_>>(), "envelope": hex(message.envelope) }))
}

fn key_set(bytes: &[u8], given: &Given<'_>) -> Said {
    let read = if given.has("key_sets") {
        given.keys().and_then(|keys| keys.follow(bytes))
    } else {
        KeySet::anchor(bytes, given.account())
    };
    let keys = read.map_err(Refused::code)?;
    let trusted = |key: &Key| {
        let roles = Role::ALL.into_iter().filter(|role| keys.trusts(key.id(), *role));
        json!([hex(&key.id().0), roles.fold(0, |bits, role| bits | role.bit())])
    };

    let mut fields = json!({
        "account": hex(&keys.account().0),
        "epoch": keys.epoch(),
        "expires": keys.expires().0,
        "issued_at": keys.issued_at().0,
        "trusted": keys.keys().iter().map(trusted).collect::<Vec<_>>(),
    });
    if given.has("floor") {
        fields["floor_after"] = json!(hex(&given.floor()?.with_keys(&keys).encode()));
    }

    Ok(fields)
}

fn floor_fields(floor: &Floor) -> Value {
    let bytes = floor.encode();
    let signers = &bytes[164..456];

    json!({
        "agreed": floor.agreed.0,
        "agreed_by": [hex(&signers[146..219]), hex(&signers[219..])],
        "beacon": floor.beacon.number,
        "beacon_by": hex(&signers[73..146]),
        "beacon_epoch": floor.beacon.epoch,
        "beacon_time": floor.beacon_time.0,
        "boots": floor.boots,
        "held": floor.held.0,
        "issued_at": floor.issued_at.0,
        "keys": floor.keys,
        "list": floor.list.number,
        "list_epoch": floor.list.epoch,
        "lived": floor.lived.0,
        "manifest_by": hex(&signers[..73]),
        "newest": floor.newest.number,
        "newest_epoch": floor.newest.epoch,
        "revoked": floor.revoked.number,
        "revoked_epoch": floor.revoked.epoch,
        "rooted": floor.rooted.0,
        "root": Hex(&floor.root.0).to_string(),
        "signed": floor.signed.0,
        "version": floor.version.number,
        "version_epoch": floor.version.epoch,
    })
}

/// Believes a bundle from the anchor through the key sets to the file.
fn bundle(bytes: &[u8], given: &Given<'_>) -> Said {
    let bundle = Bundle::read(bytes).map_err(|_| "not_a_bundle")?;
    let anchor = given.bytes("anchor");
    let keys = KeySet::anchor(&anchor, given.account()).map_err(Refused::code)?;
    let keys = bundle.walk(&keys, |_, _| ()).map_err(Refused::code)?;
    let audience = Audience(given.array("audience"));
    let manifest = Manifest::verify(bundle.manifest, &keys, audience).map_err(Refused::code)?;
    let version = manifest.version().number;
    let revoked = if bundle.revoked.is_empty() {
        0
    } else {
        let list = Revoked::verify(bundle.revoked, &keys, audience).map_err(Refused::code)?;
        list.tokens().count() + list.principals().count()
    };
    HashList::check(bundle.list, &manifest).map_err(Refused::code)?;
    let opened = snapshot::open(bundle.file, manifest).map_err(snapshot::Refused::code)?;
    let tokens = opened.view().token_count();

    Ok(json!({
        "epoch": keys.epoch(),
        "revoked": revoked,
        "tokens": tokens,
        "version": version,
    }))
}
