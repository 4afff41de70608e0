//! The link against a real mosquitto, and against brokers that no decent person would run.

use core::future::pending;
use core::pin::pin;
use core::sync::atomic::{AtomicU8, Ordering};
use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use rumqttc::v5::mqttbytes::v5::Packet;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{
    Event, Fate, Handle, LinkConfig, LinkFailed, NotPublished, NotSent, Protocol, Reason, TlsFiles,
    TrustedNow, Will, connect,
};

use super::tls::{Loaded, Now};

mod failover;
mod mosquitto;
mod peer;
mod renewal;
mod unkept;
mod versions;

pub(super) use mosquitto::Authority;
use mosquitto::Mosquitto;
use peer::Peer;

/// Longer than anything here takes on a busy machine.
const SOON: Duration = Duration::from_secs(15);

/// 2030-01-01, when every certificate of the tests is valid.
const NOW: u64 = 1_893_456_000;

/// A running link; stops when dropped.
struct Running {
    events: mpsc::Receiver<Event>,
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), LinkFailed>>,
}

impl Running {
    fn start(config: LinkConfig) -> Self {
        let (link, events, handle) = connect(config);
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(link.run(async {
            let _ = stopped.await;
        }));
        Self { events, handle, stop: Some(stop), task }
    }

    async fn next(&mut self) -> Event {
        timeout(SOON, self.events.recv()).await.expect("an event soon").expect("the link runs")
    }

    async fn up(config: LinkConfig) -> Self {
        let mut link = Self::start(config);
        assert!(matches!(link.next().await, Event::Up { .. }));
        link
    }

    async fn subscribe(&mut self, filter: &str) -> Reason {
        self.handle.try_subscribe(&[filter]).unwrap();
        let event = self.next().await;
        let Event::Subscribed { filter: answered, reason } = event else { panic!("{event:?}") };
        assert_eq!(answered, filter);
        reason
    }

    async fn stop(mut self) -> Result<(), LinkFailed> {
        drop(self.stop.take());
        timeout(SOON, self.task).await.expect("the link stops").unwrap()
    }
}

pub(super) fn plain(port: u16) -> LinkConfig {
    LinkConfig {
        brokers: format!("mqtt://127.0.0.1:{port}").parse().unwrap(),
        protocol: Protocol::Auto,
        tls: None,
        client_id: Arc::new(|| "edge-7a".into()),
        keep_alive: Duration::from_secs(30),
        max_payload: 131_072,
        will: Arc::new(|| None),
        reload: Arc::default(),
        verify_time: Arc::new(|| TrustedNow { unix_seconds: NOW, check_not_before: true }),
    }
}

fn secure(port: u16, files: TlsFiles) -> LinkConfig {
    LinkConfig {
        brokers: format!("mqtts://localhost:{port}").parse().unwrap(),
        tls: Some(files),
        ..plain(port)
    }
}

/// What stands in the files.
pub(super) fn loaded(files: &TlsFiles) -> Loaded {
    let now: Now = Arc::new(|| TrustedNow { unix_seconds: NOW, check_not_before: true });
    files.read().load(&now).unwrap()
}

fn named(name: &'static str, config: LinkConfig) -> LinkConfig {
    LinkConfig { client_id: Arc::new(move || name.into()), ..config }
}

fn message(topic: &str, payload: &[u8], retain: bool) -> Event {
    Event::Message { topic: topic.into(), payload: Bytes::copy_from_slice(payload), retain }
}

#[tokio::test]
async fn what_is_published_arrives_with_its_topic_and_bytes() {
    let broker = Mosquitto::plain("").await;
    let mut link = Running::up(plain(broker.port())).await;

    assert!(!link.subscribe("a/+").await.is_refusal());
    let token = link.handle.try_publish("a/b", &b"hello"[..], false).unwrap();
    let events = [link.next().await, link.next().await];

    assert!(events.contains(&message("a/b", b"hello", false)));
    assert!(events.contains(&Event::Published { token, fate: Fate::Taken(Reason::SUCCESS) }));
    assert_eq!(link.stop().await, Ok(()));
}

