//! Records in the forms that others read: JSON lines, OCSF and CEF.
//!
//! All are made from the record's JSON line ([`Line`]), so that a gateway's journal and a
//! collector's store come to the same bytes (decision 0048).

mod cef;
mod ocsf;
#[cfg(test)]
mod tests;

use clap::ValueEnum;

use crate::journal::json::Line;

/// The form to write records in.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum As {
    /// One JSON object a record, with the names of the contract
    Jsonl,
    /// One OCSF event a record, as a line of JSON
    Ocsf,
    /// One line of the Common Event Format a record
    Cef,
}

/// Returns a record in a form, as one line without its end; nothing in it ends a line.
#[must_use]
pub fn line(record: &Line<'_>, form: As) -> String {
    match form {
        As::Jsonl => record.to_json(),
        As::Ocsf => ocsf::event(record).to_string(),
        As::Cef => cef::line(record),
    }
}

/// How much whoever watches should mind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Severity {
    Informational,
    Low,
    Medium,
    High,
}

impl Severity {
    /// A refusal is what the product is for; what the audit may have lost is not.
    fn of(record: &Line<'_>) -> Self {
        match (record.decision.as_ref(), record.action.as_deref()) {
            ("event", Some("audit_failed" | "gap" | "segment_damaged" | "unsynced")) => Self::High,
            (
                "event",
                Some(
                    "audit_full" | "clock_step" | "floor_rebuilt" | "receipt_refused"
                    | "snapshot_expired" | "snapshot_rejected" | "tail_cut",
                ),
            ) => Self::Medium,
            ("event", Some("audit_high_water" | "cache_rebuilt" | "snapshot_stale")) => Self::Low,
            ("deny", _) => Self::Low,
            _ => Self::Informational,
        }
    }
}

/// The version of the product, as its exports name it.
const VERSION: &str = env!("CARGO_PKG_VERSION");
