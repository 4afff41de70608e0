//! A collector at a broker, with a gateway at the other end: no receipt goes further than what is on
//! disk without a gap.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use gateward_agent::link::{Protocol, TrustedNow};
use gateward_core::trust::Receipt;
use tokio::time::timeout;

use super::*;

#[tokio::test]
async fn a_collector_whose_key_no_gateway_believes_does_not_start() {
    let world = World::new().await;
    let path = keys::secret_path(&world.dir.path().join("acme"), Role::Collector);
    let text = fs::read_to_string(&path).unwrap();
    let (head, _) = text.trim_end().rsplit_once(' ').unwrap();
    fs::write(&path, format!("{head} {}\n", "11".repeat(32))).unwrap();

    let refused = Collector::open(&world.options()).unwrap_err().to_string();

    assert!(refused.contains("may not sign for the newest key set"), "{refused}");
}

/// The gateway's end of the line.
struct Line {
    handle: Handle,
    events: mpsc::Receiver<Event>,
    audit: String,
    link: JoinHandle<()>,
}

impl Line {
    async fn new(world: &World) -> Self {
        let topics = GatewayTopics::new(world.gateway.account, "edge-1").unwrap();
        let config = LinkConfig {
            brokers: world.options().reach.url,
            protocol: Protocol::Auto,
            tls: None,
            client_id: Arc::new(|| "edge-1".to_owned()),
            keep_alive: Duration::from_secs(30),
            max_payload: 131_072,
            will: Arc::new(|| None),
            reload: Arc::default(),
            verify_time: Arc::new(|| TrustedNow { unix_seconds: NOW.0, check_not_before: true }),
        };
        let (link, events, handle) = link::connect(config);
        let link = tokio::spawn(async {
            let _ = link.run(std::future::pending()).await;
        });
        handle.until_up().await.unwrap();
        handle.try_subscribe(&[&topics.topic(GatewayTopic::Receipt)]).unwrap();
        let audit = topics.topic(GatewayTopic::Audit).to_string();

        Self { handle, events, audit, link }
    }

    /// Sends again and again, as a gateway does, until a receipt goes through the number.
    async fn delivers(&mut self, world: &World, messages: &[Vec<u8>], through: u64) -> Receipt {
        let work = async {
            loop {
                for message in messages {
                    self.handle.try_publish(&self.audit, message.clone(), false).unwrap();
                }
                if let Ok(Some(receipt)) =
                    timeout(Duration::from_millis(300), self.hears(world, through)).await
                {
                    return receipt;
                }
            }
        };

        timeout(Duration::from_secs(20), work).await.unwrap()
    }

    async fn hears(&mut self, world: &World, through: u64) -> Option<Receipt> {
        let Gateway { enrolled, .. } = &world.gateway;
        while let Some(event) = self.events.recv().await {
            let Event::Message { payload, .. } = event else { continue };
            let receipt =
                Receipt::verify(&payload, &world.keys, world.gateway.id(), enrolled.incarnation)
                    .unwrap();
            if receipt.through() == through {
                return Some(receipt);
            }
        }

        None
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.link.abort();
    }
}

#[tokio::test]
async fn what_arrives_is_on_disk_before_its_receipt_and_survives_the_collector() {
    let mut world = World::new().await;
    let (stop, collector) = world.collect().await;
    let mut line = Line::new(&world).await;
    let first = world.gateway.write(5);
    let head = world.gateway.head;
    let receipt = line.delivers(&world, std::slice::from_ref(&first), 5).await;
    assert_eq!((receipt.through(), receipt.head()), (5, head));
    let lines = lines_path(&world.out(), "edge-1");
    assert_eq!(fs::read_to_string(&lines).unwrap().lines().count(), 5);
    stop.send(()).unwrap();
    collector.await.unwrap().unwrap();

    // Another collector goes on, knows the first batch and takes the second.
    let (stop, collector) = world.collect().await;
    let second = world.gateway.write(2);
    line.delivers(&world, &[first, second], 7).await;
    assert_eq!(fs::read_to_string(&lines).unwrap().lines().count(), 7);
    stop.send(()).unwrap();
    collector.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_receipt_covers_only_the_prefix_without_a_gap() {
    let mut world = World::new().await;
    let (stop, collector) = world.collect().await;
    let mut line = Line::new(&world).await;
    let first = world.gateway.write(2);
    let missing = world.gateway.write(2);
    let third = world.gateway.write(2);
    line.delivers(&world, &[third.clone(), first.clone(), third.clone()], 2).await;
    let events = fs::read_to_string(world.out().join("events.jsonl")).unwrap();
    assert!(events.contains(r#""event":"gap""#), "{events}");

    line.delivers(&world, &[missing, third], 6).await;
    stop.send(()).unwrap();
    collector.await.unwrap().unwrap();
}

#[tokio::test]
async fn n9_neither_lines_nor_events_hold_a_key() {
    let mut world = World::new().await;
    let (stop, collector) = world.collect().await;
    let mut line = Line::new(&world).await;
    let (good, bad) = (world.gateway.write(1), vec![0xff; 40]);
    line.delivers(&world, &[bad, good], 1).await;
    stop.send(()).unwrap();
    collector.await.unwrap().unwrap();

    let key = "c3".repeat(32);
    for name in ["edge-1.jsonl", "events.jsonl"] {
        let text = fs::read_to_string(world.out().join(name)).unwrap();
        assert!(!text.is_empty() && !text.contains(&key), "{name}");
    }
    assert!(!format!("{:?}", Collector::open(&world.options()).unwrap()).contains(&key));
}
