//! What a key set that calls a key stolen takes back of the time, and what it does not: thieves are
//! forgotten, and a broker that withholds the set sets nothing back.

use super::beacon::{beacon, beacon_draft};
use super::*;
use crate::time::Millis;
use crate::trust::sign::BeaconDraft;

/// A gateway without a clock.
struct Gateway {
    keys: KeySet,
    floor: Floor,
    time: TrustedTime,
    mono: Millis,
}

impl Gateway {
    /// In force is a snapshot of `T0`, which a beacon confirms.
    fn new() -> Self {
        let floor = Floor::default().with_keys(&anchor());
        let time = TrustedTime::new(UnixSeconds(0), &floor, Millis(0));
        let mut gateway = Self { keys: anchor(), floor, time, mono: Millis(0) };
        gateway.hears(10, T0, SNAPSHOT, BEACON);

        gateway
    }

    fn runs(&mut self, seconds: u64) {
        self.mono = Millis(self.mono.0 + seconds * 1_000);
        let kept = self.time.kept(&self.floor, self.mono, Shown::default(), UnixSeconds(0));
        self.accepts(kept);
    }

    fn accepts(&mut self, floor: Floor) {
        self.floor = floor;
        self.time.follow(&self.floor, self.mono);
    }

    /// A beacon and a manifest, by these keys.
    fn hears(&mut self, number: u64, at: u64, snapshot: u8, beacon: u8) {
        let epoch = self.keys.epoch();
        let told = BeaconDraft { keyset: epoch, ..beacon_draft(number, at) };
        let told = told.sign(&[&key(beacon)]).unwrap();
        let told = Beacon::verify(&told, &self.keys, audience()).unwrap();
        self.accepts(self.floor.with_beacon(&told));
        let issued = ManifestDraft { keyset: epoch, issued_at: UnixSeconds(at), ..draft(number) };
        let issued = issued.sign(&[&key(snapshot)]).unwrap();
        let issued = Manifest::verify(&issued, &self.keys, audience()).unwrap();
        self.accepts(self.floor.with(&issued));
    }

    /// The next key set, with these keys for the others.
    fn follows(&mut self, issued_at: u64, keys: [u8; 3], retired: &[u8], stolen: &[u8]) {
        let mut next = key_set(self.keys.epoch() + 1);
        next.issued_at = UnixSeconds(issued_at);
        let roles = [Role::Snapshot, Role::Beacon, Role::Collector];
        next.keys.truncate(ROOTS.len());
        next.keys
            .extend(keys.iter().zip(roles).map(|(seed, role)| with_roles(&key(*seed), &[role])));
        next.retired = retired.iter().map(|seed| id(&key(*seed))).collect();
        next.compromised = stolen.iter().map(|seed| id(&key(*seed))).collect();
        self.keys = self.keys.follow(&signed_by_roots(&next)).unwrap();
        self.accepts(self.floor.with_keys(&self.keys));
    }

    fn now(&self) -> u64 {
        self.time.now(self.mono, Shown::default()).at.0
    }
}

const OTHER_BEACON: u8 = 16;
const OTHER_COLLECTOR: u8 = 17;
const WEEK: u64 = 7 * DAY;

#[test]
fn a_key_set_that_arrives_late_makes_no_snapshot_live_longer() {
    let mut gateway = Gateway::new();
    gateway.follows(T0, [SNAPSHOT, BEACON, OTHER_COLLECTOR], &[], &[COLLECTOR]);
    gateway.hears(11, T0, SNAPSHOT, BEACON);
    gateway.runs(WEEK - 8_640);
    let keys = [SNAPSHOT, OTHER_BEACON, OTHER_COLLECTOR];
    gateway.follows(T0 + 3_600, keys, &[], &[COLLECTOR, BEACON]);

    assert_eq!(gateway.now(), T0 + WEEK - 8_640, "a manifest that nobody stole vouches for it");
    gateway.runs(8_640);
    assert!(gateway.now() >= T0 + WEEK, "it ends when it would have ended");
}

