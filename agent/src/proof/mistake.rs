//! What can be wrong with records that are kept.

use core::fmt;

use gateward_core::trust::Incarnation;

/// One thing that is wrong, and where.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are the enrolment and the numbers that the text names")]
pub enum Mistake {
    /// The line or row of a record does not say what the record says.
    #[error("enrolment {incarnation}: what is shown of record {number} was altered{}", which(.fields))]
    Altered { incarnation: Incarnation, number: u64, fields: Vec<String> },
    /// A line belongs to no record.
    #[error("line {line} belongs to no record: it was added, or stands twice")]
    Added { line: u64 },
    /// A batch of another gateway, or of an enrolment that ended before.
    #[error(
        "batch {batch} is of another gateway, or of enrolment {incarnation}, which ended before"
    )]
    Astray { batch: u64, incarnation: Incarnation },
    /// A batch cannot be read, or not to its end.
    #[error("batch {batch} cannot be read: {why}")]
    Batch { batch: u64, why: String },
    /// A checkpoint is not the gateway's, or is about another head.
    #[error("enrolment {incarnation}: the checkpoint at record {number} is not the gateway's")]
    Checkpoint { incarnation: Incarnation, number: u64 },
    /// What was receipted is not there.
    #[error("enrolment {incarnation}: the records end with {found}, and {by} {through}")]
    CutShort { incarnation: Incarnation, found: u64, through: u64, by: Witness },
    /// What stands there as the word of the gateway is not.
    #[error(
        "enrolment {0}: what is kept as the last status of the gateway is not signed by it: altered, or put in"
    )]
    FalseStatus(Incarnation),
    /// The file of batches ends within one.
    #[error("the file of batches cannot be read on after batch {batch}: {why}")]
    File { batch: u64, why: String },
    /// The record does not follow from the one before.
    #[error(
        "enrolment {incarnation}: the chain breaks at record {number}: it, or one before it, was \
         altered, removed or put in"
    )]
    Fork { incarnation: Incarnation, number: u64 },
    /// Records are missing and no gap record says so.
    #[error("enrolment {incarnation}: records {first} to {last} are missing")]
    Missing { incarnation: Incarnation, first: u64, last: u64 },
    /// Collectors say another end than the records have.
    #[error(
        "enrolment {incarnation}: its row in the table `position` says record {through} and a head that are not \
         where its records end"
    )]
    OtherEnd { incarnation: Incarnation, through: u64 },
    /// Lines or rows of records are missing.
    #[error("enrolment {incarnation}: what is shown of records {first} to {last} was removed")]
    Removed { incarnation: Incarnation, first: u64, last: u64 },
    /// A batch repeats records that were there, in a way that cannot be compared.
    #[error("batch {batch} only repeats records {first} to {last}, and cannot be compared")]
    Repeated { batch: u64, first: u64, last: u64 },
    /// A row belongs to no record.
    #[error(
        "enrolment {enrolment}: the table has a row of record {number} that belongs to no record: it was \
         added, or stands twice"
    )]
    Surplus { enrolment: String, number: u64 },
    /// Tags are not those of the gateway's key.
    #[error(
        "enrolment {incarnation}: records {first} to {last} do not carry the tags of the gateway's \
         key: forged, or written anew"
    )]
    Tag { incarnation: Incarnation, first: u64, last: u64 },
    /// The hole before a record is too long to carry the key over.
    #[error(
        "enrolment {incarnation}: so many are missing before record {number} that tags from there on are not looked at"
    )]
    TooFar { incarnation: Incarnation, number: u64 },
    /// Files go on behind what the collector counts.
    #[error(
        "behind what the collector counts there is more: it was added, or a collector that was \
         killed left it, and the next one cuts it off"
    )]
    Uncounted,
    /// Nothing says how far its records were receipted.
    #[error(
        "enrolment {0}: its row in the table `position` is gone; nothing says where its records end"
    )]
    Unheld(Incarnation),
    /// Nothing is known of the enrolment.
    #[error(
        "enrolment {0} is not one that the policy folder knows; its tags and checkpoints prove nothing"
    )]
    Unknown(Incarnation),
    /// There are lines, and nothing that proves them.
    #[error("no batches are kept beside its {lines} lines, so nothing proves them")]
    Unproved { lines: u64 },
}

/// Who says how far the records went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Witness {
    /// What collectors count in the store itself.
    Receipts,
    /// The gateway, by its signature.
    Gateway,
    /// A collector, outside of the store.
    Mark,
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Receipts => "receipts were signed up to",
            Self::Gateway => "the gateway itself has signed that it was given receipts up to",
            Self::Mark => {
                "a collector has marked in the policy folder that it committed them up to"
            }
        })
    }
}

fn which(fields: &[String]) -> String {
    if fields.is_empty() { String::new() } else { format!(": {}", fields.join(", ")) }
}

impl Mistake {
    /// A stable word for it.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Altered { .. } => "line_altered",
            Self::Added { .. } => "line_added",
            Self::Astray { .. } => "astray",
            Self::Batch { .. } => "bad_batch",
            Self::Checkpoint { .. } => "bad_checkpoint",
            Self::CutShort { .. } => "cut_short",
            Self::FalseStatus(_) => "forged_status",
            Self::File { .. } => "bad_file",
            Self::Fork { .. } => "fork",
            Self::Missing { .. } => "missing",
            Self::OtherEnd { .. } => "other_end",
            Self::Removed { .. } => "line_removed",
            Self::Repeated { .. } => "repeated",
            Self::Surplus { .. } => "row_added",
            Self::Tag { .. } => "forged_tag",
            Self::TooFar { .. } => "too_far",
            Self::Uncounted => "uncounted",
            Self::Unheld(_) => "unheld",
            Self::Unknown(_) => "unknown_enrolment",
            Self::Unproved { .. } => "unproved",
        }
    }

    /// Takes what goes on from this one in; returns it again where it does not.
    fn join(&mut self, next: Self) -> Option<Self> {
        match (self, &next) {
            (
                Self::Tag { incarnation: here, last, .. },
                Self::Tag { incarnation, first, last: end },
            )
            | (
                Self::Removed { incarnation: here, last, .. },
                Self::Removed { incarnation, first, last: end },
            ) if here == incarnation && last.checked_add(1) == Some(*first) => {
                *last = *end;
                None
            }
            _ => Some(next),
        }
    }
}

/// More than this many are counted only.
const MOST: usize = 10_000;

/// All that is wrong, in the order in which it was found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Mistakes {
    found: Vec<Mistake>,
    /// Those that were counted only.
    more: u64,
}

impl Mistakes {
    /// Adds one; what goes on from the one before becomes one with it.
    pub fn add(&mut self, mistake: Mistake) {
        let rest = match self.found.last_mut() {
            Some(last) => last.join(mistake),
            None => Some(mistake),
        };
        match rest {
            Some(mistake) if self.found.len() < MOST => self.found.push(mistake),
            Some(_) => self.more += 1,
            None => {}
        }
    }

    /// Adds what somebody else found.
    pub fn add_all(&mut self, others: Self) {
        others.found.into_iter().for_each(|mistake| self.add(mistake));
        self.more += others.more;
    }

    /// Those that are kept.
    #[must_use]
    pub fn found(&self) -> &[Mistake] {
        &self.found
    }

    /// How many more there are.
    #[must_use]
    pub const fn more(&self) -> u64 {
        self.more
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.found.is_empty()
    }
}
