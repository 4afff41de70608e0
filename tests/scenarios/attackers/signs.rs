//! What somebody signs with a key that he should not have, and for which it was not made.

use gateward_control::clock;
use gateward_control::keys::Chain;
use gateward_core::topic::GroupTopic;
use gateward_core::trust::Role;
use gateward_core::trust::sign::{BeaconDraft, KeyDraft, KeySetDraft, PrivateKey, RevokedDraft};
use gateward_tests::until;

use crate::stage::{Stage, backlog, message, number_of};

/// A beacon that is so many seconds ahead.
pub(super) fn beacon(
    stage: &Stage,
    key: &PrivateKey,
    number: u64,
    ahead: u64,
    version: u64,
) -> Vec<u8> {
    let draft = BeaconDraft {
        account: stage.deck.account(),
        audience: stage.audience(),
        keyset: stage.epoch(),
        number,
        time: clock::now().plus(ahead),
        version,
        revoked_counter: 0,
    };

    draft.sign(&[key]).expect("one signer")
}

/// A list of revoked tokens.
pub(super) fn list(stage: &Stage, key: &PrivateKey, counter: u64, tokens: &[&str]) -> Vec<u8> {
    let draft = RevokedDraft {
        account: stage.deck.account(),
        audience: stage.audience(),
        keyset: stage.epoch(),
        counter,
        base_version: stage.gateway.version().expect("a snapshot"),
        issued_at: clock::now(),
        tokens: tokens.iter().map(|token| number_of(token)).collect(),
        principals: [].into(),
    };

    draft.sign(&[key]).expect("one signer")
}

/// The next key set, in which the thief's key has every role.
pub(super) fn next_keys(stage: &Stage, key: &PrivateKey, signers: &[&PrivateKey]) -> Vec<u8> {
    let chain = Chain::load(&stage.deck.dir(), stage.deck.account()).expect("good key sets");
    let mut draft = KeySetDraft::after(chain.newest());
    let own = KeyDraft::of(key, Role::ALL.into_iter().fold(0, |bits, role| bits | role.bit()));
    draft.keys.retain(|other| other.public != own.public);
    draft.keys.push(own);
    draft.thresholds = [1; 4];

    draft.sign(signers).expect("few signers")
}

pub(super) fn signs_no_snapshot(stage: &Stage, key: &PrivateKey) {
    let file = stage.wider();
    let manifest = message(&stage.manifest(&file, 1, 1_000), key);
    stage.plant_in_vain(GroupTopic::Manifest, &manifest, "bad_signature");
}

pub(super) fn signs_no_beacon(stage: &Stage, key: &PrivateKey) {
    let beacon = beacon(stage, key, 1_000, 3_000, 1_000);
    stage.plant_in_vain(GroupTopic::Time, &beacon, "bad_signature");
}

pub(super) fn signs_no_list(stage: &Stage, key: &PrivateKey) {
    stage.plant_in_vain(GroupTopic::Revoked, &list(stage, key, 1_000, &[]), "bad_signature");
}

pub(super) fn signs_no_receipt(stage: &Stage, key: &PrivateKey) {
    let before = backlog(&stage.gateway);
    assert!(before > 0, "nobody has collected yet");
    stage.thief_acknowledges(key, &stage.gateway);
    until("the refusal of a receipt", || {
        stage.events("receipt_refused").contains(&"bad_signature".to_owned()).then_some(())
    });
    assert!(backlog(&stage.gateway) >= before, "nothing may be forgotten");
}
