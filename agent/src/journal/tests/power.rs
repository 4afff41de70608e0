//! What a power cut leaves of the journal, at every step of its life and in every way.
//!
//! A sample of the cuts is made in every run, all of them with `GATEWARD_SOAK=1`.

use super::*;
use crate::platter::Platter;
use crate::upload::cursor::Cursor;

/// The folder's files as the disk under them has it, and what had been promised by then.
#[derive(Clone, Default)]
struct Recording {
    platter: Platter,
    told: Told,
    /// The disk before each step, and what was promised.
    cuts: Vec<(Platter, Told)>,
}

/// What a start must find.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Told {
    /// The last record that may not be lost, and the chain's head there.
    kept: Option<(u64, Head)>,
    /// The last record whose answer has left; with `interval` it may be lost.
    answered: u64,
}

#[derive(Clone)]
struct Recorder {
    root: PathBuf,
    recording: Arc<Mutex<Recording>>,
}

impl Recorder {
    fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), recording: Arc::default() }
    }

    fn step<T>(&self, act: impl FnOnce(&mut Platter) -> T) -> T {
        let mut recording = self.recording.lock().unwrap();
        let before = (recording.platter.clone(), recording.told);
        recording.cuts.push(before);
        act(&mut recording.platter)
    }

    fn name<'p>(&self, path: &'p Path) -> &'p Path {
        path.strip_prefix(&self.root).unwrap()
    }

    fn tell(&self, told: Told) {
        self.recording.lock().unwrap().told = told;
    }
}

impl Medium for Recorder {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Handle>> {
        let number = self.step(|platter| platter.open(self.name(path)));
        let file = Real.open(path)?;

        Ok(Box::new(RecordedFile { file, number, recorder: self.clone() }))
    }

    fn link(&self, path: &Path, other: &Path) -> io::Result<()> {
        self.step(|platter| platter.link(self.name(path), self.name(other)));
        Real.link(path, other)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step(|platter| platter.rename(self.name(from), self.name(to)));
        Real.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step(|platter| platter.remove(self.name(path)));
        Real.remove(path)
    }

    // The disk that the tests' folders are on is not asked to sync.
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.step(|platter| platter.sync_folder(self.name(folder)));
        Ok(())
    }
}

struct RecordedFile {
    file: Box<dyn Handle>,
    number: usize,
    recorder: Recorder,
}

impl Handle for RecordedFile {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.recorder.step(|platter| platter.write_file(self.number, offset, bytes));
        self.file.write_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.recorder.step(|platter| platter.sync_file(self.number));
        Ok(())
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.recorder.step(|platter| platter.cut_file(self.number, len));
        self.file.cut(len)
    }
}

/// A journal so small that it begins segments, and drops them, all the time.
fn small(sync: Durability, boot: u32) -> Options {
    Options { sync, max_bytes: 12 << 10, drop_oldest: true, ..options(boot) }
}

/// Writes `drafts` as one and notes what was promised with it.
fn serve(writer: &mut writer::Writer, recorder: &Recorder, told: &mut Told, count: usize) {
    let commands = (0..count).map(|_| Command::Append(Box::new(draft()), None));
    let before = writer.chain.seq;
    assert!(writer.serve(commands).is_empty());
    assert!(writer.chain.seq >= before + count as u64, "there is room, as something goes for it");
    told.answered = writer.chain.seq;
    told.kept = Some((writer.durable.0.seq, writer.durable.0.head));
    recorder.tell(*told);
}

/// A life with everything in it that changes files: records, segments, receipts, what is dropped and
/// a restart.
fn life(sync: Durability, folder: &Path) -> Vec<(Platter, Told)> {
    let recorder = Recorder::new(folder);
    let mut told = Told::default();
    // Little is receipted, so that what nobody else holds goes.
    for boot in 1..=2 {
        let medium: Arc<dyn Medium> = Arc::new(recorder.clone());
        let (mut writer, found) =
            recover::recover(medium, folder, GATEWAY, &identity(), small(sync, boot)).unwrap();
        assert_eq!((found.gap, found.damaged), (None, vec![]));
        assert!(
            writer.serve([Command::DropWhile(room::always())].into_iter()).is_empty(),
            "nobody waits"
        );
        for round in 0..60 {
            serve(&mut writer, &recorder, &mut told, 1 + round % 5);
            if round % 3 == 2 {
                writer.flush();
                told.kept = Some((writer.durable.0.seq, writer.durable.0.head));
                recorder.tell(told);
            }
            if round % 7 == 6 {
                writer.tidy();
            }
            if boot == 1 && round == 19 {
                let (through, head) = told.kept.unwrap();
                let cursor = Cursor { incarnation: identity().incarnation, through, head };
                cursor.store_on(&recorder, folder).unwrap();
                let release = Command::Release(through, Stamp::default());
                assert!(writer.serve([release].into_iter()).is_empty());
            }
        }
        let held = writer.released.max(writer.held_before);
        let first = writer.segments.front().unwrap().first;
        assert!(boot == 1 || first > held + 1, "{first} is behind {held}: some were dropped");
        // The first is killed, with a segment that is as long as they become, and not synced.
        while boot == 1 && writer.segments.back().unwrap().bytes < 1536 {
            serve(&mut writer, &recorder, &mut told, 1);
        }
        if boot == 2 {
            writer.flush();
            writer.sign();
            writer.tidy();
        }
    }

    std::mem::take(&mut *recorder.recording.lock().unwrap()).cuts
}

