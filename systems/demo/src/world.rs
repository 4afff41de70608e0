//! All parties, started in the order in which an operator would.

use anyhow::Result;
use gateward_control::access;
use gateward_core::topic::GroupTopic;
use gateward_loopback_broker::{Access, Broker, Options};
use serde_json::json;
use tempfile::TempDir;

use crate::collector::Collector;
use crate::control::Control;
use crate::gateway::Gateway;
use crate::people::People;
use crate::wait::until;

/// One account, one broker, one gateway and one collector, in a folder that is thrown away.
#[derive(Debug)]
pub(crate) struct World {
    // In the order in which they end.
    pub(crate) gateway: Gateway,
    pub(crate) collector: Collector,
    pub(crate) broker: Broker,
    pub(crate) control: Control,
    pub(crate) people: People,
    home: TempDir,
}

impl World {
    /// Starts everybody. Nothing is published.
    pub(crate) async fn start() -> Result<Self> {
        let home = tempfile::Builder::new().prefix("gateward-demo-").tempdir()?;
        let control = Control::begin(home.path())?;
        let mut list = control.access();
        let options = Options::mutual_tls(Access::parse(&list)?, control.broker_tls()?);
        let broker = Broker::start(options).await?;
        let port = broker.address().port();
        let etc = home.path().join("etc");
        list.push_str(&control.enroll(&etc, port)?);
        broker.set_access(Access::parse(&list)?);
        let people = People::add(&control)?;
        let reach = control.reach(access::COLLECTOR, port)?;
        let mut collector = Collector::new(control.dir(), reach, home.path().join("collected"));
        collector.start()?;
        let mut gateway = Gateway::new(home.path(), etc)?;
        gateway.start().await?;

        Ok(Self { gateway, collector, broker, control, people, home })
    }

    /// Returns the broker's port.
    pub(crate) fn port(&self) -> u16 {
        self.broker.address().port()
    }

    /// Pulls the cable, and waits until the gateway has noticed.
    pub(crate) async fn cut(&mut self) -> Result<()> {
        // It would come back at a moment of its own choosing, and the records with it.
        self.collector.stop().await?;
        self.broker.cut();
        self.gateway.shows("/link", json!("down")).await?;

        Ok(())
    }

    /// Plugs the cable in again, and waits until both are back.
    pub(crate) async fn mend(&mut self) -> Result<()> {
        self.broker.mend();
        self.collector.start()?;
        until("two connections at the broker", async || match self.broker.connections() {
            2 => Ok(Ok(())),
            other => Ok(Err(other.to_string())),
        })
        .await?;
        self.gateway.shows("/link", json!("up")).await?;

        Ok(())
    }

    /// Returns what the broker retains of a topic of the group.
    pub(crate) fn retained(&self, what: GroupTopic) -> Result<Vec<u8>> {
        let topic = self.control.topic(what)?;

        Ok(self.broker.retained(&topic).unwrap_or_default())
    }

    /// Lets the broker pass off a message as the control plane's.
    pub(crate) fn plant(&self, what: GroupTopic, payload: Vec<u8>) -> Result<()> {
        self.broker.plant(&self.control.topic(what)?, payload);

        Ok(())
    }

    /// Ends everybody in good order, and throws everything away.
    pub(crate) async fn end(self) -> Result<()> {
        let Self { mut gateway, mut collector, broker, home, .. } = self;
        gateway.stop().await?;
        collector.stop().await?;
        drop(broker);

        Ok(home.close()?)
    }
}
