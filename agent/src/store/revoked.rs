//! What is revoked: the newest list, and whatever an older snapshot still needs of those before.
//!
//! A list may leave out what the snapshot it builds on denies. A gateway whose snapshot is older
//! keeps every entry it has ever held (TRUST section 3), so the file `revoked` holds the signed list
//! and, beside it, all entries that count for older snapshots. Entries can only deny, so they need no
//! signature; the list is verified again on every load.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use gateward_core::snapshot::{Revocation, View};
use gateward_core::trust::{Audience, KeySet, Revoked, Version};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::disk::Disk;

const FILE: &str = "revoked";
const MAGIC: &[u8; 8] = b"GWDREVK1";
/// Room for the list and for [`MOST_KEPT`] entries of the lists before.
const MAX_FILE: u64 = 16 << 20;
/// Beyond so many, nothing older than the newest list builds on is served.
const MOST_KEPT: usize = 1 << 20;
/// No snapshot is as new.
const LAST: Version = Version { epoch: u32::MAX, number: u64::MAX };
const SUM_LEN: usize = 8;

/// The bits of one snapshot.
pub(super) type Bits = Revocation<Box<[u8]>>;

/// What a gateway holds of revocations.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    /// Number of the newest list; 0 where there is none.
    pub(super) number: Version,
    base: Version,
    kept: Kept,
    list: Entries,
}

/// What stands on disk.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Kept {
    envelope: Vec<u8>,
    /// Epoch and number of the oldest snapshot for which the entries are known to be all.
    complete_from: (u32, u64),
    /// Entries that were held once are lost: nothing older than that is served.
    lost: bool,
    entries: Entries,
}

#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
struct Entries {
    tokens: BTreeSet<u64>,
    principals: BTreeSet<u32>,
}

impl Entries {
    fn of(list: &Revoked<'_>) -> Self {
        Self { tokens: list.tokens().collect(), principals: list.principals().collect() }
    }

    fn add(&mut self, other: &Self) {
        self.tokens.extend(&other.tokens);
        self.principals.extend(&other.principals);
    }
}

impl Held {
    /// Reads what is on disk, where the list numbered `newest` was held; 0.0 for none. Returns what
    /// is wrong with it, if anything: what was revoked before then stays so where it can be read, and
    /// a list must be fetched again.
    pub(super) fn load(
        disk: &Disk,
        keys: &[KeySet],
        audience: Audience,
        newest: Version,
    ) -> (Self, Option<String>) {
        let lost = |why: &str| {
            let problem = format!("`{FILE}`: {why}; denying until the revocation list is fetched");
            let epoch = keys.last().map_or(0, KeySet::epoch);
            let superseded = newest != Version::default() && newest.epoch < epoch;
            // Every snapshot of a later epoch denies what a list of an earlier one revokes.
            let held = if superseded { Self::voided(epoch) } else { Self::lost(LAST) };
            (held, Some(problem))
        };
        let kept = match disk.read(Path::new(FILE), MAX_FILE).and_then(decode) {
            Ok(None) if newest == Version::default() => return (Self::default(), None),
            Ok(None) => return lost("it is gone"),
            Ok(Some(kept)) => kept,
            Err(error) => return lost(&error.to_string()),
        };
        let mut why = String::new();
        for set in keys.iter().rev() {
            match Revoked::verify(&kept.envelope, set, audience) {
                Ok(list) if list.is_voided_by(keys) => {
                    let problem = "the revocation list was signed with a key that is compromised";
                    let epoch = keys.last().map_or(0, KeySet::epoch);
                    return (Self::voided(epoch), Some(problem.into()));
                }
                Ok(list) if list.number() < newest => {
                    return lost("it holds an older list than was held before");
                }
                Ok(list) => {
                    let (number, base) = (list.number(), list.base());
                    let list = Entries::of(&list);
                    return (Self { number, base, list, kept }, None);
                }
                Err(refused) => why = refused.to_string(),
            }
        }
        // Whoever wrote this can only have denied more.
        let held = Self { base: LAST, ..Self::default() };
        let problem = format!("`{FILE}`: {why}; the revocation list is fetched again");

        (Self { kept, ..held }, Some(problem))
    }

    /// What is held where entries are lost that counted for snapshots older than `from`.
    fn lost(from: Version) -> Self {
        let kept = Kept { complete_from: (from.epoch, from.number), lost: true, ..Kept::default() };

        Self { base: from, kept, ..Self::default() }
    }

    /// What is held once the list was signed with a stolen key: nobody can tell what of it is the
    /// thief's, so only a snapshot of the new epoch is served.
    pub(super) fn voided(epoch: u32) -> Self {
        Self::lost(Version { epoch, number: 0 })
    }

    /// What is held where the floor is lost too, and a manifest speaks of a list that is gone.
    pub(super) fn gone() -> Self {
        Self::lost(LAST)
    }

    /// Returns the signed list; empty where there is none.
    pub(super) fn envelope(&self) -> &[u8] {
        &self.kept.envelope
    }

    /// Returns whether this list says the same as the one held.
    pub(super) fn is_same(&self, list: &Revoked<'_>) -> bool {
        list.number() == self.number && list.base() == self.base && Entries::of(list) == self.list
    }

    /// Returns the snapshot that the list held builds on.
    pub(super) const fn base(&self) -> Version {
        self.base
    }

