//! What goes wrong is said once, and again only when it has changed or been well in between.

use std::collections::BTreeMap;

use tracing::{error, info, warn};

use super::schedule::Went;
use crate::publish::{NotPublished, Reaching, Stopped};

/// What was said.
#[derive(Debug, Default)]
pub(super) struct Reports {
    failed: Option<String>,
    groups: BTreeMap<String, String>,
    policy: Option<String>,
}

impl Reports {
    /// The policy cannot be published. What waits behind a widening may be a revocation, so that is
    /// said again with each change.
    pub(super) fn policy(&mut self, why: &NotPublished, reaching: Reaching) {
        let waits = matches!(why, NotPublished::Widens(_)) && reaching == Reaching::Changes;
        let why = words(why);
        if waits && self.policy.as_ref() == Some(&why) {
            error!(
                "the policy changed, and nothing of that is published, revocations neither:\n{why}"
            );
        }
        if self.policy.as_ref() != Some(&why) {
            error!("the policy is not published, gateways keep the last good one:\n{why}");
            self.policy = Some(why);
        }
    }

    pub(super) fn policy_is_good(&mut self) {
        if self.policy.take().is_some() {
            info!("the policy is good again");
        }
    }

    /// These groups were left out, others were not.
    pub(super) fn groups(&mut self, stopped: &[Stopped], reaching: Reaching) {
        for Stopped { group, why } in stopped {
            if self.groups.get(group) != Some(why) {
                error!(group, "nothing is published for this group: {why}");
            }
        }
        let stopped = stopped.iter().map(|one| (one.group.clone(), one.why.clone()));
        if reaching == Reaching::Everything {
            self.groups = stopped.collect();
        } else {
            self.groups.extend(stopped);
        }
    }

    /// A look did not come to its end.
    pub(super) fn failed(&mut self, why: &NotPublished) -> Went {
        let why = words(why);
        if self.failed.as_ref() != Some(&why) {
            warn!("not everything is published yet, it is tried again: {why}");
            self.failed = Some(why);
        }

        Went::Failed
    }

    /// A look came to its end.
    pub(super) fn well(&mut self) -> Went {
        if self.failed.take().is_some() {
            info!("everything is published again");
        }

        Went::Well
    }
}

/// With the cause, which says what the system said.
fn words(error: &NotPublished) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }

    text
}
