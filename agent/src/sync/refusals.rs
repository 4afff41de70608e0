//! Why a message changed nothing, and which of the refusals are told.

use std::collections::{BTreeMap, VecDeque};
use std::io;

use gateward_core::snapshot::chunk;
use gateward_core::sync::Dropped;
use gateward_core::time::Millis;
use gateward_core::trust::Refused;

/// Two of a kind with one number, which only who has a key can have made (DOMAIN H7).
const FORK: &str = Refused::Fork.code();

/// How often one reason for refusing one kind of message is reported.
const REFUSED_EVERY_MS: u64 = 10_000;

/// How many forks of one kind are reported in that time; only who has a key can make more.
const FORKS: usize = 16;

/// What was refused lately. A broker that repeats itself must not fill the audit, and what it can
/// bring about must not hide what it cannot.
#[derive(Debug, Default)]
pub(super) struct Refusals(BTreeMap<(&'static str, &'static str), Told>);

#[derive(Debug, Default)]
struct Told {
    since: Millis,
    lately: usize,
    /// The newest last; never more than may be told at once.
    digests: VecDeque<[u8; 32]>,
}

impl Refusals {
    /// Returns whether a refusal is told; `place` says what kind of message it was.
    pub(super) fn is_news(
        &mut self,
        code: &'static str,
        place: &'static str,
        payload: &[u8],
        now: Millis,
    ) -> bool {
        let most = if code == FORK { FORKS } else { 1 };
        let digest = chunk::leaf(0, payload);
        let told = self.0.entry((code, place)).or_default();
        if told.digests.contains(&digest) {
            return false;
        }
        if now.since(told.since) >= REFUSED_EVERY_MS {
            (told.since, told.lately) = (now, 0);
        }
        if told.lately >= most {
            return false;
        }
        told.lately += 1;
        if told.digests.len() == most {
            told.digests.pop_front();
        }
        told.digests.push_back(digest);

        true
    }
}

/// Why a message changed nothing.
pub(super) enum Unheard {
    /// It is evidence of something wrong.
    Refused(&'static str),
    /// It could not be kept.
    Storage(io::Error),
    /// It is late, or nobody asked for it.
    Useless,
}

impl From<Refused> for Unheard {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused.code())
    }
}

impl From<Dropped> for Unheard {
    fn from(dropped: Dropped) -> Self {
        match dropped {
            Dropped::Altered => Self::Refused("altered"),
            Dropped::Fork => Self::Refused(FORK),
            Dropped::TooManyChunks { .. } => Self::Refused("too_many_chunks"),
            Dropped::Known | Dropped::NotAskedFor | Dropped::Older | Dropped::RefusedBefore => {
                Self::Useless
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h7_a_fork_is_told_whatever_else_was_refused_just_before() {
        let mut refusals = Refusals::default();
        let now = Millis(50_000);

        assert!(refusals.is_news("fork", "time", b"a beacon of a thief", now));
        assert!(refusals.is_news("fork", "manifest", b"one", now));
        assert!(refusals.is_news("fork", "manifest", b"two", now));
        assert!(!refusals.is_news("fork", "manifest", b"one", now.plus(1)), "said");
        assert!(!refusals.is_news("fork", "manifest", b"one", now.plus(60_000)), "long since");
    }

    #[test]
    fn a_broker_that_repeats_itself_and_a_thief_that_does_not_fill_no_audit() {
        let mut refusals = Refusals::default();
        let now = Millis(50_000);
        let mut told = |code, payload: u32, now| {
            usize::from(refusals.is_news(code, "manifest", &payload.to_le_bytes(), now))
        };

        assert_eq!((0..999).map(|one| told("rollback", one, now)).sum::<usize>(), 1);
        assert_eq!(told("rollback", 999, now.plus(REFUSED_EVERY_MS)), 1);
        assert_eq!((0..999).map(|one| told("fork", one, now)).sum::<usize>(), FORKS);
        assert_eq!(told("fork", 999, now.plus(REFUSED_EVERY_MS)), 1);
    }
}