    /// Returns the oldest version that can be served from what is held, where not every one can.
    pub(super) fn oldest_served(&self) -> Option<Version> {
        let (epoch, number) = self.kept.complete_from;

        self.kept.lost.then_some(Version { epoch, number })
    }

    /// Returns what is held once `list`, which was admitted, is accepted while `snapshot` is in
    /// force; 0.0 where none is.
    pub(super) fn with(&self, list: &Revoked<'_>, envelope: &[u8], snapshot: Version) -> Self {
        let (number, base, new) = (list.number(), list.base(), Entries::of(list));
        let pair = |version: Version| (version.epoch, version.number);
        let mut kept = Kept {
            envelope: envelope.to_vec(),
            complete_from: pair(base),
            // Nothing is in force that would keep what it has: whatever comes next must be a snapshot
            // that the entries are all for.
            lost: snapshot == Version::default(),
            entries: new.clone(),
        };
        if snapshot < base {
            kept.entries.add(self.entries(snapshot));
            // A list that was missed in between may have held what neither of the two does.
            let follows = number.epoch == self.number.epoch
                && self.number.number.checked_add(1) == Some(number.number);
            if follows || base <= self.base {
                let older =
                    if snapshot < self.base { self.kept.complete_from } else { pair(self.base) };
                kept.complete_from = older.min(pair(base));
            }
        }
        if kept.entries.tokens.len() + kept.entries.principals.len() > MOST_KEPT {
            kept = Kept { entries: new.clone(), complete_from: pair(base), lost: true, ..kept };
        }

        Self { number, base, kept, list: new }
    }

    pub(super) fn write(&self, disk: &Disk) -> io::Result<()> {
        disk.replace(Path::new(FILE), &encode(&self.kept)?)
    }

    /// Returns whether the list is signed with keys that `keys` call compromised: it is void then,
    /// and so is what was kept with it.
    pub(super) fn is_voided_by(&self, keys: &[KeySet], audience: Audience) -> bool {
        keys.iter().rev().any(|set| {
            Revoked::verify(&self.kept.envelope, set, audience)
                .is_ok_and(|list| list.is_voided_by(keys))
        })
    }

    /// Returns whether a snapshot of this version can be served with what is held: an older one may
    /// hold entries that were dropped since.
    pub(super) fn covers(&self, snapshot: Version) -> bool {
        let (epoch, number) = self.kept.complete_from;

        snapshot >= Version { epoch, number }
    }

    /// Returns the newest version that [`Held::covers`] says no to.
    pub(super) fn before_served(&self) -> Option<Version> {
        let (epoch, number) = self.kept.complete_from;

        Some(Version { epoch, number: number.checked_sub(1)? })
    }

    /// Returns whether a snapshot of this version may be decided with.
    pub(super) fn serves(&self, snapshot: Version) -> bool {
        self.oldest_served().is_none_or(|oldest| snapshot >= oldest)
    }

    /// Returns whether the signed list says all that is revoked beside a snapshot of this version.
    pub(super) fn is_whole_for(&self, snapshot: Version) -> bool {
        let held = self.number != Version::default();
        let all = if held { snapshot >= self.base } else { self.count(snapshot) == 0 };

        all && self.serves(snapshot)
    }

    /// Resolves what is revoked into the bits of `view`, which has this version; none where that may
    /// not be decided with.
    pub(super) fn bits(&self, view: &View<'_>, snapshot: Version) -> Option<Bits> {
        if !self.serves(snapshot) {
            return None;
        }
        let room = view.revocation_room();
        let empty = |len| vec![0_u8; len].into_boxed_slice();
        let mut bits = Bits::none(view, empty(room.rows), empty(room.principals)).ok()?;
        let entries = self.entries(snapshot);
        entries.tokens.iter().for_each(|id| bits.revoke_token(view, *id));
        entries.principals.iter().for_each(|key| bits.revoke_principal(view, *key));

        Some(bits)
    }

    /// Returns how many tokens and principals are revoked beside a snapshot of this version.
    pub(super) fn count(&self, snapshot: Version) -> usize {
        let entries = self.entries(snapshot);

        entries.tokens.len() + entries.principals.len()
    }

    fn entries(&self, snapshot: Version) -> &Entries {
        if snapshot < self.base { &self.kept.entries } else { &self.list }
    }
}

/// Magic, postcard, and the first 8 bytes of the SHA-256 of all that, for a damaged disk.
fn encode(kept: &Kept) -> io::Result<Vec<u8>> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(postcard::to_allocvec(kept).map_err(io::Error::other)?);
    let sum = Sha256::digest(&bytes);
    bytes.extend(sum.iter().take(SUM_LEN));

    Ok(bytes)
}

fn decode(bytes: Option<Vec<u8>>) -> io::Result<Option<Kept>> {
    let Some(bytes) = bytes else { return Ok(None) };
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "not what was written");
    let (body, sum) = bytes.split_last_chunk::<SUM_LEN>().ok_or_else(damaged)?;
    if !Sha256::digest(body).starts_with(sum) {
        return Err(damaged());
    }
    let body = body.strip_prefix(MAGIC).ok_or_else(damaged)?;

    postcard::from_bytes(body).map(Some).map_err(|_| damaged())
}
