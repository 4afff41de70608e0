//! One connection, by a clock that stands still.

use core::future::pending;
use core::pin::pin;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};

use super::super::{Version, wire};
use super::*;

const KEEP_ALIVE: Duration = Duration::from_secs(30);

fn session(ours: tokio::io::DuplexStream) -> Session {
    let limits = Limits { max_packet: usize::MAX, retain: true, shares: false };
    let agreed = Agreed { limits, in_flight: 1, keep_alive: KEEP_ALIVE, has_will: false };
    Session::new(wire::split(Box::new(ours), Version::V5, 1_000), agreed)
}

/// Says why a session ends, where it does within `limit`.
async fn ends(mut session: Session, limit: Duration) -> Option<Ended> {
    let (_commands, mut commands) = mpsc::channel(1);
    let (events, _events) = mpsc::channel(100);
    let mut stop = pin!(pending());
    timeout(limit, session.run(&mut commands, &events, stop.as_mut())).await.ok()
}

/// One and a half keep-alives, and the little that timers are late.
const PATIENCE: Duration = Duration::from_millis(45_010);

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_all_and_says_nothing_is_left_within_one_and_a_half_keep_alives() {
    let (ours, mut theirs) = tokio::io::duplex(1 << 20);
    let taking = async {
        let mut sink = [0; 64];
        while theirs.read(&mut sink).await.is_ok() {}
    };
    tokio::select! {
        ended = ends(session(ours), PATIENCE) => {
            assert!(matches!(ended, Some(Ended::Silent)), "{ended:?}");
        }
        () = taking => panic!("the duplex broke"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_talks_and_takes_nothing_is_left_within_one_and_a_half_keep_alives() {
    // Room for one byte: the first ping gets stuck, 0.75 keep-alives after the beginning.
    let (ours, mut theirs) = tokio::io::duplex(1);
    let talking = async {
        loop {
            theirs.write_all(&[0xd0, 0]).await.unwrap();
            sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        ended = ends(session(ours), KEEP_ALIVE.mul_f32(0.75) + PATIENCE) => {
            assert!(matches!(ended, Some(Ended::Stuck)), "{ended:?}");
        }
        () = talking => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_consumer_holds_back_reading_and_is_not_taken_for_a_dead_broker() {
    let (ours, mut theirs) = tokio::io::duplex(1 << 20);
    for _ in 0..100 {
        theirs.write_all(&[0x30, 4, 0, 1, b't', 0]).await.unwrap();
    }
    let mut session = session(ours);
    let (_commands, mut commands_rx) = mpsc::channel(1);
    let (events, mut events_rx) = mpsc::channel(1);

    let mut stop = pin!(pending());
    let running = session.run(&mut commands_rx, &events, stop.as_mut());
    assert!(timeout(Duration::from_secs(3_600), running).await.is_err(), "it gave up");
    assert_eq!(session.arrivals.len(), 1, "more was read than was taken");

    let taking = async {
        for _ in 0..100 {
            assert!(matches!(events_rx.recv().await, Some(Event::Message { .. })));
        }
    };
    tokio::select! {
        ended = session.run(&mut commands_rx, &events, stop.as_mut()) => panic!("{ended}"),
        () = taking => {}
    }
    let ended = session.run(&mut commands_rx, &events, stop).await;
    assert!(matches!(ended, Ended::Silent), "{ended}");
}
