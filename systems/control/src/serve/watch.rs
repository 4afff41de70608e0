//! Notices that a policy folder, or its keys, has changed.
//!
//! What counts is the stamp of each file: length, time and number. The kernel says when to look; once
//! a second it is looked at in any case, since a folder may lie where the kernel is not told.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io;
use tokio::io::unix::AsyncFd;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tracing::debug;

use crate::keys::KEYS;
use crate::policy::{POLICY, SERVICE_USERS, TOKENS, USERS};

const TICK: Duration = Duration::from_secs(1);

/// What tells one content of a file from another; none where it is not there.
type Stamp = Option<(u64, i64, i64, u64)>;

/// A folder that is watched.
#[derive(Debug)]
pub(super) struct Watch {
    dir: PathBuf,
    seen: Vec<Stamp>,
    kernel: Option<AsyncFd<OwnedFd>>,
    ticks: Interval,
}

impl Watch {
    /// Begins; what is there now is no change.
    pub(super) fn begin(dir: &Path) -> Self {
        let kernel = notices(dir);
        if let Err(error) = &kernel {
            debug!(%error, "the kernel does not tell of changes; they are looked for every second");
        }
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);

        Self { dir: dir.to_owned(), seen: stamps(dir), kernel: kernel.ok(), ticks }
    }

    /// Waits for a change. It may be given up and called again.
    pub(super) async fn changed(&mut self) {
        loop {
            let now = stamps(&self.dir);
            if now != self.seen {
                self.seen = now;
                return;
            }
            let Self { kernel, ticks, .. } = self;
            tokio::select! {
                () = told(kernel.as_ref()) => {}
                _ = ticks.tick() => {}
            }
        }
    }
}

/// Returns what `read` does, and whether no file has moved meanwhile: whoever saves one in place may be
/// half done.
pub(super) fn unmoved<T>(dir: &Path, read: impl FnOnce() -> T) -> (T, bool) {
    let before = stamps(dir);
    let what = read();

    (what, stamps(dir) == before)
}

fn stamps(dir: &Path) -> Vec<Stamp> {
    let files = [POLICY, USERS, SERVICE_USERS, TOKENS, KEYS].map(|name| dir.join(name));
    let stamp = |path: PathBuf| {
        let facts = fs::metadata(path).ok()?;
        Some((facts.len(), facts.mtime(), facts.mtime_nsec(), facts.ino()))
    };

    files.into_iter().map(stamp).collect()
}

#[expect(deprecated, reason = "sound for a descriptor that is owned; what replaces it is unsafe")]
fn notices(dir: &Path) -> std::io::Result<AsyncFd<OwnedFd>> {
    let kernel = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    // Not each write: a file that is being written is no policy yet.
    let of = WatchFlags::CLOSE_WRITE | WatchFlags::MOVE | WatchFlags::DELETE;
    for folder in [dir.to_owned(), dir.join(KEYS)] {
        inotify::add_watch(&kernel, folder, of)?;
    }

    AsyncFd::new(kernel)
}

/// Waits until the kernel says anything, and takes all of it: the stamps say what it was.
async fn told(kernel: Option<&AsyncFd<OwnedFd>>) {
    let Some(kernel) = kernel else { return std::future::pending().await };
    let Ok(mut ready) = kernel.readable().await else { return std::future::pending().await };
    let mut words = [0; 4_096];
    while io::read(kernel.get_ref(), &mut words).is_ok_and(|len| len > 0) {}
    ready.clear_ready();
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;
    use crate::accounts::{Accounts, Kind};
    use crate::policy::PrincipalStatus;
    use crate::testing::{NOW, folder};

    #[test]
    fn what_is_saved_while_it_is_read_counts_as_moved() {
        let dir = folder();
        let save = || fs::write(dir.path().join(USERS), "half").unwrap();

        assert!(unmoved(dir.path(), || ()).1);
        assert!(!unmoved(dir.path(), save).1);
    }

    const SOON: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_file_written_in_place_renamed_or_removed_is_a_change_and_a_look_is_none() {
        let dir = folder();
        let path = |name: &str| dir.path().join(name);
        for has_kernel in [true, false] {
            fs::create_dir_all(path(KEYS)).unwrap();
            let mut watch = Watch::begin(dir.path());
            assert!(watch.kernel.is_some());
            watch.kernel = watch.kernel.filter(|_| has_kernel);
            let mut next = async |what: &str| {
                timeout(SOON, watch.changed()).await.unwrap_or_else(|_| panic!("{what}"));
            };

            let text = fs::read_to_string(path(POLICY)).unwrap();
            fs::write(path(POLICY), text + "\n").unwrap();
            next("written in place").await;
            Accounts::open(dir.path(), NOW)
                .unwrap()
                .set_status(
                    Kind::User,
                    "bo",
                    if has_kernel { PrincipalStatus::Disabled } else { PrincipalStatus::Active },
                )
                .unwrap();
            next("put in its place by a command").await;
            fs::write(path("beside"), "x").unwrap();
            fs::rename(path("beside"), path(TOKENS)).unwrap();
            next("put in its place").await;
            fs::remove_file(path(TOKENS)).unwrap();
            next("removed").await;
            fs::write(path(KEYS).join(format!("keyset-{has_kernel}")), "x").unwrap();
            next("a key set").await;
        }
    }
}
