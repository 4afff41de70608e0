//! What counts at once: a revocation list before the snapshot that says the same, a beacon after it.
//!
//! A list is cumulative since a snapshot (TRUST section 3). An entry is left out again only where its
//! owner enabled it again, or where the list grows long; the snapshot that was published last, which
//! denies both, is then the one that the list builds on. Numbers are used up before anything is sent.

mod denied;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gateward_core::time::UnixSeconds;
use gateward_core::trust::revoked::MAX_ENTRIES;
use gateward_core::trust::sign::{BeaconDraft, RevokedDraft};
use gateward_core::trust::{Audience, Beacon, KeySet, Manifest, Refused, Revoked, Version};
use tracing::warn;

use super::plan::Maker;
use super::{NotPublished, state};
use crate::keys::{Chain, Signers};
use crate::whole;
use denied::Usable;

/// With more entries a list leaves out what the last snapshot denies.
const LONG: usize = 1_024;
/// The most that an entry takes in a list.
const ENTRY: usize = 10;
/// Nobody gets here by publishing.
const PLAUSIBLE: u64 = u64::MAX / 2;

/// A revocation list with the bytes that were signed.
#[derive(Clone, Debug)]
struct List {
    envelope: Vec<u8>,
    number: Version,
    base: Version,
    tokens: BTreeSet<u64>,
    principals: BTreeSet<u32>,
}

impl List {
    /// Reads the list of a broker; none where our keys did not sign it, or where a key that is stolen
    /// by now did: the thief may have revoked everybody.
    fn met(envelope: &[u8], chain: &Chain, audience: Audience) -> Option<Self> {
        let list = verified(envelope, chain, audience)?;
        let void = list.is_voided_by(chain.sets());

        (!void).then(|| Self::of(envelope, &list))
    }

    fn of(envelope: &[u8], list: &Revoked<'_>) -> Self {
        Self {
            envelope: envelope.to_vec(),
            number: list.number(),
            base: list.base(),
            tokens: list.tokens().collect(),
            principals: list.principals().collect(),
        }
    }
}

/// Verifies with the key set that a list was signed under, which may be an older one.
fn verified<'a>(envelope: &'a [u8], chain: &Chain, audience: Audience) -> Option<Revoked<'a>> {
    let verify = |set: &KeySet| Revoked::verify(envelope, set, audience).ok();

    chain.sets().iter().rev().find_map(verify)
}

/// The list and the beacon of one group.
#[derive(Debug)]
pub(super) struct News {
    folder: PathBuf,
    audience: Audience,
    list: Option<List>,
    /// A list that the broker has and that is further than ours.
    further: Option<List>,
    /// Number of the beacon that was sent last.
    beacon: Version,
    /// The greatest number of a list that somebody may know of, though the list is lost.
    spoken: Version,
    /// Whether the broker has the list.
    kept: bool,
}

