//! A snapshot in force on a machine without a file system: which list it has, and what it lacks.
//!
//! What a list says is kept as bits in the caller's memory, made for this snapshot alone. A list that
//! leaves out what a newer snapshot denies is no help to an older one by itself: then the bits that
//! are there stay, and where nobody has them any more nothing is decided (TRUST section 3).

use gateward_core::snapshot::revocation::RevocationRoom;
use gateward_core::snapshot::{Revocation, Verified, View};
use gateward_core::time::{TimeQuality, UnixSeconds};
use gateward_core::trust::{Floor, KeySet, Manifest, Now, Refused, Revoked, Signers, Version};

use crate::foreign::Lent;
use crate::status::{
    GATEWARD_LENGTH, GATEWARD_LIST_OWED, GATEWARD_NEEDS_NEWER, GATEWARD_VOID, Status,
};

/// A snapshot that decisions are made with.
pub(crate) struct Open {
    pub(crate) verified: Verified<&'static [u8]>,
    bits: Option<Lent>,
    /// Number of the list that the bits stand for; 0.0 where none was given.
    list: Version,
    /// Who signed that list.
    list_by: Signers,
    /// Whether the list leaves out what the bits do not hold either.
    short: bool,
    /// Whether a list was held once and has not been given again.
    owed: bool,
    /// Whether something newer is known to be out.
    lacks: bool,
    void: bool,
    not_before: UnixSeconds,
}

impl Open {
    pub(crate) fn new(verified: Verified<&'static [u8]>, floor: &Floor) -> Self {
        let mut open = Self {
            verified,
            bits: None,
            list: Version::default(),
            list_by: Signers::default(),
            short: false,
            owed: false,
            lacks: false,
            void: false,
            not_before: UnixSeconds(0),
        };
        open.settle(floor);

        open
    }

    fn manifest(&self) -> &Manifest {
        self.verified.manifest()
    }

    /// Takes what `floor`, the newest there is, knows of.
    fn settle(&mut self, floor: &Floor) {
        let version = self.manifest().version();
        // A snapshot of a later epoch denies what lists of an earlier one revoke.
        let counts = floor.list != Version::default() && floor.list.epoch >= version.epoch;
        self.owed = counts && self.list < floor.list;
        // What its own manifest speaks of is known before anybody has written the floor down.
        let revoked = floor.revoked.max(self.manifest().revoked());
        let known = Floor { revoked, ..*floor };
        let newest = floor.newest.max(floor.version);
        self.lacks = known.lacks_list(self.list).is_some() || newest > version;
        self.not_before = floor.lived.max(self.manifest().issued_at());
    }

    /// Takes a later floor and the newest key set: either may take the snapshot out of force.
    pub(crate) fn follow(&mut self, keys: &KeySet, floor: &Floor) -> Result<(), Status> {
        is_newest_set(keys, floor)?;
        self.settle(floor);
        // Nobody can tell what of a list is the thief's; a snapshot of a later epoch says it all again.
        self.list_by = self.list_by.without(keys.compromised());
        self.void |=
            !self.list_by.are_enough() && self.list.epoch >= self.manifest().version().epoch;
        let stolen = floor.names(self.manifest()) && !floor.manifest_by.are_enough();
        self.void |= stolen || self.manifest().is_voided_by([keys]);

        Ok(())
    }

    /// The same once more, to be changed: what is in use stays whole until it is replaced.
    pub(crate) fn again(&self) -> Result<Self, Status> {
        let verified = self.verified.refreshed(self.manifest().clone())?;

        Ok(Self { verified, ..*self })
    }

    /// Takes a later manifest of the same snapshot.
    pub(crate) fn refreshed(&self, manifest: Manifest, floor: &Floor) -> Result<Self, Status> {
        let verified = self.verified.refreshed(manifest)?;
        let mut open = Self { verified, ..*self };
        open.settle(floor);

        Ok(open)
    }

