//! What a gateway may not be before and not be after, told from who said what and who was a thief.
//!
//! Nothing here is taken from the code under test. It follows TRUST sections 4 and 6: no time stays
//! that only stolen keys vouched for, and time never goes below what root keys and run time vouch
//! for, nor below what anybody vouches for who was not called a thief.

use super::*;

/// A key, and what became of it.
pub(super) struct Own {
    pub(super) id: KeyId,
    pub(super) role: Role,
    /// Whether the newest key set holds it.
    pub(super) current: bool,
    pub(super) stolen: bool,
    /// Whether a key set called it compromised.
    pub(super) revealed: bool,
    /// Whether a thief was believed with it.
    lied: bool,
}

/// A time that was said, less the run time until then: it grows as run time does.
#[derive(Clone, Copy, Debug)]
struct Said {
    since: i128,
    manifest_by: KeyId,
    beacon_by: KeyId,
}

pub(super) struct Ledger {
    pub(super) keys: Vec<Own>,
    /// All run time, less what power cuts took.
    pub(super) run: u64,
    /// The latest that anybody said whom no key set has contradicted since.
    least: i128,
    root: i128,
    /// The manifest in force: epoch, time, signer.
    manifest: Option<(u32, u64, KeyId)>,
    held: i128,
    beacon: Option<(u64, KeyId)>,
    pairs: Vec<Said>,
    /// Whether a thief was believed because the clock agreed with the thief, or a second thief did.
    pub(super) tricked: bool,
    ever_tricked: bool,
}

/// Nothing was said.
const NEVER: i128 = i128::MIN / 2;

impl Ledger {
    pub(super) fn new(root: u64) -> Self {
        let mut new = Self {
            keys: vec![],
            run: 0,
            least: root.into(),
            root: root.into(),
            manifest: None,
            held: NEVER,
            beacon: None,
            pairs: vec![],
            tricked: false,
            ever_tricked: false,
        };
        for role in [Role::Snapshot, Role::Beacon, Role::Collector] {
            new.draw(role);
        }

        new
    }

    /// Puts a new key in the place of the current one.
    pub(super) fn draw(&mut self, role: Role) {
        self.keys.iter_mut().filter(|key| key.role == role).for_each(|key| key.current = false);
        let id = KeyId([u8::try_from(self.keys.len()).unwrap(); 8]);
        let (stolen, revealed, lied) = (false, false, false);
        self.keys.push(Own { id, role, current: true, stolen, revealed, lied });
    }

    pub(super) fn current(&self, role: Role) -> &Own {
        self.keys.iter().find(|key| key.current && key.role == role).unwrap()
    }

    fn stolen(&self, id: KeyId) -> bool {
        self.keys.iter().any(|key| key.id == id && key.stolen)
    }

    fn revealed(&self, id: KeyId) -> bool {
        self.keys.iter().any(|key| key.id == id && key.revealed)
    }

    fn since(&self, time: u64) -> i128 {
        i128::from(time) - i128::from(self.run)
    }

    /// A manifest came into force.
    pub(super) fn manifest(&mut self, epoch: u32, time: u64, by: KeyId) {
        self.manifest = Some((epoch, time, by));
        self.held = self.since(time);
        self.least = self.least.max(self.held);
        if let Some((beacon, beacon_by)) = self.beacon {
            let since = self.since(time.min(beacon));
            self.pairs.push(Said { since, manifest_by: by, beacon_by });
        }
    }

    /// A beacon was accepted that by itself can say no more than `most`.
    pub(super) fn beacon(&mut self, epoch: u32, time: u64, most: u64, by: KeyId) {
        self.beacon = Some((time, by));
        self.least = self.least.max(self.since(time.min(most)));
        if let Some((_, issued_at, manifest_by)) = self.manifest.filter(|one| one.0 == epoch) {
            let since = self.since(time.min(issued_at));
            self.pairs.push(Said { since, manifest_by, beacon_by: by });
        }
    }

    /// A thief was believed.
    pub(super) fn lie(&mut self, role: Role, bad_clock: bool) {
        let other = if role == Role::Snapshot {
            self.beacon.map(|(_, by)| by)
        } else {
            self.manifest.map(|(.., by)| by)
        };
        self.tricked |= other.is_some_and(|id| self.stolen(id)) || bad_clock;
        self.ever_tricked |= self.tricked;
        self.keys.iter_mut().filter(|key| key.current && key.role == role).for_each(|key| {
            key.lied = true;
        });
    }

    /// A key set was accepted; `theft` where it newly reveals a key that may have told the time.
    pub(super) fn key_set(&mut self, issued_at: u64, theft: bool) {
        self.root = self.root.max(self.since(issued_at));
        self.beacon = self.beacon.filter(|(_, by)| !self.revealed(*by));
        if theft {
            let held = self.manifest.filter(|(.., by)| !self.revealed(*by)).map(|_| self.held);
            let honest = self.pairs.iter().filter(|pair| !self.is_void(pair));
            let pairs = honest.map(|pair| pair.since).filter(|since| !self.drowned(*since));
            let vouched = pairs.chain(held).max().unwrap_or(NEVER);
            self.least = self.root.max(vouched);
        }
        self.least = self.least.max(self.root);
        let hidden = self.keys.iter().any(|key| key.stolen && !key.revealed);
        self.tricked &= hidden;
    }

    fn is_void(&self, pair: &Said) -> bool {
        self.revealed(pair.manifest_by) && self.revealed(pair.beacon_by)
    }

    /// Whether thieves said about as much or more, so that nobody can tell it from their word.
    fn drowned(&self, since: i128) -> bool {
        let near = since - i128::from(MAX_AHEAD);

        self.pairs.iter().any(|pair| self.is_void(pair) && pair.since >= near)
    }

    /// What time it is at least.
    pub(super) fn least(&self) -> u64 {
        u64::try_from((self.least + i128::from(self.run)).max(0)).unwrap()
    }

    /// How far beyond the truth it may be, but for what the clock shows.
    pub(super) fn lift(&self) -> u64 {
        let lied =
            |role: Role| self.keys.iter().any(|key| key.lied && !key.revealed && key.role == role);
        let one = |lied: bool, lift: u64| if lied { lift } else { 0 };

        // What two thieves said stays by ten minutes where others said about as much.
        one(lied(Role::Snapshot), MAX_AHEAD)
            + one(lied(Role::Beacon), MAX_BEACON_LIFT)
            + one(self.ever_tricked, MAX_AHEAD)
    }
}