impl News {
    pub(super) fn load(
        dir: &Path,
        group: &str,
        chain: &Chain,
        audience: Audience,
    ) -> Result<Self, whole::Failed> {
        let folder = state::folder(dir, group);
        let path = folder.join("revoked");
        let list = match fs::read(&path) {
            // What this folder wrote is its own, whoever had the key too.
            Ok(envelope) => {
                // Without it, its numbers would be used twice and who it denies would be left off.
                let list = verified(&envelope, chain, audience)
                    .ok_or(io::ErrorKind::InvalidData.into())
                    .map_err(whole::Failed::new("verified", &path))?;
                Some(List::of(&envelope, &list))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(whole::Failed::new("read", &path)(error)),
        };
        let beacon = whole::read_text(&folder.join("beacon"))?.as_deref().and_then(parse);

        let (beacon, spoken) = (beacon.unwrap_or_default(), Version::default());

        Ok(Self { folder, audience, list, further: None, beacon, spoken, kept: false })
    }

    /// Compares with what the broker has. Numbers of beacons go on from there: they must never be used
    /// twice, whatever became of `state`. Returns the number of a list that our keys signed and that
    /// is further than ours: whoever has the snapshot key may have made it.
    pub(super) fn meet(
        &mut self,
        revoked: Option<&[u8]>,
        beacon: Option<&[u8]>,
        chain: &Chain,
    ) -> Option<Version> {
        let ours = self.list.as_ref().map_or(Version::default(), |list| list.number);
        let theirs = revoked.and_then(|bytes| List::met(bytes, chain, self.audience));
        self.further = theirs.filter(|theirs| theirs.number > ours);
        self.kept = revoked == self.list();
        let verify = |bytes| {
            let verify = |set: &KeySet| Beacon::verify(bytes, set, self.audience).ok();
            chain.sets().iter().rev().find_map(verify)
        };
        if let Some(theirs) = beacon.and_then(verify) {
            self.beacon = self.beacon.max(theirs.number());
            // Who has only the beacon key must not use up the numbers of lists.
            if theirs.revoked().number <= PLAUSIBLE {
                self.speaks(theirs.revoked());
            }
        }

        self.further.as_ref().map(|list| list.number)
    }

    /// Goes on from the list that the broker has, where that is further than ours.
    pub(super) fn adopt(&mut self) -> Result<(), whole::Failed> {
        let Some(theirs) = self.further.take() else { return Ok(()) };
        fs::create_dir_all(&self.folder).map_err(whole::Failed::new("made", &self.folder))?;
        whole::write(&self.folder.join("revoked"), &theirs.envelope, 0o644)?;
        self.list = Some(theirs);
        self.kept = true;

        Ok(())
    }

    /// Notes that a manifest or a beacon spoke of that list.
    pub(super) fn speaks(&mut self, of: Version) {
        self.spoken = self.spoken.max(of);
    }

    /// Whether the broker has the list as it is to be.
    pub(super) const fn is_kept(&self) -> bool {
        self.kept
    }

    /// Returns the number of the list that a manifest of `epoch` must speak of; 0 where nothing was
    /// ever revoked.
    pub(super) fn counter(&self, epoch: u32) -> u64 {
        let list = self.list.as_ref().filter(|list| list.number.epoch == epoch);

        list.map_or(0, |list| list.number.number)
    }

    /// Returns the list as it is published; none where nothing was ever revoked.
    pub(super) fn list(&self) -> Option<&[u8]> {
        self.list.as_ref().map(|list| list.envelope.as_slice())
    }

    /// Makes the next list where `new` denies what any of `old` allowed, or allows it again;
    /// `published` is the manifest that was published last, and `next` the number of the version that
    /// `new` is to have. Returns whether there is another list.
    pub(super) fn revoke(
        &mut self,
        (old, published): (&[Vec<u8>], Option<&Manifest>),
        (new, next): (&[u8], u64),
        maker: &Maker<'_>,
    ) -> Result<bool, NotPublished> {
        let after = Usable::of(new)?;
        let mut before = Usable::default();
        for old in old {
            before.also(Usable::of(old)?);
        }
        let draft = |most| self.draft((&before, &after, most), (published, next), maker);
        let Some((draft, envelope)) = self.within(draft, maker)? else { return Ok(false) };
        Revoked::verify(&envelope, maker.keys, self.audience)
            .map_err(|refused| unusable(&refused))?;
        fs::create_dir_all(&self.folder).map_err(whole::Failed::new("made", &self.folder))?;
        whole::write(&self.folder.join("revoked"), &envelope, 0o644)?;
        let version = |number| Version { epoch: draft.keyset, number };
        self.list = Some(List {
            envelope,
            number: version(draft.counter),
            base: version(draft.base_version),
            tokens: draft.tokens,
            principals: draft.principals,
        });

        Ok(true)
    }

    /// Signs what `draft` returns for so many entries as fit into one message; none where there is
    /// nothing to say, or no room for anything: then the snapshot alone says it.
    fn within(
        &self,
        draft: impl Fn(usize) -> Result<Option<RevokedDraft>, NotPublished>,
        maker: &Maker<'_>,
    ) -> Result<Option<(RevokedDraft, Vec<u8>)>, NotPublished> {
        let signers = maker.signers.reaching(Some(self.audience))?;
        let room = maker.sizes.max_payload;
        let mut most = MAX_ENTRIES;
        // How long a signature is, is seen when there is one.
        for _ in 0..2 {
            let Some(draft) = draft(most)? else { return Ok(None) };
            let envelope = draft.sign(&signers)?;
            if envelope.len() <= room {
                return Ok(Some((draft, envelope)));
            }
            let principals = draft.principals.iter().map(|&one| encoded_len(one.into()));
            let tokens = draft.tokens.iter().map(|&one| encoded_len(one));
            let entries = principals.chain(tokens).sum::<usize>();
            most = (room + entries).saturating_sub(envelope.len()) / ENTRY;
        }
        warn!(
            "a revocation list does not fit into {room} bytes: gateways deny what it says with the \
             snapshot; raise `[snapshot] max_payload_bytes` to be quicker"
        );

        Ok(None)
    }

    /// With at most `most` entries.
    fn draft(
        &self,
        (before, after, most): (&Usable, &Usable, usize),
        (published, next): (Option<&Manifest>, u64),
        maker: &Maker<'_>,
    ) -> Result<Option<RevokedDraft>, NotPublished> {
        let Maker { keys, now, .. } = *maker;
        let epoch = keys.epoch();
        let of_epoch = |version: Version| if version.epoch == epoch { version.number } else { 0 };
        let last = published.map_or(0, |manifest| of_epoch(manifest.version()));
        let (mut tokens, mut principals) = before.lost_in(after);
        let mut base = last;
        if let Some(list) = &self.list {
            let still = after.denied(&list.tokens, &list.principals);
            let whole =
                still.0.len() == list.tokens.len() && still.1.len() == list.principals.len();
            let short =
                still.0.len() + still.1.len() + tokens.len() + principals.len() <= LONG.min(most);
            if short {
                tokens.extend(still.0);
                principals.extend(still.1);
            }
            if short && whole {
                base = of_epoch(list.base);
            }
        }
        let lost = self.is_lost(epoch);
        if lost || tokens.len() + principals.len() > most {
            // What is left out, only the snapshot that comes next denies for certain.
            base = next;
        }
        // What does not fit is said by the snapshot alone (TRUST section 2).
        principals = principals.into_iter().take(most).collect();
        tokens = tokens.into_iter().take(most - principals.len()).collect();
        let unchanged = match &self.list {
            _ if lost => false,
            None => tokens.is_empty() && principals.is_empty(),
            Some(list) => {
                list.number.epoch == epoch
                    && (&list.tokens, &list.principals) == (&tokens, &principals)
            }
        };
        if unchanged {
            return Ok(None);
        }
        let counter = self.next_counter(epoch).ok_or_else(|| unusable(&NO_NUMBER))?;

        Ok(Some(RevokedDraft {
            account: keys.account(),
            audience: self.audience,
            keyset: epoch,
            counter,
            base_version: base,
            issued_at: now,
            tokens,
            principals,
        }))
    }

    /// Whether gateways may know of a list of this epoch that is nowhere any more.
    fn is_lost(&self, epoch: u32) -> bool {
        self.spoken.epoch == epoch && self.spoken.number > self.counter(epoch)
    }

    /// Returns the number that follows all those of `epoch`. It goes on from earlier epochs too, but
    /// for numbers that only a thief can have brought there; none where those of `epoch` are used up.
    fn next_counter(&self, epoch: u32) -> Option<u64> {
        let list = self.list.as_ref().map_or(Version::default(), |list| list.number);
        let counts = |of: &Version| of.epoch == epoch || of.number <= PLAUSIBLE;
        let numbers = [list, self.spoken].into_iter().filter(counts).map(|of| of.number);

        numbers.max().unwrap_or_default().checked_add(1)
    }

    /// Signs the next beacon: the time, and what is the newest.
    pub(super) fn beacon(
        &mut self,
        manifest: &Manifest,
        keys: &KeySet,
        signers: &Signers,
        now: UnixSeconds,
    ) -> Result<Vec<u8>, NotPublished> {
        let epoch = keys.epoch();
        let last = if self.beacon.epoch == epoch { self.beacon.number } else { 0 };
        let number = last.checked_add(1).ok_or_else(|| unusable(&NO_BEACON))?;
        let draft = BeaconDraft {
            account: keys.account(),
            audience: self.audience,
            keyset: epoch,
            number,
            time: now,
            version: manifest.version().number,
            revoked_counter: self.counter(epoch),
        };
        let envelope = draft.sign(&signers.reaching(Some(self.audience))?)?;
        fs::create_dir_all(&self.folder).map_err(whole::Failed::new("made", &self.folder))?;
        let line = format!("{epoch} {number}\n");
        whole::write(&self.folder.join("beacon"), line.as_bytes(), 0o644)?;
        self.beacon = Version { epoch, number };

        Ok(envelope)
    }
}

const NO_NUMBER: &str = "the greatest number of a revocation list is used up; if it was not you, the \
                         snapshot key is stolen: run `keys rotate DIR --role snapshot --compromised`";
const NO_BEACON: &str = "the greatest number of a beacon is used up; if it was not you, the beacon key \
                         is stolen: run `keys rotate DIR --role beacon --compromised`";

/// In postcard, seven bits a byte.
fn encoded_len(number: u64) -> usize {
    (number | 1).ilog2() as usize / 7 + 1
}

fn unusable(why: &impl std::fmt::Display) -> NotPublished {
    NotPublished::NewsUnusable(why.to_string())
}

fn parse(text: &str) -> Option<Version> {
    let (epoch, number) = text.trim_end().split_once(' ')?;

    Some(Version { epoch: epoch.parse().ok()?, number: number.parse().ok()? })
}

impl From<Refused> for NotPublished {
    fn from(refused: Refused) -> Self {
        unusable(&refused)
    }
}
