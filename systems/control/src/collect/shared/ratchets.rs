//! The key of the record that comes next, for each gateway.
//!
//! It is not in the database: whoever has the key of a record can forge the tags of all that follow. It
//! is reckoned from the gateway's first key, which is in `private/gateways`, and kept now and then
//! beside it, so that a start does not reckon from the beginning. With it stands how far records were
//! committed: a mark that nobody moves who has only the database, and that never goes back.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use gateward_core::audit::Ratchet;
use gateward_core::name::Hex;
use gateward_core::time::UnixSeconds;
use gateward_core::trust::Incarnation;
use tracing::warn;
use zeroize::Zeroizing;

use crate::enroll::Enrolled;
use crate::keys::PRIVATE;
use crate::secret::{Problem, Unusable};
use crate::{secret, whole};

const FORMAT: &str = "gateward-ratchet 1";
/// So many steps take some 20 ms.
const KEEP_EVERY: u64 = 100_000;
/// A mark is no further behind than that, in seconds, where few gateways move.
const KEEP_AFTER: u64 = 60;
/// So many are written at once, each with two syncs: receipts wait meanwhile.
const KEEP_AT_ONCE: usize = 16;

#[derive(Clone, Debug)]
struct At {
    incarnation: Incarnation,
    through: u64,
    key: Ratchet,
    /// What the file says.
    kept: u64,
    /// When it was written here.
    at: UnixSeconds,
}

impl At {
    const fn is_due(&self, now: UnixSeconds) -> bool {
        let (more, age) = (self.through.saturating_sub(self.kept), now.0.abs_diff(self.at.0));

        more >= KEEP_EVERY || (more > 0 && age >= KEEP_AFTER)
    }
}

/// Keys of gateways, as far as they are known.
#[derive(Debug)]
pub(super) struct Ratchets {
    /// Of every cluster.
    root: PathBuf,
    /// Of the one that it is connected to.
    folder: PathBuf,
    at: BTreeMap<String, At>,
    /// The last time it was tried, nothing could be kept.
    is_failing: bool,
}

/// Why a mark was not kept.
#[derive(Debug, thiserror::Error)]
enum NotKept {
    #[error(transparent)]
    Unwritable(#[from] whole::Failed),
    /// What is there may say more.
    #[error(transparent)]
    Unreadable(#[from] Unusable),
}

/// Every cluster whose name the collector may not ask for.
const UNNAMED: &str = "any";

/// Up to which record collectors of a policy folder have marked that they committed those of a gateway, by cluster and
/// name.
#[derive(Debug)]
pub(crate) struct Marks(BTreeMap<(String, String), u64>);

impl Marks {
    /// Returns the furthest mark of a gateway where the cluster has this name: a collector that might not ask for it
    /// has left one of its own.
    pub(crate) fn of(&self, cluster: Option<&str>, gateway: &str) -> Option<u64> {
        let mark = |cluster: &str| self.0.get(&(cluster.to_owned(), gateway.to_owned()));

        cluster.and_then(mark).max(mark(UNNAMED)).copied()
    }

    /// Returns whether some gateway has a mark that says more, and that only the cluster's name finds.
    pub(crate) fn need_a_name(&self) -> bool {
        self.0.iter().any(|((_, gateway), mark)| self.of(None, gateway) < Some(*mark))
    }
}

/// Reads every mark of the enrolments of today.
///
/// # Errors
///
/// One that is there cannot be read: a witness that is silent is none that agrees.
pub(crate) fn marks(dir: &Path, gateways: &[Enrolled]) -> Result<Marks, Unusable> {
    let mut marks = BTreeMap::new();
    let mut ratchets = Ratchets::new(dir);
    for name in clusters(&ratchets.root)? {
        ratchets.of_cluster(Some(&name));
        for one in gateways {
            let at = ratchets.load(&one.gateway)?.filter(|at| at.incarnation == one.incarnation);
            let mark = at.map(|at| ((name.clone(), one.gateway.clone()), at.through));
            marks.extend(mark);
        }
    }

    Ok(Marks(marks))
}

/// The clusters of which there are marks.
fn clusters(root: &Path) -> Result<Vec<String>, Unusable> {
    let unreadable = |error| Unusable::one(root, Problem::Unreadable(error));
    let entries = match fs::read_dir(root) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(unreadable)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(unreadable)?;
        let is_folder = entry.file_type().map_err(unreadable)?.is_dir();
        names.extend(entry.file_name().into_string().ok().filter(|_| is_folder));
    }

    Ok(names)
}

impl Ratchets {
    pub(super) fn new(dir: &Path) -> Self {
        let root = dir.join(PRIVATE).join("ratchets");

        Self { folder: root.clone(), root, at: BTreeMap::new(), is_failing: false }
    }

    /// Goes on with the databases of this cluster: those of another one have come to other records.
    pub(super) fn of_cluster(&mut self, name: Option<&str>) {
        let folder = self.root.join(name.unwrap_or(UNNAMED));
        if self.folder != folder {
            self.at.clear();
            self.folder = folder;
        }
    }

