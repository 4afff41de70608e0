//! What a policy says about snapshots: how long they are believed, in what sizes they travel, and what
//! they permit the operators of gateways.

use gateward_core::trust::Manifest;
use gateward_core::trust::manifest::CHUNK_LOG2;

use super::fields::Fields;
use super::folder::Root;
use super::mistake::Mistakes;

/// How long gateways believe a snapshot, in seconds (DOMAIN Q8).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Staleness {
    /// Operations marked `fresh` are refused from here on.
    pub stale_after_s: u32,
    /// Everything keyed is refused from here on: the longest that a revocation can take.
    pub expires_after_s: u32,
}

/// In what sizes a snapshot travels.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sizes {
    /// The binary logarithm of the length of a chunk, and of a piece of the hash list.
    pub chunk_log2: u8,
    /// The longest delta with a topic of its own.
    pub max_delta: usize,
    /// The longest message.
    pub max_payload: usize,
}

impl Default for Sizes {
    /// With a header, each is below what the strictest hosted broker takes: 64 KiB retained, and
    /// 128 KiB in one message.
    fn default() -> Self {
        Self { chunk_log2: 15, max_delta: 96 * 1024, max_payload: MOST_PAYLOAD as usize }
    }
}

impl Sizes {
    /// What a policy may have said with which chunks of this length were made.
    pub(crate) fn of_chunks(chunk_log2: u8) -> Self {
        let usual = Self::default();
        let length = || 1_u32.checked_shl(chunk_log2.into()).unwrap_or(MOST_PAYLOAD);

        if chunk_log2 == usual.chunk_log2 { usual } else { Self::within(length()) }
    }

    /// Nothing is longer than `max_payload` bytes, which are enough for the smallest chunk.
    fn within(max_payload: u32) -> Self {
        let chunk_log2 = u8::try_from(max_payload.max(1).ilog2()).unwrap_or(*CHUNK_LOG2.end());
        let max_payload = max_payload as usize;
        let max_delta = Self::default().max_delta.min(max_payload);

        Self { chunk_log2: chunk_log2.min(*CHUNK_LOG2.end()), max_delta, max_payload }
    }
}

const LEAST_S: u32 = 300;
const MOST_S: u32 = 90 * 86_400;
const LEAST_PAYLOAD: u32 = 1 << *CHUNK_LOG2.start();
/// What a gateway takes in one message unless its `agent.toml` says otherwise; nobody here knows
/// whether it does.
const MOST_PAYLOAD: u32 = 128 * 1024;

/// What the operators of gateways may choose; by default nothing of it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Allows {
    /// `decision.mode = "observe"`: to decide and write down, and deny nobody.
    pub observe: bool,
    /// `audit.when_full = "drop_oldest"`: to drop records that no collector holds.
    pub drop: bool,
}

impl Allows {
    /// What a manifest says.
    pub(crate) const fn of(manifest: &Manifest) -> Self {
        Self { observe: manifest.allow_observe(), drop: manifest.allow_drop() }
    }
}

/// What stands in the table.
pub(super) type Said = (Staleness, Sizes, Allows);

pub(super) fn snapshot(root: &Root, mistakes: &mut Mistakes) -> Said {
    let mut staleness = Staleness { stale_after_s: 86_400, expires_after_s: 604_800 };
    let Some((place, table)) = root.one("snapshot", mistakes) else {
        return (staleness, Sizes::default(), Allows::default());
    };
    let mut fields = Fields::new("snapshot", place, table, mistakes);
    let mut seconds = |key, default: u32| {
        let what = "(5 minutes) to 7776000 (90 days) seconds";
        number(&mut fields, key, LEAST_S..=MOST_S, what).unwrap_or(default)
    };
    staleness.stale_after_s = seconds("stale_after_s", staleness.stale_after_s);
    staleness.expires_after_s = seconds("expires_after_s", staleness.expires_after_s);
    if staleness.stale_after_s > staleness.expires_after_s {
        let what = "is more than `expires_after_s`; nothing can be stale once it has expired";
        fields.wrong(place, "stale_after_s", what);
    }
    let what = "to 131072 bytes, the most that gateways take by default; set what the broker takes, \
                or leave it out";
    let payload = number(&mut fields, "max_payload_bytes", LEAST_PAYLOAD..=MOST_PAYLOAD, what);
    let mut flag = |key| fields.flag(key).unwrap_or(false);
    let allows = Allows { observe: flag("allow_observe"), drop: flag("allow_drop") };
    fields.finish();

    (staleness, payload.map_or_else(Sizes::default, Sizes::within), allows)
}

/// Returns a number within its limits, where it is there.
fn number(
    fields: &mut Fields<'_>,
    key: &'static str,
    limits: core::ops::RangeInclusive<u32>,
    what: &str,
) -> Option<u32> {
    let (place, number) = fields.number(key)?;
    let fit = u32::try_from(number).ok().filter(|number| limits.contains(number));
    if fit.is_none() {
        fields.wrong(place, key, format!("`{number}`: {} {what}", limits.start()));
    }

    fit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_longer_than_the_smallest_payload_that_anybody_takes() {
        let sizes = |max_payload| {
            let Sizes { chunk_log2, max_delta, .. } = Sizes::within(max_payload);
            assert!(1 << chunk_log2 <= max_payload && max_delta <= max_payload as usize);
            chunk_log2
        };
        assert_eq!(
            [4_096, 8_191, 8_192, 32_768, 65_000, MOST_PAYLOAD].map(sizes),
            [12, 12, 13, 15, 15, 17]
        );
    }
}
