//! What a record costs whoever asks, at the journal itself: where nobody waits for the disk, the CPU of the
//! thread that decides, and that of the journal's thread; where all do, how many share a sync.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use gateward_agent::identity::Identity;
use gateward_agent::journal::{Draft, Durability, Journal, Options, Stamp};
use gateward_core::audit::{Outcome, Ratchet, Text};
use gateward_core::decide::Reason;
use gateward_core::name::Uuid;
use gateward_core::trust::{GatewayId, Incarnation, SigningKey};
use gateward_tests::Stopwatch;
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Builder;
use tokio::task::LocalSet;

use crate::ROUNDS;
use crate::agent::middle;
use crate::table::Table;
use crate::world::RESOURCE;

/// Who asks at once, and how often each.
const CALLERS: u32 = 64;
const EACH: u32 = 2_000;
/// How long records are written in one run of a rate.
const SLICE: Duration = Duration::from_millis(500);

/// Shows what a record adds to a decision.
pub(crate) fn interval(table: &Table) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let journal = open(folder.path(), Durability::Interval(Duration::from_millis(50)));
    let (own, all) = (cpu(ClockId::ThreadCPUTime), cpu(ClockId::ProcessCPUTime));
    at_once(CALLERS, || {
        let journal = journal.clone();
        async move {
            for _ in 0..EACH {
                append(&journal).await;
            }
        }
    });
    let (own, all) = (cpu(ClockId::ThreadCPUTime) - own, cpu(ClockId::ProcessCPUTime) - all);
    let records = f64::from(CALLERS * EACH);
    table.at_most("audit interval, added to a decision", own / records * 1e6, "us", 1.5);
    table.show("  and on the journal's thread", (all - own) / records * 1e6, "us");
}

/// Shows how many share a sync that would otherwise have one each.
pub(crate) fn group(table: &Table) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let journal = open(folder.path(), Durability::Group);
    let (mut alone, mut together) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.push(rate(&journal, 1));
        together.push(rate(&journal, CALLERS));
    }
    let (alone, together) = (middle(alone.into_iter()), middle(together.into_iter()));
    table.show("audit group, one sync a record", alone, "/s");
    table.show(&format!("audit group, {CALLERS} callers"), together, "/s");
    table.at_least("  ratio", together / alone, "", 20.0);
}

fn open(folder: &Path, sync: Durability) -> Journal {
    let (gateway, incarnation) = (GatewayId([1; 16]), Incarnation([2; 8]));
    let identity = Identity {
        gateway: "edge-7a".to_owned(),
        incarnation,
        key: SigningKey::from_bytes(&[3; 32]),
        audit: Ratchet::new([4; 32]),
    };
    let options = Options {
        account: Uuid([5; 16]),
        sync,
        max_bytes: 512 << 20,
        drop_oldest: false,
        boot: 1,
        now: Stamp::default(),
    };

    Journal::open(folder, gateway, &identity, options).expect("our folder").journal
}

/// Records a second of so many callers, each of whom has the next when the one before is durable.
fn rate(journal: &Journal, callers: u32) -> f64 {
    let (watch, written) = (Stopwatch::start(), Rc::new(Cell::new(0_u32)));
    at_once(callers, || {
        let (journal, written) = (journal.clone(), Rc::clone(&written));
        async move {
            while watch.elapsed() < SLICE {
                append(&journal).await;
                written.set(written.get() + 1);
            }
        }
    });

    f64::from(written.get()) / watch.elapsed().as_secs_f64()
}

fn at_once<F: Future<Output = ()> + 'static>(callers: u32, call: impl Fn() -> F) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let all = LocalSet::new();
    for _ in 0..callers {
        all.spawn_local(call());
    }
    runtime.block_on(all);
}

async fn append(journal: &Journal) {
    let mut draft = Draft::new(Outcome::Allow(Reason::Ok), Stamp::default());
    draft.resource = Text::untrusted(RESOURCE);
    journal.append(draft).await.expect("there is room");
}

/// Seconds.
fn cpu(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);

    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
