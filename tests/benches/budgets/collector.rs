//! Records into PostgreSQL, verified, durable: the way of `collect --stick --postgres`, whose work is
//! that of `collect --broker` without the broker.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use gateward_agent::journal::Piece;
use gateward_agent::upload::{batch, stick};
use gateward_control::collect::{Carried, Database, Destination, StickOptions};
use gateward_control::enroll::Enrolled;
use gateward_core::audit::{
    Authentication, Credential, Head, MAX_RECORD, Outcome, Ratchet, Record, UnixMillis, Who,
};
use gateward_core::decide::Reason;
use gateward_core::name::Uuid;
use gateward_core::time::{TimeQuality, UnixSeconds};
use gateward_core::token::Lookup;
use gateward_core::trust::{Checkpoint, Incarnation, SEALED_LEN, SigningKey};
use gateward_tests::{Deck, Postgres, Stopwatch};

use super::table::Table;

/// As many as a gateway writes in a busy day.
const RECORDS: u64 = 200_000;
/// As many as a batch of 128 KiB holds, about.
const OF_A_BATCH: u64 = 1_000;

/// Shows how many records a second a collector brings into a database that syncs each commit.
pub(crate) fn collector(table: &Table) {
    let deck = Deck::new();
    let database = Postgres::durable(&deck.logs().join("postgres.log"));
    let file = deck.root().join("stick");
    write(&deck, &file);
    let url = database.url();
    let options = StickOptions {
        dir: deck.dir(),
        to: Destination::Postgres(Database { url, password: None, ca: None }),
        stick: file,
        receipt: deck.root().join("receipt"),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    let watch = Stopwatch::start();
    let carried = runtime.block_on(Carried::take(&options)).expect("they are taken");
    let seconds = watch.elapsed().as_secs_f64();
    assert_eq!((carried.records, carried.trouble), (RECORDS, None));
    assert_eq!(database.number("SELECT count(*) FROM gateward.record"), RECORDS);

    let rate = RECORDS as f64 / seconds;
    table.at_least("collector into PostgreSQL, records a second", rate, "/s", 20_000.0);
    let bytes = database.number(
        "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits \
         WHERE inhparent = 'gateward.record'::regclass",
    );
    table.show("a record in PostgreSQL, indexes included", bytes as f64 / RECORDS as f64, "B");
}

/// Writes what a gateway would carry.
fn write(deck: &Deck, file: &Path) {
    let key = SigningKey::from_bytes(&[7; 32]);
    let enrolled = Enrolled {
        gateway: "edge-7a".to_owned(),
        group: "plant-7".to_owned(),
        incarnation: Incarnation([1; 8]),
        key: key.verifying_key(),
        audit: Ratchet::new([3; 32]),
    };
    enrolled.save(&deck.dir()).expect("an enrolment can be written");
    let (id, account) = (enrolled.id(deck.account()), deck.account());
    let (mut ratchet, mut head) = (enrolled.audit.clone(), Head::START);
    let mut out = BufWriter::new(File::create(file).expect("a file can be made"));
    out.write_all(&stick::MAGIC).expect("a file can be written");
    for first in (1..RECORDS).step_by(usize::try_from(OF_A_BATCH).expect("it fits")) {
        let last = first + OF_A_BATCH - 1;
        let (before, mut records) = (head, Vec::new());
        for seq in first..=last {
            add(seq, &mut head, &mut ratchet, &mut records);
        }
        let piece = Piece { first, last, before, after: head, snapshot: None, records };
        let checkpoint = Checkpoint {
            gateway: id,
            incarnation: enrolled.incarnation,
            number: last,
            head,
            time: UnixSeconds(1_782_864_000),
            boot: 1,
        };
        let mut buffer = [0; SEALED_LEN];
        let checkpoint = checkpoint.sign(account, &key, &mut buffer).expect("it fits");
        let message = batch::encode(id, enrolled.incarnation, &piece, checkpoint);
        let message = message.expect("records can be compressed");
        let len = u32::try_from(message.len()).expect("a batch is short");
        out.write_all(&len.to_le_bytes()).expect("a file can be written");
        out.write_all(&message).expect("a file can be written");
    }
    out.flush().expect("a file can be written");
}

/// One decision as a busy gateway writes them.
fn add(seq: u64, head: &mut Head, ratchet: &mut Ratchet, records: &mut Vec<u8>) {
    let resource = format!("device/line-7/press-{:06}", seq % 1_000);
    let record = Record {
        seq,
        boot: 1,
        created_at: UnixMillis(1_782_864_000_000 + seq * 5),
        quality: TimeQuality::Synced,
        authentication: Authentication::ApiToken,
        principal: Some(Who { id: Uuid([9; 16]), name: "ana.ruiz@plant-7.example" }),
        credential: Credential::Verified(Lookup { kind: 1, id: seq % 50 }),
        action: Some("device/write"),
        division: Some(Uuid([4; 16])),
        resource: Some(&resource),
        path: Some("/iot/api/v1/device"),
        snapshot_version: 7,
        ..Record::new(Outcome::Allow(Reason::Ok))
    };
    let mut buffer = [0; MAX_RECORD];
    let len = record.encode(&mut buffer).expect("it fits");
    let bytes = buffer.get(..len).expect("it is as long as it says");
    *head = head.next(bytes);
    records.extend(u16::try_from(len).expect("a record is short").to_le_bytes());
    records.extend_from_slice(bytes);
    records.extend(ratchet.tag(head));
    ratchet.step();
}