#[tokio::test]
async fn a_hundred_kibibytes_retained_are_delivered() {
    let broker = Mosquitto::plain("").await;
    let payload: Vec<u8> = (0..102_400_u32).map(|at| at.to_le_bytes()[1]).collect();
    let control = Running::up(named("control", plain(broker.port()))).await;
    let reason = control.handle.publish("chunk", payload.clone(), true).await;
    assert_eq!(reason, Ok(Reason::NO_SUBSCRIBER));

    let mut link = Running::up(plain(broker.port())).await;
    link.subscribe("chunk").await;
    assert_eq!(link.next().await, message("chunk", &payload, true));
}

#[tokio::test]
async fn more_topics_than_a_subscribe_may_have_are_spread_over_several() {
    let peer = Peer::bind().await;
    let link = Running::start(plain(peer.port()));
    let mut caller = peer.welcome().await;
    link.handle.until_up().await.unwrap();

    let filters: Vec<String> = (0..19).map(|at| format!("t/{at}")).collect();
    let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
    link.handle.try_subscribe(&filters).unwrap();

    let mut seen = Vec::new();
    for expected in [8, 8, 3] {
        let Packet::Subscribe(subscribe) = caller.read().await else { panic!("a SUBSCRIBE") };
        assert_eq!(subscribe.filters.len(), expected);
        seen.extend(subscribe.filters.into_iter().map(|filter| filter.path));
    }
    assert_eq!(seen, filters);
}

#[tokio::test]
async fn mutual_tls_connects_and_a_publish_that_the_access_list_forbids_is_reported() {
    let authority = Authority::new();
    let broker = Mosquitto::tls(&authority, "user edge-7a\ntopic readwrite mine/#\n").await;
    let dir = tempfile::tempdir().unwrap();
    let files = authority.issue(dir.path(), "edge-7a");
    let mut link = Running::up(secure(broker.port(), files)).await;

    assert!(!link.subscribe("mine/#").await.is_refusal());
    let allowed = link.handle.publish("mine/x", &b"1"[..], false).await;
    assert_eq!(allowed, Ok(Reason::SUCCESS));
    assert_eq!(link.next().await, message("mine/x", b"1", false));

    let forbidden = link.handle.publish("other/x", &b"2"[..], false).await;
    assert_eq!(forbidden, Err(NotPublished::Refused(Reason::NOT_AUTHORIZED)));
    let token = link.handle.try_publish("other/x", &b"2"[..], false).unwrap();
    let fate = Fate::Refused(Reason::NOT_AUTHORIZED);
    assert_eq!(link.next().await, Event::Published { token, fate });
}

#[tokio::test]
async fn a_client_of_another_authority_is_never_up_and_a_renewed_certificate_needs_no_restart() {
    let authority = Authority::new();
    let broker = Mosquitto::tls(&authority, "user edge-7a\ntopic readwrite mine/#\n").await;
    let dir = tempfile::tempdir().unwrap();
    let strangers = Authority::new().issue(dir.path(), "edge-7a");
    authority.issue(dir.path(), "of-the-right-authority");
    let (mut link, _events, handle) = connect(secure(broker.port(), strangers));

    assert!(link.attempt(pin!(pending())).await.is_err(), "a stranger got in");
    assert_eq!(handle.try_publish("mine/x", "1", false), Err(NotSent::Down));
    authority.issue(dir.path(), "edge-7a");
    assert!(link.attempt(pin!(pending())).await.is_ok(), "the files are not read again");
}

#[tokio::test]
async fn a_broker_of_another_authority_gets_no_connection() {
    let broker = Mosquitto::tls(&Authority::new(), "").await;
    let dir = tempfile::tempdir().unwrap();
    let files = Authority::new().issue(dir.path(), "edge-7a");
    let (mut link, _events, _handle) = connect(secure(broker.port(), files));

    let Err(ended) = link.attempt(pin!(pending())).await else { panic!("it connected") };
    let text = super::chain(&ended);
    assert!(text.contains("ca_file") && text.contains("invalid peer certificate"), "{text}");
}

#[tokio::test]
async fn a_broker_killed_and_restarted_is_found_again() {
    let mut broker = Mosquitto::plain("").await;
    let mut link = Running::up(plain(broker.port())).await;
    for round in 0..3_u8 {
        broker.kill();
        assert_eq!(link.next().await, Event::Down);
        broker.restart().await;
        assert!(matches!(link.next().await, Event::Up { .. }));
        link.subscribe("again").await;
        link.handle.try_publish("again", vec![round], false).unwrap();
        let events = [link.next().await, link.next().await];
        assert!(events.contains(&message("again", &[round], false)), "{events:?}");
    }
}

