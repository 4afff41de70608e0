//! What the files hold of refusals that were counted.

use super::faults::{Faults, Faulty};
use super::room::burst;
use super::*;

fn refused() -> Draft {
    let outcome = Outcome::Deny(Reason::UnknownToken);

    Draft { asked: Some(0), ..Draft::new(outcome, Stamp::default()) }
}

/// The counts of all records of refusals, in order.
fn counts(folder: &Path) -> Vec<u32> {
    counts_of(folder, |outcome| matches!(outcome, Outcome::Deny(_)))
}

/// What the journal says it could not write, in order.
pub(super) fn owned(folder: &Path) -> Vec<u32> {
    counts_of(folder, |outcome| outcome == Outcome::Event(Event::AuditFailed))
}

fn counts_of(folder: &Path, wanted: impl Fn(Outcome) -> bool) -> Vec<u32> {
    let mut counts = Vec::new();
    let walked = walk(folder, |_, record, _| {
        if wanted(record.outcome) {
            counts.push(record.count);
        }
    });
    walked.unwrap();

    counts
}

#[tokio::test]
async fn i6_ten_thousand_equal_refusals_are_a_few_records_and_all_are_in_them() {
    let folder = tempfile::tempdir().unwrap();
    let opened = open(folder.path(), 1);

    assert_eq!(burst(&opened.journal, refused, 10_000).await, 10_000);
    close(opened).await;

    let counts = counts(folder.path());
    assert_eq!(counts.iter().sum::<u32>(), 10_000);
    // A machine that is slow may need some seconds for them; each ends with two records.
    assert!(counts.len() < 100, "{counts:?}");
    assert!(verify(folder.path()).is_ok());
}

#[tokio::test]
async fn n7_the_first_refusal_is_durable_before_its_answer_and_the_others_name_its_record() {
    let folder = tempfile::tempdir().unwrap();
    let opened = open(folder.path(), 1);

    let first = opened.journal.append(refused()).await.unwrap();
    // What a power cut leaves.
    assert_eq!(counts(folder.path()), [1]);
    let second = opened.journal.append(refused()).await.unwrap();

    assert_eq!(first, second);
    close(opened).await;
    assert_eq!(counts(folder.path()), [1, 1]);
}

#[tokio::test]
async fn i5_where_the_disk_fails_no_refusal_passes_for_recorded_and_none_counted_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let faults = Arc::new(Mutex::new(Faults::default()));
    let medium = Arc::new(Faulty(Arc::clone(&faults)));
    let opened = Journal::open_on(medium, folder.path(), GATEWAY, &identity(), options(1)).unwrap();
    let journal = &opened.journal;
    for _ in 0..3 {
        journal.append(refused()).await.unwrap();
    }

    *faults.lock().unwrap() = Faults { fail_writes: true, fail_syncs: false };
    // Something that must be written shows that nothing can be; from then on nothing is counted.
    assert_eq!(journal.append(draft()).await, Err(NotWritten::NoSpace));
    assert_eq!(journal.append(refused()).await, Err(NotWritten::NoSpace));
    *faults.lock().unwrap() = Faults::default();
    journal.append(draft()).await.unwrap();
    close(opened).await;

    assert_eq!(counts(folder.path()).iter().sum::<u32>(), 3);
}

pub(super) fn writer_on(
    medium: Arc<dyn Medium>,
    folder: &Path,
    options: Options,
) -> writer::Writer {
    recover::recover(medium, folder, GATEWAY, &identity(), options).unwrap().0
}

/// Hands `draft` to the writer itself, whose seconds end when the test says so.
fn serve(writer: &mut writer::Writer, draft: Draft) -> Result<Written, NotWritten> {
    let (reply, mut answer) = oneshot::channel();
    for (reply, result) in writer.serve([Command::Append(Box::new(draft), Some(reply))].into_iter())
    {
        reply.send(result).unwrap();
    }

    answer.try_recv().unwrap()
}

#[test]
fn i6_where_the_share_of_refusals_is_used_up_what_was_counted_waits_for_room() {
    let folder = tempfile::tempdir().unwrap();
    let small = Options { max_bytes: 256 << 10, ..options(1) };
    let mut writer = writer_on(Arc::new(Real), folder.path(), small);
    let alone = || Draft { asked: None, ..refused() };
    for _ in 0..3 {
        serve(&mut writer, refused()).unwrap();
    }
    while serve(&mut writer, alone()) != Err(NotWritten::Bounded) {}

    writer.end_second();
    assert_eq!(counts(folder.path()).iter().filter(|count| **count > 1).count(), 0);
    // What asks the same is counted still, and an allow has its room.
    serve(&mut writer, refused()).unwrap();
    serve(&mut writer, draft()).unwrap();
    // The collector has all that is whole, so the share is free again.
    while serve(&mut writer, alone()).is_err() {
        let last = serve(&mut writer, draft()).unwrap().seq;
        let released = writer.serve([Command::Release(last, Stamp::default())].into_iter());
        assert!(released.is_empty());
    }
    writer.end_second();

    assert_eq!(counts(folder.path()).iter().filter(|count| **count == 2).count(), 1);
}

#[test]
fn i6_a_stop_owns_up_to_what_was_counted_and_found_no_room() {
    let folder = tempfile::tempdir().unwrap();
    let small = Options { max_bytes: 256 << 10, ..options(1) };
    let mut writer = writer_on(Arc::new(Real), folder.path(), small);
    for _ in 0..4 {
        serve(&mut writer, refused()).unwrap();
    }
    while serve(&mut writer, Draft { asked: None, ..refused() }) != Err(NotWritten::Bounded) {}

    writer.end_second();
    writer.own_up();

    assert_eq!(owned(folder.path()), [3]);
}

#[test]
fn whoever_is_counted_with_a_record_that_cannot_be_written_is_among_those_refused() {
    let folder = tempfile::tempdir().unwrap();
    let faults = Arc::new(Mutex::new(Faults::default()));
    let medium = Arc::new(Faulty(Arc::clone(&faults)));
    let mut writer = writer_on(medium, folder.path(), options(1));
    *faults.lock().unwrap() = Faults { fail_writes: true, fail_syncs: false };
    let batch = [refused(), refused(), refused()];

    let answers = writer.serve(
        batch
            .map(|draft| {
                let (reply, _nobody_listens) = oneshot::channel();
                Command::Append(Box::new(draft), Some(reply))
            })
            .into_iter(),
    );
    assert!(answers.iter().all(|(_, result)| *result == Err(NotWritten::NoSpace)));
    *faults.lock().unwrap() = Faults::default();
    serve(&mut writer, draft()).unwrap();

    assert_eq!(owned(folder.path()), [3]);
}
