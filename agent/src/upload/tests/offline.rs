//! A gateway that was offline for long, and is back.

use gateward_core::audit::{Text, UnixMillis};
use gateward_core::name::Hex;
use gateward_core::time::Millis;

use sha2::{Digest as _, Sha256};

use super::*;

const DAYS: u64 = 30;

/// Writes one record for each second, as the clock of those days would have it.
async fn a_record_a_second(scene: &Scene, seconds: u64) {
    let mut waiting = tokio::task::JoinSet::new();
    for second in 0..seconds {
        let (created_at, mono) = (UnixMillis(second * 1000), Millis(second * 1000));
        let stamp = Stamp { created_at, mono, ..Stamp::default() };
        let journal = scene.opened.journal.clone();
        // What nobody can compress, so that there is as much to send as in real life.
        let resource = Hex(&Sha256::digest(second.to_le_bytes())).to_string();
        let resource = Text::untrusted(&resource);
        let draft = Draft { resource, ..Draft::new(Outcome::Allow(Reason::Ok), stamp) };
        waiting.spawn(async move { journal.append(draft).await.unwrap().seq });
        if waiting.len() == 500 {
            while waiting.join_next().await.is_some() {}
        }
    }
    while waiting.join_next().await.is_some() {}
}

#[expect(clippy::disallowed_methods, reason = "the clock of a paused runtime is the test's own")]
fn now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// A fortieth of it in every run, all of it with `GATEWARD_SOAK=1`.
#[tokio::test(start_paused = true)]
async fn i12_after_30_days_offline_everything_arrives_in_order_oldest_first_and_slowly() {
    let every = std::env::var_os("GATEWARD_SOAK").is_some();
    let records = DAYS * 86_400 / if every { 1 } else { 40 };
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let folder = folder.unwrap();
    let mut scene = Scene::begin_sized(folder.path(), 1, u32::MAX, 512 << 20);
    a_record_a_second(&scene, records).await;
    assert_eq!(scene.opened.journal.status().backlog(), records);

    let began = now();
    scene.hear.send(Heard::Up { max_payload: 128 << 10 }).await.unwrap();
    let (mut next, mut head, mut bytes) = (1, Head::START, 0);
    while next <= records {
        let message = scene.sent.recv().await.unwrap();
        bytes += message.len() as u64;
        let batch = Batch::decode(&message).unwrap();
        assert_eq!((batch.first, batch.before), (next, head), "in order, and each once");
        let mut oldest = UnixMillis((next - 1) * 1000);
        head = batch
            .walk(|entry| {
                assert_eq!(entry.record.created_at, oldest);
                oldest = UnixMillis(oldest.0 + 1000);
            })
            .unwrap();
        next = batch.last() + 1;
        scene.hear.send(receipt(&told(&batch))).await.unwrap();
    }
    // Before the journal's thread is waited for: the clock runs away meanwhile.
    let (took, rate) = (began.elapsed().as_secs(), A_SECOND as u64);
    scene.released(records).await;

    assert!(bytes > 3 * AT_ONCE as u64 / 2, "{bytes} bytes are more than go at once");
    let at_once = (AT_ONCE + (128 << 10)) as u64;
    assert!(bytes <= at_once + rate * (took + 1), "{bytes} bytes in {took} s");
    assert!(took <= bytes / rate + 60, "{took} s for {bytes} bytes");
    scene.end().await;
}