#[test]
fn a_theft_of_long_ago_does_not_taint_what_newer_keys_agreed_on() {
    let mut gateway = Gateway::new();
    gateway.follows(T0, [SNAPSHOT, OTHER_BEACON, COLLECTOR], &[], &[BEACON]);
    // Off for five days, which only keys can tell.
    gateway.hears(11, T0 + 5 * DAY, SNAPSHOT, OTHER_BEACON);
    let keys = [NEXT_SNAPSHOT, OTHER_BEACON, COLLECTOR];
    gateway.follows(T0 + 3_600, keys, &[], &[BEACON, SNAPSHOT]);

    assert_eq!(gateway.now(), T0 + 5 * DAY, "one of the two was never stolen");
}

#[test]
fn thieves_who_agreed_are_forgotten_though_their_keys_were_retired_first() {
    let mut gateway = Gateway::new();
    gateway.hears(11, T0 + 300 * DAY, SNAPSHOT, BEACON);
    gateway.follows(T0 + 60, [NEXT_SNAPSHOT, OTHER_BEACON, COLLECTOR], &[SNAPSHOT, BEACON], &[]);
    assert_eq!(gateway.now(), T0 + 300 * DAY, "nobody knows yet");
    gateway.follows(T0 + 120, [NEXT_SNAPSHOT, OTHER_BEACON, COLLECTOR], &[], &[SNAPSHOT, BEACON]);

    assert_eq!(gateway.now(), T0 + 120);
}

#[test]
fn thieves_who_agreed_are_forgotten_when_the_second_is_found_and_not_before() {
    let mut gateway = Gateway::new();
    gateway.hears(11, T0 + 300 * DAY, SNAPSHOT, BEACON);
    gateway.runs(50);
    gateway.follows(T0 + 60, [SNAPSHOT, OTHER_BEACON, COLLECTOR], &[], &[BEACON]);
    assert_eq!(gateway.now(), T0 + 300 * DAY + 50);
    gateway.follows(T0 + 61, [SNAPSHOT, OTHER_BEACON, COLLECTOR], &[], &[]);
    gateway.floor = Floor::decode(&gateway.floor.encode()).unwrap();
    gateway.follows(T0 + 70, [NEXT_SNAPSHOT, OTHER_BEACON, COLLECTOR], &[], &[SNAPSHOT]);

    assert_eq!(gateway.now(), T0 + 70, "the list had forgotten the first");
}

#[test]
fn what_root_keys_and_run_time_vouch_for_stays_whoever_was_stolen() {
    let mut gateway = Gateway::new();
    gateway.follows(T0 + 10, [SNAPSHOT, BEACON, COLLECTOR], &[], &[]);
    gateway.runs(5 * DAY);
    let keys = [NEXT_SNAPSHOT, OTHER_BEACON, COLLECTOR];
    gateway.follows(T0 + 3_600, keys, &[], &[SNAPSHOT, BEACON]);

    assert_eq!(gateway.now(), T0 + 10 + 5 * DAY);
}

#[test]
fn a_stolen_key_takes_back_what_it_said_alone_and_only_once() {
    let mut gateway = Gateway::new();
    gateway.accepts(gateway.floor.with_beacon(&beacon(11, T0 + 9 * DAY)));
    assert_eq!(gateway.now(), T0 + MAX_BEACON_LIFT);
    gateway.follows(T0 - 9, [SNAPSHOT, BEACON, OTHER_COLLECTOR], &[], &[COLLECTOR]);
    assert_eq!(gateway.now(), T0 + MAX_BEACON_LIFT, "it tells no time");
    gateway.follows(T0 - 8, [SNAPSHOT, OTHER_BEACON, OTHER_COLLECTOR], &[], &[COLLECTOR, BEACON]);
    assert_eq!(gateway.now(), T0);
    assert_eq!(gateway.floor.beacon_time, UnixSeconds(0), "nor does it confirm a manifest");

    gateway.hears(12, T0 + 500, SNAPSHOT, OTHER_BEACON);
    let told = gateway.floor;
    assert_eq!(told.with_keys(&gateway.keys), told, "the same set takes it back once");
}

#[test]
fn signers_are_too_few_once_as_many_as_must_are_crossed_out_one_after_the_other() {
    let own = [1, 2, 3].map(|seed| (Algorithm::Ed25519, id(&key(seed))));
    let signers = Signers::of(2, &own);
    assert!(signers.are_enough() && Signers::default().are_enough());
    let fewer = signers.without(&[own[0].1]).without(&[own[0].1]);
    assert!(fewer.are_enough());
    assert!(!fewer.without(&[own[2].1]).are_enough());
    assert_eq!(signers.without(&[KeyId([0; 8])]), signers);
}
