//! The parties of every scenario: a control plane, a real broker, gateways, a collector, a proxy.
//!
//! Each one is ready when the call that makes it returns and is gone when it is dropped, and each is
//! the program that an operator starts: nothing here looks into anybody's memory.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a harness that cannot go on should stop the test and say why"
)]

mod aboard;
mod admin;
mod broker;
mod collector;
mod deck;
mod gateway;
pub mod http;
pub mod model;
mod mosquitto;
mod nats;
mod nginx;
mod postgres;
mod program;
mod rabbitmq;
mod server;
mod small_disk;
pub mod wait;
mod wire;
pub mod world;

pub use crate::aboard::Aboard;
pub use crate::admin::Admin;
pub use crate::broker::Broker;
pub use crate::collector::Collector;
pub use crate::deck::{Deck, PLANT_7, PLANT_8, PROFILE_8, lookup};
pub use crate::gateway::Gateway;
pub use crate::http::Answer;
pub use crate::mosquitto::Mosquitto;
pub use crate::nats::{Nats, NatsCluster};
pub use crate::nginx::{Nginx, Upstream};
pub use crate::postgres::Postgres;
pub use crate::program::{Program, Ran, agent, built, run};
pub use crate::rabbitmq::RabbitMq;
pub use crate::server::Server;
pub use crate::small_disk::SmallDisk;
pub use crate::wait::{Stopwatch, until, within};
pub use crate::wire::Wire;
pub use rustix::process::Signal;
