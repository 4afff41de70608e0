//! Calls that say what may be believed and what is in force.
#![expect(unsafe_code, reason = "the C interface is called as C calls it")]

use gateward::*;

use super::Call;
use super::args::{Bytes, BytesMut, Run, at};
use super::pool::What;
use super::rules;
use super::values::{Written, write};

macro_rules! calls {
    ($($name:ident $run:expr;)*) => {
        pub(super) const CALLS: &[Call] = &[$(Call { name: stringify!($name), run: $run },)*];
    };
}
pub(super) use calls;

/// The place of a field of the arena.
macro_rules! place {
    ($run:ident.$field:ident) => {
        // SAFETY: the arena is there until the run ends.
        unsafe { &raw mut (*$run.arena()).$field }
    };
}
pub(super) use place;

calls! {
    gateward_abi_version abi_version;
    gateward_strerror strerror;
    gateward_audience audience;
    gateward_floor_start floor_start;
    gateward_keys_anchor keys_anchor;
    gateward_keys_follow keys_follow;
    gateward_keys_epoch keys_epoch;
    gateward_manifest_verify manifest_verify;
    gateward_manifest_admit manifest_admit;
    gateward_manifest_info manifest_info;
    gateward_hash_list_check hash_list_check;
    gateward_chunk_write chunk_write;
    gateward_delta_room delta_room;
    gateward_delta_apply delta_apply;
    gateward_snapshot_open snapshot_open;
    gateward_snapshot_commit snapshot_commit;
    gateward_snapshot_refresh snapshot_refresh;
    gateward_snapshot_follow snapshot_follow;
    gateward_snapshot_info snapshot_info;
    gateward_revoked_room revoked_room;
    gateward_revoked_take revoked_take;
    gateward_bundle_read bundle_read;
    gateward_bundle_walk bundle_walk;
}

fn abi_version(_: &mut Run<'_>) -> Status {
    assert_eq!(gateward_abi_version(), GATEWARD_ABI_VERSION);

    GATEWARD_OK
}

fn strerror(run: &mut Run<'_>) -> Status {
    rules::sentence(Status { code: run.input.u32() });

    GATEWARD_OK
}

fn audience(run: &mut Run<'_>) -> Status {
    let (account, group) = (run.bytes16(), run.bytes(What::Text));
    let to = run.result(place!(run.id));
    // SAFETY: every pointer is null or leads to what its length says, as far as it can be read.
    unsafe { gateward_audience(account, group.at, group.len, to.cast()) }
}

fn floor_start(run: &mut Run<'_>) -> Status {
    let floor = run.floor();
    // SAFETY: as above.
    unsafe { gateward_floor_start(floor) }
}

fn keys_anchor(run: &mut Run<'_>) -> Status {
    let Bytes { at, len } = run.bytes(What::KeySet);
    let account = run.bytes16();
    let keys = run.storage(place!(run.keys));
    // SAFETY: as above.
    unsafe { gateward_keys_anchor(at, len, account, keys) }
}

fn keys_follow(run: &mut Run<'_>) -> Status {
    let keys = run.storage(place!(run.keys));
    let Bytes { at, len } = run.bytes(What::KeySet);
    let floor = run.floor();
    // SAFETY: as above.
    unsafe { gateward_keys_follow(keys, at, len, floor) }
}

fn keys_epoch(run: &mut Run<'_>) -> Status {
    let keys = run.stored(place!(run.keys));
    let to = run.result(place!(run.short));
    // SAFETY: as above.
    unsafe { gateward_keys_epoch(keys, to) }
}

fn manifest_verify(run: &mut Run<'_>) -> Status {
    let keys = run.stored(place!(run.keys));
    let (audience, Bytes { at, len }) = (run.audience(), run.bytes(What::Manifest));
    let manifest = run.storage(place!(run.manifests));
    // SAFETY: as above.
    unsafe { gateward_manifest_verify(keys, audience, at, len, manifest) }
}

fn manifest_admit(run: &mut Run<'_>) -> Status {
    let manifest = run.stored(place!(run.manifests));
    let keys = run.stored(place!(run.keys));
    let (floor, now) = (run.floor(), run.now());
    // SAFETY: as above.
    let status = unsafe { gateward_manifest_admit(manifest, keys, floor, at(now.as_ref())) };
    rules::time_was_said(status, now.as_ref());

    status
}

fn manifest_info(run: &mut Run<'_>) -> Status {
    let manifest = run.stored(place!(run.manifests));
    let to = run.result(place!(run.fields));
    // SAFETY: as above.
    unsafe { gateward_manifest_info(manifest, to) }
}

fn hash_list_check(run: &mut Run<'_>) -> Status {
    let manifest = run.stored(place!(run.manifests));
    let Bytes { at, len } = run.bytes(What::List);
    let list = run.storage(place!(run.lists));
    // SAFETY: as above; the bytes stay until the run ends.
    unsafe { gateward_hash_list_check(manifest, at, len, list) }
}

/// The writer of a call: it takes some pieces, or it is none.
fn writer(run: &mut Run<'_>) -> (Write, Written) {
    let choice = run.input.byte();
    let until = if choice < 224 { usize::MAX } else { usize::from(choice % 8) };
    let write: Write = if choice == 255 { None } else { Some(write) };

    (write, Written { until, ..Written::default() })
}

