//! Seeds for the parsers of the control plane.

use gateward_core::name::{Hex, Uuid};

use super::Named;

/// A policy with something of every kind, but for the end of its token.
const WHOLE: &str = include_str!("whole.toml");

pub(super) fn policy() -> Named {
    let whole = format!("{WHOLE}verifier = \"{}\"\n", Hex(&[7; 32]));
    let users = "%% users\n{\"username\":\"zed\",\"id\":\"0193a5d4-2222-7c61-8d5e-000000000001\",\
                 \"roles\":[\"iot_account_admin\"],\"divisions\":[\"A\"]}\n";
    let services = "%% service_users\n{\"friendly_name\":\"S\",\
                    \"id\":\"0193a5d4-3333-7c61-8d5e-000000000001\",\
                    \"permissions\":[\"manage_device\"],\"end_date\":\"2027-06-30\"}\n";
    let known = format!("{whole}%% known\ndivision {} all A\n", Uuid([9; 16]));

    vec![
        ("whole", whole.clone().into_bytes()),
        ("tables", format!("{whole}{users}{services}").into_bytes()),
        ("known", known.into_bytes()),
        ("no-toml", b"[account\nid = = 1\n".to_vec()),
        ("wrong", b"[account]\nid = 7\n[[users]]\nroles = [\"x\", 1]\n[[nothing]]\n".to_vec()),
        ("small", b"[account]\nid = \"0193a5d4-0b9e-7c61-8d5e-3f1a7b2c9d10\"\nname = \"A\"\n[[groups]]\nid = \"g\"\ngateways = []\n".to_vec()),
    ]
}
