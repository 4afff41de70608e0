//! Those who sign, for tests of the store and of the sync task.

use gateward_core::name::Uuid;
use gateward_core::permission::PermissionSet;
use gateward_core::principal::PrincipalKind;
use gateward_core::snapshot::build::{Contents, PrincipalEntry, Scope, TokenEntry, VerifierLen};
use gateward_core::snapshot::chunk::{self, HashList};
use gateward_core::snapshot::delta;
use gateward_core::time::{End, UnixSeconds};
use gateward_core::token::{Context, Secret};
use gateward_core::trust::sign::{
    self, BeaconDraft, KeyDraft, KeySetDraft, ManifestDraft, RevokedDraft,
};
use gateward_core::trust::{Audience, DeltaRef, KeyId, Manifest, Root, SigningKey};
use sha2::{Digest as _, Sha256};

pub(crate) const ACCOUNT: Uuid = Uuid([0x11; 16]);
pub(crate) const GROUP: &str = "plant-7";
pub(crate) const T0: UnixSeconds = UnixSeconds(1_800_000_000);

/// The secret of every token.
pub(crate) const SECRET: Secret = Secret([7; 32]);

const CHUNK_LOG2: u8 = 12;
const ROOT_ROLE: u8 = 1;

/// The keys of one account.
pub(crate) struct Authority {
    root: SigningKey,
    /// Signs snapshots, by epoch from 1.
    snapshot: [SigningKey; 2],
}

/// A snapshot as it is published.
pub(crate) struct Published {
    pub(crate) envelope: Vec<u8>,
    pub(crate) file: Vec<u8>,
    /// By the version that each starts from.
    pub(crate) deltas: Vec<(u64, Vec<u8>)>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = |seed| SigningKey::from_bytes(&[seed; 32]);

