//! Stores that were tampered with, and policies tried on what was recorded.

mod proof;
mod replay;
mod roots;
mod witnesses;

use std::fs;
use std::path::Path;

use gateward_agent::journal::Piece;
use gateward_agent::journal::json::{Line, Origin};
use gateward_agent::upload::batch;
use gateward_agent::upload::stick::MAGIC;
use gateward_core::audit::{Head, MAX_RECORD, Ratchet, Record, SnapshotName};
use gateward_core::name::Uuid;
use gateward_core::time::{TimeQuality, UnixSeconds};
use gateward_core::trust::{Checkpoint, Incarnation, SEALED_LEN, SigningKey, Status};

use crate::enroll::Enrolled;

/// A gateway and the collector that believes it: what both write down of records.
struct Kept {
    enrolled: Enrolled,
    key: SigningKey,
    account: Uuid,
    ratchet: Ratchet,
    head: Head,
    seq: u64,
    snapshot: Option<SnapshotName>,
    batches: Vec<Vec<u8>>,
    lines: Vec<String>,
}

impl Kept {
    fn new(account: Uuid, gateway: &str, group: &str, incarnation: u8) -> Self {
        let key = SigningKey::from_bytes(&[incarnation; 32]);
        let ratchet = Ratchet::new([incarnation ^ 0x55; 32]);
        let enrolled = Enrolled {
            gateway: gateway.to_owned(),
            group: group.to_owned(),
            incarnation: Incarnation([incarnation; 8]),
            key: key.verifying_key(),
            audit: ratchet.clone(),
        };
        let (batches, lines) = (Vec::new(), Vec::new());

        Self {
            enrolled,
            key,
            account,
            ratchet,
            head: Head::START,
            seq: 0,
            snapshot: None,
            batches,
            lines,
        }
    }

    fn origin(&self) -> Origin {
        Origin {
            account: self.account,
            gateway: self.enrolled.id(self.account),
            incarnation: self.enrolled.incarnation,
        }
    }

    /// Writes records as one batch.
    fn write(&mut self, records: &[Record<'_>]) {
        let (before, first, in_force) = (self.head, self.seq + 1, self.snapshot);
        let (origin, mut bytes) = (self.origin(), Vec::new());
        for record in records {
            self.seq += 1;
            let record = Record { seq: self.seq, boot: 1, ..*record };
            let mut buffer = [0; MAX_RECORD];
            let len = record.encode(&mut buffer).unwrap();
            self.head = self.head.next(&buffer[..len]);
            self.snapshot = record.snapshot.or(self.snapshot);
            bytes.extend(u16::try_from(len).unwrap().to_le_bytes());
            bytes.extend(&buffer[..len]);
            bytes.extend(self.ratchet.tag(&self.head));
            self.ratchet.step();
            self.lines.push(Line::of(&record, &origin, self.snapshot, &self.head).to_json());
        }
        let piece = Piece {
            first,
            last: self.seq,
            before,
            after: self.head,
            snapshot: in_force,
            records: bytes,
        };
        let checkpoint = Checkpoint {
            gateway: origin.gateway,
            incarnation: origin.incarnation,
            number: self.seq,
            head: self.head,
            time: UnixSeconds(1),
            boot: 1,
        };
        let mut sealed = [0; SEALED_LEN];
        let sealed = checkpoint.sign(self.account, &self.key, &mut sealed).unwrap();
        let message = batch::encode(origin.gateway, origin.incarnation, &piece, sealed).unwrap();
        self.batches.push(message);
    }

    /// What it says of itself when it has written so many records, of which no receipt covers the last.
    fn status(&self, audit_number: u64, backlog: u64) -> Vec<u8> {
        let Origin { gateway, incarnation, .. } = self.origin();
        let status = Status {
            gateway,
            incarnation,
            boot: 1,
            keyset: 1,
            version: 1,
            root8: [1; 8],
            revoked_counter: 0,
            floor_time: UnixSeconds(1),
            audit_number,
            audit_head: self.head,
            backlog,
            time_quality: TimeQuality::Synced,
            gone: false,
        };

        status.sign(self.account, &self.key, &mut [0; SEALED_LEN]).unwrap().to_vec()
    }

    fn batches_file(&self) -> Vec<u8> {
        let mut file = MAGIC.to_vec();
        for batch in &self.batches {
            file.extend(u32::try_from(batch.len()).unwrap().to_le_bytes());
            file.extend(batch);
        }

        file
    }

    fn lines_file(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }

    /// Puts both files where a collector has them.
    fn save(&self, folder: &Path) {
        let name = &self.enrolled.gateway;
        fs::write(folder.join(format!("{name}.batches")), self.batches_file()).unwrap();
        fs::write(folder.join(format!("{name}.jsonl")), self.lines_file()).unwrap();
        fs::write(folder.join("events.jsonl"), "{\"event\":\"gap\"}\n").unwrap();
    }
}
