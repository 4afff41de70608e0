//! A beacon: what it says of the time, and how far one key can move that.

use gateward_core::time::{TimeQuality, UnixSeconds};
use gateward_core::trust::sign::BeaconDraft;
use gateward_core::trust::{Admission, Beacon, Floor, Kind, Now, Version};

use crate::cast::{self, ACCOUNT, BEACON, NOW, audience, framed, key, keys, payload, seal};
use crate::{Input, heap};

/// A beacon alone lifts time by at most an hour (TRUST section 4).
const MOST: u64 = 3_600;

pub(super) fn run(data: &[u8]) {
    let mut input = Input(data);
    match input.way(3) {
        0 => verified(input.rest()),
        1 => verified(&seal(Kind::Beacon, &framed(input.rest()), &[BEACON])),
        _ => drafted(input),
    }
}

/// What is accepted is what would be written, and moves the time by no more than one key may.
fn verified(envelope: &[u8]) {
    let keys = keys();
    let beacon = match heap::within(0, || Beacon::verify(envelope, keys, audience())) {
        Ok(beacon) => beacon,
        Err(why) => return cast::refused(why),
    };
    assert!(beacon.time() < keys.expires() && beacon.number().epoch == keys.epoch());
    let draft = BeaconDraft {
        account: ACCOUNT,
        audience: audience(),
        keyset: beacon.number().epoch,
        number: beacon.number().number,
        time: beacon.time(),
        version: beacon.version().number,
        revoked_counter: beacon.revoked().number,
    };
    let again = draft.sign(&[key(BEACON)]).expect("one signer");
    assert_eq!(payload(envelope), payload(&again), "a second spelling of a beacon");
    for quality in [TimeQuality::Synced, TimeQuality::Floor] {
        admitted(&beacon, quality);
    }
}

fn admitted(beacon: &Beacon, quality: TimeQuality) {
    let now = Now { at: NOW, quality, backed: NOW };
    let version = Version { epoch: 1, number: 5 };
    let floor = Floor {
        keys: 1,
        version,
        issued_at: NOW,
        signed: NOW,
        lived: NOW,
        agreed: NOW,
        ..Floor::default()
    };
    match floor.admit_beacon(beacon, &now) {
        Ok(_) => {
            let next = floor.with_beacon(beacon);
            assert!(next.signed >= floor.signed && next.lived >= floor.lived, "time went back");
            let most = UnixSeconds(NOW.0 + MOST);
            assert!(next.signed <= most && next.lived <= most, "one key moved the time");
            assert!(next.version == floor.version && next.root == floor.root);
            assert_eq!(next.admit_beacon(beacon, &now), Ok(Admission::Same));
            assert_eq!(next.with_beacon(beacon), next, "the same again is something new");
            assert_eq!(Floor::decode(&next.encode()), Ok(next));
        }
        Err(why) => cast::refused(why),
    }
}

/// Any fields at all, as a collector would write them.
fn drafted(mut input: Input<'_>) {
    let draft = BeaconDraft {
        account: ACCOUNT,
        audience: audience(),
        keyset: u32::from(input.byte() % 3),
        number: input.u64(),
        time: UnixSeconds(if input.byte() < 200 {
            NOW.0 + u64::from(input.u16())
        } else {
            input.u64()
        }),
        version: input.u64(),
        revoked_counter: input.u64(),
    };
    let signers: Vec<_> = (0..input.byte() % 4).map(|_| key(usize::from(input.byte()))).collect();
    let envelope = draft.sign(&signers).expect("three signers are not too many");

    verified(&envelope);
}