        Self { root: key(1), snapshot: [key(2), key(3)] }
    }

    /// The key set of enrolment.
    pub(crate) fn key_set(&self) -> Vec<u8> {
        self.key_set_of(1, Vec::new())
    }

    /// The key set of epoch 2, which says that the snapshot key of epoch 1 is compromised.
    pub(crate) fn key_set_after_theft(&self) -> Vec<u8> {
        self.key_set_of(2, vec![KeyId::of(self.snapshot[0].verifying_key().as_bytes())])
    }

    fn key_set_of(&self, epoch: u32, compromised: Vec<KeyId>) -> Vec<u8> {
        let signer = &self.snapshot[epoch as usize - 1];

        self.key_set_with(epoch, 1, &[signer], compromised)
    }

    /// A key set of which `must` of these sign snapshots and lists, and where others are stolen.
    pub(crate) fn key_set_by(
        &self,
        epoch: u32,
        must: u8,
        signers: &[&SigningKey],
        stolen: &[&SigningKey],
    ) -> Vec<u8> {
        let id = |key: &&SigningKey| KeyId::of(key.verifying_key().as_bytes());

        self.key_set_with(epoch, must, signers, stolen.iter().map(id).collect())
    }

    fn key_set_with(
        &self,
        epoch: u32,
        must: u8,
        signers: &[&SigningKey],
        compromised: Vec<KeyId>,
    ) -> Vec<u8> {
        let signers = signers.iter().map(|signer| KeyDraft::of(*signer, 0b1110));
        let draft = KeySetDraft {
            account: ACCOUNT,
            epoch,
            issued_at: T0.plus(u64::from(epoch)),
            expires: T0.plus(365 * 86_400),
            thresholds: [1, must, 1, 1],
            required: [1; 4],
            keys: [KeyDraft::of(&self.root, ROOT_ROLE)].into_iter().chain(signers).collect(),
            retired: Vec::new(),
            compromised,
        };

        draft.sign(&[&self.root]).unwrap()
    }

    /// A snapshot with this many tokens, under the first key set.
    pub(crate) fn publish(&self, version: u64, tokens: usize) -> Published {
        let file = contents(tokens).compile(VerifierLen::Full).unwrap();
        self.sign(1, version, T0.plus(version), file)
    }

    /// The same snapshot, signed again later.
    pub(crate) fn refresh(&self, version: u64, of: &Published, seconds: u64) -> Published {
        self.sign(1, version, T0.plus(version + seconds), of.file.clone())
    }

    /// A manifest under the key set of `epoch`.
    pub(crate) fn sign(
        &self,
        epoch: u32,
        version: u64,
        issued_at: UnixSeconds,
        file: Vec<u8>,
    ) -> Published {
        self.sign_draft(&Self::draft(epoch, version, issued_at, &file), file)
    }

    /// A manifest that speaks of a revocation list.
    pub(crate) fn publish_with_revocations(&self, version: u64) -> Published {
        self.publish_speaking_of(1, version)
    }

    /// A manifest that speaks of this revocation list.
    pub(crate) fn publish_speaking_of(&self, counter: u64, version: u64) -> Published {
        let file = contents(9).compile(VerifierLen::Full).unwrap();
        let mut draft = Self::draft(1, version, T0.plus(version), &file);
        draft.revoked_counter = counter;
        self.sign_draft(&draft, file)
    }

    /// A snapshot of nine tokens that these signed.
    pub(crate) fn publish_by(signers: &[&SigningKey], epoch: u32, version: u64) -> Published {
        let file = contents(9).compile(VerifierLen::Full).unwrap();
        let draft = Self::draft(epoch, version, T0.plus(version), &file);

        Published { envelope: draft.sign(signers).unwrap(), file, deltas: Vec::new() }
    }

    /// A revocation list of epoch 1 that builds on the snapshot `base`.
    pub(crate) fn revoke(&self, counter: u64, base: u64, tokens: &[u64]) -> Vec<u8> {
        self.revoke_under(1, counter, base, tokens)
    }

    /// A revocation list under the key set of `epoch`.
    pub(crate) fn revoke_under(
        &self,
        epoch: u32,
        counter: u64,
        base_version: u64,
        tokens: &[u64],
    ) -> Vec<u8> {
        let signer = &self.snapshot[epoch as usize - 1];

        Self::revoke_by(&[signer], epoch, counter, base_version, tokens)
    }

    /// A revocation list that these signed.
    pub(crate) fn revoke_by(
        signers: &[&SigningKey],
        epoch: u32,
        counter: u64,
        base_version: u64,
        tokens: &[u64],
    ) -> Vec<u8> {
        let draft = RevokedDraft {
            account: ACCOUNT,
            audience: Audience::of(ACCOUNT, GROUP),
            keyset: epoch,
            counter,
            base_version,
            issued_at: T0,
            tokens: tokens.iter().copied().collect(),
            principals: [].into(),
        };

        draft.sign(signers).unwrap()
    }

    /// A beacon of epoch 1 that speaks of a version and of a revocation list.
    pub(crate) fn beacon(
        &self,
        number: u64,
        time: UnixSeconds,
        version: u64,
        revoked_counter: u64,
    ) -> Vec<u8> {
        let draft = BeaconDraft {
            account: ACCOUNT,
            audience: Audience::of(ACCOUNT, GROUP),
            keyset: 1,
            number,
            time,
            version,
            revoked_counter,
        };

        draft.sign(&[&self.snapshot[0]]).unwrap()
    }

    /// A snapshot with this many tokens, and deltas from other ones.
    pub(crate) fn publish_after(
        &self,
        version: u64,
        tokens: usize,
        before: &[(u64, &Published)],
    ) -> Published {
        let file = contents(tokens).compile(VerifierLen::Full).unwrap();
        let made = before.iter().map(|(from, old)| {
            let delta = delta::make(&old.file, &file, CHUNK_LOG2).unwrap();
            (*from, delta)
        });
        let deltas = made.collect();

        self.publish_with(version, file, deltas)
    }

    /// A snapshot whose manifest names any bytes as deltas.
    pub(crate) fn publish_with(
        &self,
        version: u64,
        file: Vec<u8>,
        deltas: Vec<(u64, Vec<u8>)>,
    ) -> Published {
        let mut draft = Self::draft(1, version, T0.plus(version), &file);
        let named = deltas.iter().map(|(from, bytes)| DeltaRef {
            from: *from,
            len: u32::try_from(bytes.len()).unwrap(),
            sha256: Sha256::digest(bytes).into(),
        });
        draft.deltas = named.collect();

        Published { deltas, ..self.sign_draft(&draft, file) }
    }

    fn sign_draft(&self, draft: &ManifestDraft, file: Vec<u8>) -> Published {
        let envelope = draft.sign(&[&self.snapshot[draft.keyset as usize - 1]]).unwrap();

        Published { envelope, file, deltas: Vec::new() }
    }

    fn draft(epoch: u32, version: u64, issued_at: UnixSeconds, file: &[u8]) -> ManifestDraft {
        ManifestDraft {
            keyset: epoch,
            version,
            ..ManifestDraft::of(ACCOUNT, Audience::of(ACCOUNT, GROUP), issued_at, file, CHUNK_LOG2)
                .unwrap()
        }
    }
}

