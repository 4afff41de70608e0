//! What a record costs whoever asks where nobody waits for the disk: the CPU of the thread that decides, and
//! that of the journal's thread.

use std::time::Duration;

use gateward_agent::identity::Identity;
use gateward_agent::journal::{Draft, Durability, Journal, Options, Stamp};
use gateward_core::audit::{Outcome, Ratchet, Text};
use gateward_core::decide::Reason;
use gateward_core::name::Uuid;
use gateward_core::trust::{GatewayId, Incarnation, SigningKey};
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::table::Table;
use crate::world::RESOURCE;

/// Who asks at once, and how often each.
const CALLERS: u32 = 64;
const EACH: u32 = 2_000;

/// Shows what a record adds to a decision.
pub(crate) fn interval(table: &Table) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let (gateway, incarnation) = (GatewayId([1; 16]), Incarnation([2; 8]));
    let identity = Identity {
        gateway: "edge-7a".to_owned(),
        incarnation,
        key: SigningKey::from_bytes(&[3; 32]),
        audit: Ratchet::new([4; 32]),
    };
    let options = Options {
        account: Uuid([5; 16]),
        sync: Durability::Interval(Duration::from_millis(50)),
        max_bytes: 512 << 20,
        drop_oldest: false,
        boot: 1,
        now: Stamp::default(),
    };
    let opened = Journal::open(folder.path(), gateway, &identity, options).expect("our folder");
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (own, all) = (cpu(ClockId::ThreadCPUTime), cpu(ClockId::ProcessCPUTime));
    runtime.block_on(async {
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            callers.spawn(ask(opened.journal.clone()));
        }
        callers.join_all().await;
    });
    let (own, all) = (cpu(ClockId::ThreadCPUTime) - own, cpu(ClockId::ProcessCPUTime) - all);
    let records = f64::from(CALLERS * EACH);
    table.at_most("audit interval, added to a decision", own / records * 1e6, "us", 1.5);
    table.show("  and on the journal's thread", (all - own) / records * 1e6, "us");
}

async fn ask(journal: Journal) {
    for _ in 0..EACH {
        let mut draft = Draft::new(Outcome::Allow(Reason::Ok), Stamp::default());
        draft.resource = Text::untrusted(RESOURCE);
        journal.append(draft).await.expect("there is room");
    }
}

/// Seconds.
fn cpu(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);

    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
