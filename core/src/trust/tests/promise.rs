//! The promise of TRUST section 4, held against 100,000 random lives of a gateway: clocks that step,
//! reboots, power cuts, and manifests, beacons and key sets by their owners or by thieves.
//!
//! The model knows the true time and who stole what; the code under test knows neither.

use core::num::NonZero;
use std::thread;

use super::*;
use crate::time::Millis;
use crate::trust::{beacon, manifest};

mod ledger;

use ledger::Ledger;

const LIVES: u64 = 100_000;
const STEPS: usize = 24;
const BUILD: UnixSeconds = UnixSeconds(T0 - 30 * DAY);
/// The longest that run time may go without being written down.
const KEEP_EVERY_S: u64 = 600;

/// A repeatable stream of numbers.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);

        (z ^ (z >> 31)) % end
    }

    /// From a second to some months, short ones more often.
    fn span(&mut self) -> u64 {
        1 << self.below(23)
    }
}

/// What the machine's clock does.
#[derive(Clone, Copy, Debug)]
enum Machine {
    /// It is right, and the kernel says so.
    Synchronised,
    /// It is right, and nobody says so.
    Right,
    /// It shows this much too little.
    Behind(u64),
    /// It shows this much too much: a bad reading.
    Ahead(u64),
    /// There is none.
    Absent,
}

struct Life {
    dice: Dice,
    /// The true time.
    truth: u64,
    machine: Machine,
    /// Run time since the last start.
    mono: u64,
    kept_at: u64,
    disk: Floor,
    time: TrustedTime,
    keys: KeySet,
    number: u64,
    beacon_number: u64,
    ledger: Ledger,
}

impl Life {
    fn new(seed: u64) -> Self {
        let ledger = Ledger::new(T0);
        let keys = next_set(None, T0, &ledger);
        let disk = Floor::default().with_keys(&keys);

        Self {
            dice: Dice(seed),
            truth: T0,
            machine: Machine::Absent,
            mono: 0,
            kept_at: 0,
            time: TrustedTime::new(BUILD, &disk, Millis(0)),
            disk,
            keys,
            number: 0,
            beacon_number: 0,
            ledger,
        }
    }

    fn shown(&self) -> Shown {
        let right = |synchronised| Shown { clock: Some(UnixSeconds(self.truth)), synchronised };
        let wrong = |clock| Shown { clock: Some(UnixSeconds(clock)), synchronised: false };
        match self.machine {
            Machine::Synchronised => right(true),
            Machine::Right => right(false),
            Machine::Behind(by) => wrong(self.truth.saturating_sub(by)),
            Machine::Ahead(by) => wrong(self.truth + by),
            Machine::Absent => Shown::default(),
        }
    }

    fn now(&self) -> Now {
        self.time.now(Millis(self.mono * 1_000), self.shown())
    }

    fn kept(&self) -> Floor {
        let until = self.disk.issued_at.plus(7 * DAY);

        self.time.kept(&self.disk, Millis(self.mono * 1_000), self.shown(), until)
    }

    fn accept(&mut self, floor: Floor) {
        self.disk = floor;
        self.kept_at = self.mono;
        self.time.follow(&self.disk, Millis(self.mono * 1_000));
    }

    fn run(&mut self, seconds: u64) {
        let mut left = seconds;
        while left > 0 {
            let step = left.min(KEEP_EVERY_S);
            (self.truth, self.mono) = (self.truth + step, self.mono + step);
            self.ledger.run += step;
            left -= step;
            if self.mono - self.kept_at >= KEEP_EVERY_S {
                self.accept(self.kept());
            }
        }
    }

    fn restart(&mut self, off: u64, in_order: bool) {
        if in_order {
            self.accept(self.kept());
        }
        // What ran since it was last written down is all that a power cut takes.
        self.ledger.run -= self.mono - self.kept_at;
        (self.truth, self.mono, self.kept_at) = (self.truth + off, 0, 0);
        self.disk = Floor::decode(&self.disk.encode()).unwrap();
        self.time = TrustedTime::new(BUILD, &self.disk, Millis(0));
    }

    fn hear_manifest(&mut self, issued_at: u64) -> bool {
        self.number += 1;
        let body = manifest::Body {
            audience: audience(),
            keyset: self.keys.epoch(),
            version: self.number,
            issued_at,
            stale_after: 3_600,
            expires_after: 7 * 86_400,
            file_len: 100,
            chunk_log2: 15,
            root: Root([1; 32]),
            revoked_counter: 0,
            allow: 0,
            deltas: heapless::Vec::new(),
        };
        let by = self.ledger.current(Role::Snapshot).id;
        let manifest = Manifest::unsigned(body, UnixSeconds(u32::MAX.into()), signed_by(by));
        let admitted = self.disk.admit(&manifest, &self.now()).is_ok();
        if admitted {
            self.accept(self.kept().with(&manifest));
            self.ledger.manifest(self.keys.epoch(), issued_at, by);
        }

        admitted
    }

    fn hear_beacon(&mut self, time: u64) -> bool {
        self.beacon_number += 1;
        let body = beacon::Body {
            audience: audience(),
            keyset: self.keys.epoch(),
            number: self.beacon_number,
            time,
            version: self.number,
            revoked_counter: 0,
        };
        let by = self.ledger.current(Role::Beacon).id;
        let beacon = Beacon::unsigned(body, UnixSeconds(u32::MAX.into()), signed_by(by));
        let admitted = self.disk.admit_beacon(&beacon, &self.now()).is_ok();
        if admitted {
            let floor = self.kept().with_beacon(&beacon);
            let most = floor.agreed.0 + MAX_BEACON_LIFT;
            self.accept(floor);
            self.ledger.beacon(self.keys.epoch(), time, most, by);
        }

        admitted
    }