/// How many cuts there were, and what was found.
#[derive(Debug, Default)]
struct Count {
    steps: usize,
    cuts: usize,
    gaps: usize,
    aside: usize,
    said: usize,
}

/// Cuts the power at every step of a life, in every way, and starts again on what is left.
fn cut_everywhere(sync: Durability) -> Count {
    let folder = tempfile::tempdir().unwrap();
    let cuts = life(sync, folder.path());
    let every = std::env::var_os("GATEWARD_SOAK").is_some();
    let mut count = Count { steps: cuts.len(), ..Count::default() };
    let mut at = 0;
    for (step, (platter, told)) in cuts.iter().enumerate() {
        for left in platter.ways() {
            at += 1;
            // No period of the life is a multiple of this.
            if every || at % 89 == 0 {
                let what = format!("{sync:?}, cut before step {step}, {left:?}");
                starts_again(sync, &platter.cut(left), told, &what, &mut count);
                count.cuts += 1;
            }
        }
    }

    count
}

fn starts_again(
    sync: Durability,
    files: &std::collections::BTreeMap<PathBuf, Vec<u8>>,
    told: &Told,
    what: &str,
    count: &mut Count,
) {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let folder = folder.unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    let cursor = Cursor::load(folder.path()).map_or(0, |cursor| cursor.through);
    let start = |boot| {
        let options = small(sync, boot);
        recover::recover(Arc::new(Real), folder.path(), GATEWAY, &identity(), options).unwrap()
    };
    let (mut writer, found) = start(8);
    let (kept, head) = told.kept.unwrap_or((0, Head::START));

    assert!(found.last >= kept || cursor >= kept, "{what}: {found:?}, {told:?}");
    assert!(found.gap.is_none_or(|(first, _)| first > kept), "{what}: {found:?}, {told:?}");
    assert!(!found.lost_key, "{what}");
    count.gaps += usize::from(found.gap.is_some());
    count.aside += usize::from(!found.damaged.is_empty());
    if found.last < told.answered {
        assert!(matches!(sync, Durability::Interval(_)), "{what}: {found:?}, {told:?}");
        assert!(found.unsynced.is_some() || found.last == 0, "{what}: it says so");
        count.said += 1;
    }
    if kept > 0 && found.last >= kept && cursor < kept {
        let there = Reader::head_after(folder.path(), kept).unwrap();
        assert!(there.is_none_or(|there| there == head), "{what}: another record {kept}");
    }

    // It goes on: one record more, then all that is there follows from each other and is signed for.
    writer.permission = Some(room::always());
    let answer = writer.commit([draft()].iter());
    assert!(answer[0].is_ok(), "{what}: {answer:?}");
    writer.flush();
    writer.sign();
    writer.tidy();
    let last = writer.chain.seq;
    drop(writer);
    let by = Signer { account: ACCOUNT, gateway: GATEWAY, key: identity().key.verifying_key() };
    let verified =
        verify_signed(folder.path(), &by).unwrap_or_else(|b| panic!("{what}: {found:?}: {b}"));
    assert_eq!((verified.span.unwrap().1, verified.signed), (last, Some(last)), "{what}");
    let first = recover::list(folder.path()).unwrap()[0];
    let mut counted = 0;
    let dropped = walk(folder.path(), |_, record, _| {
        counted += u64::from(record.count) * u64::from(record.resource == Some(writer::DROPPED));
    });
    dropped.unwrap();
    assert!(counted < first, "{what}: {counted} are said to have gone before {first}");
    if first > cursor + 1 {
        let owned = verified.gaps.iter().any(|(from, to)| *from <= cursor + 1 && *to >= first - 1);
        assert!(owned, "{what}: {:?} before {first}, receipted to {cursor}", verified.gaps);
    }
    let (_, again) = start(9);
    assert_eq!((again.last, again.gap, again.cut), (last, None, 0), "{what}: mended once");
}

