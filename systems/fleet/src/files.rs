//! How many files may be open: every connection is one, here and in the broker, which inherits this.

use anyhow::{Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Beside what grows with the fleet: the broker, the control plane, libraries.
const BESIDE: u64 = 512;
/// A gateway has a connection, the lock of its folder, and the snapshot that is arriving.
const PER_GATEWAY: u64 = 3;
/// A cable has two ends for each gateway behind it.
const PER_CUT_OFF: u64 = 2;

/// Raises the limit for that many gateways, of which `behind` are behind a cable; returns what to
/// say about it.
pub(crate) fn raise(gateways: usize, behind: usize) -> Result<String> {
    let need = (gateways as u64)
        .saturating_mul(PER_GATEWAY)
        .saturating_add((behind as u64).saturating_mul(PER_CUT_OFF))
        .saturating_add(BESIDE);
    let limit = getrlimit(Resource::Nofile);
    // None is no limit.
    let (soft, hard) = (limit.current.unwrap_or(u64::MAX), limit.maximum.unwrap_or(u64::MAX));
    if soft >= need {
        return Ok(format!("{need} open files are needed and allowed"));
    }
    if hard < need {
        bail!(
            "{need} open files are needed and {hard} are the most that this user may have; raise \
             it (`ulimit -Hn {need}` as root, or LimitNOFILE=), or start fewer gateways"
        );
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(need), maximum: limit.maximum })?;

    Ok(format!("the limit of open files is raised from {soft} to {need}"))
}