    /// A thief signs whatever helps most: any time at all.
    fn thieve(&mut self) {
        let ahead = self.truth + self.dice.span();
        let bad_clock = matches!(self.machine, Machine::Ahead(_));
        let stolen = |role| self.ledger.current(role).stolen;
        if stolen(Role::Snapshot) && (!stolen(Role::Beacon) || self.dice.below(2) == 0) {
            if self.hear_manifest(ahead) {
                self.ledger.lie(Role::Snapshot, bad_clock);
            }
        } else if stolen(Role::Beacon) && self.hear_beacon(ahead) {
            self.ledger.lie(Role::Beacon, false);
        }
    }

    fn steal(&mut self, role: Role) {
        let own = self.ledger.keys.iter_mut().filter(|key| key.current && key.role == role);
        own.for_each(|key| key.stolen = true);
    }

    /// The next key set, which a broker may have held back for as long as it likes. Its owners may
    /// have noticed a theft, and may have retired the key long before.
    fn rotate(&mut self, held_back: u64, all_is_known: bool) {
        let mut theft = false;
        for at in 0..self.ledger.keys.len() {
            let noticed = all_is_known || self.dice.below(2) == 0;
            let key = &mut self.ledger.keys[at];
            let (role, current) = (key.role, key.current);
            if key.stolen && !key.revealed && noticed {
                key.revealed = true;
                theft |= !current || role != Role::Collector;
            }
            if current && (self.ledger.keys[at].revealed || self.dice.below(3) == 0) {
                self.ledger.draw(role);
            }
        }
        let issued_at = (self.truth - held_back).max(T0);
        let keys = next_set(Some(&self.keys), issued_at, &self.ledger);
        self.accept(self.kept().with_keys(&keys));
        self.keys = keys;
        self.ledger.key_set(issued_at, theft);
    }

    fn step(&mut self) {
        match self.dice.below(12) {
            0 => {
                let by = self.dice.span();
                self.machine = match self.dice.below(5) {
                    0 => Machine::Synchronised,
                    1 => Machine::Right,
                    2 => Machine::Behind(by),
                    3 => Machine::Ahead(by),
                    _ => Machine::Absent,
                };
            }
            1 => {
                let off = self.dice.span();
                self.restart(off, true);
            }
            2 => {
                let off = self.dice.span();
                self.restart(off, false);
            }
            3 | 4 => {
                self.hear_manifest(self.truth);
            }
            5 | 6 => {
                self.hear_beacon(self.truth);
            }
            7 if self.dice.below(4) == 0 => self.steal(Role::Beacon),
            8 if self.dice.below(4) == 0 => self.steal(Role::Snapshot),
            8 if self.dice.below(4) == 0 => self.steal(Role::Collector),
            9 if self.dice.below(2) == 0 => {
                let held_back = self.dice.span() % (self.truth - T0 + 1);
                self.rotate(held_back, false);
            }
            7..=9 => self.thieve(),
            _ => {
                let seconds = self.dice.span() % (3 * DAY);
                self.run(seconds);
            }
        }
    }

    fn keeps_the_promise(&self, seed: u64) {
        let now = self.now();
        let least = self.ledger.least();
        assert!(now.at.0 >= least, "life {seed}: {now:?} is before {least}");
        assert!(now.at >= BUILD);
        let shown = self.shown().clock.map_or(0, |clock| clock.0);
        let most = (self.truth + self.ledger.lift()).max(shown);
        let tricked = self.ledger.tricked;
        assert!(tricked || now.at.0 <= most, "life {seed}: {now:?} is after {most}");
        if now.quality == TimeQuality::Synced {
            assert_eq!(now.at.0, self.truth, "life {seed}");
        }
    }

    /// Whatever was, an honest beacon and an honest manifest are believed again once the clock is
    /// not ahead, and bring the time to the truth; where thieves lifted it, after the key set.
    fn recovers(&mut self, seed: u64) {
        self.rotate(0, true);
        self.keeps_the_promise(seed);
        self.machine = Machine::Absent;
        self.truth += 2 * (MAX_AHEAD + MAX_BEACON_LIFT);
        assert!(self.hear_beacon(self.truth), "life {seed}");
        assert!(self.hear_manifest(self.truth), "life {seed}");
        assert_eq!(self.now().at.0, self.truth, "life {seed}");
    }
}

fn signed_by(id: KeyId) -> Signers {
    Signers::of(1, &[(Algorithm::Ed25519, id)])
}

fn next_set(held: Option<&KeySet>, issued_at: u64, ledger: &Ledger) -> KeySet {
    let keys = ledger.keys.iter().filter(|key| key.current).map(|key| (key.id, key.role));
    let revealed = ledger.keys.iter().filter(|key| key.revealed).map(|key| key.id);

    KeySet::unsigned(held, UnixSeconds(issued_at), keys, revealed.collect())
}

/// One life, from its first day until everything honest is believed again.
fn live(seed: u64) {
    let mut life = Life::new(seed);
    for _ in 0..STEPS {
        life.step();
        life.keeps_the_promise(seed);
    }
    life.recovers(seed);
}

#[test]
fn e7_to_e11_h20_time_keeps_its_promise_in_100_000_random_lives() {
    // Each life is by itself, so every processor has its share of them.
    let shares = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for first in (0..LIVES).take(shares) {
            scope.spawn(move || (first..LIVES).step_by(shares).for_each(live));
        }
    });
}
