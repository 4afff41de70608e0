//! A broker and a network that misbehave for a while: whatever they did, the newest snapshot is in
//! force soon after they stop.

use proptest::prelude::*;

use super::ask::QUIET_MS;
use super::world::{World, is_control};
use super::*;

/// No wait for one answer is longer.
const LONGEST_WAIT_MS: u64 = 80_000;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(400)))]

    /// Loss, duplication, reordering, delay, alteration, connections that break within a message,
    /// brokers that keep no session, lose what they retain, or are another one; then peace.
    #[test]
    fn once_the_network_behaves_the_newest_snapshot_is_in_force(
        chunks in prop_oneof![9 => 1..40_usize, 1 => 120..140_usize],
        mischief in proptest::collection::vec((0..22_u8, any::<u8>()), 0..200),
    ) {
        let mut world = World::new(chunks);
        for (kind, pick) in mischief {
            world.misbehave(kind, usize::from(pick));
        }
        world.settle();
    }
}

impl World {
    fn misbehave(&mut self, kind: u8, pick: usize) {
        match kind {
            0 if self.online => self.cut(),
            1 | 2 => self.connect(),
            3 => drop(self.lose(pick)),
            4 => {
                if let Some(message) = self.choose(pick).cloned() {
                    self.on_the_way.push(message);
                }
            }
            5 => {
                if let Some((_, payload)) = self.choose(pick)
                    && let Some(byte) = payload.get_mut(pick)
                {
                    *byte ^= 1;
                }
            }
            6 => self.publish(),
            7 => self.wait(),
            8 if self.online => self.break_within_a_message(pick * 97),
            9 => self.unheard = true,
            // The broker starts again, and has lost what it retained; or some of it.
            10 if self.online => {
                self.retained.clear();
                self.cut();
            }
            11 => {
                let topics: Vec<_> = self.retained.keys().cloned().collect();
                if let Some(topic) = topics.get(pick % topics.len().max(1)) {
                    self.retained.remove(topic);
                }
            }
            12 => self.retain(self.newest()),
            // Another broker of the list, which is behind.
            13 => {
                self.becomes(1 + pick as u64 % self.newest());
                self.cut();
            }
            14 => self.subscribed.clear(),
            15 => self.answer_for_somebody_else(pick),
            _ => {
                if let Some(message) = self.lose(pick) {
                    self.deliver(&message);
                }
            }
        }
        self.act();
    }

    /// What was sent whole before byte `at` arrives; the rest is gone with the connection.
    fn break_within_a_message(&mut self, mut at: usize) {
        while let Some(len) = self.on_the_way.first().map(|(_, payload)| payload.len())
            && len <= at
        {
            at -= len;
            let message = self.on_the_way.remove(0);
            self.deliver(&message);
            self.act();
        }
        self.cut();
    }

    /// Under a topic that is subscribed comes what another group, another account or another
    /// snapshot has there.
    fn answer_for_somebody_else(&mut self, pick: usize) {
        let Some(what) = self.subscribed.get(pick % self.subscribed.len().max(1)).copied() else {
            return;
        };
        let other = &self.published[&(1 + pick as u64 % self.newest())];
        let payload = match what {
            GroupTopic::Chunk { index, .. } if (index as usize) < self.chunks => {
                other.chunk(index).to_vec()
            }
            GroupTopic::Delta { .. } => delta(1 + pick as u64),
            GroupTopic::List { piece, .. } => other.piece(piece).unwrap_or_default().to_vec(),
            // A key of ours did not sign it.
            GroupTopic::Chunk { .. }
            | GroupTopic::Keys
            | GroupTopic::KeysOf(_)
            | GroupTopic::Manifest
            | GroupTopic::Revoked
            | GroupTopic::Time => (u64::MAX - pick as u64).to_le_bytes().to_vec(),
        };
        self.on_the_way.push((what, payload));
    }

    /// From here on the broker has the newest set, and every message arrives, once and in order,
    /// behind what was on its way before.
    fn settle(&mut self) {
        let newest = self.newest();
        self.becomes(newest);
        self.unheard = false;
        self.connect();
        self.act();
        let limit = self.bound();
        let since = self.gateway.now;
        let mut messages = 0;
        while self.gateway.in_force != newest {
            if self.on_the_way.is_empty() {
                self.wait();
            } else {
                let message = self.on_the_way.remove(0);
                self.deliver(&message);
                messages += 1;
            }
            self.act();
            assert!(messages <= limit, "{messages} messages, more than {limit}");
            let took = self.gateway.now.since(since);
            assert!(took <= QUIET_MS + 2 * LONGEST_WAIT_MS, "{took} ms");
        }
        while !self.on_the_way.is_empty() {
            let message = self.on_the_way.remove(0);
            self.deliver(&message);
            self.act();
        }
        let rest: Vec<_> = self.subscribed.iter().filter(|what| !is_control(**what)).collect();
        assert!(rest.is_empty(), "still subscribed: {rest:?}");
    }

    /// The most messages until the newest snapshot is in force: those on their way; a window of the
    /// snapshot that was fetched before; key set and manifest at connect, and once more where a
    /// manifest was lost; the delta; the list, and once more where a piece was wrong; the chunks.
    fn bound(&self) -> usize {
        let pieces = self.chunks.div_ceil(CHUNK / HASH_LEN);

        self.on_the_way.len() + WINDOW + 2 * 2 + 1 + 2 * pieces + self.chunks
    }
}
