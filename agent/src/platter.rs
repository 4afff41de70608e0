//! A disk as a power cut leaves it, for tests: it knows of every change whether it was synced.
//!
//! After any step, whatever was not synced by then is there, or not, or in part, each thing for itself:
//! the names in a folder, the length of a file, and each page of what was written into it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::store::Step;

/// What is written back at once.
const PAGE: usize = 4096;

/// What survives without having been synced.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Left {
    All,
    AllBut(usize),
    /// The first half of a write, and everything else.
    AllAndHalfOf(usize),
    Half(usize),
    None,
    Only(usize),
    /// What a throw of the dice leaves, in no order that it was written in.
    Some(u64),
}

/// A change that no sync has made durable.
#[derive(Clone, Debug)]
pub(crate) enum Loose {
    Bytes { file: usize, at: usize, bytes: Vec<u8> },
    Len { file: usize, len: usize },
    Name { gone: Option<PathBuf>, there: Option<(PathBuf, usize)> },
}

impl Loose {
    fn is_in(&self, dir: &Path) -> bool {
        let Self::Name { gone, there } = self else { return false };
        let path = gone.as_ref().or(there.as_ref().map(|(path, _)| path));

        path.is_some_and(|path| path.parent() == Some(dir))
    }

    fn is_of(&self, of: usize) -> bool {
        matches!(self, Self::Bytes { file, .. } | Self::Len { file, .. } if *file == of)
    }

    fn halved(&self) -> Option<Self> {
        let Self::Bytes { file, at, bytes } = self else { return None };

        Some(Self::Bytes { file: *file, at: *at, bytes: bytes[..bytes.len() / 2].to_vec() })
    }
}

/// A disk that knows of every change whether it was synced.
#[derive(Clone, Default)]
pub(crate) struct Platter {
    files: Vec<Vec<u8>>,
    names: BTreeMap<PathBuf, usize>,
    /// Names as the running system sees them.
    seen: BTreeMap<PathBuf, usize>,
    pub(crate) loose: Vec<Loose>,
}

impl Platter {
    /// What is in a folder and those below it, all of it durable; paths are relative to it.
    pub(crate) fn of(root: &Path, without: &[&str]) -> Self {
        let mut platter = Self::default();
        let mut dirs = vec![PathBuf::new()];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(root.join(&dir)).unwrap() {
                let path = dir.join(entry.unwrap().file_name());
                if without.iter().any(|name| path == Path::new(name)) {
                    continue;
                }
                if root.join(&path).is_dir() {
                    dirs.push(path);
                    continue;
                }
                platter.names.insert(path.clone(), platter.files.len());
                platter.files.push(fs::read(root.join(&path)).unwrap());
            }
        }

