//! What may be lost without changing a verdict, in sled; nothing else names sled.
//!
//! sled 0.34.7 loses or rolls back records in ways that were measured, so nothing here is ever the
//! only copy, every value is small, a database that cannot be opened is set aside and made anew, and
//! an agent without a cache works.

use std::fs::{self, File};
use std::io;
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use rustix::fs::{FallocateFlags, FlockOperation, fallocate, flock};
use rustix::thread::set_current_timer_slack;
use tracing::{debug, warn};

use super::disk::is_full;

/// sled keeps values up to this size beside their keys, and larger ones in files it never syncs.
const MAX_VALUE: usize = 4096;

/// Given up when the disk is full, so that the database can still be opened and made smaller.
const BALLAST: u64 = 4 << 20;

/// How late a timer of sled's threads may be.
const SLACK_NS: u64 = 60_000_000_000;

/// How many refused messages are kept as evidence.
const MAX_EVIDENCE: u64 = 64;

/// How much of a refused message is kept.
const EVIDENCE_BYTES: usize = 2048;

/// The local cache, or the lack of one.
pub(super) struct Cache {
    dir: PathBuf,
    open: Option<Open>,
    evidence: u64,
}

struct Open {
    db: sled::Db,
    /// sled's own flush is no barrier; this handle's is.
    file: File,
}

impl Cache {
    /// Opens the cache in `dir`; a damaged one is set aside. Returns what went wrong, if anything.
    pub(super) fn open(dir: PathBuf) -> (Self, Option<&'static str>) {
        let mut cache = Self { dir, open: None, evidence: 0 };
        let problem = match cache.try_open() {
            Ok(()) => None,
            Err(error) => {
                debug!(%error, "cannot open the cache");
                Some(cache.rebuild())
            }
        };
        cache.evidence = cache.with(|db| last_number(&db.open_tree("evidence")?)).unwrap_or(0);

        (cache, problem)
    }

    /// Returns none: nothing is kept, and nothing is made on disk.
    pub(super) const fn none(dir: PathBuf) -> (Self, Option<&'static str>) {
        (Self { dir, open: None, evidence: 0 }, None)
    }

    fn try_open(&mut self) -> io::Result<()> {
        let dir = self.dir.join("policy");
        fs::create_dir_all(&dir)?;
        let first = !dir.join("db").exists();
        await_end_of_last(&dir.join("db"));
        let config = sled::Config::new().path(&dir).cache_capacity(1 << 20).flush_every_ms(None);
        let begin = || -> sled::Result<sled::Db> {
            let db = config.open()?;
            // The first that is written starts sled's threads.
            db.open_tree("chunks")?;
            db.flush()?;
            Ok(db)
        };
        let db = patiently(|| catch_unwind(AssertUnwindSafe(begin)))?
            .map_err(|_| io::Error::other("sled panicked"))?
            .map_err(io::Error::from)?;
        let file = File::open(dir.join("db"))?;
        if first {
            sync_tree(&self.dir)?;
        }
        self.open = Some(Open { db, file });
        self.keep_ballast();

        Ok(())
    }

    fn rebuild(&mut self) -> &'static str {
        let aside = self.dir.join("policy.damaged");
        let _ = fs::remove_dir_all(&aside);
        let moved = fs::rename(self.dir.join("policy"), &aside);
        if moved.is_err() {
            let _ = fs::remove_file(self.dir.join("ballast"));
        }
        match self.try_open() {
            Ok(()) => "the cache was damaged; it was set aside and made anew",
            Err(error) => {
                warn!(%error, "working without a cache");
                "the cache cannot be opened; working without one"
            }
        }
    }

    fn keep_ballast(&self) {
        let path = self.dir.join("ballast");
        if fs::metadata(&path).is_ok_and(|meta| meta.len() == BALLAST) {
            return;
        }
        let made = File::create(&path)
            .and_then(|file| Ok(fallocate(&file, FallocateFlags::empty(), 0, BALLAST)?));
        if let Err(error) = made {
            debug!(%error, "no room for ballast");
            let _ = fs::remove_file(&path);
        }
    }

    /// Does `step`, and goes on without a cache where it fails.
    fn with<R>(&mut self, step: impl FnOnce(&sled::Db) -> sled::Result<R>) -> Option<R> {
        let open = self.open.as_ref()?;
        let done = catch_unwind(AssertUnwindSafe(|| step(&open.db)));
        match done {
            Ok(Ok(done)) => Some(done),
            Ok(Err(sled::Error::Io(error))) if is_full(&error) => {
                warn!(%error, "no room for the cache");
                let _ = fs::remove_file(self.dir.join("ballast"));
                None
            }
            Ok(Err(error)) => self.give_up(&error.to_string()),
            Err(_) => self.give_up("sled panicked"),
        }
    }

    fn give_up<R>(&mut self, reason: &str) -> Option<R> {
        warn!(reason, "working without a cache until the next start");
        self.open = None;

        None
    }

    /// Which chunks of the file with this root were written, one bit each; a hint, never believed.
    pub(super) fn chunks(&mut self, root: &[u8; 32]) -> Option<Vec<u8>> {
        let bits = self.with(|db| db.open_tree("chunks")?.get(root))??;

        Some(bits.to_vec())
    }

    /// Keeps the hint for one file, and forgets that of every other.
    pub(super) fn set_chunks(&mut self, root: &[u8; 32], bits: &[u8]) {
        if bits.len() > MAX_VALUE {
            return;
        }
        self.with(|db| {
            let tree = db.open_tree("chunks")?;
            let mut batch = sled::Batch::default();
            for other in tree.iter().keys().filter(|key| key.as_deref() != Ok(root.as_slice())) {
                batch.remove(other?);
            }
            batch.insert(root, bits);
            tree.apply_batch(batch)
        });
        self.flush();
    }

    /// Keeps the beginning of a message that was refused, and why; the oldest ones make room.
    pub(super) fn keep_evidence(&mut self, code: &str, message: &[u8]) {
        let head = message.get(..EVIDENCE_BYTES).unwrap_or(message);
        let value = [code.as_bytes(), b"\n", head].concat();
        self.evidence += 1;
        let number = self.evidence;
        self.with(|db| {
            let tree = db.open_tree("evidence")?;
            let mut batch = sled::Batch::default();
            batch.insert(&number.to_be_bytes(), value);
            if let Some(old) = number.checked_sub(MAX_EVIDENCE) {
                batch.remove(&old.to_be_bytes());
            }
            tree.apply_batch(batch)
        });
        self.flush();
    }

    /// Makes what was kept durable, as far as sled can.
    pub(super) fn flush(&mut self) {
        self.with(|db| db.flush());
        if let Some(open) = &self.open
            && let Err(error) = open.file.sync_data()
        {
            debug!(%error, "cannot sync the cache");
        }
    }
}

