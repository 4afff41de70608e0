//! A bundle that somebody carried here, every part of it checked before anything is done with any.
//!
//! Nothing is believed because of the way that it came: the checks are those of a message from a
//! broker, against a key set that is held already (TRUST section 3).

use std::io::{self, Read};
use std::sync::Arc;

use gateward_core::bundle::{Bundle, NotABundle};
use gateward_core::snapshot::chunk::HashList;
use gateward_core::snapshot::{self, MAX_FILE};
use gateward_core::sync::{Dropped, MAX_CHUNKS};
use gateward_core::time::UnixSeconds;
use gateward_core::trust::{Audience, Floor, KeySet, Manifest, Refused, Revoked, Version};

use super::in_force::{InForce, Missing};
use super::revoked::Held;

/// No bundle is longer: the largest snapshot, and room for some thousand key sets.
pub(crate) const MAX_BUNDLE: u64 = MAX_FILE as u64 + (16 << 20);

/// Why nothing in a bundle is believed.
#[derive(Debug, thiserror::Error)]
pub enum BadBundle {
    /// It has more chunks than a gateway keeps.
    #[error("{0}")]
    Chunks(Dropped),
    /// The snapshot or its hash list is not what was signed, or not usable.
    #[error("its snapshot: {0}")]
    File(snapshot::Refused),
    /// The hash list is not the one that was signed.
    #[error("its hash list: {0}")]
    HashList(Refused),
    /// A key set does not follow the one before.
    #[error("its key sets: {0}")]
    Keys(Refused),
    /// The manifest says nothing here.
    #[error("its manifest: {0}")]
    Manifest(Refused),
    /// It cannot be cut into its parts.
    #[error(transparent)]
    NotABundle(#[from] NotABundle),
    /// The revocation list says nothing here; what it revokes must not be allowed without it.
    #[error("its revocation list: {0}")]
    Revoked(Refused),
}

impl BadBundle {
    /// Returns the name in records and answers.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Chunks(_) => "too_many_chunks",
            Self::File(refused) => refused.code(),
            Self::HashList(refused)
            | Self::Keys(refused)
            | Self::Manifest(refused)
            | Self::Revoked(refused) => refused.code(),
            Self::NotABundle(_) => "not_a_bundle",
        }
    }
}

/// A bundle of which every part is as it was signed.
///
/// Whether it may follow what was accepted here is for the floor to say.
pub(crate) struct Checked<'a> {
    /// The key sets that follow the one held, as they came.
    pub(super) key_sets: Vec<&'a [u8]>,
    pub(super) manifest: Manifest,
    pub(super) list: HashList<&'a [u8]>,
    pub(super) revoked: Option<Revoked<'a>>,
    pub(super) parts: Bundle<'a>,
}

impl<'a> Checked<'a> {
    /// Checks a bundle against `held`, the newest key set that is believed.
    pub(crate) fn new(
        bytes: &'a [u8],
        held: &KeySet,
        audience: Audience,
    ) -> Result<Self, BadBundle> {
        let parts = Bundle::read(bytes)?;
        let mut key_sets = Vec::new();
        let keys =
            parts.walk(held, |_, envelope| key_sets.push(envelope)).map_err(BadBundle::Keys)?;
        let manifest =
            Manifest::verify(parts.manifest, &keys, audience).map_err(BadBundle::Manifest)?;
        let chunks = manifest.chunk_count();
        if chunks > MAX_CHUNKS {
            return Err(BadBundle::Chunks(Dropped::TooManyChunks { chunks }));
        }
        let list = HashList::check(parts.list, &manifest).map_err(BadBundle::HashList)?;
        snapshot::open(parts.file, manifest.clone()).map_err(BadBundle::File)?;
        let revoked = (!parts.revoked.is_empty())
            .then(|| Revoked::verify(parts.revoked, &keys, audience))
            .transpose()
            .map_err(BadBundle::Revoked)?;

        Ok(Self { key_sets, manifest, list, revoked, parts })
    }

    /// Returns the floor of an agent that never had anything but `anchor` and this bundle, before
    /// it looks at the manifest.
    pub(crate) fn floor(&self, anchor: &KeySet) -> Result<Floor, Refused> {
        let mut floor = Floor::default().with_keys(anchor);
        self.parts.walk(anchor, |next, _| floor = floor.with_keys(next))?;

        Ok(match &self.revoked {
            Some(list) => floor.with_revoked(list.number(), list.base()),
            None => floor,
        })
    }

    /// Returns the signed manifest.
    pub(crate) const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Returns what an agent would decide with whose floor is this one and that never had anything
    /// but this bundle; none where it would not decide.
    pub(crate) fn in_force(&self, floor: &Floor, since: UnixSeconds) -> Option<InForce> {
        let bytes = Arc::<[u8]>::from(self.parts.file);
        let verified = snapshot::open(bytes, self.manifest.clone()).ok()?;
        let version = self.manifest.version();
        let mut held = Held::default();
        if let Some(list) = &self.revoked {
            held = held.with(list, self.parts.revoked, Version::default());
        }
        let bits = held.bits(&verified.view(), version)?;
        let missing = Missing::of(floor, held.number);
        let (revoked, revocations) = (held.number, held.count(version));

        Some(InForce { verified, since, missing, revoked, revocations, bits })
    }

    /// Returns the version of the snapshot.
    pub(crate) const fn version(&self) -> Version {
        self.manifest.version()
    }
}

/// Reads a bundle to its end, and no further than any bundle goes.
pub(crate) fn read(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MAX_BUNDLE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BUNDLE {
        let why = format!("longer than {MAX_BUNDLE} bytes, which no bundle is");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }

    Ok(bytes)
}