    /// Returns the floor once this is in force. It may have risen since the snapshot was opened, and
    /// never comes down again.
    pub(crate) fn commit(&self, floor: &Floor) -> Result<Floor, Status> {
        if self.void {
            return Err(GATEWARD_VOID);
        }
        if stands(self.manifest(), floor) {
            return Ok(*floor);
        }
        // The time was judged when it was opened; what is left is which of the two is newer.
        let (at, backed) = (UnixSeconds(0), UnixSeconds(u64::MAX));
        floor.admit(self.manifest(), &Now { at, quality: TimeQuality::Floor, backed })?;

        Ok(floor.with(self.manifest()))
    }

    /// Returns the time to decide with: never before what was signed.
    pub(crate) fn time(&self, now: &Now) -> UnixSeconds {
        now.at.max(self.not_before)
    }

    /// Returns the snapshot as decisions read it, or why nothing is decided.
    ///
    /// # Safety
    ///
    /// The bits that were given are still there.
    #[expect(unsafe_code, reason = "the bits are the caller's")]
    pub(crate) unsafe fn view(&self) -> Result<View<'_>, Status> {
        if self.void {
            return Err(GATEWARD_VOID);
        }
        if self.owed {
            return Err(GATEWARD_LIST_OWED);
        }
        if self.short {
            return Err(GATEWARD_NEEDS_NEWER);
        }
        let view = self.names();
        let Some(bits) = self.bits else { return Ok(view) };
        // SAFETY: the caller promises it.
        let (rows, principals) = split(&view, unsafe { bits.bytes() })?;

        Ok(view.with_revocation(Revocation::held(&view, rows, principals)?))
    }

    /// Returns the snapshot for everything but decisions.
    pub(crate) fn names(&self) -> View<'_> {
        let stale_at = if self.lacks { UnixSeconds(0) } else { UnixSeconds(u64::MAX) };

        self.verified.view_stale_from(stale_at)
    }

    /// Writes what a list revokes into `bits` and decides with them from now on.
    ///
    /// # Safety
    ///
    /// The bits that were given before are still there.
    #[expect(unsafe_code, reason = "the bits are the caller's")]
    pub(crate) unsafe fn with(
        &self,
        given: &Given<'_>,
        floor: &Floor,
        bits: &'static mut [u8],
    ) -> Result<(Self, Floor), Status> {
        let Given { list, keys, .. } = *given;
        let mut open = self.again()?;
        // What was signed with a stolen key is told by what is in use, which the list may take the place of.
        open.follow(keys, floor)?;
        if open.void || list.is_voided_by([keys]) {
            return Err(GATEWARD_VOID);
        }
        let (held, offered) = (self.list, list.number());
        if offered < held {
            return Err(Refused::Rollback { held, offered }.into());
        }
        if offered != floor.list {
            floor.admit_revoked(held, list)?;
        }
        let view = self.names();
        if bits.len() != room(&view) {
            return Err(GATEWARD_LENGTH);
        }
        let whole = self.manifest().version() >= list.base();
        let kept = given.keeps_all(floor, bits);
        // What it denies it denies at once (DOMAIN H19); what it leaves out nobody may be allowed.
        let short = !whole && !kept && !self.may_add(floor) || self.short && held == offered;
        mark(bits, HALF_WRITTEN);
        match self.bits {
            // A second list of the same number takes nothing back.
            _ if whole && held != offered => bits.fill(0),
            // What the caller kept is as new as what was held; what the snapshot has may be older.
            _ if kept => {}
            // SAFETY: the caller promises it.
            Some(old) => unsafe { old.copy_to(bits)? },
            None => bits.fill(0),
        }
        add(&view, list, bits)?;
        mark(bits, if short { HALF_WRITTEN } else { COMPLETE });
        let floor = floor.with_revoked(offered, list.base());
        let mut open = Self {
            bits: Some(Lent::new(bits)),
            list: offered,
            list_by: list.signed_by(),
            short,
            ..open
        };
        open.settle(&floor);

        Ok((open, floor))
    }

    /// Whether what is revoked already is all here, so that a list that leaves something out may be
    /// added to it.
    fn may_add(&self, floor: &Floor) -> bool {
        // Lists of an earlier epoch than the snapshot's count no more.
        let none_counts =
            floor.list == Version::default() || floor.list.epoch < self.manifest().version().epoch;
        let never_held = none_counts && floor.names(self.manifest());
        let all_held = self.bits.is_some() && (none_counts || self.list == floor.list);

        !self.short && all_held || never_held
    }
}

