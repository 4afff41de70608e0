//! A link that loses, delays and reorders, with every byte counted.

use std::collections::BTreeMap;

use super::gateway::{Gateway, Published, Request};
use super::*;

/// Of a hundred messages so many are lost.
const LOST: u64 = 30;

/// How the way from the broker is.
#[derive(Clone, Copy)]
enum Way {
    /// Each message is lost or late by itself, so they overtake each other.
    Lossy,
    /// Nothing is lost; one comes behind the other, at so many bytes a second.
    Slow(u64),
}

/// A gateway that fetches its first snapshot over such a way.
struct Link<'a> {
    way: Way,
    draw: u64,
    gateway: Gateway,
    published: &'a Published,
    /// By when they arrive, and in which order they were sent.
    on_the_way: BTreeMap<(Millis, u64), (GroupTopic, Vec<u8>)>,
    free_at: Millis,
    messages: u64,
    sent: usize,
    received: usize,
}

impl<'a> Link<'a> {
    fn new(way: Way, seed: u64, published: &'a Published) -> Self {
        let mut gateway = Gateway::new();
        gateway.machine.link_up(Millis(0));

        Self {
            way,
            draw: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            gateway,
            published,
            on_the_way: BTreeMap::new(),
            free_at: Millis(0),
            messages: 0,
            sent: 0,
            received: 0,
        }
    }

    fn below(&mut self, end: u64) -> u64 {
        self.draw ^= self.draw << 13;
        self.draw ^= self.draw >> 7;
        self.draw ^= self.draw << 17;
        self.draw % end
    }

    fn answer(&mut self, what: GroupTopic) {
        let snapshot = &self.published[&1];
        let root = snapshot.root();
        let payload = match what {
            GroupTopic::Manifest => 1_u64.to_le_bytes().to_vec(),
            GroupTopic::List { root: asked, piece } if asked == root => {
                snapshot.piece(piece).unwrap().to_vec()
            }
            GroupTopic::Chunk { root: asked, index } if asked == root => {
                snapshot.chunk(index).to_vec()
            }
            GroupTopic::Keys => std::vec![7; 400],
            GroupTopic::Chunk { .. }
            | GroupTopic::Delta { .. }
            | GroupTopic::KeysOf(_)
            | GroupTopic::List { .. }
            | GroupTopic::Revoked
            | GroupTopic::Time => return,
        };
        assert!(payload.len() <= CHUNK, "{what}: more than a message may have");
        self.sent += payload.len();
        self.messages += 1;
        assert!(self.messages < 10_000, "asked for more and more");
        let now = self.gateway.now;
        let way = self.way;
        let at = match way {
            Way::Lossy if self.below(100) < LOST => return,
            // Some are late by seconds.
            Way::Lossy if self.below(100) < 5 => now.plus(500 + self.below(2_500)),
            Way::Lossy => now.plus(20 + self.below(480)),
            Way::Slow(bytes_a_second) => {
                let begun = self.free_at.max(now);
                self.free_at = begun.plus(payload.len() as u64 * 1_000 / bytes_a_second);
                self.free_at
            }
        };
        self.on_the_way.insert((at, self.messages), (what, payload));
    }

    fn act(&mut self) {
        for request in self.gateway.act(self.published) {
            if let Request::Subscribe(topics) = request {
                topics.into_iter().for_each(|what| self.answer(what));
            }
        }
    }

    fn receive(&mut self) {
        let Some(((at, _), (what, payload))) = self.on_the_way.pop_first() else { return };
        self.gateway.now = at;
        self.received += payload.len();
        self.gateway.hear(what, &payload, self.published);
    }

    /// Until the snapshot is in force and nothing is on its way any more; returns when it was.
    fn run(&mut self) -> Millis {
        self.act();
        while self.gateway.in_force == 0 {
            let next = self.on_the_way.keys().next().map(|(at, _)| *at);
            let timeout = self.gateway.machine.timeout().map(|until| until.max(self.gateway.now));
            if next.is_some_and(|next| timeout.is_none_or(|timeout| next <= timeout)) {
                self.receive();
            } else {
                self.gateway.now = timeout.expect("the machine waits for something");
            }
            self.act();
        }
        let took = self.gateway.now;
        while !self.on_the_way.is_empty() {
            self.receive();
        }

        took
    }
}

#[test]
fn at_4_kib_a_payload_with_30_percent_loss_and_reordering_little_is_received_or_sent_twice() {
    let published = Published::from([(1, Snapshot::new(1, 1_024 * CHUNK))]);
    let file = published[&1].file.len() as f64;
    let (mut received, mut sent, mut took) = (0.0_f64, 0.0_f64, 0);
    for seed in 1..=u64::from(cases(20)) {
        let mut link = Link::new(Way::Lossy, seed, &published);
        took = took.max(link.run().0);
        received = received.max(link.received as f64 / file);
        sent = sent.max(link.sent as f64 / file);
    }
    print_line(&std::format!("4 MiB: at most {received:.3} received, {sent:.3} sent, {took} ms"));

    assert!(received <= 1.1, "{received} times the file is received");
    let most = 1.1 / (1.0 - LOST as f64 / 100.0);
    assert!(sent <= most, "{sent} times the file is sent, more than {most}");
    // Most take three minutes. A lone message that is lost again and again doubles the wait each time,
    // and among some hundred runs there is one that loses it seven times in a row.
    assert!(took <= 1_200_000, "{took} ms for 1,024 chunks");
}

#[test]
fn what_a_slow_link_delays_is_not_asked_for_again_and_again() {
    let published = Published::from([(1, Snapshot::new(1, 512 * CHUNK))]);
    let file = published[&1].file.len() as f64;
    // 100 bytes a second: 40 s for one chunk.
    for bytes_a_second in [100_000, 10_000, 2_000, 500, 100] {
        let mut link = Link::new(Way::Slow(bytes_a_second), 1, &published);
        let took = link.run();
        let received = link.received as f64 / file;
        let seconds = took.0 / 1_000;
        print_line(&std::format!("{bytes_a_second} bytes/s: {received:.3} received, {seconds} s"));

        assert!(received <= 1.1, "{bytes_a_second} bytes/s: {received} times the file");
    }
}

#[expect(clippy::print_stdout, reason = "figures for whoever runs the tests")]
fn print_line(text: &str) {
    std::println!("{text}");
}
