//! A delta: what comes of it is a snapshot of good shape, or nothing.

use gateward_core::snapshot::build::VerifierLen;
use gateward_core::snapshot::delta::{Broken, Delta, Mark, NotApplied, Sink, make};
use gateward_core::snapshot::{chunk, unsigned};
use gateward_core::trust::Root;

use crate::fixture::{account, fixture};
use crate::snapshot::{contents, read};
use crate::{Input, heap, is_a_message};

/// Bytes of a delta before its shape: format and root of the base.
const HEAD: usize = 33;
/// A delta may be as long as this makes it; the file that comes of it is not in proportion to it.
const MARKS: usize = 4_096;

pub(super) fn run(data: &[u8]) {
    let mut input = Input(data);
    match input.way(3) {
        0 => arrived(input.rest()),
        1 => arrived(&[&[1], &base().0[..], input.rest()].concat()),
        _ => made(input),
    }
}

/// The root of the snapshot in force.
fn base() -> Root {
    chunk::root_of(fixture().bytes(), 15).expect("a file of ours")
}

/// What is written, as long as it is no longer than was said.
struct File {
    bytes: Vec<u8>,
    len: usize,
}

impl Sink for File {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        assert!(self.bytes.len() + bytes.len() <= self.len, "longer than was said");
        self.bytes.extend(bytes);

        Ok(())
    }
}

/// Applies a delta to the snapshot in force.
fn arrived(bytes: &[u8]) {
    if let Err(why) = applied(bytes) {
        is_a_message(&why.to_string());
    }
}

fn applied(bytes: &[u8]) -> Result<Vec<u8>, NotApplied> {
    let delta = heap::within(0, || Delta::read(bytes))?;
    assert!(delta.room() * 4 <= bytes.len(), "more marks than bytes");
    let mut marks = [Mark::default(); MARKS];
    let marks = marks.get_mut(..delta.room()).ok_or(NotApplied::NoRoom)?;
    let verified = fixture().verified();
    let ready = heap::within(0, || delta.on(verified, marks))?;
    assert_eq!(delta.base(), base());
    let len = ready.file_len() as usize;
    assert!(len <= verified.bytes().len() + 64 * bytes.len(), "a file out of proportion");
    let mut file = File { bytes: Vec::with_capacity(len), len };
    heap::within(0, || ready.write(&mut file))?;
    assert_eq!(file.bytes.len(), len, "shorter than was said");
    good(&file.bytes, bytes);

    Ok(file.bytes)
}

/// What comes of a delta is read like any other file; where its shape is good, the delta that is
/// made of both leads there too.
fn good(file: &[u8], bytes: &[u8]) {
    read(file);
    if unsigned(file).is_err() {
        return;
    }
    let old = fixture().bytes();
    if let Ok(again) = make(old, file, 15) {
        assert!(again.len() <= bytes.len(), "a longer way than the one that was given");
        assert_eq!(again.get(..HEAD), bytes.get(..HEAD));
    }
}

/// From the snapshot in force to any other of the same divisions, and then with bytes exchanged.
fn made(mut input: Input<'_>) {
    let (mut newer, _) = account();
    let other = contents(&mut input);
    let [people, tokens, resources, gone] = input.array();
    let known: Vec<_> = newer.principals.keys().copied().collect();
    for (key, mut one) in other.principals.into_iter().take(usize::from(people % 8)) {
        one.scope = gateward_core::snapshot::build::Scope::All;
        newer.principals.insert(key, one);
    }
    for (id, mut token) in other.tokens.into_iter().take(usize::from(tokens % 16)) {
        token.principal = known.get(usize::from(tokens) % known.len()).copied().unwrap_or(1);
        newer.tokens.insert(id, token);
    }
    for (key, _) in other.resources.into_iter().take(usize::from(resources % 8)) {
        newer.resources.insert(key, None);
    }
    let doomed: Vec<_> = newer.tokens.keys().copied().take(usize::from(gone % 16)).collect();
    newer.tokens.retain(|id, _| !doomed.contains(id));
    newer.suspended = gone >= 128;
    let Ok(file) = newer.compile(VerifierLen::Full) else { return };
    if unsigned(&file[..]).is_err() {
        return;
    }
    let delta = make(fixture().bytes(), &file, 15).expect("only records differ");
    let got = applied(&delta).expect("it leads there");
    assert!(got == file, "another file than the one that was compiled");
    let mut bad = delta;
    while !input.is_over() {
        let (at, byte) = (usize::from(input.u16()) % bad.len(), input.byte());
        bad.iter_mut().skip(at).take(1).for_each(|place| *place ^= byte);
    }
    arrived(&bad);
}
