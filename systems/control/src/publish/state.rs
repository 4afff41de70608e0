//! What was published for a group, in `state/published/GROUP/`.
//!
//! `manifest` and `file` are what the broker has acknowledged. `intent` is a manifest that is about
//! to be published, and may have been: its version is used up, because a gateway may have it.
//! `garbage` names snapshots whose chunks, and versions whose deltas, are to be removed from the
//! broker. `earlier` is described in `deltas.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gateward_core::name::Hex;
use gateward_core::snapshot::chunk;
use gateward_core::trust::{Audience, KeySet, Manifest, Refused, Version};

use super::deltas::{self, Earlier};
use crate::keys::Chain;
use crate::{secret, whole};

/// A manifest with the bytes that were signed.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    pub(super) envelope: Vec<u8>,
    pub(super) manifest: Manifest,
}

impl Signed {
    /// Verifies with the key set that it was signed under, which may be an older one. What none of
    /// them verifies is refused for the reason of the newest.
    pub(super) fn read(
        envelope: Vec<u8>,
        chain: &Chain,
        audience: Audience,
    ) -> Result<Self, Refused> {
        let verify = |set: &KeySet| Manifest::verify(&envelope, set, audience);
        let older = || chain.sets().iter().rev().find_map(|set| verify(set).ok());
        let manifest = verify(chain.newest()).or_else(|why| older().ok_or(why))?;

        Ok(Self { envelope, manifest })
    }

    /// Whether both name the same snapshot under the same version.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let name = |signed: &Self| (signed.manifest.version(), signed.manifest.root());

        name(self) == name(other)
    }
}

/// The folder of one group.
#[derive(Debug)]
pub(super) struct State {
    folder: PathBuf,
    /// What the broker has acknowledged.
    pub(super) published: Option<Signed>,
    /// What it may have.
    pub(super) intent: Option<Signed>,
    garbage: BTreeMap<[u8; 8], u32>,
    garbage_deltas: BTreeSet<u64>,
}

impl State {
    pub(super) fn load(
        dir: &Path,
        group: &str,
        chain: &Chain,
        audience: Audience,
    ) -> Result<Self, whole::Failed> {
        let folder = folder(dir, group);
        let signed = |name| read_signed(&folder.join(name), chain, audience);
        let (published, intent) = (signed("manifest")?, signed("intent")?);
        let path = folder.join("garbage");
        let text = whole::read_text(&path)?.unwrap_or_default();
        let garbage = parse(&text).ok_or(io::ErrorKind::InvalidData.into());
        let garbage = garbage.map_err(whole::Failed::new("understood", &path))?;
        let (garbage, garbage_deltas) = garbage;

        Ok(Self { folder, published, intent, garbage, garbage_deltas })
    }

    /// Returns the snapshot that was published last, where it is there and whole.
    pub(super) fn file(&self) -> Option<Vec<u8>> {
        let manifest = &self.published.as_ref()?.manifest;
        let bytes = fs::read(self.folder.join("file")).ok()?;

        (chunk::root_of(&bytes, manifest.chunk_log2()) == Some(manifest.root())).then_some(bytes)
    }

    /// Returns what was published last and what was intended, each where it is there and whole: of
    /// both, gateways may have either.
    pub(super) fn files(&self) -> Vec<Vec<u8>> {
        let earlier = self.earlier();
        let read = |signed: &Option<Signed>| earlier.file(&signed.as_ref()?.manifest);
        let published = self.file().or_else(|| read(&self.published));

        published.into_iter().chain(read(&self.intent)).collect()
    }

    /// Returns the snapshots that may be in force somewhere.
    pub(super) fn earlier(&self) -> Earlier {
        Earlier::of(&self.folder)
    }

    /// Notes what is about to be published; from here on its version is used up, and what stood
    /// before is garbage.
    pub(super) fn intend(&mut self, next: Signed) -> Result<(), whole::Failed> {
        for old in self.published.iter().chain(&self.intent) {
            if old.manifest.root() != next.manifest.root() {
                self.garbage.insert(old.manifest.root().short(), old.manifest.chunk_count());
            }
            self.garbage_deltas.extend(deltas::topics(old));
        }
        self.garbage.remove(&next.manifest.root().short());
        for from in deltas::topics(&next) {
            self.garbage_deltas.remove(&from);
        }
        fs::create_dir_all(&self.folder).map_err(whole::Failed::new("made", &self.folder))?;
        whole::write(&self.folder.join("garbage"), self.garbage_text().as_bytes(), 0o644)?;
        whole::write(&self.folder.join("intent"), &next.envelope, 0o644)?;
        self.intent = Some(next);

        Ok(())
    }

    /// Notes that the broker has what was intended; `file` is the snapshot where it is at hand.
    pub(super) fn commit(&mut self, file: Option<&[u8]>) -> Result<(), whole::Failed> {
        let Some(done) = self.intent.take() else { return Ok(()) };
        if let Some(bytes) = file {
            // Who has which rights is nobody else's business.
            whole::write(&self.folder.join("file"), bytes, 0o600)?;
        }
        whole::write(&self.folder.join("manifest"), &done.envelope, 0o644)?;
        self.published = Some(done);

        remove(&self.folder.join("intent"))
    }

