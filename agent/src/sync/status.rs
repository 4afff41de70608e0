//! What the gateway says about itself, signed: at connect, on change, and at least every five
//! minutes; and the same with `gone`, which the broker publishes when the gateway is.

use core::fmt;

use gateward_core::name::Uuid;
use gateward_core::topic::{GatewayTopic, GatewayTopics, Topic};
use gateward_core::trust::{Floor, GatewayId, SEALED_LEN, Status};
use tokio::sync::watch;

use crate::identity::Identity;
use crate::journal;
use crate::link::Will;
use crate::now::TrustedClock;
use crate::store::{Current, Store};

/// Signs what the gateway runs on.
pub struct Standing {
    account: Uuid,
    identity: Identity,
    boot: u32,
    current: Current,
    floor: watch::Receiver<Floor>,
    journal: watch::Receiver<journal::Status>,
    time: TrustedClock,
}

impl Standing {
    /// Follows the store and the journal.
    #[must_use]
    pub fn new(
        account: Uuid,
        identity: Identity,
        store: &Store,
        journal: watch::Receiver<journal::Status>,
        time: TrustedClock,
    ) -> Self {
        let boot = store.floor().boots;
        let (current, floor) = (store.current(), store.follow_floor());

        Self { account, identity, boot, current, floor, journal, time }
    }

    /// Returns the topic that the status is retained on; none where the gateway's name cannot be
    /// part of one.
    #[must_use]
    pub fn topic(&self) -> Option<Topic> {
        let topics = GatewayTopics::new(self.account, &self.identity.gateway)?;

        Some(topics.topic(GatewayTopic::Status))
    }

    /// Returns the status as it is now, without a signature.
    #[must_use]
    pub fn status(&self, gone: bool) -> Status {
        let floor = *self.floor.borrow();
        let in_force = self.current.borrow().clone();
        let manifest = in_force.as_ref().map(|in_force| in_force.verified.manifest());
        let audit = self.journal.borrow().clone();

        Status {
            gateway: GatewayId::of(self.account, &self.identity.gateway),
            incarnation: self.identity.incarnation,
            boot: self.boot,
            keyset: floor.keys,
            version: manifest.map_or(0, |manifest| manifest.version().number),
            root8: manifest.map_or([0; 8], |manifest| manifest.root().short()),
            revoked_counter: in_force.as_ref().map_or(0, |in_force| in_force.revoked.number),
            floor_time: floor.lived,
            audit_number: audit.seq,
            audit_head: audit.head,
            backlog: audit.backlog(),
            time_quality: self.time.now().quality,
            gone,
        }
    }

    /// Returns the signed status, as it is published.
    #[must_use]
    pub fn sign(&self, gone: bool) -> Option<Vec<u8>> {
        let mut buffer = [0; SEALED_LEN];
        let signed = self.status(gone).sign(self.account, &self.identity.key, &mut buffer);

        signed.ok().map(<[u8]>::to_vec)
    }

    /// Returns the will for a connection that is about to be made.
    #[must_use]
    pub fn will(&self) -> Option<Will> {
        let topic = self.topic()?.as_str().to_owned();

        Some(Will { topic, payload: self.sign(true)?, retain: true })
    }
}

impl fmt::Debug for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Standing").field("gateway", &self.identity.gateway).finish_non_exhaustive()
    }
}
