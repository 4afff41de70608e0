//! What sync tells becomes events of the audit.

use core::convert::Infallible;

use gateward_core::audit::{Event, SnapshotName};
use gateward_core::trust::{Root, Version};
use tokio::sync::mpsc;
use tracing::warn;

use crate::journal::{Draft, Journal};
use crate::now::TrustedClock;
use crate::sync::Notice;

/// Writes down every notice until there are no more.
pub(crate) async fn write(
    mut notices: mpsc::Receiver<Notice>,
    journal: Journal,
    time: TrustedClock,
) -> Result<(), Infallible> {
    while let Some(notice) = notices.recv().await {
        let Some(draft) = draft(&notice, &time) else { continue };
        if let Err(error) = journal.append(draft).await {
            warn!(%error, ?notice, "an event was not written down");
        }
    }

    Ok(())
}

/// An event about one snapshot, which it names whole.
pub(crate) fn about(event: Event, version: Version, root: Root, time: &TrustedClock) -> Draft {
    let name = SnapshotName { epoch: version.epoch, number: version.number, root: root.0 };

    Draft {
        snapshot_version: version.number,
        snapshot: Some(name),
        ..Draft::event(event, time.stamp(), "")
    }
}

fn draft(notice: &Notice, time: &TrustedClock) -> Option<Draft> {
    let event = |event, particulars: &str| Some(Draft::event(event, time.stamp(), particulars));
    match notice {
        Notice::Accepted { version, root } => {
            Some(about(Event::SnapshotAccepted, *version, *root, time))
        }
        Notice::Stale { version, root } => Some(about(Event::SnapshotStale, *version, *root, time)),
        Notice::Expired { version, root } => {
            Some(about(Event::SnapshotExpired, *version, *root, time))
        }
        Notice::KeysAccepted { epoch } => event(Event::KeySetAccepted, &format!("epoch {epoch}")),
        Notice::LinkDown => event(Event::LinkDown, ""),
        Notice::LinkUp => event(Event::LinkUp, ""),
        // The file is the same; that it may be used for longer is in the status.
        Notice::Refreshed { .. } => None,
        Notice::Rejected { code, topic } => {
            // The end of a topic tells what it carries; the beginning is the account's.
            let place = topic.splitn(5, '/').last().unwrap_or_default();
            event(Event::SnapshotRejected, &format!("{code} {place}"))
        }
        Notice::Revoked { number } => event(Event::RevocationsAccepted, &format!("list {number}")),
        Notice::StorageFailed { full } => {
            event(Event::SnapshotRejected, if *full { "disk_full" } else { "disk_failed" })
        }
    }
}

#[cfg(test)]
mod tests {
    use gateward_core::audit::Outcome;
    use gateward_core::time::UnixSeconds;
    use gateward_core::trust::Floor;

    use super::*;
    use crate::clock::{Clock, Simulated};
    use crate::now::Timekeeper;

    #[test]
    fn what_happens_to_a_snapshot_is_an_event_that_names_it_whole() {
        let machine = Simulated::new(UnixSeconds(1_800_000_000));
        let time = Timekeeper::new(Clock::simulated(&machine), &Floor::default()).reader();
        let (version, root) = (Version { epoch: 2, number: 7 }, Root([5; 32]));

        for (notice, event) in [
            (Notice::Accepted { version, root }, Event::SnapshotAccepted),
            (Notice::Stale { version, root }, Event::SnapshotStale),
            (Notice::Expired { version, root }, Event::SnapshotExpired),
        ] {
            let draft = draft(&notice, &time).unwrap();
            assert_eq!(draft.outcome, Outcome::Event(event));
            assert_eq!(draft.snapshot, Some(SnapshotName { epoch: 2, number: 7, root: [5; 32] }));
        }
    }
}
