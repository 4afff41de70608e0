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
        Notice::StorageFailed { full } => {
            event(Event::SnapshotRejected, if *full { "disk_full" } else { "disk_failed" })
        }
    }
}
