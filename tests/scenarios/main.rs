//! What the system promises, one module per promise.
//!
//! Every scenario has a broker, folders and processes of its own, so all of them run at once.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what is missing in a scenario ends it, with the line where it was missed"
)]

mod altered;
mod attackers;
mod audit;
mod batch;
mod brokers;
mod bundle;
mod carried;
mod clocks;
mod cluster;
mod damage;
mod delta;
mod drills;
mod endurance;
mod expiry;
mod first_sync;
mod fleet;
mod followed;
mod full_disk;
mod hostile;
mod hostile_broker;
mod hybrid;
mod kills;
mod large;
mod late;
mod leaks;
mod limits;
mod loopback;
mod lost;
mod meaning;
mod observe;
mod offline;
mod own_broker;
mod packets;
mod processors;
mod proxy;
mod renewal;
mod restarts;
mod revocation;
mod serve;
mod shared;
mod shutdown;
mod stage;
mod tables;
mod tried;
mod witnessed;
mod zones;
