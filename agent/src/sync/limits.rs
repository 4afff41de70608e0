//! Tells once when the snapshot in force has grown stale, and once when it has expired.

use gateward_core::time::UnixSeconds;
use gateward_core::trust::Version;

use super::Notice;
use crate::store::InForce;

/// What was told of the snapshot in force. A refresh makes it fresh again, so that it is told anew.
#[derive(Debug, Default)]
pub(super) struct Limits {
    of: Option<(Version, UnixSeconds)>,
    stale: bool,
    expired: bool,
}

impl Limits {
    /// Returns when there is something to tell next.
    pub(super) fn next(&self, in_force: &InForce) -> Option<UnixSeconds> {
        let (stale, expired) = self.told_of(in_force);
        let stale = (!stale).then(|| in_force.stale_at());
        let expired = (!expired).then(|| in_force.expires_at());

        stale.into_iter().chain(expired).min()
    }

    /// Returns what has happened by `now` and was not told before.
    pub(super) fn passed(&mut self, in_force: &InForce, now: UnixSeconds) -> Vec<Notice> {
        let (told_stale, told_expired) = self.told_of(in_force);
        let manifest = in_force.verified.manifest();
        let (version, root) = (manifest.version(), manifest.root());
        // A clock that is set back makes neither untold.
        let stale = told_stale || in_force.is_stale(now);
        let expired = told_expired || in_force.is_expired(now);
        *self = Self { of: Some(name(in_force)), stale, expired };

        [
            (stale && !told_stale).then_some(Notice::Stale { version, root }),
            (expired && !told_expired).then_some(Notice::Expired { version, root }),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn told_of(&self, in_force: &InForce) -> (bool, bool) {
        let same = self.of == Some(name(in_force));

        (same && self.stale, same && self.expired)
    }
}

/// Of one version there is one root; a refresh is signed later.
fn name(in_force: &InForce) -> (Version, UnixSeconds) {
    let manifest = in_force.verified.manifest();

    (manifest.version(), manifest.issued_at())
}