/// Does `open` on a thread of its own whose timers, and those of the threads it starts, may be late.
///
/// sled keeps seven threads for as long as the process lives, each of which looks for work once a
/// second that it would be woken for anyway. So they leave an idle gateway asleep.
fn patiently<R: Send>(open: impl FnOnce() -> R + Send) -> io::Result<R> {
    let late = || {
        // Where the system does not have it they only wake more often.
        let _ = set_current_timer_slack(NonZeroU64::new(SLACK_NS));
        open()
    };

    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, late)?;
        thread.join().map_err(|_| io::Error::other("the cache could not be opened"))
    })
}

/// Waits, for two seconds at most, until the threads of a database that was closed have let go of
/// `path`; sled would call it locked, and it would be taken for damaged.
fn await_end_of_last(path: &Path) {
    let Ok(file) = File::open(path) else { return };
    for _ in 0..400 {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(error) if error == rustix::io::Errno::WOULDBLOCK => sleep(Duration::from_millis(5)),
            // The lock goes with the handle; any other trouble is sled's to tell.
            Ok(()) | Err(_) => return,
        }
    }
}

fn last_number(tree: &sled::Tree) -> sled::Result<u64> {
    let last =
        tree.last()?.and_then(|(key, _)| key.as_ref().try_into().ok().map(u64::from_be_bytes));

    Ok(last.unwrap_or(0))
}

/// sled syncs neither its configuration nor any folder.
fn sync_tree(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            sync_tree(&path)?;
        } else {
            File::open(&path)?.sync_all()?;
        }
    }

    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_cache_is_set_aside_and_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        drop(Cache::open(dir.path().into()));
        fs::write(dir.path().join("policy/conf"), b"rubbish that is longer than a few bytes")
            .unwrap();

        let (mut cache, problem) = Cache::open(dir.path().into());

        assert!(problem.is_some());
        cache.set_chunks(&[1; 32], &[7]);
        assert_eq!(cache.chunks(&[1; 32]), Some(vec![7]));
        assert!(dir.path().join("policy.damaged").exists());
    }

    #[test]
    fn a_database_that_is_still_being_closed_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let (mut cache, _) = Cache::open(dir.path().into());
        cache.set_chunks(&[1; 32], &[7]);
        // Another handle of the same database, as one of sled's threads has it.
        let late = cache.open.as_ref().unwrap().db.clone();
        drop(cache);
        let closing = std::thread::spawn(move || {
            sleep(Duration::from_millis(50));
            drop(late);
        });

        let (mut cache, problem) = Cache::open(dir.path().into());

        assert_eq!(problem, None);
        assert_eq!(cache.chunks(&[1; 32]), Some(vec![7]));
        closing.join().unwrap();
    }

    #[test]
    fn timers_of_what_sled_starts_may_be_late() {
        let slack = || {
            let started = std::thread::spawn(|| {
                let own = rustix::thread::gettid().as_raw_nonzero();
                fs::read_to_string(format!("/proc/{own}/timerslack_ns")).unwrap()
            });
            started.join().unwrap().trim().parse::<u64>().unwrap()
        };

        assert_eq!(patiently(slack).unwrap(), SLACK_NS);
        assert_ne!(slack(), SLACK_NS, "and no others");
    }

    #[test]
    fn only_the_file_being_fetched_has_a_hint() {
        let dir = tempfile::tempdir().unwrap();
        let (mut cache, _) = Cache::open(dir.path().into());

        cache.set_chunks(&[1; 32], &[7]);
        cache.set_chunks(&[2; 32], &[8]);

        assert_eq!(cache.chunks(&[1; 32]), None);
        assert_eq!(cache.chunks(&[2; 32]), Some(vec![8]));
    }

    #[test]
    fn evidence_is_bounded_in_number_and_size() {
        let dir = tempfile::tempdir().unwrap();
        let (mut cache, _) = Cache::open(dir.path().into());
        for _ in 0..MAX_EVIDENCE + 10 {
            cache.keep_evidence("fork", &[0; 100_000]);
        }

        let tree = cache.open.as_ref().unwrap().db.open_tree("evidence").unwrap();
        assert_eq!(tree.len() as u64, MAX_EVIDENCE);
        assert!(tree.iter().values().all(|value| value.unwrap().len() <= MAX_VALUE));
    }

    #[test]
    fn an_agent_without_a_cache_works() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("cache");
        fs::write(&file, b"a file where the folder should be").unwrap();

        let (mut cache, problem) = Cache::open(file);

        assert!(problem.is_some());
        cache.set_chunks(&[1; 32], &[7]);
        assert_eq!(cache.chunks(&[1; 32]), None);
    }
}
