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
            error!("the policy changed, and nothing of that is published, revocations neither");
            why.lines().for_each(|line| error!("{line}"));
        }
        if self.policy.as_ref() != Some(&why) {
            error!("the policy is not published, gateways keep the last good one");
            why.lines().for_each(|line| error!("{line}"));
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tracing::subscriber::with_default;

    use super::*;
    use crate::publish::{publish, tests::World};

    #[tokio::test]
    async fn what_waits_behind_a_widening_is_said_again_at_each_change_with_the_remedy() {
        let world = World::new().await;
        world.publish().await.unwrap();
        let path = world.policy().join("users.jsonl");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace(r#","divisions":["plant-1"]"#, "")).unwrap();
        let widens = publish(&world.options()).await.unwrap_err();
        let log = world.policy().join("log");
        let file = Arc::new(std::fs::File::create(&log).unwrap());
        let subscriber = tracing_subscriber::fmt().with_writer(file).finish();

        with_default(subscriber, || {
            let mut reports = Reports::default();
            for reaching in [Reaching::Changes, Reaching::Everything, Reaching::Changes] {
                reports.policy(&widens, reaching);
            }
        });

        let log = std::fs::read_to_string(log).unwrap();
        assert_eq!(log.matches("--accept-widening `ana.ruiz`").count(), 2, "{log}");
        assert!(log.contains("nothing of that is published, revocations neither"), "{log}");
    }
}