    /// Goes on from a manifest that was published from elsewhere, where nothing that was published
    /// from here is above it. What of both is not in force is garbage.
    pub(super) fn adopt(&mut self, theirs: Signed) -> Result<(), whole::Failed> {
        let number = |signed: &Signed| signed.manifest.version().number;
        let mut ours = self.published.iter().chain(&self.intent);
        let behind = ours.any(|ours| number(ours) > number(&theirs));
        for old in self.published.iter().chain(&self.intent).chain([&theirs]) {
            self.garbage.insert(old.manifest.root().short(), old.manifest.chunk_count());
            self.garbage_deltas.extend(deltas::topics(old));
        }
        if !behind {
            // In force until the next is.
            self.garbage.remove(&theirs.manifest.root().short());
            for from in deltas::topics(&theirs) {
                self.garbage_deltas.remove(&from);
            }
        }
        fs::create_dir_all(&self.folder).map_err(whole::Failed::new("made", &self.folder))?;
        whole::write(&self.folder.join("garbage"), self.garbage_text().as_bytes(), 0o644)?;
        if behind {
            return Ok(());
        }
        // Before the manifest: an intent counts for more than what is published.
        remove(&self.folder.join("intent"))?;
        remove(&self.folder.join("file"))?;
        whole::write(&self.folder.join("manifest"), &theirs.envelope, 0o644)?;
        (self.published, self.intent) = (Some(theirs), None);

        Ok(())
    }

    /// Returns the first number that was never used, in any epoch. Where all are used up, which takes
    /// a thief, it is the first one of `epoch`; none where that is the epoch in which they are.
    pub(super) fn next_number(&self, epoch: u32) -> Option<u64> {
        let versions =
            self.published.iter().chain(&self.intent).map(|signed| signed.manifest.version());
        let greatest = |number: u64, version: Version| number.max(version.number);
        let used = versions.clone().fold(0, greatest);
        let of_epoch = versions.filter(|version| version.epoch == epoch).fold(0, greatest);

        used.checked_add(1).or_else(|| of_epoch.checked_add(1))
    }

    /// Notes that the chunks and deltas of a void manifest are to be removed from the broker.
    pub(super) fn discard(&mut self, void: &Signed) -> Result<(), whole::Failed> {
        let Signed { manifest, .. } = void;
        let ours = || self.published.iter().chain(&self.intent);
        if !ours().any(|ours| ours.manifest.root() == manifest.root()) {
            self.garbage.insert(manifest.root().short(), manifest.chunk_count());
        }
        let used: BTreeSet<_> = ours().flat_map(deltas::topics).collect();
        let named = manifest.deltas().iter().map(|delta| delta.from);
        self.garbage_deltas.extend(named.filter(|from| !used.contains(from)));
        fs::create_dir_all(&self.folder).map_err(whole::Failed::new("made", &self.folder))?;

        whole::write(&self.folder.join("garbage"), self.garbage_text().as_bytes(), 0o644)
    }

    /// Returns what to remove: of snapshots the first bytes of the root and how many chunks, of
    /// deltas the version that they start from.
    pub(super) const fn garbage(&self) -> (&BTreeMap<[u8; 8], u32>, &BTreeSet<u64>) {
        (&self.garbage, &self.garbage_deltas)
    }

    /// Notes that they are removed.
    pub(super) fn is_clean(&mut self) -> Result<(), whole::Failed> {
        self.garbage.clear();
        self.garbage_deltas.clear();

        remove(&self.folder.join("garbage"))
    }

    fn garbage_text(&self) -> String {
        let line = |(root, chunks): (&[u8; 8], &u32)| format!("{} {chunks}\n", Hex(root));

        let deltas = self.garbage_deltas.iter().map(|from| format!("delta {from}\n"));

        self.garbage.iter().map(line).chain(deltas).collect()
    }
}

/// Returns the manifest that was published last for a group; none where nothing was.
///
/// # Errors
///
/// A file cannot be read, or is not one that was signed for this group.
pub(crate) fn published(
    dir: &Path,
    group: &str,
    chain: &Chain,
) -> Result<Option<Manifest>, whole::Failed> {
    let audience = Audience::of(chain.newest().account(), group);
    let signed = read_signed(&folder(dir, group).join("manifest"), chain, audience)?;

    Ok(signed.map(|signed| signed.manifest))
}

pub(super) fn folder(dir: &Path, group: &str) -> PathBuf {
    dir.join("state").join("published").join(group)
}

fn read_signed(
    path: &Path,
    chain: &Chain,
    audience: Audience,
) -> Result<Option<Signed>, whole::Failed> {
    let envelope = match fs::read(path) {
        Ok(envelope) => envelope,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(whole::Failed::new("read", path)(error)),
    };
    let signed = Signed::read(envelope, chain, audience);

    signed
        .map(Some)
        .map_err(|refused| io::Error::new(io::ErrorKind::InvalidData, refused))
        .map_err(whole::Failed::new("verified", path))
}

fn remove(path: &Path) -> Result<(), whole::Failed> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(whole::Failed::new("removed", path)(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Roots with their number of chunks, and versions whose deltas are garbage.
type Garbage = (BTreeMap<[u8; 8], u32>, BTreeSet<u64>);

fn parse(text: &str) -> Option<Garbage> {
    let mut garbage = Garbage::default();
    for line in text.lines() {
        match line.split_once(' ')? {
            ("delta", from) => {
                garbage.1.insert(from.parse().ok()?);
            }
            (root, chunks) => {
                garbage.0.insert(*secret::hex(root)?, chunks.parse().ok()?);
            }
        }
    }

    Some(garbage)
}
