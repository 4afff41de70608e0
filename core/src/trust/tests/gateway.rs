//! Checkpoints, status and receipts.

use ed25519_dalek::Verifier;
use sha2::Sha512;

use super::*;
use crate::trust::sign::seal_payload;

const INCARNATION: Incarnation = Incarnation([5; 8]);

fn gateway() -> GatewayId {
    GatewayId::of(ACCOUNT, "gw-1")
}

fn checkpoint() -> Checkpoint {
    Checkpoint {
        gateway: gateway(),
        incarnation: INCARNATION,
        number: 300,
        head: Head([3; 32]),
        time: UnixSeconds(T0),
        boot: 2,
    }
}

fn status() -> Status {
    Status {
        gateway: gateway(),
        incarnation: INCARNATION,
        boot: u32::MAX,
        keyset: u32::MAX,
        version: u64::MAX,
        root8: [0xff; 8],
        revoked_counter: u64::MAX,
        floor_time: UnixSeconds(u64::MAX),
        audit_number: u64::MAX,
        audit_head: Head([0xff; 32]),
        backlog: u64::MAX,
        time_quality: TimeQuality::Unknown,
        gone: true,
    }
}

fn receipt() -> ReceiptDraft {
    ReceiptDraft {
        account: ACCOUNT,
        gateway: gateway(),
        incarnation: INCARNATION,
        through: 300,
        head: Head([3; 32]),
        time: UnixSeconds(T0),
    }
}

fn verified(draft: &ReceiptDraft, signer: u8) -> Result<Receipt, Refused> {
    let bytes = draft.sign(&[&key(signer)]).unwrap();

    Receipt::verify(&bytes, &anchor(), gateway(), INCARNATION)
}

#[test]
fn a_checkpoint_is_read_as_signed_and_every_damage_is_refused() {
    let mut buffer = [0; SEALED_LEN];
    let own = key(30);
    let bytes = checkpoint().sign(ACCOUNT, &own, &mut buffer).unwrap();
    let verify = |bytes: &[u8]| Checkpoint::verify(bytes, &own.verifying_key(), ACCOUNT, gateway());
    assert_eq!(verify(bytes), Ok(checkpoint()));
    every_damage_is_refused(bytes, |bytes| verify(bytes).is_ok());
}

#[test]
fn a_status_of_the_greatest_numbers_fits_and_every_damage_is_refused() {
    let mut buffer = [0; SEALED_LEN];
    let own = key(30);
    let bytes = status().sign(ACCOUNT, &own, &mut buffer).unwrap();
    let verify = |bytes: &[u8]| Status::verify(bytes, &own.verifying_key(), ACCOUNT, gateway());
    assert_eq!(verify(bytes), Ok(status()));
    every_damage_is_refused(bytes, |bytes| verify(bytes).is_ok());
}

#[test]
fn a_small_buffer_is_an_error() {
    let mut buffer = [0; 100];
    assert_eq!(status().sign(ACCOUNT, &key(30), &mut buffer), Err(TooSmall));
}

#[test]
fn another_key_another_account_and_another_gateway_are_refused() {
    let mut buffer = [0; SEALED_LEN];
    let own = key(30);
    let bytes = status().sign(ACCOUNT, &own, &mut buffer).unwrap();
    let verify = |number, account, gateway| {
        Status::verify(bytes, &key(number).verifying_key(), account, gateway).unwrap_err()
    };
    assert_eq!(verify(31, ACCOUNT, gateway()), Refused::Unsigned);
    assert_eq!(verify(30, OTHER, gateway()), Refused::OtherAccount);
    let other = GatewayId::of(ACCOUNT, "gw-2");
    assert_eq!(verify(30, ACCOUNT, other), Refused::OtherGateway);
    assert_eq!(
        Checkpoint::verify(bytes, &own.verifying_key(), ACCOUNT, gateway()),
        Err(Refused::OtherType)
    );
}

#[test]
fn a_key_of_small_order_signs_nothing() {
    // With A and R the neutral element and S zero, the equation holds for every message.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let weak = VerifyingKey::from_bytes(&neutral).unwrap();
    let mut buffer = [0; SEALED_LEN];
    let bytes = checkpoint().sign(ACCOUNT, &key(30), &mut buffer).unwrap();
    let mut forged = bytes.to_vec();
    let at = forged.len() - 64;
    forged[at..].fill(0);
    forged[at] = 1;
    forged[at - 10..at - 2].copy_from_slice(&KeyId::of(&neutral).0);
    assert_eq!(Checkpoint::verify(&forged, &weak, ACCOUNT, gateway()), Err(Refused::Unsigned));
}