#[tokio::test]
async fn a_frozen_broker_is_left_within_two_keep_alives() {
    let broker = Mosquitto::plain("").await;
    let keep_alive = Duration::from_secs(2);
    let mut link = Running::up(LinkConfig { keep_alive, ..plain(broker.port()) }).await;

    broker.freeze();
    // More than the socket takes, so that writing is what hangs.
    let mut tokens = BTreeSet::new();
    while let Ok(token) = link.handle.try_publish("x", vec![0; 131_072], false) {
        tokens.insert(token);
        tokio::task::yield_now().await;
    }
    let down = async {
        while let Event::Published { token, fate } = link.next().await {
            assert!(fate == Fate::Lost && tokens.remove(&token));
        }
    };
    timeout(keep_alive * 2, down).await.expect("two keep-alives are over");
    broker.thaw();
    let up = async { while !matches!(link.next().await, Event::Up { .. }) {} };
    timeout(SOON, up).await.expect("the link comes back");
}

#[tokio::test]
async fn a_publish_above_the_brokers_limit_is_refused_at_once() {
    let broker = Mosquitto::plain("max_packet_size 4000\n").await;
    let mut link = Running::start(plain(broker.port()));
    let Event::Up { max_payload } = link.next().await else { panic!("up first") };
    assert!(max_payload < 4_000 && max_payload > 2_000, "{max_payload}");

    let large = link.handle.try_publish("t", vec![0; 4_000], false);
    assert!(matches!(large, Err(NotSent::TooLarge { bytes: 4_000, max: 3_989 })), "{large:?}");
    let large = link.handle.publish("t", vec![0; 3_990], false).await.unwrap_err();
    assert!(large.to_string().contains("3990 bytes"), "{large}");
    assert!(link.handle.publish("t", vec![0; 3_989], false).await.is_ok(), "the largest that fits");
}

#[tokio::test]
async fn the_will_is_asked_for_at_every_attempt_and_published_when_the_link_stops() {
    let mut broker = Mosquitto::plain("").await;
    let asked = Arc::new(AtomicU8::new(0));
    let will = move || {
        let payload = vec![asked.fetch_add(1, Ordering::Relaxed)];
        Some(Will { topic: "gone".into(), payload, retain: false })
    };
    let watcher = named("watcher", plain(broker.port()));
    let mut link = Running::up(LinkConfig { will: Arc::new(will), ..plain(broker.port()) }).await;
    broker.kill();
    assert_eq!(link.next().await, Event::Down);
    broker.restart().await;
    assert!(matches!(link.next().await, Event::Up { .. }));

    let mut watcher = Running::up(watcher).await;
    watcher.subscribe("gone").await;
    link.handle.try_publish("last", "words", false).unwrap();
    assert_eq!(link.stop().await, Ok(()));
    let Event::Message { payload, .. } = watcher.next().await else { panic!("the will") };
    assert!(payload[0] > 0, "the will of the first attempt");
}

#[tokio::test]
async fn topics_that_no_broker_would_take_are_refused_before_they_are_sent() {
    let peer = Peer::bind().await;
    let link = Running::start(plain(peer.port()));
    let _caller = peer.welcome().await;
    link.handle.until_up().await.unwrap();
    let long = "t".repeat(1025);
    for topic in ["", "a/#", "a/+/b", "a\0b", "a\nb", &long] {
        let refused = link.handle.try_publish(topic, "x", false);
        assert!(matches!(refused, Err(NotSent::BadTopic(_))), "{topic:?}");
    }
    for filter in ["", "a/#/b", "a+", "a\0b", &long] {
        let refused = link.handle.try_subscribe(&[filter]);
        assert!(matches!(refused, Err(NotSent::BadTopic(_))), "{filter:?}");
    }
}

#[tokio::test]
async fn a_link_that_nobody_listens_to_says_so() {
    let (link, events, _handle) = connect(plain(1));
    drop(events);
    let ended = timeout(SOON, link.run(pending())).await.expect("it ends");
    assert_eq!(ended, Err(LinkFailed::Unheard));
}
