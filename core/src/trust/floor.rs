//! What was accepted so far, and never less again.
//!
//! Writing the floor is the commit of a switch (ARCHITECTURE 4). It holds no secret and no
//! signature: whoever can write the disk can lower it, and the collector sees that.

mod wire;

pub use wire::FLOOR_LEN;

use super::keys::Reset;
use super::{Beacon, KeySet, Manifest, Now, Refused, Revoked, Root, Version};
use crate::time::{TimeQuality, UnixSeconds};

/// How many seconds later than all that is known of the time something may have been issued (TRUST
/// section 4).
pub const MAX_AHEAD: u64 = 600;
/// How many seconds beacons alone may lift the time, however many arrive (TRUST section 4).
pub const MAX_BEACON_LIFT: u64 = 3_600;

/// What was accepted so far. Nothing yet is [`Floor::default`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Floor {
    /// Epoch of the newest key set accepted.
    pub keys: u32,
    /// Version of the snapshot in force.
    pub version: Version,
    /// Root of the snapshot in force.
    pub root: Root,
    /// When the manifest in force was signed.
    pub issued_at: UnixSeconds,
    /// The greatest number of a revocation list that an accepted manifest, beacon or list spoke of.
    pub revoked: Version,
    /// Number of the newest revocation list that was ever held; what was on it is never forgotten,
    /// whatever becomes of the list.
    pub list: Version,
    /// The newest version of the snapshot that an accepted beacon or list spoke of.
    pub newest: Version,
    /// Number of the newest beacon accepted.
    pub beacon: Version,
    /// What that beacon said the time is, however far it could lift it.
    pub beacon_time: UnixSeconds,
    /// S: the latest signed time accepted.
    pub signed: UnixSeconds,
    /// L: S and the run time since, as far as it was written down.
    pub lived: UnixSeconds,
    /// Time that no single key moves, and the run time since: what root keys signed, what a manifest
    /// and a beacon both say, what a synchronised clock showed.
    pub agreed: UnixSeconds,
    /// How often the agent has started on this state.
    pub boots: u32,
}

/// How an admitted manifest stands to the one in force.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Admission {
    /// Another snapshot, to be fetched.
    Newer,
    /// The snapshot in force, signed again later: it is valid for longer.
    Refresh,
    /// The manifest in force: nothing to do (DOMAIN H6).
    Same,
}

impl Floor {
    /// Returns whether `manifest` may follow what was accepted.
    ///
    /// # Errors
    ///
    /// Returns why the gateway goes on with what it has.
    pub fn admit(&self, manifest: &Manifest, now: &Now) -> Result<Admission, Refused> {
        let (held, offered) = (self.version, manifest.version());
        if offered.epoch < self.keys {
            return Err(Refused::OldKeys);
        }
        let same = offered == held;
        if same && manifest.root() != self.root {
            return Err(Refused::Fork);
        }
        if offered < held || same && manifest.issued_at() < self.issued_at {
            return Err(Refused::Rollback { held, offered });
        }
        if same && manifest.issued_at() == self.issued_at {
            return Ok(Admission::Same);
        }
        if manifest.expires_at() <= now.at {
            return Err(Refused::Expired);
        }
        if manifest.keys_expire() <= now.at {
            return Err(Refused::KeysExpired);
        }
        self.admit_time(manifest.issued_at(), now)?;
        // One key must not lift time far, however often it signs: the clock, a beacon or root keys
        // have to say about as much (DOMAIN H20).
        if manifest.issued_at() > now.backed.max(self.beacon_time).plus(MAX_AHEAD) {
            return Err(Refused::Unconfirmed);
        }

        Ok(if same { Admission::Refresh } else { Admission::Newer })
    }

    /// Returns whether `beacon` may follow what was accepted.
    ///
    /// # Errors
    ///
    /// Returns why nothing of it is believed.
    pub fn admit_beacon(&self, beacon: &Beacon, now: &Now) -> Result<Admission, Refused> {
        let (held, offered) = (self.beacon, beacon.number());
        if offered.epoch < self.keys {
            return Err(Refused::OldKeys);
        }
        if offered < held {
            return Err(Refused::Rollback { held, offered });
        }
        if offered == held {
            let same = beacon.time() == self.beacon_time;
            return same.then_some(Admission::Same).ok_or(Refused::Fork);
        }
        if beacon.keys_expire() <= now.at {
            return Err(Refused::KeysExpired);
        }
        self.admit_time(beacon.time(), now)?;

        Ok(Admission::Newer)
    }

    /// Returns whether `revoked` may follow the list numbered `held`; 0.0 where none is, or none any
    /// more. Then the one that was held last comes back, and nothing older.
    ///
    /// # Errors
    ///
    /// Returns why the list held stays the newest.
    pub fn admit_revoked(
        &self,
        held: Version,
        revoked: &Revoked<'_>,
    ) -> Result<Admission, Refused> {
        let offered = revoked.number();
        if offered.epoch < self.keys {
            return Err(Refused::OldKeys);
        }
        let newest = self.list.max(held);
        if offered < newest {
            return Err(Refused::Rollback { held: newest, offered });
        }

        Ok(if offered == held { Admission::Same } else { Admission::Newer })
    }