#[test]
fn a_signature_with_r_of_small_order_is_refused() {
    let own = key(30);
    let mut buffer = [0; SEALED_LEN];
    let bytes = checkpoint().sign(ACCOUNT, &own, &mut buffer).unwrap();
    let payload = envelope::Envelope::open(bytes, Kind::Checkpoint).unwrap().payload;
    let message = [Kind::Checkpoint.domain(), payload].concat();
    let mut neutral = [0; 32];
    neutral[0] = 1;

    // With R the neutral element, S = SHA-512(R ‖ A ‖ message) · a satisfies the equation.
    let hash = Sha512::new().chain_update(neutral).chain_update(public(&own));
    let a = own.to_scalar();
    let mut s = a - a;
    for byte in hash.chain_update(&message).finalize().iter().rev() {
        for bit in (0..8).rev() {
            s += s;
            if byte >> bit & 1 == 1 {
                s += a;
            }
        }
    }
    let loose = ed25519_dalek::Signature::from_components(neutral, s.to_bytes());
    assert!(own.verifying_key().verify(&message, &loose).is_ok());

    let mut forged = bytes.to_vec();
    let at = forged.len() - 64;
    forged[at..].copy_from_slice(&loose.to_bytes());
    let refused = Checkpoint::verify(&forged, &own.verifying_key(), ACCOUNT, gateway());
    assert_eq!(refused, Err(Refused::Unsigned));
}

#[test]
fn a_receipt_is_read_as_signed_and_every_damage_is_refused() {
    let read = verified(&receipt(), COLLECTOR).unwrap();
    assert_eq!((read.through(), read.head()), (300, Head([3; 32])));
    assert_eq!(read.time(), UnixSeconds(T0));

    let keys = anchor();
    let bytes = receipt().sign(&[&key(COLLECTOR)]).unwrap();
    every_damage_is_refused(&bytes, |bytes| {
        Receipt::verify(bytes, &keys, gateway(), INCARNATION).is_ok()
    });
}

#[test]
fn a_receipt_for_another_gateway_enrolment_or_account_is_refused() {
    let other = ReceiptDraft { gateway: GatewayId::of(ACCOUNT, "gw-2"), ..receipt() };
    assert_eq!(verified(&other, COLLECTOR), Err(Refused::OtherGateway));
    let earlier = ReceiptDraft { incarnation: Incarnation([4; 8]), ..receipt() };
    assert_eq!(verified(&earlier, COLLECTOR), Err(Refused::OtherGateway));
    let foreign = ReceiptDraft { account: OTHER, ..receipt() };
    assert_eq!(verified(&foreign, COLLECTOR), Err(Refused::OtherAccount));
}

#[test]
fn only_a_collector_signs_receipts() {
    for number in [1, SNAPSHOT, BEACON, STRANGER] {
        assert_eq!(verified(&receipt(), number), Err(Refused::Unsigned));
    }
    let mut set = key_set(2);
    set.retired = vec![id(&key(COLLECTOR))];
    let next = anchor().follow(&signed_by_roots(&set)).unwrap();
    let bytes = receipt().sign(&[&key(COLLECTOR)]).unwrap();
    let refused = Receipt::verify(&bytes, &next, gateway(), INCARNATION);
    assert_eq!(refused, Err(Refused::Unsigned));
}

#[test]
fn what_was_signed_as_a_manifest_is_no_receipt() {
    let mut set = key_set(1);
    set.keys[3].roles |= Role::Collector.bit();
    let keys = anchored(&set);
    let good = receipt().sign(&[&key(SNAPSHOT)]).unwrap();
    assert!(Receipt::verify(&good, &keys, gateway(), INCARNATION).is_ok());

    let payload = envelope::Envelope::open(&good, Kind::Receipt).unwrap().payload;
    let mut forged = seal_payload(Kind::Manifest, payload, &[&key(SNAPSHOT)]).unwrap();
    forged[0] = Kind::Receipt as u8;
    let refused = Receipt::verify(&forged, &keys, gateway(), INCARNATION);
    assert_eq!(refused, Err(Refused::Unsigned));
}