    /// Returns the key of the record behind `through`.
    pub(super) fn after(&mut self, enrolled: &Enrolled, through: u64) -> Ratchet {
        let mut at = self.before(enrolled, through);
        while at.through < through {
            at.key.step();
            at.through += 1;
        }
        let key = at.key.clone();
        self.at.insert(enrolled.gateway.clone(), at);

        key
    }

    /// The last that is known of a gateway up to there.
    fn before(&self, enrolled: &Enrolled, through: u64) -> At {
        let known = self.at.get(&enrolled.gateway).cloned();
        let fits = |at: &At| at.incarnation == enrolled.incarnation && at.through <= through;
        let known = known.filter(fits).or_else(|| self.load(&enrolled.gateway).ok()?.filter(fits));
        let (incarnation, key) = (enrolled.incarnation, enrolled.audit.clone());

        known.unwrap_or(At { incarnation, through: 0, key, kept: 0, at: UnixSeconds(0) })
    }

    /// Takes the key of the record behind `through`, which was committed.
    pub(super) fn take(
        &mut self,
        enrolled: &Enrolled,
        through: u64,
        key: &Ratchet,
        now: UnixSeconds,
    ) {
        let incarnation = enrolled.incarnation;
        let before = self.at.get(&enrolled.gateway).filter(|at| at.incarnation == incarnation);
        let (kept, at) = before.map_or((0, UnixSeconds(0)), |at| (at.kept, at.at));
        let at = At { incarnation, through, key: key.clone(), kept, at };
        if through.saturating_sub(kept) >= KEEP_EVERY {
            self.keep_one(&enrolled.gateway, at, now);
        } else {
            self.at.insert(enrolled.gateway.clone(), at);
        }
    }

    /// Keeps what is due: of those that wait longest, where there are many.
    pub(super) fn keep(&mut self, now: UnixSeconds) {
        let due = self.at.iter().filter(|(_, at)| at.is_due(now));
        let mut due: Vec<_> = due.map(|(gateway, at)| (gateway.clone(), at.clone())).collect();
        due.sort_by_key(|(_, at)| at.at);
        for (gateway, at) in due.into_iter().take(KEEP_AT_ONCE) {
            self.keep_one(&gateway, at, now);
        }
    }

    /// Keeps everything, where nothing comes after it.
    pub(super) fn keep_all(&mut self) {
        for (gateway, at) in self.at.clone() {
            self.keep_one(&gateway, at, UnixSeconds(u64::MAX));
        }
    }

    /// Where that fails, the next start takes longer, and `audit verify` has a witness that says less, or cannot be read.
    fn keep_one(&mut self, gateway: &str, mut at: At, now: UnixSeconds) {
        if at.is_due(now) {
            let saved = self.save(gateway, &at);
            if let (Err(error), false) = (&saved, self.is_failing) {
                warn!(gateway, %error, "how far it is committed was not marked: the next start of the collector takes longer, and `audit verify` has a witness less");
            }
            self.is_failing = saved.is_err();
            (at.kept, at.at) = (if saved.is_ok() { at.through } else { at.kept }, now);
        }
        self.at.insert(gateway.to_owned(), at);
    }

    fn save(&self, gateway: &str, at: &At) -> Result<(), NotKept> {
        // Another collector of this folder, or this one before somebody put the position back.
        let is_further =
            |kept: &At| kept.incarnation == at.incarnation && kept.through >= at.through;
        if self.load(gateway)?.as_ref().is_some_and(is_further) {
            return Ok(());
        }
        let At { incarnation, through, key, .. } = at;
        let text = Zeroizing::new(format!(
            "{FORMAT}\nincarnation {incarnation}\nthrough {through}\naudit {}\n",
            Hex(key.expose())
        ));
        secret::make_folder(&self.root)?;
        secret::make_folder(&self.folder)?;

        secret::write(&self.folder.join(gateway), &text)?;

        Ok(())
    }

    /// Reads what is kept of a gateway; none where nothing is.
    fn load(&self, gateway: &str) -> Result<Option<At>, Unusable> {
        let path = self.folder.join(gateway);
        if fs::symlink_metadata(&path).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            return Ok(None);
        }
        let unlike = || Unusable::one(&path, Problem::Unlike { expected: FORMAT });

        At::read(&secret::read(&path)?).map(Some).ok_or_else(unlike)
    }
}

impl At {
    fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let format = lines.next()?;
        let mut field = |label: &str| lines.next()?.strip_prefix(label)?.strip_prefix(' ');
        let incarnation = Incarnation(*secret::hex(field("incarnation")?)?);
        let through = field("through")?.parse().ok()?;
        let key = Ratchet::new(*secret::hex(field("audit")?)?);

        let at = UnixSeconds(0);

        (format == FORMAT).then_some(Self { incarnation, through, key, kept: through, at })
    }
}

#[cfg(test)]
mod tests;
