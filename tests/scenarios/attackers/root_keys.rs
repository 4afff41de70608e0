//! Who holds root keys, and fewer than have to sign.

use gateward_core::topic::GroupTopic;
use gateward_core::trust::SigningKey;
use gateward_core::trust::sign::PrivateKey;

use super::signs::{
    next_keys, signs_no_beacon, signs_no_list, signs_no_receipt, signs_no_snapshot,
};
use crate::stage::Stage;

#[test]
fn who_holds_fewer_root_keys_than_the_threshold_can_do_nothing() {
    let stage = Stage::new();
    let own = PrivateKey::from(SigningKey::from_bytes(&[0x66; 32]));
    let stolen = stage.root_key(1);

    // A key counts once, and keys of the new set do not count for the old one.
    for signers in [&[&stolen][..], &[&stolen, &own], &[&own]] {
        let keys = next_keys(&stage, &own, signers);
        stage.plant_in_vain(GroupTopic::Keys, &keys, "bad_signature");
    }
    let twice = next_keys(&stage, &own, &[&stolen, &stolen]);
    stage.plant_in_vain(GroupTopic::Keys, &twice, "");
    // A root key signs key sets and nothing else.
    signs_no_snapshot(&stage, &stolen);
    signs_no_beacon(&stage, &stolen);
    signs_no_list(&stage, &stolen);
    signs_no_receipt(&stage, &stolen);

    assert!(stage.events("key_set_accepted").is_empty());
    stage.is_well();
    assert_eq!(stage.gateway.get("/readyz").text(), "fresh\n");

    // Nothing else was wrong with it.
    let enough = next_keys(&stage, &own, &[&stolen, &stage.root_key(2), &own]);
    stage.deck.admin().plant(&stage.topic(GroupTopic::Keys), &enough);
    stage.holds_keys(2);
}
