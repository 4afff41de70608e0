//! Who gets how much room, and what goes where there is none.

use super::*;

/// Writes until the journal refuses, and returns why.
pub(super) async fn fill(journal: &Journal, draft: impl Fn() -> Draft) -> NotWritten {
    loop {
        if let Err(refused) = journal.append(draft()).await {
            return refused;
        }
    }
}

/// The oldest may be dropped, whatever happens.
pub(super) fn always() -> Permission {
    Permission(Box::new(|| true))
}

/// Hands over `count` records at once and returns how many were written.
pub(super) async fn burst(journal: &Journal, draft: impl Fn() -> Draft, count: usize) -> usize {
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..count {
        let (journal, draft) = (journal.clone(), draft());
        waiting.spawn(async move { journal.append(draft).await.is_ok() });
    }

    waiting.join_all().await.into_iter().filter(|written| *written).count()
}

#[tokio::test]
async fn i5_a_full_journal_refuses_decisions_keeps_room_for_events_and_recovers_by_a_receipt() {
    let folder = tempfile::tempdir().unwrap();
    let small = Options { max_bytes: 64 << 10, ..options(1) };
    let opened = Journal::open(folder.path(), GATEWAY, &identity(), small).unwrap();
    let journal = &opened.journal;
    let mut last = 0;
    let refused = loop {
        match journal.append(draft()).await {
            Ok(written) => last = written.seq,
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused, NotWritten::Full);
    assert!(journal.status().full && journal.status().bytes <= 64 << 10);
    let event = Draft::event(Event::AuditFull, Stamp::default(), "");
    assert_eq!(journal.append(event).await.unwrap().seq, last + 1);

    assert!(journal.records().release(last + 1, Stamp::default()));
    assert_eq!(journal.append(draft()).await.unwrap().seq, last + 2);
    assert!(!journal.status().refusing());
    assert!(!only_segment(folder.path()).exists(), "released records go when space is needed");
    close(opened).await;
    assert!(verify(folder.path()).is_ok());
}

#[tokio::test]
async fn where_the_oldest_may_be_dropped_the_journal_counts_what_went() {
    let folder = tempfile::tempdir().unwrap();
    let small = Options { max_bytes: 64 << 10, drop_oldest: true, ..options(1) };
    let opened = Journal::open(folder.path(), GATEWAY, &identity(), small).unwrap();
    assert!(opened.journal.drop_while(|| true));
    for _ in 0..3_000 {
        opened.journal.append(draft()).await.unwrap();
    }
    let last = opened.journal.status().seq;
    close(opened).await;

    let (mut next, mut dropped) = (None, 0);
    let verified = walk(folder.path(), |_, record, _| {
        assert_eq!(record.seq, next.unwrap_or(record.seq));
        next = Some(record.seq + 1);
        dropped += record.dropped_before;
    });
    let verified = verified.unwrap();
    assert_eq!(verified.span.unwrap().1, last);
    assert!(dropped > 0);
    // The gap records that are left own up to everything before the first record that is left.
    let (first, mut owned) = (verified.span.unwrap().0, 0);
    for (from, to) in verified.gaps {
        assert!(from <= owned + 1, "{from} to {to} after {owned}");
        owned = owned.max(to);
    }
    assert_eq!(owned, first - 1);
}

#[tokio::test]
async fn the_oldest_is_dropped_only_while_the_manifest_in_force_permits_it() {
    let folder = tempfile::tempdir().unwrap();
    let small = Options { max_bytes: 64 << 10, drop_oldest: true, ..options(1) };
    let opened = Journal::open(folder.path(), GATEWAY, &identity(), small).unwrap();
    let journal = &opened.journal;
    let permitted = Arc::new(AtomicBool::new(true));
    assert_eq!(fill(journal, draft).await, NotWritten::Full, "nobody has permitted it");
    assert!(only_segment(folder.path()).exists() && journal.status().refusing());

    let asked = Arc::clone(&permitted);
    assert!(journal.drop_while(move || asked.load(Ordering::Relaxed)));
    for _ in 0..1_000 {
        journal.append(draft()).await.unwrap();
    }
    assert!(!journal.status().refusing());

    // Readiness changes without a record, since nobody asks a gateway that is not ready.
    permitted.store(false, Ordering::Relaxed);
    let firsts = loop {
        let firsts = recover::list(folder.path()).unwrap();
        if journal.append(draft()).await == Err(NotWritten::Full) {
            break firsts;
        }
    };
    let mut watch = journal.watch();
    watch.wait_for(Status::refusing).await.unwrap();
    assert_eq!(recover::list(folder.path()).unwrap(), firsts);
    permitted.store(true, Ordering::Relaxed);
    watch.wait_for(|status| !status.refusing()).await.unwrap();
    close(opened).await;
}

#[tokio::test]
async fn i6_n7_denials_pass_through_and_public_answers_cannot_make_an_allow_fail() {
    let anybody = [
        Outcome::Deny(Reason::UnknownToken),
        Outcome::Passthrough(Reason::PassthroughDevice),
        Outcome::Allow(Reason::OkPublic),
    ];
    for outcome in anybody {
        let folder = tempfile::tempdir().unwrap();
        let small = Options { max_bytes: 256 << 10, ..options(1) };
        let opened = Journal::open(folder.path(), GATEWAY, &identity(), small).unwrap();
        let journal = &opened.journal;
        let bounded = || Draft::new(outcome, Stamp::default());
        assert_eq!(fill(journal, bounded).await, NotWritten::Bounded);
        let taken = journal.status().bytes;
        assert!(taken <= 66 << 10, "{outcome:?}: {taken}");
        assert!(!journal.status().refusing());

        // All at once as well, and allows go on to the end of their nine tenths.
        let mut waiting = tokio::task::JoinSet::new();
        for n in 0..600 {
            let (journal, allow) = (journal.clone(), n % 2 == 0);
            let draft = if allow { draft() } else { bounded() };
            waiting.spawn(async move { (allow, journal.append(draft).await) });
        }
        for (allow, done) in waiting.join_all().await {
            assert!(if allow { done.is_ok() } else { done == Err(NotWritten::Bounded) });
        }
        assert_eq!(fill(journal, draft).await, NotWritten::Full);
        assert!(journal.status().bytes > (256 << 10) * 85 / 100);

        // What the collector holds is counted no more.
        assert!(journal.records().release(journal.status().seq, Stamp::default()));
        journal.append(bounded()).await.unwrap();
        close(opened).await;
    }
}

#[tokio::test]
async fn i6_what_denials_took_is_counted_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let small = |boot| Options { max_bytes: 1 << 20, ..options(boot) };
    let denial = || Draft::new(Outcome::Deny(Reason::UnknownToken), Stamp::default());
    let opened = Journal::open(folder.path(), GATEWAY, &identity(), small(1)).unwrap();
    let before = burst(&opened.journal, denial, 10_000).await;
    close(opened).await;

    let opened = Journal::open(folder.path(), GATEWAY, &identity(), small(2)).unwrap();
    let after = burst(&opened.journal, denial, 10_000).await;
    assert!(before < 10_000 && recover::list(folder.path()).unwrap().len() > 1);
    assert_eq!(after, 0, "on top of {before} before the restart");
    close(opened).await;
}

pub(super) fn events(folder: &Path) -> Vec<Event> {
    let mut events = Vec::new();
    let seen = walk(folder, |_, record, _| {
        if let Outcome::Event(event) = record.outcome {
            events.push(event);
        }
    });
    seen.unwrap();

    events
}

#[tokio::test]
async fn what_is_nearly_full_full_and_has_room_again_is_an_event_once_each() {
    let folder = tempfile::tempdir().unwrap();
    let small = Options { max_bytes: 64 << 10, ..options(1) };
    let opened = Journal::open(folder.path(), GATEWAY, &identity(), small).unwrap();
    let journal = &opened.journal;
    assert!(journal.records().release(0, Stamp::default()));
    for _ in 0..20 {
        assert_eq!(fill(journal, draft).await, NotWritten::Full);
    }
    assert_eq!(events(folder.path()), [Event::AuditHighWater, Event::AuditFull]);

    assert!(journal.records().release(journal.status().seq, Stamp::default()));
    journal.append(draft()).await.unwrap();
    close(opened).await;
    assert_eq!(events(folder.path()).last(), Some(&Event::AuditRoom));
}