impl Published {
    /// What is retained on the topic `manifest`.
    pub(crate) fn message(&self) -> Vec<u8> {
        sign::message(&self.envelope, &[]).unwrap()
    }

    /// The same with all deltas riding along.
    pub(crate) fn message_with_deltas(&self) -> Vec<u8> {
        let deltas: Vec<_> = self.deltas.iter().map(|(from, delta)| (*from, &delta[..])).collect();

        sign::message(&self.envelope, &deltas).unwrap()
    }

    pub(crate) fn list(&self, manifest: &Manifest) -> HashList<Vec<u8>> {
        HashList::check(self.hashes(), manifest).unwrap()
    }

    pub(crate) fn hashes(&self) -> Vec<u8> {
        chunk::leaves(&self.file, CHUNK_LOG2).flatten().collect()
    }

    pub(crate) fn root(&self) -> [u8; 8] {
        self.whole_root().short()
    }

    pub(crate) fn whole_root(&self) -> Root {
        chunk::root_of(&self.file, CHUNK_LOG2).unwrap()
    }

    pub(crate) fn chunk(&self, index: u32) -> &[u8] {
        self.file.chunks(1 << CHUNK_LOG2).nth(index as usize).unwrap()
    }
}

/// The id of a token of [`Authority::publish`], counted from 0.
pub(crate) fn token_id(number: u64) -> u64 {
    // Spread like drawn ids; an odd factor repeats none.
    (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// A snapshot with one token, number 0, that ends then.
pub(crate) fn ending(end: End) -> Vec<u8> {
    let mut contents = contents(1);
    contents.tokens.values_mut().for_each(|token| token.end = end);

    contents.compile(VerifierLen::Full).unwrap()
}

/// One user with that many tokens, in a division of its own.
fn contents(tokens: usize) -> Contents {
    let division = Uuid([0x22; 16]);
    let user = PrincipalEntry {
        id: Uuid([0x33; 16]),
        name: "ana.ruiz".into(),
        kind: PrincipalKind::User,
        disabled: false,
        no_iot_access: false,
        permissions: PermissionSet::default(),
        scope: Scope::Only([division].into()),
        end: End::NEVER,
    };
    let context = Context::new(&ACCOUNT.0);
    let token = |number: u64| {
        let id = token_id(number);
        let verifier = context.verifier(id, &SECRET);
        (id, TokenEntry { principal: 1, disabled: false, end: End::NEVER, verifier })
    };

    Contents {
        account: ACCOUNT,
        divisions: [(division, "plant-7".into())].into(),
        principals: [(1, user)].into(),
        tokens: (0..tokens as u64).map(token).collect(),
        ..Contents::default()
    }
}

/// A bundle of a snapshot and of a revocation list, which may be empty.
pub(crate) fn bundle(key_sets: &[&[u8]], published: &Published, revoked: &[u8]) -> Vec<u8> {
    let parts = [&published.envelope[..], &published.hashes(), &published.file, revoked];

    gateward_core::bundle::build::write(key_sets, parts)
}
