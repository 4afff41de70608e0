//! The audit on disk: a record, a segment, and a journal that is opened on whatever lies there.

mod folder;

use gateward_agent::journal::{self, json, json::Origin};
use gateward_core::audit::{Head, MAX_RECORD, Record, TAG_LEN};
use gateward_core::token::crc32;

use crate::cast::{ACCOUNT, GATEWAY, INCARNATION};
use crate::{Input, heap, is_a_message};

/// Bytes of a segment's head, and of a frame beside its record.
const HEAD_LEN: usize = 136;
const FRAMING: usize = 2 + 4 + TAG_LEN;

pub(super) fn run(data: &[u8]) {
    let mut input = Input(data);
    match input.way(4) {
        0 => record(input.rest()),
        1 => segment(input.rest()),
        2 => segment(&framed(&mut input).1),
        _ => folder::opened(input),
    }
}

/// A record has one spelling.
fn record(bytes: &[u8]) {
    match heap::within(0, || Record::decode(bytes)) {
        Ok(record) => {
            let mut buffer = [0; MAX_RECORD];
            let len = record.encode(&mut buffer).expect("what was read fits");
            assert_eq!(buffer.get(..len), Some(bytes), "a second spelling of a record");
            shown(&record);
        }
        Err(why) => is_a_message(&why.to_string()),
    }
}

/// What is shown of a record is one line, whoever wrote the record.
fn shown(record: &Record<'_>) {
    let origin = Origin { account: ACCOUNT, gateway: GATEWAY, incarnation: INCARNATION };
    let json = json::line(record, &origin, None, &Head::START);
    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "not JSON: {json}");
    for line in [json, json::human(record)] {
        assert!(!line.chars().any(char::is_control), "a record forges a line: {line:?}");
    }
}

/// The records of a segment are consecutive, and the chain goes over their bytes and no others.
fn segment(bytes: &[u8]) {
    let (mut count, mut len, mut last) = (0_u64, HEAD_LEN, None::<(u64, Head)>);
    let read = heap::within(0, || {
        journal::segment(bytes, |record, head| {
            let mut buffer = [0; MAX_RECORD];
            let written = record.encode(&mut buffer).expect("what was read fits");
            count += 1;
            len += FRAMING + written;
            last = Some((record.seq, *head));
        })
    });
    let Some((head, end)) = read else { return };
    assert!(end == len && end <= bytes.len(), "what was read is not what lies there");
    match last {
        None => assert_eq!(count, 0),
        Some((seq, after)) => {
            assert_eq!(seq, head.first.saturating_sub(1) + count);
            assert!(after != head.before, "a record that leaves no mark");
        }
    }
}

/// A segment whose checksums are right, whatever it says, with the number of its first record.
fn framed(input: &mut Input<'_>) -> (u64, Vec<u8>) {
    let first = match input.byte() {
        0..160 => 1,
        160..224 => u64::from(input.byte()),
        _ => input.u64(),
    };
    let ours = input.byte() < 240;
    let mut bytes = head(first, ours, input);
    while !input.is_over() {
        let len = usize::from(input.u16() % 1024);
        let record = input.bytes(len);
        let tag = [0; TAG_LEN];
        let size = u16::try_from(record.len()).unwrap_or(u16::MAX).to_le_bytes();
        bytes.extend(size);
        bytes.extend(crc32(&[&size, record, &tag]).to_le_bytes());
        bytes.extend(record);
        bytes.extend(tag);
    }

    (first, bytes)
}

fn head(first: u64, ours: bool, input: &mut Input<'_>) -> Vec<u8> {
    let mut bytes = b"GWDAUDT1".to_vec();
    bytes.extend(if ours { GATEWAY.0 } else { [9; 16] });
    bytes.extend(INCARNATION.0);
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(first.to_le_bytes());
    bytes.extend(Head::START.0);
    bytes.extend(input.u32().to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend([input.byte(); 44]);
    bytes.extend(crc32(&[&bytes]).to_le_bytes());

    bytes
}

/// The bytes of a segment, for the seeds.
pub(super) fn framed_bytes(input: &[u8]) -> Vec<u8> {
    framed(&mut Input(input)).1
}
