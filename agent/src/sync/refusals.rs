//! Why a message changed nothing, and which of the refusals are told.

use std::collections::BTreeMap;
use std::io;

use gateward_core::snapshot::chunk;
use gateward_core::sync::Dropped;
use gateward_core::time::Millis;
use gateward_core::trust::Refused;

/// How often one reason for refusing is reported.
const REFUSED_EVERY_MS: u64 = 10_000;

/// What was refused lately. A broker that repeats itself must not fill the audit.
#[derive(Debug, Default)]
pub(super) struct Refusals(BTreeMap<&'static str, (Millis, [u8; 32])>);

impl Refusals {
    pub(super) fn is_news(&mut self, code: &'static str, payload: &[u8], now: Millis) -> bool {
        let digest = chunk::leaf(0, payload);
        if let Some((at, last)) = self.0.get(code)
            && (*last == digest || now.since(*at) < REFUSED_EVERY_MS)
        {
            return false;
        }
        self.0.insert(code, (now, digest));

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
            Dropped::Fork => Self::Refused("fork"),
            Dropped::TooManyChunks { .. } => Self::Refused("too_many_chunks"),
            Dropped::Known | Dropped::NotAskedFor | Dropped::Older | Dropped::RefusedBefore => {
                Self::Useless
            }
        }
    }
}
