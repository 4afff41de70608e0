//! Calls that tell the time, decide, and write down what was decided.
#![expect(unsafe_code, reason = "the C interface is called as C calls it")]

use gateward::*;

use super::Call;
use super::args::{Bytes, BytesMut, Run, at};
use super::pool::What;
use super::rules;
use super::trust::{calls, place};
use crate::cast::NOW;

calls! {
    gateward_clock_start clock_start;
    gateward_clock_now clock_now;
    gateward_clock_keep clock_keep;
    gateward_beacon_take beacon_take;
    gateward_token_read token_read;
    gateward_token_clear token_clear;
    gateward_token_lookup token_lookup;
    gateward_ask_prepare ask_prepare;
    gateward_check check;
    gateward_check_text check_text;
    gateward_reason_name reason_name;
    gateward_principal_name principal_name;
    gateward_division_name division_name;
    gateward_permission_name permission_name;
    gateward_permission_find permission_find;
    gateward_record_start record_start;
    gateward_record_encode record_encode;
    gateward_chain_next chain_next;
}

/// A number of which nearly all are small.
fn long(run: &mut Run<'_>) -> u64 {
    match run.input.byte() {
        n @ 0..=223 => n.into(),
        _ => run.input.u64(),
    }
}

fn short(run: &mut Run<'_>) -> u32 {
    match run.input.byte() {
        n @ 0..=223 => n.into(),
        _ => run.input.u32(),
    }
}

fn clock_start(run: &mut Run<'_>) -> Status {
    let build = NOW.0.saturating_add(long(run)) - 100;
    let (floor, mono) = (run.floor(), long(run));
    let clock = run.storage(place!(run.clocks));
    // SAFETY: every pointer is null or leads to what its length says, as far as it can be read.
    unsafe { gateward_clock_start(build, floor, mono, clock) }
}

fn clock_now(run: &mut Run<'_>) -> Status {
    let clock = run.stored(place!(run.clocks));
    let (mono, shown) = (long(run).saturating_mul(1_000), run.shown());
    let to = run.result(place!(run.now));
    // SAFETY: as above.
    unsafe { gateward_clock_now(clock, mono, at(shown.as_ref()), to) }
}

fn clock_keep(run: &mut Run<'_>) -> Status {
    let clock = run.stored(place!(run.clocks));
    let (mono, shown) = (long(run), run.shown());
    let (until, floor) = (NOW.0.saturating_add(long(run)), run.floor());
    // SAFETY: as above.
    unsafe { gateward_clock_keep(clock, mono, at(shown.as_ref()), until, floor) }
}

fn beacon_take(run: &mut Run<'_>) -> Status {
    let keys = run.stored(place!(run.keys));
    let (audience, floor, now) = (run.audience(), run.floor(), run.now());
    let beacon = run.bytes(What::Beacon);
    let time = at(now.as_ref());
    // SAFETY: as above.
    let status =
        unsafe { gateward_beacon_take(keys, audience, floor, time, beacon.at, beacon.len) };
    rules::time_was_said(status, now.as_ref());

    status
}

fn token_read(run: &mut Run<'_>) -> Status {
    let Bytes { at, len } = run.bytes(What::Token);
    let token = run.storage(place!(run.tokens));
    // SAFETY: as above.
    unsafe { gateward_token_read(at, len, token) }
}

fn token_clear(run: &mut Run<'_>) -> Status {
    let token = run.storage(place!(run.tokens));
    // SAFETY: as above.
    let status = unsafe { gateward_token_clear(token) };
    if status == GATEWARD_OK {
        // SAFETY: it was filled, so it is there.
        let words = unsafe { token.cast::<[u64; GATEWARD_TOKEN_WORDS]>().read() };
        assert_eq!(words, [0; GATEWARD_TOKEN_WORDS], "something of a token is left");
    }

    status
}

fn token_lookup(run: &mut Run<'_>) -> Status {
    let token = run.stored(place!(run.tokens));
    let to = run.result(place!(run.lookup));
    // SAFETY: as above.
    unsafe { gateward_token_lookup(token, to.cast()) }
}

fn ask_prepare(run: &mut Run<'_>) -> Status {
    let snapshot = run.stored(place!(run.snapshots));
    let request = run.request();
    let ask = run.storage(place!(run.asks));
    // SAFETY: as above.
    unsafe { gateward_ask_prepare(snapshot, at(request.as_ref()), ask) }
}

fn check(run: &mut Run<'_>) -> Status {
    let snapshot = run.stored(place!(run.snapshots));
    let ask = run.stored(place!(run.asks));
    let (token, now) = (run.stored(place!(run.tokens)), run.now());
    let to = run.own(place!(run.decision));
    // SAFETY: as above; the bits of a revocation list stay until the run ends.
    let status = unsafe { gateward_check(snapshot, ask, token, at(now.as_ref()), to) };
    rules::time_was_said(status, now.as_ref());
    rules::a_decision_can_be_meant(status, to);

    status
}

fn check_text(run: &mut Run<'_>) -> Status {
    let snapshot = run.stored(place!(run.snapshots));
    let (request, text) = (run.request(), run.bytes(What::Token));
    let now = run.now();
    let to = run.own(place!(run.decision));
    let (asked, time) = (at(request.as_ref()), at(now.as_ref()));
    // SAFETY: as above.
    let status = unsafe { gateward_check_text(snapshot, asked, text.at, text.len, time, to) };
    rules::time_was_said(status, now.as_ref());
    rules::a_decision_can_be_meant(status, to);
    if status == GATEWARD_OK {
        rules::in_steps_it_is_the_same(snapshot, asked, text, time, to);
    }

    status
}

