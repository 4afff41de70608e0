//! Who may read and write which topics: lines for the `acl_file` of a broker.
//!
//! The broker is not trusted with anything that matters; this keeps one stolen certificate from
//! disturbing others.

use std::fmt::Write as _;

use gateward_core::name::Uuid;
use gateward_core::topic::{GatewayTopic, GatewayTopics, GroupTopics, PREFIX, RESERVED};

/// The user that publishes.
pub const CONTROL: &str = "control";
/// The user that collects audit.
pub const COLLECTOR: &str = "collector";

/// What a collector's folder has beside the gateways' records.
pub const EVENTS: &str = "events";

/// Returns whether a name belongs to the control plane, so that no gateway may have it.
#[must_use]
pub fn is_ours(name: &str) -> bool {
    matches!(name, CONTROL | COLLECTOR | EVENTS)
}

/// Returns the lines for one gateway: it reads what its group is told, and writes what it says of
/// itself. None where a name cannot stand in a topic.
#[must_use]
pub fn gateway(account: Uuid, group: &str, name: &str) -> Option<String> {
    GroupTopics::new(account, group)?;
    let topics = GatewayTopics::new(account, name)?;
    let mut lines = format!("user {name}\ntopic read {PREFIX}/{account}/{group}/#\n");
    for (grant, what) in [
        ("write", GatewayTopic::Status),
        ("write", GatewayTopic::Audit),
        ("read", GatewayTopic::Receipt),
    ] {
        // Writing into a string cannot fail.
        let _ = writeln!(lines, "topic {grant} {}", topics.topic(what));
    }

    Some(lines)
}

/// Returns the lines for the user [`CONTROL`].
#[must_use]
pub fn control(account: Uuid) -> String {
    format!("user {CONTROL}\ntopic readwrite {PREFIX}/{account}/#\n")
}

/// Returns the topic on which the user [`CONTROL`] writes to itself; no group and no gateway can be
/// called so.
#[must_use]
pub fn fence(account: Uuid) -> String {
    format!("{PREFIX}/{account}/{RESERVED}/{CONTROL}/fence")
}

/// Returns the lines for the user [`COLLECTOR`], which can neither publish a policy nor pass for a
/// gateway.
#[must_use]
pub fn collector(account: Uuid) -> String {
    let of_all = |what| GatewayTopics::of_all(account, what);

    format!(
        "user {COLLECTOR}\ntopic read {}\ntopic read {}\ntopic write {PREFIX}/{account}/{RESERVED}/+/receipt\n",
        of_all(GatewayTopic::Audit),
        of_all(GatewayTopic::Status),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_has_its_groups_topics_and_its_own() {
        let account = Uuid([0x11; 16]);
        let base = "gateward/v1/11111111-1111-1111-1111-111111111111";

        assert_eq!(
            gateway(account, "plant-7", "edge-7a").unwrap(),
            format!(
                "user edge-7a\ntopic read {base}/plant-7/#\n\
                 topic write {base}/gateway/edge-7a/status\n\
                 topic write {base}/gateway/edge-7a/audit\n\
                 topic read {base}/gateway/edge-7a/receipt\n"
            )
        );
        for bad in ["a/b", "#", "+", "", "a\nuser control"] {
            assert_eq!(gateway(account, "plant-7", bad), None, "{bad}");
            assert_eq!(gateway(account, bad, "edge-7a"), None, "{bad}");
        }
        assert!(collector(account).contains(&format!("topic write {base}/gateway/+/receipt\n")));
    }
}
