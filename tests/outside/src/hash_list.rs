//! The list of the hashes of a file's chunks, and the chunks.

use gateward_core::snapshot::chunk::{self, HASH_LEN, HashList};
use gateward_core::trust::Manifest;

use crate::cast;
use crate::{Input, heap};

pub(super) fn run(data: &[u8]) {
    let mut input = Input(data);
    let (way, chunk_log2) = (input.way(2), 12 + input.byte() % 3);
    let file = file(&mut input);
    let Some(manifest) = cast::manifest(&file, chunk_log2) else { return };
    let list: Vec<u8> = chunk::leaves(&file, chunk_log2).flatten().collect();
    if way == 0 {
        assert_eq!(arrived(input.rest(), &manifest), input.rest() == list);
    } else {
        changed(input, list.clone(), &manifest);
    }
    chunks(input, &file, &list, &manifest);
}

/// A file of up to 16 chunks, of few different bytes.
fn file(input: &mut Input<'_>) -> Vec<u8> {
    let len = 80 + usize::from(input.u16());
    let pattern = match input.bytes(7) {
        [] => &[0],
        some => some,
    };

    pattern.iter().copied().cycle().take(len).collect()
}

/// Returns whether a list is believed; then it can be read to its end.
fn arrived(bytes: &[u8], manifest: &Manifest) -> bool {
    match heap::within(0, || HashList::check(bytes, manifest)) {
        Ok(list) => {
            assert_eq!(list.bytes(), bytes);
            assert_eq!(list.chunk_count() as usize * HASH_LEN, bytes.len());
            let lens = (0..list.chunk_count()).map(|at| list.chunk_len(at).expect("a chunk"));
            assert_eq!(lens.sum::<u32>(), manifest.file_len());
            assert_eq!(list.chunk_len(list.chunk_count()), None);
            true
        }
        Err(why) => {
            cast::refused(why);
            false
        }
    }
}

/// The right list with bytes exchanged, chunks swapped, or another length.
fn changed(mut input: Input<'_>, list: Vec<u8>, manifest: &Manifest) {
    let mut bytes = list.clone();
    while !input.is_over() && !bytes.is_empty() {
        let at = usize::from(input.u16()) % bytes.len();
        match input.byte() {
            0..16 => bytes.truncate(at),
            16..32 => bytes.push(0),
            32..64 => bytes.rotate_left(at - at % HASH_LEN),
            byte => bytes.iter_mut().skip(at).take(1).for_each(|place| *place ^= byte),
        }
    }

    assert_eq!(arrived(&bytes, manifest), bytes == list);
}

/// Each chunk is taken in its place and whole, and nothing else is.
fn chunks(mut input: Input<'_>, file: &[u8], list: &[u8], manifest: &Manifest) {
    let list = HashList::check(list, manifest).expect("the list of this file");
    let len = 1 << manifest.chunk_log2();
    for (at, chunk) in (0..).zip(file.chunks(len)) {
        assert!(list.accepts(at, chunk), "chunk {at} is refused");
        let other = input.byte() % 17;
        let there = file.chunks(len).nth(other.into());
        let taken = list.accepts(other.into(), chunk);
        assert_eq!(taken, there == Some(chunk), "chunk {at} for chunk {other}");
        let short = chunk.get(1..).unwrap_or_default();
        assert!(!list.accepts(at, short), "a part of chunk {at} is taken");
        let given = input.bytes(len);
        assert_eq!(list.accepts(at, given), given == chunk, "other bytes are taken for chunk {at}");
    }
}
