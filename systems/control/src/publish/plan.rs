//! Whether there is anything to publish, and under which version.

use gateward_core::snapshot::{self, chunk};
use gateward_core::time::UnixSeconds;
use gateward_core::trust::sign::ManifestDraft;
use gateward_core::trust::{Audience, DeltaRef, KeySet, Manifest, Root};

use super::NotPublished;
use super::state::{Signed, State};
use crate::keys::Signers;
use crate::policy::{Allows, Sizes, Staleness};

/// What is to be done for a group.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Plan {
    /// A snapshot that gateways do not have, under this version.
    Publish(u64),
    /// The same snapshot under the same version, valid for longer.
    Refresh(u64),
    /// Nothing.
    Rest,
}

/// Everything that a manifest is made of.
#[derive(Debug)]
pub(super) struct Maker<'a> {
    pub(super) keys: &'a KeySet,
    pub(super) signers: &'a Signers,
    /// None where this folder has no beacon key: then gateways hear no time from here.
    pub(super) beacons: Option<&'a Signers>,
    pub(super) sizes: Sizes,
    pub(super) staleness: Staleness,
    pub(super) allows: Allows,
    pub(super) now: UnixSeconds,
}

impl Maker<'_> {
    /// Returns the root of a snapshot in chunks of their size.
    pub(super) fn root(&self, bytes: &[u8]) -> Root {
        chunk::root_of(bytes, self.sizes.chunk_log2).unwrap_or_default()
    }

    /// Decides by what was published; `kept` says whether the broker still has that.
    pub(super) fn plan(
        &self,
        state: &State,
        root: Root,
        kept: bool,
        group: &str,
    ) -> Result<Plan, NotPublished> {
        let ours = |signed: &&Signed| {
            let manifest = &signed.manifest;
            manifest.root() == root && manifest.version().epoch == self.keys.epoch()
        };
        let next = || {
            let number = state.next_number(self.keys.epoch());
            number.map(Plan::Publish).ok_or_else(|| NotPublished::NoVersionLeft(group.to_owned()))
        };
        // What was intended may be in force somewhere, so what came before it does not count.
        if let Some(intent) = &state.intent {
            let resumed = Some(intent).filter(ours);
            let again = |one: &Signed| Ok(Plan::Publish(one.manifest.version().number));
            return resumed.map_or_else(next, again);
        }
        match state.published.as_ref().filter(ours) {
            None => next(),
            Some(same) if !kept => Ok(Plan::Publish(same.manifest.version().number)),
            Some(same) if self.is_due(&same.manifest) => {
                Ok(Plan::Refresh(same.manifest.version().number))
            }
            Some(_) => Ok(Plan::Rest),
        }
    }

    /// After a quarter of the time until it is stale, or where what it says beside has changed.
    fn is_due(&self, manifest: &Manifest) -> bool {
        let issued = manifest.issued_at();
        let stale = manifest.stale_at().since(issued);
        let expires = manifest.expires_at().since(issued);
        let Staleness { stale_after_s, expires_after_s } = self.staleness;

        self.now.since(issued) >= stale / 4
            || stale != u64::from(stale_after_s)
            || expires != u64::from(expires_after_s)
            || Allows::of(manifest) != self.allows
    }

    /// Signs a manifest for `bytes` that speaks of a revocation list and names `deltas`, and reads it
    /// again as a gateway would.
    pub(super) fn sign(
        &self,
        state: &State,
        group: &str,
        bytes: &[u8],
        version: u64,
        revoked_counter: u64,
        deltas: Vec<DeltaRef>,
    ) -> Result<Signed, NotPublished> {
        let account = self.keys.account();
        let audience = Audience::of(account, group);
        // A later manifest of one version has a later time, whatever the clock says.
        let same = |signed: &&Signed| signed.manifest.version().number == version;
        let signed = state.published.iter().chain(&state.intent).filter(same);
        let last = signed.map(|signed| signed.manifest.issued_at().0 + 1).max().unwrap_or(0);
        let unusable = |why: &dyn std::fmt::Display| NotPublished::Unusable {
            group: group.to_owned(),
            why: why.to_string(),
        };
        let draft = ManifestDraft {
            account,
            audience,
            keyset: self.keys.epoch(),
            version,
            issued_at: UnixSeconds(self.now.0.max(last)),
            stale_after: self.staleness.stale_after_s,
            expires_after: self.staleness.expires_after_s,
            file_len: u32::try_from(bytes.len()).map_err(|error| unusable(&error))?,
            chunk_log2: self.sizes.chunk_log2,
            root: self.root(bytes),
            revoked_counter,
            allow_observe: self.allows.observe,
            allow_drop: self.allows.drop,
            deltas,
        };
        let signers = self.signers.reaching(Some(audience))?;
        let envelope = draft.sign(&signers).map_err(|error| unusable(&error))?;
        let manifest = Manifest::verify(&envelope, self.keys, audience)
            .map_err(|refused| unusable(&refused))?;
        snapshot::open(bytes, manifest.clone()).map_err(|refused| unusable(&refused))?;

        Ok(Signed { envelope, manifest })
    }
}
