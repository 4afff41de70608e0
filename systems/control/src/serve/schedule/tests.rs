//! The schedule in simulated time, with a folder that changes, a broker that comes and goes, and looks
//! that fail.

use super::*;

const STALE_S: u32 = 1_600;
const DAY: Duration = Duration::from_secs(86_400);

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Draws numbers that a seed repeats (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// What there is on the broker, and since when nothing has stood in the way.
struct World {
    now: Duration,
    schedule: Schedule,
    up: bool,
    /// How many of the looks that come next fail.
    failing: u64,
    /// Since when there is a broker and no look fails.
    calm: Duration,
    wanted: u64,
    published: u64,
    changed: Duration,
    issued: Duration,
    looks: u64,
    manifests: u64,
}

impl World {
    fn new() -> Self {
        let zero = Duration::ZERO;
        let schedule = Schedule::new(every(STALE_S));

        Self {
            now: zero,
            schedule,
            up: false,
            failing: 0,
            calm: zero,
            wanted: 1,
            published: 0,
            changed: zero,
            issued: zero,
            looks: 0,
            manifests: 0,
        }
    }

    /// Lets time pass until `end`, with all looks that are due.
    fn until(&mut self, end: Duration) {
        while let Some((at, reaching)) = self.schedule.next() {
            let at = at.max(self.now);
            if at > end {
                break;
            }
            self.now = at;
            self.check();
            self.look(reaching);
        }
        self.now = self.now.max(end);
        self.check();
    }

    fn look(&mut self, reaching: Reaching) {
        self.schedule.begins();
        self.looks += 1;
        self.now += ms(20);
        let went = if self.failing > 0 {
            self.failing -= 1;
            self.calm = self.now;
            if self.failing.is_multiple_of(2) { Went::Failed } else { Went::Busy }
        } else {
            Went::Well
        };
        if !self.up {
            self.schedule.lost();
        } else if went == Went::Well {
            let due = self.now - self.issued >= Duration::from_secs(u64::from(STALE_S)) / 4;
            if self.published != self.wanted || (due && reaching == Reaching::Everything) {
                self.manifests += 1;
                self.issued = self.now;
            }
            self.published = self.wanted;
        }
        self.schedule.ended(self.now, reaching, went, Some(STALE_S));
    }

    /// What must hold at any time.
    fn check(&self) {
        let calm = if self.up { self.now - self.calm } else { Duration::ZERO };
        // Longer than any pause.
        if calm < LONGEST_PAUSE + ms(1_000) {
            return;
        }
        let age = self.now - self.issued;
        let most = Duration::from_secs(u64::from(STALE_S)) * 3 / 8 + ms(1_000);
        assert!(age <= most, "a manifest of {age:?} at {:?}", self.now);
        let waited = self.now - self.changed;
        assert!(self.published == self.wanted || waited <= ms(600), "a change of {waited:?}");
    }

    fn happens(&mut self, dice: &mut Dice) {
        match dice.below(4) {
            0 => {
                self.wanted += 1;
                self.changed = self.now;
                self.schedule.changed(self.now);
            }
            1 => {
                self.up = true;
                self.calm = self.now;
                self.schedule.connected(self.now);
            }
            2 => self.up = false,
            _ => {
                self.failing = dice.below(6);
                self.calm = self.now;
            }
        }
    }
}

#[test]
fn whatever_happens_a_change_arrives_and_no_manifest_grows_old_while_there_is_a_broker() {
    for seed in 1..=300 {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
        let mut world = World::new();
        for _ in 0..100 {
            let pause = [50, 5_000, 900_000, 9_000_000][usize::try_from(dice.below(4)).unwrap()];
            world.until(world.now + ms(dice.below(pause)));
            world.happens(&mut dice);
        }
        (world.up, world.failing, world.calm) = (true, 0, world.now);
        world.schedule.connected(world.now);
        world.until(world.now + DAY);
        assert_eq!(world.published, world.wanted, "seed {seed}");
    }
}

#[test]
fn in_a_day_without_changes_there_are_only_beacons_and_what_is_due() {
    let mut world = World::new();
    world.up = true;
    world.schedule.connected(Duration::ZERO);
    world.until(DAY);

    let beacons = DAY.as_secs() / every(STALE_S).as_secs();
    assert!(world.looks.abs_diff(beacons) <= 1, "{} looks", world.looks);
    let refreshes = DAY.as_secs() / (u64::from(STALE_S) / 4);
    assert!(world.manifests <= refreshes + 1, "{} manifests", world.manifests);
}

#[test]
fn a_change_is_looked_at_when_it_has_come_to_rest_and_at_the_latest_after_half_a_second() {
    let mut schedule = Schedule::new(every(STALE_S));
    assert_eq!(schedule.next(), None);
    schedule.changed(ms(1_000));
    assert_eq!(schedule.next(), Some((ms(1_050), Reaching::Changes)), "also without a broker");
    schedule.changed(ms(1_040));
    assert_eq!(schedule.next(), Some((ms(1_090), Reaching::Changes)));
    for later in 0..100 {
        schedule.changed(ms(1_040 + later * 40));
    }
    assert_eq!(schedule.next(), Some((ms(1_500), Reaching::Changes)));

    schedule.begins();
    assert_eq!(schedule.next(), None);
    schedule.ended(ms(1_520), Reaching::Changes, Went::Busy, None);
    assert_eq!(schedule.next(), Some((ms(1_570), Reaching::Changes)));
}

#[test]
fn a_failure_is_followed_by_longer_and_longer_pauses_and_a_connection_ends_them() {
    let mut schedule = Schedule::new(every(STALE_S));
    schedule.connected(Duration::ZERO);
    let mut now = Duration::ZERO;
    for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
        schedule.begins();
        schedule.ended(now, Reaching::Everything, Went::Failed, None);
        now += Duration::from_secs(pause);
        assert_eq!(schedule.next(), Some((now, Reaching::Everything)));
    }
    schedule.lost();
    assert_eq!(schedule.next(), None);
    schedule.connected(now);
    assert_eq!(schedule.next(), Some((now, Reaching::Everything)));
}

#[test]
fn a_policy_that_grows_stale_soon_is_looked_at_sooner() {
    assert_eq!(every(86_400), BEACON);
    assert_eq!(every(300), ms(37_500));
}
