//! The journal's life around the tasks: its first key goes, it is watched, and it is closed when they have ended.

use core::convert::Infallible;
use core::time::Duration;
use std::io;
use std::path::Path;

use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::identity::Identity;
use crate::journal::{Draft, Journal};
use crate::supervisor::{Stop, Stopped};

/// How long the journal may take to write what it has when everything else has ended.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// The name of its task.
pub(super) const JOURNAL: &str = "journal";

/// Closes the journal and waits, for a while, until everything is on disk.
pub(super) async fn close(
    journal: Journal,
    last: Draft,
    written: oneshot::Receiver<io::Result<()>>,
) -> Result<(), Stopped> {
    let closed = async {
        if journal.append(last).await.is_err() {
            warn!("that the agent stops was not written down");
        }
        drop(journal);
        written.await
    };
    let failed = |cause| Stopped::Failed { name: JOURNAL, cause };

    match timeout(LAST_WORDS, closed).await {
        Ok(Ok(ended)) => ended.map_err(|error| failed(error.into())),
        Ok(Err(_)) => Err(failed("its thread panicked".into())),
        Err(_) => Err(Stopped::Stuck(vec![JOURNAL])),
    }
}

/// Takes the first key of the audit off this disk.
pub(super) fn spend(identity: &Identity, path: &Path) {
    match identity.spend(path) {
        Ok(()) => info!("the first key of the audit is no longer on this disk"),
        Err(error) => warn!(
            %error,
            "the first key of the audit stays in `{}`: whoever steals this disk could make records anew that no \
             collector holds; let the agent write that file, or replace the digits behind `audit` by zeros",
            path.display()
        ),
    }
}

/// Ends early where the journal's thread has: a new process may do better than one that only refuses.
pub(super) async fn alive(journal: Journal, mut stop: Stop) -> Result<(), Infallible> {
    tokio::select! {
        () = journal.died() => {}
        () = stop.requested() => {}
    }

    Ok(())
}

#[cfg(test)]
mod tests {
    use gateward_core::audit::Event as Happened;

    use super::*;
    use crate::journal::Stamp;

    async fn closes(written: Option<io::Result<()>>) -> String {
        let (journal, kept) = Journal::in_memory();
        let (ended, done) = oneshot::channel();
        let last = Draft::event(Happened::Stop, Stamp::default(), "");
        let closed = async {
            match close(journal, last, done).await {
                Ok(()) => "closed".to_owned(),
                Err(stopped) => stopped.to_string(),
            }
        };
        let thread = async {
            kept.await;
            written.map(|written| ended.send(written)).unwrap_or(Ok(())).unwrap();
        };

        tokio::join!(closed, thread).0
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_that_does_not_leave_every_record_on_disk_is_no_good_end() {
        assert_eq!(closes(Some(Ok(()))).await, "closed");
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert_eq!(closes(Some(Err(full))).await, "the task `journal` failed");
        assert_eq!(closes(None).await, "the task `journal` failed", "its thread has panicked");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_does_not_wait_for_ever_for_a_disk_that_does_not_answer() {
        let (journal, _never_polled) = Journal::in_memory();
        let (_ended, done) = oneshot::channel();
        let last = Draft::event(Happened::Stop, Stamp::default(), "");

        let stopped = close(journal, last, done).await.unwrap_err();

        assert!(matches!(stopped, Stopped::Stuck(names) if names == [JOURNAL]));
    }
}
