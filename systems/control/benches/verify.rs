//! How long `audit verify` takes over a million records of a collector's folder.
//!
//! Run: `cargo bench -p gateward-control --bench verify`. It fails where that takes over twice the
//! budget of 3 s; the better of three runs counts, since a machine may be shared.
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a program that measures, prints, and stops where it cannot go on"
)]

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use gateward_agent::journal::Piece;
use gateward_agent::journal::json::{self, Origin};
use gateward_agent::upload::batch;
use gateward_agent::upload::stick::MAGIC;
use gateward_control::audit::verify::{Asked, Keys, verify};
use gateward_control::collect::{batches_path, lines_path};
use gateward_control::enroll::Enrolled;
use gateward_control::keys::{self, NewAccount};
use gateward_core::audit::{
    Authentication, Credential, Head, MAX_RECORD, Method, Outcome, Ratchet, Record, SnapshotName,
    Source, UnixMillis, Who,
};
use gateward_core::decide::Reason;
use gateward_core::name::Uuid;
use gateward_core::permission::{Operation, Permission};
use gateward_core::time::{Millis, UnixSeconds};
use gateward_core::token::Lookup;
use gateward_core::trust::{Checkpoint, Incarnation, SEALED_LEN, SigningKey};

const RECORDS: u64 = 1_000_000;
const A_BATCH: u64 = 2_000;
const BUDGET: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    let temp = tempfile::tempdir().expect("a folder");
    let policy = temp.path().join("acme");
    let now_ms = 1_782_864_000_000;
    let new = NewAccount { dir: policy.clone(), name: "Acme".to_owned(), roots: None, now_ms };
    let account = keys::init(&new).expect("an account").account;
    let audit = temp.path().join("audit");
    fs::create_dir(&audit).expect("a folder");
    let bytes = write(&audit, &policy, account);
    let keys = Keys::load(&policy).expect("the keys");

    let without = best(|| look(&audit, None));
    let with = best(|| look(&audit, Some(&keys)));
    println!("records                 {RECORDS}, {} MiB of lines and batches", bytes >> 20);
    println!("heads and lines         {:.2} s", without.as_secs_f64());
    println!("tags, checkpoints too   {:.2} s (budget {} s)", with.as_secs_f64(), BUDGET.as_secs());

    if with > BUDGET * 2 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn best(mut run: impl FnMut()) -> Duration {
    let runs = (0..3).map(|_| {
        let begun = Instant::now();
        run();
        begun.elapsed()
    });

    runs.min().unwrap_or_default()
}

fn look(audit: &Path, keys: Option<&Keys>) {
    let reports = verify(audit, &Asked { keys, ..Asked::default() }).expect("a folder");
    let report = &reports[0].1;
    assert!(report.mistakes.is_empty(), "{report}");
    assert_eq!(report.seen.records, RECORDS);
    assert_eq!(report.seen.tags, if keys.is_some() { RECORDS } else { 0 });
}

/// What a collector has of a gateway that decided `RECORDS` times.
fn write(audit: &Path, policy: &Path, account: Uuid) -> u64 {
    let key = SigningKey::from_bytes(&[7; 32]);
    let mut ratchet = Ratchet::new([8; 32]);
    let enrolled = Enrolled {
        gateway: "edge-7a".to_owned(),
        group: "plant-7".to_owned(),
        incarnation: Incarnation([9; 8]),
        key: key.verifying_key(),
        audit: ratchet.clone(),
    };
    enrolled.save(policy).expect("an enrolment");
    let origin =
        Origin { account, gateway: enrolled.id(account), incarnation: enrolled.incarnation };
    let paths = [batches_path(audit, "edge-7a"), lines_path(audit, "edge-7a")];
    let [batches, lines] = paths.each_ref().map(|path| File::create(path).expect("a file"));
    let (mut batches, mut lines) = (BufWriter::new(batches), BufWriter::new(lines));
    batches.write_all(&MAGIC).expect("room");
    let snapshot = Some(SnapshotName { epoch: 1, number: 7, root: [1; 32] });
    let mut head = Head::START;
    for first in (1..=RECORDS).step_by(usize::try_from(A_BATCH).expect("small")) {
        let (before, last, mut records) = (head, first + A_BATCH - 1, Vec::new());
        for seq in first..=last {
            let path = format!("/iot/api/v1/certificate/{seq}");
            let mut record = Record { seq, path: Some(&path), ..record() };
            record.snapshot = snapshot.filter(|_| seq == 1);
            let mut buffer = [0; MAX_RECORD];
            let len = record.encode(&mut buffer).expect("a record");
            head = head.next(&buffer[..len]);
            records.extend(u16::try_from(len).expect("short").to_le_bytes());
            records.extend(&buffer[..len]);
            records.extend(ratchet.tag(&head));
            ratchet.step();
            writeln!(lines, "{}", json::line(&record, &origin, snapshot, &head)).expect("room");
        }
        let Origin { gateway, incarnation, .. } = origin;
        let time = UnixSeconds(1);
        let checkpoint = Checkpoint { gateway, incarnation, number: last, head, time, boot: 1 };
        let mut sealed = [0; SEALED_LEN];
        let sealed = checkpoint.sign(account, &key, &mut sealed).expect("room");
        let piece = Piece { first, last, before, after: head, snapshot: None, records };
        let message = batch::encode(gateway, incarnation, &piece, sealed).expect("a batch");
        let len = u32::try_from(message.len()).expect("short").to_le_bytes();
        batches.write_all(&len).and_then(|()| batches.write_all(&message)).expect("room");
    }
    batches.flush().and_then(|()| lines.flush()).expect("room");

    paths.iter().map(|path| fs::metadata(path).expect("a file").len()).sum()
}

fn record() -> Record<'static> {
    Record {
        boot: 1,
        created_at: UnixMillis(1_782_864_000_123),
        mono: Millis(100_000),
        authentication: Authentication::ApiToken,
        principal: Some(Who { id: Uuid([3; 16]), name: "ana.ruiz@acme-robotics.x" }),
        credential: Credential::Verified(Lookup { kind: 1, id: 5 }),
        action: Some("certificate/view"),
        operation: Some(Operation::Read),
        permission: Permission::new(4),
        method: Some(Method::Get),
        resource: Some("device/0123456789abcdef0"),
        source: Source::V4([10, 0, 0, 7]),
        route: Some(9),
        snapshot_version: 7,
        ..Record::new(Outcome::Allow(Reason::Ok))
    }
}
