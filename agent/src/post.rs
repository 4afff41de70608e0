//! Records out and receipts in: joins the upload to the link, and signs and believes for it.

use core::convert::Infallible;

use gateward_core::audit::Head;
use gateward_core::name::Uuid;
use gateward_core::topic::{GatewayTopic, GatewayTopics};
use gateward_core::trust::{Checkpoint, GatewayId, Receipt, SEALED_LEN};
use tokio::sync::{mpsc, watch};
use tracing::{debug, warn};

use crate::identity::Identity;
use crate::journal::Stamp;
use crate::link::{Event, Handle};
use crate::now::TrustedClock;
use crate::run::Keys;
use crate::upload::{Acknowledged, Heard, Outlet, Seal};

/// Hands on what the link says that is not about snapshots.
#[derive(Debug)]
pub(crate) struct Post {
    audit: String,
    receipt: String,
    handle: Handle,
    heard: mpsc::Sender<Heard>,
    connected: watch::Sender<bool>,
}

impl Post {
    pub(crate) fn new(
        account: Uuid,
        gateway: &str,
        handle: Handle,
        heard: mpsc::Sender<Heard>,
        connected: watch::Sender<bool>,
    ) -> Self {
        // The configuration has checked the name, so it is a level of a topic.
        let topic = |what| {
            let topics = GatewayTopics::new(account, gateway);
            topics.map(|topics| topics.topic(what).as_str().to_owned()).unwrap_or_default()
        };
        let (audit, receipt) = (topic(GatewayTopic::Audit), topic(GatewayTopic::Receipt));

        Self { audit, receipt, handle, heard, connected }
    }

    /// Returns where batches go.
    pub(crate) fn outbox(&self) -> Outbox {
        Outbox { topic: self.audit.clone(), handle: self.handle.clone() }
    }

    /// Hands on until the link has ended.
    pub(crate) async fn run(self, mut events: mpsc::Receiver<Event>) -> Result<(), Infallible> {
        while let Some(event) = events.recv().await {
            let heard = match event {
                Event::Up { max_payload } => {
                    self.connected.send_replace(true);
                    if let Err(error) = self.handle.try_subscribe(&[&self.receipt]) {
                        warn!(%error, "receipts are not subscribed to until the next connection");
                    }
                    Heard::Up { max_payload }
                }
                Event::Down => {
                    self.connected.send_replace(false);
                    Heard::Down
                }
                Event::Message { topic, payload, .. } if topic == self.receipt => {
                    Heard::Receipt(payload.to_vec())
                }
                Event::Message { .. } | Event::Published { .. } | Event::Subscribed { .. } => {
                    continue;
                }
            };
            if self.heard.send(heard).await.is_err() {
                break;
            }
        }

        Ok(())
    }
}

/// The gateway's audit topic.
#[derive(Debug)]
pub(crate) struct Outbox {
    topic: String,
    handle: Handle,
}

impl Outlet for Outbox {
    fn send(&mut self, message: Vec<u8>) -> bool {
        self.handle
            .try_publish(&self.topic, message, false)
            .inspect_err(|error| debug!(%error, "records wait for the next attempt"))
            .is_ok()
    }
}

/// Signs with the gateway's key and believes the collectors of the newest key set.
#[derive(Debug)]
pub(crate) struct Sealer {
    account: Uuid,
    gateway: GatewayId,
    identity: Identity,
    boot: u32,
    keys: Keys,
    time: TrustedClock,
}

impl Sealer {
    pub(crate) fn new(
        account: Uuid,
        identity: Identity,
        boot: u32,
        keys: Keys,
        time: TrustedClock,
    ) -> Self {
        let gateway = GatewayId::of(account, &identity.gateway);

        Self { account, gateway, identity, boot, keys, time }
    }
}

impl Seal for Sealer {
    fn checkpoint(&mut self, number: u64, head: &Head) -> Vec<u8> {
        let checkpoint = Checkpoint {
            gateway: self.gateway,
            incarnation: self.identity.incarnation,
            number,
            head: *head,
            time: self.time.now().at,
            boot: self.boot,
        };
        let mut buffer = [0; SEALED_LEN];
        let signed = checkpoint.sign(self.account, &self.identity.key, &mut buffer);

        signed.map(<[u8]>::to_vec).unwrap_or_default()
    }

    fn receipt(&mut self, message: &[u8]) -> Result<Acknowledged, String> {
        let keys = self.keys.borrow();
        let keys = keys.as_ref().ok_or("no_key_set")?;
        let receipt = Receipt::verify(message, keys, self.gateway, self.identity.incarnation)
            .map_err(|refused| refused.code().to_owned())?;

        Ok(Acknowledged {
            gateway: self.gateway,
            incarnation: self.identity.incarnation,
            through: receipt.through(),
            head: receipt.head(),
        })
    }

    fn now(&mut self) -> Stamp {
        self.time.stamp()
    }
}
