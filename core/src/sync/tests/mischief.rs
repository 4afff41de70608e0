//! A broker that misbehaves for a while: whatever it did, the newest snapshot is in force soon after
//! it stops.

use proptest::prelude::*;

use super::world::{World, is_control};
use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Loss, duplication, reordering, alteration, publishing and lost links, in any order; then
    /// peace.
    #[test]
    fn once_the_broker_behaves_the_newest_snapshot_is_in_force(
        chunks in 1..40_usize,
        mischief in proptest::collection::vec((0..12_u8, any::<u8>()), 0..200),
    ) {
        let mut world = World::new(chunks);
        for (kind, pick) in mischief {
            world.misbehave(kind, pick);
        }
        world.settle();
    }
}

impl World {
    fn misbehave(&mut self, kind: u8, pick: u8) {
        let pick = usize::from(pick);
        match kind {
            0 if self.online => self.cut(),
            1 | 2 => self.connect(),
            3 => {
                self.lose(pick);
            }
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
            6 => {
                let version = self.newest.version + 1;
                self.newest = Self::snapshot(version, self.chunks);
                self.retain();
                let manifest = self.retained["manifest"].clone();
                if self.subscribed.contains(&GroupTopic::Manifest) {
                    self.on_the_way.push(manifest);
                }
            }
            7 => self.wait(),
            _ => {
                if let Some((what, payload)) = self.lose(pick) {
                    self.deliver(what, &payload);
                }
            }
        }
        self.act();
    }

    /// From here on every message arrives, once and in order.
    fn settle(&mut self) {
        self.on_the_way.clear();
        self.connect();
        self.act();
        let mut messages = 0;
        let mut waits = 0;
        while self.in_force != self.newest.version {
            if self.on_the_way.is_empty() {
                self.wait();
                waits += 1;
            } else {
                let (what, payload) = self.on_the_way.remove(0);
                self.deliver(what, &payload);
                messages += 1;
            }
            self.act();
            assert!(messages <= 2 * self.chunks + 64, "{messages} messages");
            assert!(waits <= 12, "{waits} waits");
        }
        while !self.on_the_way.is_empty() {
            let (what, payload) = self.on_the_way.remove(0);
            self.deliver(what, &payload);
            self.act();
        }
        let rest: Vec<_> = self.subscribed.iter().filter(|what| !is_control(**what)).collect();
        assert!(rest.is_empty(), "still subscribed: {rest:?}");
    }
}
