//! The promise of TRUST section 4, held against 100,000 random lives of a gateway: clocks that step,
//! reboots, power cuts, and manifests, beacons and key sets by their owners or by thieves.
//!
//! The model knows the true time and who stole what; the code under test knows neither.

use super::*;
use crate::time::Millis;
use crate::trust::keys::Reset;
use crate::trust::{beacon, manifest};

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
    epoch: u32,
    number: u64,
    beacon_number: u64,
    beacon_stolen: bool,
    snapshot_stolen: bool,
    /// Whether any key was ever called compromised.
    stolen_before: bool,
    /// What one stolen key, alone, may have lifted time by.
    lift: u64,
    /// Whether a thief was believed because the clock agreed with the thief, or a second thief did.
    tricked: bool,
    /// The latest signed time accepted, and the run time since, as far as that was not lost.
    least: u64,
}

impl Life {
    fn new(seed: u64) -> Self {
        let disk =
            Floor::default().with_keys(&KeySet::unsigned(1, UnixSeconds(T0), Reset::Nothing));

        Self {
            dice: Dice(seed),
            truth: T0,
            machine: Machine::Absent,
            mono: 0,
            kept_at: 0,
            time: TrustedTime::new(BUILD, &disk, Millis(0)),
            disk,
            epoch: 1,
            number: 0,
            beacon_number: 0,
            beacon_stolen: false,
            snapshot_stolen: false,
            stolen_before: false,
            lift: 0,
            tricked: false,
            least: T0,
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
            self.least += step;
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
        self.least -= self.mono - self.kept_at;
        (self.truth, self.mono, self.kept_at) = (self.truth + off, 0, 0);
        self.disk = Floor::decode(&self.disk.encode()).unwrap();
        self.time = TrustedTime::new(BUILD, &self.disk, Millis(0));
    }

    fn hear_manifest(&mut self, issued_at: u64) -> bool {
        self.number += 1;
        let body = manifest::Body {
            audience: audience(),
            keyset: self.epoch,
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
        let manifest = Manifest::unsigned(ACCOUNT, body, UnixSeconds(u64::from(u32::MAX)));
        let admitted = self.disk.admit(&manifest, &self.now()).is_ok();
        if admitted {
            self.accept(self.kept().with(&manifest));
            self.least = self.least.max(issued_at);
        }

        admitted
    }

    fn hear_beacon(&mut self, time: u64) -> bool {
        self.beacon_number += 1;
        let body = beacon::Body {
            audience: audience(),
            keyset: self.epoch,
            number: self.beacon_number,
            time,
            version: self.number,
            revoked_counter: 0,
        };
        let beacon = Beacon::unsigned(body, UnixSeconds(u64::from(u32::MAX)));
        let admitted = self.disk.admit_beacon(&beacon, &self.now()).is_ok();
        if admitted {
            let floor = self.kept().with_beacon(&beacon);
            self.least = self.least.max(time.min(floor.agreed.0 + MAX_BEACON_LIFT));
            self.accept(floor);
        }

        admitted
    }

    /// A thief signs whatever helps most: any time at all.
    fn thieve(&mut self) {
        let ahead = self.truth + self.dice.span();
        let bad_clock = matches!(self.machine, Machine::Ahead(_));
        if self.snapshot_stolen && self.dice.below(2) == 0 {
            let believed = self.hear_manifest(ahead);
            self.tricked |= believed && (bad_clock || self.beacon_stolen);
            self.lift |= 1;
        } else if self.beacon_stolen {
            let believed = self.hear_beacon(ahead);
            self.tricked |= believed && self.snapshot_stolen;
            self.lift |= 2;
        }
    }

    /// The next key set, which a broker may have held back for as long as it likes.
    fn rotate(&mut self, held_back: u64) {
        let stolen = self.beacon_stolen || self.snapshot_stolen;
        let both = self.beacon_stolen && self.snapshot_stolen;
        let resets = match stolen {
            false => Reset::Nothing,
            true if both || self.stolen_before => Reset::All,
            true => Reset::OneKey,
        };
        self.epoch += 1;
        let issued_at = (self.truth - held_back).max(T0);
        let agreed = self.kept().agreed.0;
        let keys = KeySet::unsigned(self.epoch, UnixSeconds(issued_at), resets);
        self.accept(self.kept().with_keys(&keys));
        if stolen {
            (self.beacon_stolen, self.snapshot_stolen, self.tricked) = (false, false, false);
            self.stolen_before = true;
            self.least = if resets == Reset::All { issued_at } else { agreed };
        }
        self.least = self.least.max(issued_at);
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
            7 if self.dice.below(4) == 0 => self.beacon_stolen = true,
            8 if self.dice.below(4) == 0 => self.snapshot_stolen = true,
            9 if self.dice.below(3) == 0 => {
                let held_back = self.dice.span() % (self.truth - T0 + 1);
                self.rotate(held_back);
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
        assert!(now.at.0 >= self.least, "life {seed}: {now:?} is before {}", self.least);
        assert!(now.at >= BUILD);
        // A thief's manifest may still stand in the floor when the other key is stolen later.
        let lift = match self.lift {
            0 => 0,
            1 => MAX_AHEAD,
            2 => MAX_BEACON_LIFT,
            _ => MAX_AHEAD + MAX_BEACON_LIFT,
        };
        let shown = self.shown().clock.map_or(0, |clock| clock.0);
        let most = (self.truth + lift).max(shown);
        assert!(self.tricked || now.at.0 <= most, "life {seed}: {now:?} is after {most}");
        if now.quality == TimeQuality::Synced {
            assert_eq!(now.at.0, self.truth, "life {seed}");
        }
    }

    /// Whatever was, an honest beacon and an honest manifest are believed again once the clock is
    /// not ahead, and bring the time to the truth; where thieves lifted it, after the key set.
    fn recovers(&mut self, seed: u64) {
        if self.beacon_stolen || self.snapshot_stolen || self.tricked {
            (self.beacon_stolen, self.snapshot_stolen) = (true, true);
            self.rotate(0);
        }
        self.machine = Machine::Absent;
        self.truth += 2 * (MAX_AHEAD + MAX_BEACON_LIFT);
        assert!(self.hear_beacon(self.truth), "life {seed}");
        assert!(self.hear_manifest(self.truth), "life {seed}");
        assert_eq!(self.now().at.0, self.truth.max(self.least), "life {seed}");
        assert!(self.now().at.0 <= self.truth + MAX_AHEAD + MAX_BEACON_LIFT, "life {seed}");
    }
}

#[test]
fn e7_to_e11_h20_time_keeps_its_promise_in_100_000_random_lives() {
    for seed in 0..LIVES {
        let mut life = Life::new(seed);
        for _ in 0..STEPS {
            life.step();
            life.keeps_the_promise(seed);
        }
        life.recovers(seed);
    }
}
