//! See `tests/outside`.
#![no_main]

gateward_fuzz::target!("shim");
