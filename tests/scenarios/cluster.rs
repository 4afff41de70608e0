//! Three NATS servers that retain the same messages: one of them may die at any time.

use std::fs;
use std::thread;

use gateward_tests::{Broker, Deck, Gateway, NatsCluster, Ran, until};

use crate::packets::tokens;

/// A control plane, three servers and a gateway.
struct Play {
    cluster: NatsCluster,
    gateway: Gateway,
    deck: Deck,
}

impl Play {
    /// The gateway knows the servers in `order`.
    fn new(order: [usize; 3]) -> Self {
        let deck = Deck::new();
        let certificates = deck.broker_certificates();
        let mut cluster = NatsCluster::new(&certificates, deck.root(), &deck.logs());
        let urls = order.map(|at| cluster.nodes[at].url());
        let gateway = deck.gateway_at("edge-7a", "plant-7", &urls[0]);
        let toml = gateway.etc().join("agent.toml");
        let text = fs::read_to_string(&toml).expect("a configuration");
        let one = format!("url = \"{}\"", urls[0]);
        assert!(text.contains(&one), "{text}");
        fs::write(toml, text.replace(&one, &format!("url = {urls:?}"))).expect("can be written");
        cluster.start(&deck.acl(&[&gateway]));

        Self { cluster, gateway, deck }
    }

    fn publish_to(&self, node: usize) -> Ran {
        self.deck.publish_to(&self.cluster.nodes[node].url())
    }

    /// Publishes until it is done: what was begun before goes on.
    fn published(&self, node: usize) {
        until("two servers of three that take what is published", || {
            (self.publish_to(node).code == 0).then_some(())
        });
    }

    fn reaches(&self, version: u64) {
        until("a snapshot", || (self.gateway.version() == Some(version)).then_some(()));
    }
}

#[test]
fn a_publish_cut_short_by_a_dead_node_is_finished_once_it_is_back_and_the_gateway_goes_on_meanwhile()
 {
    // The gateway is at the second server; the publisher at the first, which dies.
    let mut play = Play::new([1, 2, 0]);
    let ana = play.deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    play.published(0);
    play.gateway.start_ready();
    assert_eq!(play.gateway.allows(&ana, "manage_device"), Some(true));

    tokens(&play.deck, 6_000);
    play.deck.disable(&ana);
    let before = play.cluster.nodes[0].retained_bytes();
    let url = play.cluster.nodes[0].url();
    let mut halfway = 0;
    let first = thread::scope(|scope| {
        let publisher = scope.spawn(|| play.deck.publish_to(&url));
        until("a part of the snapshot on a server", || {
            halfway = play.cluster.nodes[0].retained_bytes().saturating_sub(before);
            (halfway > 2 << 15).then_some(())
        });
        play.cluster.nodes[0].kill();
        publisher.join().expect("a publisher ends")
    });
    assert_ne!(first.code, 0, "its server died after {halfway} bytes: {}", first.out);
    assert!(first.err.contains("broke") || first.err.contains("answer"), "{}", first.err);
    assert_eq!(play.gateway.get("/readyz").status, 200, "it goes on with what it has");

    // It comes back, as a service does; until then this NATS refuses one subscription of three.
    let acl = play.deck.acl(&[&play.gateway]);
    play.cluster.nodes[0].start(&acl);
    play.published(2);
    play.reaches(2);
    assert_eq!(play.gateway.allows(&ana, "manage_device"), Some(false));

    // Now the gateway's own server dies.
    play.cluster.nodes[1].kill();
    drop(play.deck.control("user disable", &["ana.ruiz"]).ok());
    let dead = play.cluster.nodes[1].url();
    until("a gateway at another server", || {
        let log = play.gateway.log();
        let last = log.lines().rfind(|line| line.contains("connected, with"))?;

        (!last.contains(&dead)).then_some(())
    });
    play.cluster.nodes[1].start(&acl);
    play.published(2);
    play.reaches(3);
}