    /// A synchronised clock outweighs whoever signs (TRUST section 4).
    fn admit_time(&self, time: UnixSeconds, now: &Now) -> Result<(), Refused> {
        let ahead = now.quality == TimeQuality::Synced && time > now.at.plus(MAX_AHEAD);

        if ahead { Err(Refused::IssuedAhead) } else { Ok(()) }
    }

    /// Returns which revocation list has to be held, and is not where `held` is the newest one.
    #[must_use]
    pub fn lacks_list(&self, held: Version) -> Option<Version> {
        (self.revoked.number > 0 && held < self.revoked).then_some(self.revoked)
    }

    /// Returns the version of the snapshot that there is, and that is not in force.
    #[must_use]
    pub fn lacks_snapshot(&self) -> Option<Version> {
        (self.newest > self.version).then_some(self.newest)
    }

    /// Returns the floor once `manifest`, which was admitted, is in force.
    #[must_use]
    pub fn with(&self, manifest: &Manifest) -> Self {
        let issued_at = manifest.issued_at();

        Self {
            keys: self.keys.max(manifest.version().epoch),
            version: manifest.version(),
            root: manifest.root(),
            issued_at,
            revoked: self.revoked.max(manifest.revoked()),
            signed: self.signed.max(issued_at),
            lived: self.lived.max(issued_at),
            agreed: self.agreed.max(issued_at.min(self.beacon_time)),
            ..*self
        }
    }

    /// Returns the floor once `manifest` was admitted and its file has not arrived: it raises time and
    /// says what there is, never what is in force (ARCHITECTURE 4).
    #[must_use]
    pub fn with_heard(&self, manifest: &Manifest) -> Self {
        let issued_at = manifest.issued_at();

        Self {
            revoked: self.revoked.max(manifest.revoked()),
            newest: self.newest.max(manifest.version()),
            signed: self.signed.max(issued_at),
            lived: self.lived.max(issued_at),
            agreed: self.agreed.max(issued_at.min(self.beacon_time)),
            ..*self
        }
    }

    /// Returns the floor once `beacon`, which was admitted, is accepted; this floor must be up to
    /// date ([`super::TrustedTime::kept`]).
    ///
    /// Together with the manifest in force a beacon lifts time as far as both say, alone at most an
    /// hour beyond what is agreed, however many arrive.
    #[must_use]
    pub fn with_beacon(&self, beacon: &Beacon) -> Self {
        // What an earlier epoch signed may be what the next one was made against.
        let current = self.version.epoch == self.keys;
        let issued_at = if current { self.issued_at } else { UnixSeconds(0) };
        let agreed = self.agreed.max(beacon.time().min(issued_at));
        let lifted = beacon.time().min(agreed.plus(MAX_BEACON_LIFT));

        Self {
            revoked: self.revoked.max(beacon.revoked()),
            newest: self.newest.max(beacon.version()),
            beacon: beacon.number(),
            beacon_time: beacon.time(),
            signed: self.signed.max(lifted),
            lived: self.lived.max(lifted),
            agreed,
            ..*self
        }
    }

    /// Returns the floor once the revocation list of this number, which was admitted, is held.
    ///
    /// What it leaves out is denied by the snapshot `base`, so there is such a snapshot.
    #[must_use]
    pub fn with_revoked(&self, number: Version, base: Version) -> Self {
        Self {
            revoked: self.revoked.max(number),
            list: self.list.max(number),
            newest: self.newest.max(base),
            ..*self
        }
    }

    /// Returns the floor once `keys`, which follows the key set held, is accepted.
    ///
    /// Signed time only ever rises, but for one case: a key set that calls a key compromised takes
    /// back what that key may have lifted. What is agreed stays, whenever the set arrives, unless
    /// both kinds of key that tell the time were stolen: then time starts again from the set (TRUST
    /// section 4).
    #[must_use]
    pub fn with_keys(&self, keys: &KeySet) -> Self {
        let floor = Self { keys: self.keys.max(keys.epoch()), ..*self };
        let resets = if keys.epoch() > self.keys { keys.resets() } else { Reset::Nothing };
        let issued_at = keys.issued_at();
        let agreed = self.agreed.max(issued_at);
        let beacon_time = UnixSeconds(0);
        match resets {
            Reset::All => Self {
                signed: issued_at,
                lived: issued_at,
                agreed: issued_at,
                beacon_time,
                ..floor
            },
            Reset::Nothing => {
                let signed = self.signed.max(issued_at);
                Self { signed, lived: self.lived.max(signed), agreed, ..floor }
            }
            Reset::OneKey => Self { signed: agreed, lived: agreed, agreed, beacon_time, ..floor },
        }
    }
}
