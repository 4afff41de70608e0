//! What a gateway says that it must not say: less than it had said before, or another snapshot than its
//! neighbours, or than was published, under one version.
//!
//! No single gateway can see either. The broker may replay an old status, so a gateway that seems to
//! have fallen back may only be held back; both are worth a look.

use std::fmt;

use gateward_core::name::Hex;
use gateward_core::trust::{Manifest, Status, Version};

/// Time is written down at least every ten minutes of run time (TRUST section 4).
const MOST_LOST_S: u64 = 600;

/// Something about a gateway that somebody should look at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Alarm {
    /// It says less than it had said.
    FellBack {
        /// Of what.
        what: &'static str,
        /// What it had said.
        before: u64,
        /// What it says.
        now: u64,
    },
    /// Another snapshot of the same version runs on a neighbour, or was published.
    TwoRoots {
        /// The version.
        version: u64,
        /// First bytes of its root.
        root8: [u8; 8],
        /// Where the other one is, such as on which neighbour.
        other: String,
        /// First bytes of the other's root.
        other8: [u8; 8],
    },
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FellBack { what, before, now } => write!(
                f,
                "came back with an older floor: {what} {now}, and it had reported {before}; its \
                 state was restored from a copy, or the broker replays an old status"
            ),
            Self::TwoRoots { version, root8, other, other8 } => write!(
                f,
                "version {version} has root {} here and {} {other}: somebody signed two snapshots \
                 as one",
                Hex(root8),
                Hex(other8)
            ),
        }
    }
}

/// Compares what a gateway says with the furthest it had said; another enrolment begins again.
///
/// The word of a gateway that is gone was signed when it connected: it is as old as what was said
/// since in the same run of the agent, and only a later run must not be behind that.
pub(crate) fn fell_back(before: &Status, now: &Status) -> Option<Alarm> {
    let old_word = now.gone && now.boot == before.boot;
    if before.incarnation != now.incarnation || old_word {
        return None;
    }
    // A new key set may set time and version back, and a gateway may have nothing in force.
    let same_keys = now.keyset == before.keyset;
    let in_force = |figure| if same_keys && now.version != 0 { figure } else { u64::MAX };
    // A power cut takes the run time since it was last written down.
    let time = if same_keys { now.floor_time.plus(MOST_LOST_S).0 } else { u64::MAX };
    let figures = [
        ("key set", u64::from(before.keyset), u64::from(now.keyset)),
        ("version", before.version, in_force(now.version)),
        ("revocation list", before.revoked_counter, in_force(now.revoked_counter)),
        ("time", before.floor_time.0, time),
        ("boot", u64::from(before.boot), u64::from(now.boot)),
    ];
    let lower = figures.into_iter().find(|(_, before, now)| now < before);

    lower.map(|(what, before, now)| Alarm::FellBack { what, before, now })
}

/// Returns whether a gateway says anything that it cannot have said when it said `before`: who brings an
/// old word again makes nothing of it higher.
pub(crate) fn goes_beyond(before: &Status, now: &Status) -> bool {
    let same_keys = now.keyset == before.keyset;
    let figures = [
        now.keyset > before.keyset,
        now.boot > before.boot,
        now.audit_number > before.audit_number,
        // A new key set may set these back.
        same_keys && now.version > before.version,
        same_keys && now.revoked_counter > before.revoked_counter,
        same_keys && now.floor_time > before.floor_time,
    ];

    now.incarnation != before.incarnation || figures.contains(&true)
}

/// Compares what a gateway runs on with what its neighbours of the same group run on.
pub(crate) fn two_roots<'a>(
    now: &Status,
    neighbours: impl IntoIterator<Item = (&'a str, &'a Status)>,
) -> Option<Alarm> {
    let differs = |other: &Status| {
        now.version != 0
            && !now.gone
            && !other.gone
            && (other.keyset, other.version) == (now.keyset, now.version)
            && other.root8 != now.root8
    };
    let (other, theirs) = neighbours.into_iter().find(|(_, other)| differs(other))?;

    Some(Alarm::TwoRoots {
        version: now.version,
        root8: now.root8,
        other: format!("on `{other}`"),
        other8: theirs.root8,
    })
}

/// Compares what a gateway runs on with what was published under the same version.
pub(crate) fn not_as_published(now: &Status, published: &Manifest) -> Option<Alarm> {
    let same = Version { epoch: now.keyset, number: now.version } == published.version();
    let other8 = published.root().short();
    let differs = same && !now.gone && now.root8 != other8;
    let other = "as it was published from here".to_owned();

    differs.then_some(Alarm::TwoRoots { version: now.version, root8: now.root8, other, other8 })
}
