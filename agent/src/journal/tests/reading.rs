//! Whoever carries records away reads them while they are written, and passes over what cannot be read.

use super::*;

#[tokio::test]
async fn a_reader_says_what_it_cannot_read_and_goes_on_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let small = Options { max_bytes: 64 << 10, ..options(1) };
    let opened = Journal::open(folder.path(), GATEWAY, &identity(), small).unwrap();
    for _ in 0..900 {
        opened.journal.append(draft()).await.unwrap();
    }
    let firsts = recover::list(folder.path()).unwrap();
    let path = segment_path(folder.path(), firsts[1]);
    let whole = fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(97).chain([whole.len() - 1]) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();

        let mut reader = opened.journal.records().reader(1);
        let mut seen = Vec::new();
        let mut broken = Vec::new();
        loop {
            match reader.next(900, 1 << 20) {
                Ok(Some(piece)) => seen.extend(piece.first..=piece.last),
                Ok(None) => break,
                Err(NotRead::Damaged { from, next, .. }) => broken.push((from, next.unwrap())),
                Err(error) => panic!("{error}"),
            }
        }
        let [(from, next)] = broken[..] else { panic!("byte {at}: {broken:?}") };
        assert!((firsts[1]..next).contains(&from) && next == firsts[2], "byte {at}");
        assert!(seen.into_iter().eq((1..from).chain(next..=900)), "byte {at}");
    }
    fs::write(&path, whole).unwrap();
    close(opened).await;
}

#[tokio::test]
async fn a_reader_goes_through_every_record_across_segments_while_they_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let small = Options { max_bytes: 64 << 10, ..options(1) };
    let opened = Journal::open(folder.path(), GATEWAY, &identity(), small).unwrap();
    let mut reader = opened.journal.records().reader(1);
    let (mut next, mut head) = (1, Head::START);
    for _ in 0..4 {
        for _ in 0..100 {
            opened.journal.append(draft()).await.unwrap();
        }
        let durable = opened.journal.status().seq;
        while let Some(piece) = reader.next(durable, 1000).unwrap() {
            assert_eq!((piece.first, piece.before), (next, head));
            assert!(piece.records.len() <= 1000);
            (next, head) = (piece.last + 1, piece.after);
            assert_eq!(Reader::head_after(folder.path(), piece.last).unwrap(), Some(head));
        }
        assert_eq!((next, head), (durable + 1, opened.journal.status().head));
    }
    assert_eq!(Reader::head_after(folder.path(), next).unwrap(), None);
    close(opened).await;
}