fn chunk_write(run: &mut Run<'_>) -> Status {
    let list = run.stored(place!(run.lists));
    let index = match run.input.byte() {
        n @ 0..=199 => u32::from(n % 4 / 3),
        _ => run.input.u32(),
    };
    let (chunk, (write, mut to)) = (run.bytes(What::File), writer(run));
    let context = to.context();
    // SAFETY: as above, and the writer takes what it is given.
    let status = unsafe { gateward_chunk_write(list, index, chunk.at, chunk.len, write, context) };
    rules::a_chunk_is_written_whole_or_not(status, &to);

    status
}

fn delta_room(run: &mut Run<'_>) -> Status {
    let Bytes { at, len } = run.bytes(What::Delta);
    let to = run.result(place!(run.size));
    // SAFETY: as above.
    unsafe { gateward_delta_room(at, len, to) }
}

fn delta_apply(run: &mut Run<'_>) -> Status {
    let base = run.stored(place!(run.snapshots));
    let target = run.stored(place!(run.manifests));
    let delta = run.bytes(What::Delta);
    let mut room = 4_096_usize;
    if run.input.byte().is_multiple_of(2) {
        // SAFETY: as above; where it fails, there is more room than any of ours needs.
        let _room_or_not = unsafe { gateward_delta_room(delta.at, delta.len, &raw mut room) };
    }
    let (BytesMut { at, len }, (write, mut to)) = (run.memory(room), writer(run));
    let context = to.context();
    // SAFETY: as above, and the writer takes what it is given.
    let status =
        unsafe { gateward_delta_apply(base, target, delta.at, delta.len, at, len, write, context) };
    rules::a_delta_leads_to_its_target(status, target, &to);

    status
}

fn snapshot_open(run: &mut Run<'_>) -> Status {
    let manifest = run.stored(place!(run.manifests));
    let keys = run.stored(place!(run.keys));
    let (floor, now) = (run.floor(), run.now());
    let file = run.bytes(What::File);
    let snapshot = run.storage(place!(run.snapshots));
    let time = at(now.as_ref());
    // SAFETY: as above; the file stays until the run ends.
    let status =
        unsafe { gateward_snapshot_open(manifest, keys, floor, time, file.at, file.len, snapshot) };
    rules::time_was_said(status, now.as_ref());

    status
}

fn snapshot_commit(run: &mut Run<'_>) -> Status {
    let snapshot = run.stored(place!(run.snapshots));
    let floor = run.floor();
    // SAFETY: as above.
    unsafe { gateward_snapshot_commit(snapshot, floor) }
}

fn snapshot_refresh(run: &mut Run<'_>) -> Status {
    let snapshot = run.storage(place!(run.snapshots));
    let manifest = run.stored(place!(run.manifests));
    let keys = run.stored(place!(run.keys));
    let (floor, now) = (run.floor(), run.now());
    // SAFETY: as above.
    let status =
        unsafe { gateward_snapshot_refresh(snapshot, manifest, keys, floor, at(now.as_ref())) };
    rules::time_was_said(status, now.as_ref());

    status
}

fn snapshot_follow(run: &mut Run<'_>) -> Status {
    let snapshot = run.storage(place!(run.snapshots));
    let keys = run.stored(place!(run.keys));
    let floor = run.floor();
    // SAFETY: as above.
    unsafe { gateward_snapshot_follow(snapshot, keys, floor) }
}

fn snapshot_info(run: &mut Run<'_>) -> Status {
    let snapshot = run.stored(place!(run.snapshots));
    let to = run.result(place!(run.fields));
    // SAFETY: as above.
    unsafe { gateward_snapshot_info(snapshot, to) }
}

fn revoked_room(run: &mut Run<'_>) -> Status {
    let snapshot = run.stored(place!(run.snapshots));
    let to = run.result(place!(run.size));
    // SAFETY: as above.
    unsafe { gateward_revoked_room(snapshot, to) }
}

fn revoked_take(run: &mut Run<'_>) -> Status {
    let snapshot = run.storage(place!(run.snapshots));
    let keys = run.stored(place!(run.keys));
    let (audience, floor) = (run.audience(), run.floor());
    let list = run.bytes(What::Revoked);
    let kept = u64::from(run.input.byte() % 4);
    let mut room = 0;
    // SAFETY: as above; where it fails, the call fails too.
    let _room_or_not = unsafe { gateward_revoked_room(snapshot, &raw mut room) };
    let bits = run.bits(room);
    let before = rules::copy(bits);
    // SAFETY: as above; the bits stay until the run ends.
    let status = unsafe {
        gateward_revoked_take(
            snapshot, keys, audience, floor, list.at, list.len, kept, bits.at, bits.len,
        )
    };
    rules::bits_change_only_on_success(status, bits, &before);

    status
}

fn bundle_read(run: &mut Run<'_>) -> Status {
    let Bytes { at, len } = run.bytes(What::Bundle);
    let to = run.own(place!(run.bundle));
    // SAFETY: as above.
    unsafe { gateward_bundle_read(at, len, to) }
}

fn bundle_walk(run: &mut Run<'_>) -> Status {
    let Bytes { at, len } = run.bytes(What::Bundle);
    let keys = run.storage(place!(run.keys));
    let floor = run.floor();
    // SAFETY: as above.
    unsafe { gateward_bundle_walk(at, len, keys, floor) }
}