fn reason_name(run: &mut Run<'_>) -> Status {
    let reason = short(run);
    let to = run.result(place!(run.name));
    // SAFETY: as above.
    let status = unsafe { gateward_reason_name(reason, to) };
    rules::a_name_is_text(status, to);

    status
}

fn principal_name(run: &mut Run<'_>) -> Status {
    let snapshot = run.stored(place!(run.snapshots));
    let principal = short(run);
    let (name, id) = (run.result(place!(run.name)), run.result(place!(run.id)));
    if name.cast() == id {
        return GATEWARD_OK;
    }
    // SAFETY: as above, and the two results are apart.
    let status = unsafe { gateward_principal_name(snapshot, principal, name, id.cast()) };
    rules::a_name_is_text(status, name);

    status
}

fn division_name(run: &mut Run<'_>) -> Status {
    let snapshot = run.stored(place!(run.snapshots));
    let index = short(run);
    let (name, id) = (run.result(place!(run.name)), run.result(place!(run.id)));
    if name.cast() == id {
        return GATEWARD_OK;
    }
    // SAFETY: as above, and the two results are apart.
    let status = unsafe { gateward_division_name(snapshot, index, name, id.cast()) };
    rules::a_name_is_text(status, name);

    status
}

fn permission_name(run: &mut Run<'_>) -> Status {
    let snapshot = run.stored(place!(run.snapshots));
    let permission = short(run);
    let to = run.result(place!(run.name));
    // SAFETY: as above.
    let status = unsafe { gateward_permission_name(snapshot, permission, to) };
    rules::a_name_is_text(status, to);

    status
}

fn permission_find(run: &mut Run<'_>) -> Status {
    let snapshot = run.stored(place!(run.snapshots));
    let Bytes { at, len } = run.bytes(What::Text);
    let to = run.result(place!(run.long));
    // SAFETY: as above.
    unsafe { gateward_permission_find(snapshot, at, len, to) }
}

fn record_start(run: &mut Run<'_>) -> Status {
    let snapshot = run.stored(place!(run.snapshots));
    let held = place!(run.decision);
    // SAFETY: the arena is there.
    let mut decision = unsafe { held.read() };
    match run.input.byte() {
        0..=223 => {}
        224..=239 => decision.principal = short(run),
        _ => decision.verdict = short(run),
    }
    let now = run.now();
    let to = run.own(place!(run.record));
    // SAFETY: as above.
    let status =
        unsafe { gateward_record_start(snapshot, &raw const decision, at(now.as_ref()), to) };
    rules::time_was_said(status, now.as_ref());

    status
}

/// The record that was started last, with some of it said otherwise.
fn record(run: &mut Run<'_>) -> Record {
    let held = place!(run.record);
    // SAFETY: the arena is there; the record in it is zero or what the interface stored.
    let mut record = unsafe { held.read() };
    let changes = run.input.byte() % 8;
    for _ in 0..changes {
        let (which, number, wide) = (run.input.byte() % 24, short(run), run.input.byte());
        match which {
            0 => record.seq = number.into(),
            1 => record.created_at_ms = u64::from(number) << (wide % 40),
            2 => record.mono_ms = u64::from(number) << (wide % 40),
            3 => (record.snapshot_epoch, record.snapshot_root) = (number, run.id32()),
            4 => record.token_id = number.into(),
            5 => (record.span_first, record.has_span) = (number.into(), (wide % 3).into()),
            6 => record.quality = number,
            7 => record.outcome = number,
            8 => record.reason = number,
            9 => record.authentication = number,
            10 => record.credential = number,
            11 => record.token_kind = number,
            12 => record.operation = number,
            13 => record.permission = number,
            14 => record.method = number,
            15 => record.stale = number,
            16 => record.count = number,
            17 => record.dropped_before = number,
            18 => record.route = number,
            19 => (record.division_id, record.principal_id) = (run.bytes16(), run.bytes16()),
            20 => record.principal_name = run.text(),
            21 => (record.action, record.resource) = (run.text(), run.text()),
            22 => (record.path, record.request_id) = (run.text(), run.text()),
            _ => (record.source_kind, record.source) = (number % 9, run.bytes16()),
        }
    }

    record
}

fn record_encode(run: &mut Run<'_>) -> Status {
    let record = record(run);
    let BytesMut { at, len } = run.memory(GATEWARD_RECORD_SIZE);
    let before = rules::copy(BytesMut { at, len });
    let to = run.result(place!(run.size));
    // SAFETY: as above; the pointers in the record are null or lead to what they say.
    let status = unsafe { gateward_record_encode(&raw const record, at, len, to) };
    rules::a_record_can_be_read(status, BytesMut { at, len }, to, &before);

    status
}

fn chain_next(run: &mut Run<'_>) -> Status {
    let (head, key) = (run.own(place!(run.head)), run.own(place!(run.key)));
    let Bytes { at, len } = run.bytes(What::Text);
    let tag = run.own(place!(run.tag));
    // SAFETY: as above.
    unsafe { gateward_chain_next(head.cast(), key.cast(), at, len, tag.cast()) }
}
