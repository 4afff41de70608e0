//! What a receipt lets the journal forget, and what it does not.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_receipt_that_is_forged_another_gateways_or_of_an_older_enrolment_releases_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (scene, good) = Scene::with_five_sent(folder.path()).await;

    let Heard::Receipt(signed) = receipt(&good) else { unreachable!("it is a receipt") };
    let refused = || {
        [
            Heard::Receipt(signed[1..].to_vec()),
            receipt(&Acknowledged { gateway: GatewayId([8; 16]), ..good }),
            receipt(&Acknowledged { incarnation: Incarnation([2; 8]), ..good }),
            receipt(&Acknowledged { head: Head([0; 32]), ..good }),
            receipt(&Acknowledged { through: 4, ..good }),
            receipt(&Acknowledged { through: 600, ..good }),
        ]
    };
    for bad in 0..refused().len() {
        // Twice: a broker that repeats itself does not fill the journal.
        for _ in 0..2 {
            scene.hear.send(refused().into_iter().nth(bad).unwrap()).await.unwrap();
        }
    }
    scene.hear.send(receipt(&good)).await.unwrap();
    scene.released(5).await;
    // Replayed, it says nothing new, and does no harm.
    scene.hear.send(receipt(&good)).await.unwrap();
    scene.end().await;
    let mut events = 0;
    let counted = walk(folder.path(), |_, record, _| {
        events += u32::from(record.outcome == Outcome::Event(Event::ReceiptRefused));
    });
    counted.unwrap();
    assert_eq!(events, 4, "signature, gateway, chain, number; each once");
}

#[tokio::test]
async fn the_first_word_of_a_start_knows_what_was_receipted_before() {
    let folder = tempfile::tempdir().unwrap();
    let (scene, good) = Scene::with_five_sent(folder.path()).await;
    scene.hear.send(receipt(&good)).await.unwrap();
    scene.released(5).await;
    scene.end().await;

    for boot in 2..8 {
        let opened = open(folder.path(), boot, 64 << 10);
        let (records, to) = (opened.journal.records(), mpsc::channel(1).0);
        let outlet = Broker(to, u32::MAX, 0);
        let upload = Upload::new(records, GATEWAY, INCARNATION, outlet, Words);
        upload.has_resumed().await;
        assert_eq!(opened.journal.status().released, 5);
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_the_upload_goes_on_where_the_last_receipt_ended() {
    let folder = tempfile::tempdir().unwrap();
    let mut scene = Scene::begin(folder.path(), 1);
    scene.write(5).await;
    scene.up().await;
    let first = told(&scene.batch().await);
    scene.hear.send(receipt(&first)).await.unwrap();
    scene.released(5).await;
    scene.end().await;

    let mut scene = Scene::begin(folder.path(), 2);
    scene.released(5).await;
    scene.write(2).await;
    scene.up().await;
    let second = scene.batch().await;
    assert_eq!((second.first, second.before), (6, first.head));
    scene.end().await;

    // A cursor of another chain is not believed: everything is sent again.
    let other = Cursor { incarnation: INCARNATION, through: 5, head: Head([0; 32]) };
    other.store(folder.path()).unwrap();
    let mut scene = Scene::begin(folder.path(), 3);
    scene.up().await;
    assert_eq!(scene.batch().await.first, 1);
    scene.end().await;
    assert!(verify(folder.path()).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_receipt_that_was_carried_by_hand_counts_once_and_a_forged_one_never() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::begin(folder.path(), 1);
    scene.write(5).await;
    let (mut file, seal) = (Vec::new(), &mut Words);
    let whole =
        stick::Range { gateway: GATEWAY, incarnation: INCARNATION, from: 1, durable: u64::MAX };
    let written = stick::write(folder.path(), &whole, seal, &mut file).unwrap();
    assert_eq!((written.records, written.span), (5, Some((1, 5))));
    let mut batches = Vec::new();
    let read = stick::read(&file[..], |batch| {
        batches.push(Batch::decode(batch).unwrap());
        Ok::<_, stick::BadStick>(())
    });
    read.unwrap();
    let told = told(batches.last().unwrap());
    let bring = async |message: Vec<u8>| {
        let (answer, answered) = oneshot::channel();
        scene.hear.send(Heard::Brought { message, answer }).await.unwrap();
        answered.await.unwrap()
    };
    let Heard::Receipt(signed) = receipt(&told) else { unreachable!("it is a receipt") };
    let Heard::Receipt(other) = receipt(&Acknowledged { head: Head([0; 32]), ..told }) else {
        unreachable!("it is a receipt")
    };

    assert_eq!(bring(other).await, Err(NotReceipted::Chain));
    assert!(matches!(bring(signed[1..].to_vec()).await, Err(NotReceipted::Seal(_))));
    assert_eq!(bring(signed.clone()).await, Ok(Released { through: 5, is_news: true }));
    assert_eq!(bring(signed).await, Ok(Released { through: 5, is_news: false }), "replayed");
    scene.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_sends_bad_receipts_of_every_kind_in_turn_fills_no_journal() {
    let folder = tempfile::tempdir().unwrap();
    let (scene, good) = Scene::with_five_sent(folder.path()).await;
    for _ in 0..50 {
        scene.hear.send(Heard::Receipt(b"no receipt".to_vec())).await.unwrap();
        scene.hear.send(receipt(&Acknowledged { through: 600, ..good })).await.unwrap();
        // At the next connection nothing is told again either.
        scene.hear.send(Heard::Down).await.unwrap();
        scene.up().await;
    }
    scene.hear.send(receipt(&good)).await.unwrap();
    scene.released(5).await;
    scene.end().await;

    let mut events = 0;
    let counted = walk(folder.path(), |_, record, _| {
        events += u32::from(record.outcome == Outcome::Event(Event::ReceiptRefused));
    });
    counted.unwrap();
    assert_eq!(events, 2);
}