        Self { seen: platter.names.clone(), ..platter }
    }

    pub(crate) fn step(&mut self, step: Step<'_>) {
        match step {
            Step::Create { path, len } => {
                let file = self.open(path);
                self.cut_file(file, len);
            }
            Step::CreateDir(path) => panic!("{} is there", path.display()),
            Step::Remove(path) => self.remove(path),
            Step::Rename { from, to } => self.rename(from, to),
            Step::SyncDir(dir) => self.sync_folder(dir),
            Step::SyncFile(path) => self.sync_file(self.seen[path]),
            Step::Write { path, at, bytes } => self.write_file(self.seen[path], at, bytes),
        }
    }

    /// Returns the file of that name, which is made where it is not there.
    pub(crate) fn open(&mut self, path: &Path) -> usize {
        *self.seen.entry(path.into()).or_insert_with(|| {
            let (file, there) = (self.files.len(), path.into());
            self.files.push(Vec::new());
            self.loose.push(Loose::Name { gone: None, there: Some((there, file)) });
            file
        })
    }

    pub(crate) fn cut_file(&mut self, file: usize, len: u64) {
        self.loose.push(Loose::Len { file, len: usize::try_from(len).unwrap() });
    }

    /// Each page of it is written back for itself.
    pub(crate) fn write_file(&mut self, file: usize, at: u64, bytes: &[u8]) {
        let mut at = usize::try_from(at).unwrap();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (page, after) = rest.split_at(rest.len().min(PAGE - at % PAGE));
            self.loose.push(Loose::Bytes { file, at, bytes: page.to_vec() });
            (at, rest) = (at + page.len(), after);
        }
    }

    pub(crate) fn sync_file(&mut self, file: usize) {
        self.settle(|loose| loose.is_of(file));
    }

    pub(crate) fn remove(&mut self, path: &Path) {
        if self.seen.remove(path).is_some() {
            self.loose.push(Loose::Name { gone: Some(path.into()), there: None });
        }
    }

    pub(crate) fn rename(&mut self, from: &Path, to: &Path) {
        let file = self.seen.remove(from).unwrap();
        self.seen.insert(to.into(), file);
        self.loose.push(Loose::Name { gone: Some(from.into()), there: Some((to.into(), file)) });
    }

    pub(crate) fn link(&mut self, path: &Path, other: &Path) {
        let file = self.seen[path];
        self.seen.insert(other.into(), file);
        self.loose.push(Loose::Name { gone: None, there: Some((other.into(), file)) });
    }

    pub(crate) fn sync_folder(&mut self, dir: &Path) {
        self.settle(|loose| loose.is_in(dir));
    }

    fn settle(&mut self, durable: impl Fn(&Loose) -> bool) {
        let (now, loose) = std::mem::take(&mut self.loose).into_iter().partition(durable);
        self.loose = loose;
        let now: Vec<Loose> = now;
        now.iter().for_each(|change| self.apply(change));
    }

    fn apply(&mut self, change: &Loose) {
        match change {
            Loose::Bytes { file, at, bytes } => {
                let content = &mut self.files[*file];
                content.resize(content.len().max(at + bytes.len()), 0);
                content[*at..at + bytes.len()].copy_from_slice(bytes);
            }
            Loose::Len { file, len } => self.files[*file].resize(*len, 0),
            Loose::Name { gone, there } => {
                gone.as_ref().map(|path| self.names.remove(path));
                self.names.extend(there.clone());
            }
        }
    }

    /// Every way in which the power may be cut now.
    pub(crate) fn ways(&self) -> Vec<Left> {
        let each = 0..self.loose.len();
        let alone = each.clone().flat_map(|one| [Left::Only(one), Left::AllBut(one)]);
        let torn = each.filter(|one| matches!(self.loose[*one], Loose::Bytes { .. }));
        let torn = torn.flat_map(|one| [Left::Half(one), Left::AllAndHalfOf(one)]);

        let dice = (0..4).map(|throw| Left::Some(throw + 4 * self.loose.len() as u64));

        [Left::None, Left::All].into_iter().chain(alone).chain(torn).chain(dice).collect()
    }

    /// Every file by name, as it is found when the power is back.
    pub(crate) fn cut(&self, left: Left) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut platter = Self { loose: Vec::new(), ..self.clone() };
        for (at, change) in self.loose.iter().enumerate() {
            let whole = |survives: bool| survives.then(|| change.clone());
            let survivor = match left {
                Left::AllAndHalfOf(one) | Left::Half(one) if one == at => change.halved(),
                Left::All | Left::AllAndHalfOf(_) => whole(true),
                Left::AllBut(one) => whole(one != at),
                Left::Half(_) | Left::None => whole(false),
                Left::Only(one) => whole(one == at),
                Left::Some(seed) => whole(is_kept(seed, at)),
            };
            survivor.iter().for_each(|change| platter.apply(change));
        }

        platter
            .names
            .iter()
            .map(|(name, file)| (name.clone(), platter.files[*file].clone()))
            .collect()
    }
}

/// One coin for each change, always the same for the same seed (the finaliser of MurmurHash3).
fn is_kept(seed: u64, at: usize) -> bool {
    let mut mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (at as u64);
    for factor in [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53] {
        mixed = (mixed ^ (mixed >> 33)).wrapping_mul(factor);
    }

    mixed >> 63 == 1
}
