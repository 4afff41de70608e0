//! What the floor is once something admitted is accepted, and what of the time a theft takes back.
//!
//! A floor must be up to date ([`crate::trust::TrustedTime::kept`]) before anything is accepted
//! into it.

use super::{Floor, MAX_AHEAD, MAX_BEACON_LIFT};
use crate::time::UnixSeconds;
use crate::trust::{Beacon, KeySet, Manifest, Signers, Version};

impl Floor {
    /// Returns the floor once `manifest`, which was admitted, is in force.
    #[must_use]
    pub fn with(&self, manifest: &Manifest) -> Self {
        Self {
            keys: self.keys.max(manifest.version().epoch),
            version: manifest.version(),
            root: manifest.root(),
            issued_at: manifest.issued_at(),
            held: manifest.issued_at(),
            manifest_by: manifest.signed_by(),
            ..self.told_by(manifest)
        }
    }

    /// Returns the floor once `manifest` was admitted and its file has not arrived: it raises time and
    /// says what there is, never what is in force (ARCHITECTURE 4).
    #[must_use]
    pub fn with_heard(&self, manifest: &Manifest) -> Self {
        Self { newest: self.newest.max(manifest.version()), ..self.told_by(manifest) }
    }

    /// Takes what a manifest says whether or not it is in force.
    fn told_by(&self, manifest: &Manifest) -> Self {
        let issued_at = manifest.issued_at();
        let both = issued_at.min(self.beacon_time);

        Self {
            revoked: self.revoked.max(manifest.revoked()),
            signed: self.signed.max(issued_at),
            lived: self.lived.max(issued_at),
            ..self.agreeing(both, [manifest.signed_by(), self.beacon_by])
        }
    }

    /// Returns the floor once `beacon`, which was admitted, is accepted.
    ///
    /// Together with the manifest in force a beacon lifts time as far as both say, alone at most an
    /// hour beyond what is agreed, however many arrive.
    #[must_use]
    pub fn with_beacon(&self, beacon: &Beacon) -> Self {
        // What an earlier epoch signed may be what the next one was made against.
        let current = self.version.epoch == self.keys;
        let issued_at = if current { self.issued_at } else { UnixSeconds(0) };
        let both = beacon.time().min(issued_at);
        let floor = self.agreeing(both, [self.manifest_by, beacon.signed_by()]);
        let lifted = beacon.time().min(floor.agreed.plus(MAX_BEACON_LIFT));

        Self {
            revoked: self.revoked.max(beacon.revoked()),
            newest: self.newest.max(beacon.version()),
            beacon: beacon.number(),
            beacon_time: beacon.time(),
            beacon_by: beacon.signed_by(),
            signed: self.signed.max(lifted),
            lived: self.lived.max(lifted),
            ..floor
        }
    }

    /// Takes the time that a manifest and a beacon both say, and whose word that is.
    fn agreeing(&self, both: UnixSeconds, by: [Signers; 2]) -> Self {
        // Who says about as much answers for it too. The newer keys do: older ones may be called
        // stolen long after nothing rests on them any more.
        if both == UnixSeconds(0) || both.plus(MAX_AHEAD) < self.agreed {
            return *self;
        }

        Self { agreed: self.agreed.max(both), agreed_by: by, ..*self }
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
    /// Signed time only ever rises, but for one case: with a key set that calls a key compromised,
    /// time goes back to what is still vouched for. That is what root keys and a synchronised clock
    /// showed; what a manifest and a beacon agreed on, unless both were signed by thieves; and the
    /// manifest in force, unless a thief signed it; each with the run time since, so that the set
    /// gains nothing by arriving late (TRUST sections 4 and 6).
    #[must_use]
    pub fn with_keys(&self, keys: &KeySet) -> Self {
        let issued_at = keys.issued_at();
        let floor = if keys.epoch() > self.keys { self.without(keys) } else { *self };

        Self {
            keys: self.keys.max(keys.epoch()),
            signed: floor.signed.max(issued_at),
            lived: floor.lived.max(issued_at),
            agreed: floor.agreed.max(issued_at),
            rooted: floor.rooted.max(issued_at),
            ..floor
        }
    }

    /// Forgets what nobody vouches for but keys that `keys` calls compromised.
    fn without(&self, keys: &KeySet) -> Self {
        let crossed_out = |signers: Signers| signers.without(keys.compromised());
        let unless = |stolen: bool, time| if stolen { UnixSeconds(0) } else { time };
        let agreed_by = self.agreed_by.map(crossed_out);
        let (manifest_by, beacon_by) = (crossed_out(self.manifest_by), crossed_out(self.beacon_by));
        let thieves = agreed_by.iter().all(|signers| !signers.are_enough());
        let agreed = unless(thieves, self.agreed).max(self.rooted);
        let held = unless(!manifest_by.are_enough(), self.held);
        let beacon_time = unless(!beacon_by.are_enough(), self.beacon_time);
        let floor = Self { agreed, held, beacon_time, manifest_by, beacon_by, agreed_by, ..*self };
        let lived = agreed.max(held);

        if keys.unsettles() { Self { signed: lived, lived, ..floor } } else { floor }
    }
}
