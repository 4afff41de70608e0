//! The walk along the batches; what stands beside them is compared on a thread of its own, since to
//! make it again takes longer than to follow the chain.

use std::io;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use gateward_agent::journal::json::Origin;
use gateward_agent::proof::{Follower, Mistake, Mistakes};
use gateward_core::audit::{Head, Record, SnapshotName};
use gateward_core::name::Uuid;

use super::super::steps::Batches;
use super::beside::{Beside, Form, Proved};
use super::{Asked, Keys};

/// How many batches may wait to be compared.
const AHEAD: usize = 4;

/// Records of one batch that the chain proves.
#[derive(Debug)]
struct Batch {
    origin: Origin,
    /// The records as they are encoded, one after the other.
    bytes: Vec<u8>,
    records: Vec<One>,
}

/// One record of a batch.
#[derive(Debug)]
struct One {
    len: usize,
    snapshot: Option<SnapshotName>,
    head: Head,
}

/// Follows the batches and holds what stands beside them against their records; returns how much of that stood
/// before the first batch as well.
pub(super) fn follow<F: Form + Send>(
    batches: impl Batches,
    beside: Beside<F>,
    account: Uuid,
    asked: &Asked<'_>,
) -> io::Result<(Follower, u64)> {
    let keys = asked.keys;
    let mut follower = Follower::new(!asked.begins_later);
    let (mistakes, unproved) = thread::scope(|scope| {
        let (to, from) = sync_channel(AHEAD);
        let comparing = scope.spawn(move || compare(&from, beside));
        let read = batches.each(&mut |step| {
            let Some(message) = step.heed(&mut follower) else { return };
            if let Some(batch) = prove(&mut follower, message, account, keys) {
                // One that compares no more says below why.
                let _gone = to.send(batch);
            }
        });
        drop(to);
        let compared = comparing.join().unwrap_or_else(|panic| resume_unwind(panic));
        read.and(compared)
    })?;
    follower.note_all(mistakes);

    Ok((follower, unproved))
}

/// Follows one batch; returns the records that it adds.
fn prove(
    follower: &mut Follower,
    message: &[u8],
    account: Uuid,
    keys: Option<&Keys>,
) -> Option<Batch> {
    let (mut unknown, mut batch) = (None, None::<Batch>);
    let known = |gateway, incarnation| {
        let known = keys.and_then(|keys| keys.known(gateway, incarnation));
        unknown = (keys.is_some() && known.is_none()).then_some(incarnation);
        known
    };
    follower.take(message, known, |at, entry, snapshot| {
        let batch = batch.get_or_insert_with(|| Batch {
            origin: Origin { account, gateway: at.gateway, incarnation: at.incarnation },
            bytes: Vec::new(),
            records: Vec::new(),
        });
        batch.bytes.extend_from_slice(entry.bytes);
        batch.records.push(One { len: entry.bytes.len(), snapshot, head: entry.head });
    });
    if let Some(incarnation) = unknown {
        follower.note(Mistake::Unknown(incarnation));
    }

    batch
}

fn compare<F: Form>(from: &Receiver<Batch>, mut beside: Beside<F>) -> io::Result<(Mistakes, u64)> {
    for Batch { origin, bytes, records } in from {
        let (origin, mut rest) = (&origin, bytes.as_slice());
        for One { len, snapshot, head } in &records {
            let (bytes, after) = rest.split_at_checked(*len).unwrap_or_default();
            // It was decoded before, or it would not be proved.
            let record = Record::decode(bytes).map_err(io::Error::other)?;
            beside.hold(&Proved { record, origin, snapshot: *snapshot, head })?;
            rest = after;
        }
    }

    beside.finish()
}