#[test]
fn i8_a_power_cut_at_any_step_loses_no_record_whose_answer_has_left() {
    let count = cut_everywhere(Durability::Group);
    print_count("group", &count);
    assert!(count.steps > 300 && count.cuts > 80 && count.said == 0, "{count:?}");
}

#[test]
fn i8_with_an_interval_a_power_cut_loses_what_was_not_synced_and_the_journal_says_so() {
    let count = cut_everywhere(Durability::Interval(Duration::from_millis(50)));
    print_count("interval", &count);
    assert!(count.steps > 300 && count.cuts > 80 && count.said > 0, "{count:?}");
}

#[test]
fn i8_after_a_stop_no_power_cut_takes_anything_and_the_last_record_is_signed_for() {
    let (folder, sync) =
        (tempfile::tempdir().unwrap(), Durability::Interval(Duration::from_secs(3_600)));
    let recorder = Recorder::new(folder.path());
    let medium: Arc<dyn Medium> = Arc::new(recorder.clone());
    let (mut writer, _) =
        recover::recover(medium, folder.path(), GATEWAY, &identity(), options(1)).unwrap();
    writer.options.sync = sync;
    let answered = writer.commit([draft()].iter())[0].unwrap().seq;
    // The last words are more than what was asked for.
    (writer.is_told, writer.level) = (true, crate::journal::room::Level::High);
    writer.last_words().unwrap();
    let (seq, head) = (writer.chain.seq, writer.chain.head);
    assert_eq!(seq, answered + 1);
    drop(writer);

    let platter = recorder.recording.lock().unwrap().platter.clone();
    let told = Told { kept: Some((seq, head)), answered: seq };
    let by = Signer { account: ACCOUNT, gateway: GATEWAY, key: identity().key.verifying_key() };
    for left in platter.ways() {
        let left_on_disk = platter.cut(left);
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in &left_on_disk {
            fs::write(folder.path().join(name), content).unwrap();
        }
        assert_eq!(verify_signed(folder.path(), &by).unwrap().signed, Some(seq), "{left:?}");
        for name in ["key", "mark"] {
            let path = folder.path().join(name);
            let (_, slot) = slots::newer(&path, identity().incarnation).unwrap();
            assert_eq!(slot.unwrap().number, seq, "{name}, {left:?}");
        }
        let what = format!("after a stop, {left:?}");
        starts_again(sync, &left_on_disk, &told, &what, &mut Count::default());
    }
}

#[test]
fn i8_a_power_cut_while_a_start_mends_the_journal_leaves_no_hole_unsaid() {
    let folder = tempfile::tempdir().unwrap();
    let small = Options { max_bytes: 32 << 10, ..options(1) };
    let mut writer = counted::writer_on(Arc::new(Real), folder.path(), small);
    while recover::list(folder.path()).unwrap().len() < 3 {
        writer.commit([draft()].iter())[0].unwrap();
    }
    (0..6).for_each(|_| drop(writer.commit([draft()].iter())));
    writer.last_words().unwrap();
    drop(writer);
    let newest = *recover::list(folder.path()).unwrap().last().unwrap();
    let path = segment_path(folder.path(), newest);
    let mut bytes = fs::read(&path).unwrap();
    let second = ends(&bytes)[1] + 20;
    bytes[second] ^= 1;
    fs::write(&path, bytes).unwrap();
    let recorder = Recorder::new(folder.path());
    recorder.recording.lock().unwrap().platter = Platter::of(folder.path(), &[]);
    let medium: Arc<dyn Medium> = Arc::new(recorder.clone());
    let (_, found) =
        recover::recover(medium, folder.path(), GATEWAY, &identity(), options(2)).unwrap();
    let hole = found.gap.unwrap();
    assert_eq!(hole.0, newest + 1);

    let cuts = std::mem::take(&mut *recorder.recording.lock().unwrap()).cuts;
    for (step, (platter, _)) in cuts.iter().enumerate() {
        for left in platter.ways() {
            let folder = tempfile::tempdir_in(folder.path()).unwrap();
            for (name, content) in &platter.cut(left) {
                fs::write(folder.path().join(name), content).unwrap();
            }
            let start =
                recover::recover(Arc::new(Real), folder.path(), GATEWAY, &identity(), options(3));
            start.unwrap();
            let gaps = verify(folder.path()).unwrap().gaps;
            assert_eq!(gaps, [hole], "cut before step {step}, {left:?}");
        }
    }
}

#[expect(clippy::print_stderr, reason = "tests/soak shows what was cut")]
fn print_count(of: &str, count: &Count) {
    eprintln!("power cuts, {of}: {count:?}");
}