/// What the last byte of the bits says of the others: that they hold all that was revoked when they were
/// written, or not.
const COMPLETE: u8 = 0xa5;
const HALF_WRITTEN: u8 = 0;

fn mark(bits: &mut [u8], says: u8) {
    if let Some(last) = bits.last_mut() {
        *last = says;
    }
}

/// A list that was verified with the key set of its epoch.
pub(crate) struct Given<'g> {
    pub(crate) list: &'g Revoked<'g>,
    /// The newest key set.
    pub(crate) keys: &'g KeySet,
    /// The list that the caller's bits stand for already; 0.0 for none.
    pub(crate) kept: Version,
}

impl Given<'_> {
    /// Whether the bits are those of the newest list that was ever held, all of them, and nobody can
    /// have put anything into them that a thief signed.
    fn keeps_all(&self, floor: &Floor, bits: &[u8]) -> bool {
        let honest =
            self.kept.epoch == self.list.number().epoch || self.keys.compromised().is_empty();

        self.kept.number != 0 && self.kept == floor.list && honest && bits.last() == Some(&COMPLETE)
    }
}

/// Returns how many bytes the bits of a snapshot take, with the one that says what they are worth.
pub(crate) fn room(view: &View<'_>) -> usize {
    let RevocationRoom { rows, principals } = view.revocation_room();

    rows + principals + 1
}

fn split<'b>(view: &View<'_>, bits: &'b [u8]) -> Result<(&'b [u8], &'b [u8]), Status> {
    let (bits, _) = bits.split_at_checked(room(view) - 1).ok_or(GATEWARD_LENGTH)?;

    bits.split_at_checked(view.revocation_room().rows).ok_or(GATEWARD_LENGTH)
}

fn add(view: &View<'_>, list: &Revoked<'_>, bits: &mut [u8]) -> Result<(), Status> {
    let (bits, _) = bits.split_at_mut_checked(room(view) - 1).ok_or(GATEWARD_LENGTH)?;
    let rows = view.revocation_room().rows;
    let (rows, principals) = bits.split_at_mut_checked(rows).ok_or(GATEWARD_LENGTH)?;
    let mut bits = Revocation::held(view, rows, principals)?;
    list.tokens().for_each(|id| bits.revoke_token(view, id));
    list.principals().for_each(|key| bits.revoke_principal(view, key));

    Ok(())
}

/// Checks that `manifest` may be in force: it is already, or it may follow what is.
pub(crate) fn admit(
    manifest: &Manifest,
    newest: &KeySet,
    floor: &Floor,
    now: &Now,
) -> Result<(), Status> {
    if manifest.is_voided_by([newest]) {
        return Err(GATEWARD_VOID);
    }
    is_newest_set(newest, floor)?;
    if stands(manifest, floor) {
        return if floor.manifest_by.are_enough() { Ok(()) } else { Err(GATEWARD_VOID) };
    }

    Ok(floor.admit(manifest, &lifted(now, floor)).map(drop)?)
}

/// Checks that no later key set was ever held.
fn is_newest_set(keys: &KeySet, floor: &Floor) -> Result<(), Status> {
    if keys.epoch() < floor.keys { Err(Refused::NewerKeys(floor.keys).into()) } else { Ok(()) }
}

/// The caller's time, never before what was signed.
pub(crate) fn lifted(now: &Now, floor: &Floor) -> Now {
    if now.at >= floor.lived {
        return *now;
    }

    Now { at: floor.lived, quality: TimeQuality::Floor, ..*now }
}

/// Whether `manifest` is the one in force, whatever its epoch is by now.
fn stands(manifest: &Manifest, floor: &Floor) -> bool {
    floor.names(manifest) && manifest.issued_at() == floor.issued_at
}
