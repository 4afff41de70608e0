//! A small policy that tests begin with.

use std::fs;

use gateward_core::time::UnixSeconds;
use tempfile::TempDir;

use crate::policy::{Mistakes, Policy, Sources};

/// 2026-07-01T00:00:00Z.
pub(crate) const NOW: UnixSeconds = UnixSeconds(1_782_864_000);

pub(crate) const POLICY: &str = r#"
[account]
id = "0193a5d4-0b9e-7c61-8d5e-3f1a7b2c9d10"
name = "Acme Robotics"

[[divisions]]
id = "0193a5d4-1111-7c61-8d5e-000000000001"
name = "plant-7"

[[divisions]]
id = "0193a5d4-1111-7c61-8d5e-000000000002"
name = "plant-8"

[[groups]]
id = "plant-7"
gateways = ["edge-7a", "edge-7b"]
divisions = ["plant-7"]

[[groups]]
id = "everything"
gateways = ["edge-0"]

[[roles]]
id = "line_operator"
permissions = ["manage_device", "view_certificate"]

[[resources]]
kind = "enrollment_profile"
id = "IOT_0193a5d4-4444-7c61-8d5e-000000000001"
division = "plant-7"

[[resources]]
kind = "enrollment_profile"
id = "0193a5d4-4444-7c61-8d5e-000000000002"
division = "plant-8"
"#;

pub(crate) const USERS: &str = r#"
{"username":"ana.ruiz","id":"0193a5d4-2222-7c61-8d5e-000000000001","roles":["iot_account_admin"],"divisions":["plant-7"]}
{"username":"bo","id":"0193a5d4-2222-7c61-8d5e-000000000002","roles":["line_operator"],"divisions":["plant-8"]}
{"username":"root","id":"0193a5d4-2222-7c61-8d5e-000000000003","roles":["iot_system_admin"],"access_scope":"system"}
{"username":"gone","id":"0193a5d4-2222-7c61-8d5e-000000000004","roles":["a role that is gone"],"divisions":["gone too"],"status":"deleted"}
"#;

pub(crate) const SERVICE_USERS: &str = r#"
{"friendly_name":"MES sync","id":"0193a5d4-3333-7c61-8d5e-000000000001","permissions":["manage_device"],"divisions":["plant-7","plant-8"],"end_date":"2027-06-30"}
"#;

pub(crate) fn sources() -> Sources {
    Sources {
        policy: POLICY.to_owned(),
        users: USERS.to_owned(),
        service_users: SERVICE_USERS.to_owned(),
        ..Sources::default()
    }
}

/// Reads the sample with `toml` after it.
pub(crate) fn with(toml: &str) -> Result<Policy, Mistakes> {
    let mut sources = sources();
    sources.policy.push_str(toml);

    Policy::check(&sources)
}

/// Returns what is wrong with the sample and `toml` after it, as it is printed.
pub(crate) fn mistakes(toml: &str) -> String {
    with(toml).unwrap_err().to_string()
}

/// Writes the sample into a folder.
pub(crate) fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("policy.toml"), POLICY).unwrap();
    fs::write(dir.path().join("users.jsonl"), USERS).unwrap();
    fs::write(dir.path().join("service_users.jsonl"), SERVICE_USERS).unwrap();

    dir
}
