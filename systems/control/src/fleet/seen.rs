//! The furthest that each gateway has said it was, in `state/seen/GATEWAY`: the signed status itself.

use std::fs;
use std::path::{Path, PathBuf};

use gateward_core::name::Uuid;
use gateward_core::trust::Status;

use super::alarm::{Alarm, fell_back};
use crate::enroll::Enrolled;
use crate::whole;

/// Compares the status that a gateway has signed with the furthest it had said, and keeps it where it
/// is as far.
pub(super) fn compare(
    dir: &Path,
    enrolled: &Enrolled,
    account: Uuid,
    (bytes, status): (&[u8], &Status),
) -> Result<Option<Alarm>, whole::Failed> {
    let path = path(dir, &enrolled.gateway);
    let before = fs::read(&path)
        .ok()
        .and_then(|kept| Status::verify(&kept, &enrolled.key, account, enrolled.id(account)).ok());
    let alarm = before.and_then(|before| fell_back(&before, status));
    // What a gateway that is gone says may be less than what it had said since.
    let as_far = before.is_none() || !status.gone;
    if alarm.is_none() && as_far {
        let folder = dir.join("state/seen");
        fs::create_dir_all(&folder).map_err(whole::Failed::new("made", &folder))?;
        whole::write(&path, bytes, 0o644)?;
    }

    Ok(alarm)
}

fn path(dir: &Path, gateway: &str) -> PathBuf {
    dir.join("state/seen").join(gateway)
}
