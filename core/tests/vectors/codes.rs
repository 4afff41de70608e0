//! The words that a refusal may have.

use gateward_core::snapshot::Refused as Bad;
use gateward_core::snapshot::delta::NotApplied;
use gateward_core::trust::{Refused, Version};

/// Every word that a vector may end with.
pub(crate) fn all() -> Vec<&'static str> {
    let held = Version { epoch: 1, number: 1 };
    let signed = [
        Refused::Absurd,
        Refused::AlgorithmMissing,
        Refused::Damaged,
        Refused::Expired,
        Refused::Fork,
        Refused::HashList,
        Refused::IssuedAhead,
        Refused::KeysExpired,
        Refused::KeysUnusable,
        Refused::Malformed,
        Refused::NewerKeys(1),
        Refused::OldKeys,
        Refused::OtherAccount,
        Refused::OtherAudience,
        Refused::OtherGateway,
        Refused::OtherType,
        Refused::Unconfirmed,
        Refused::Rollback { held, offered: held },
        Refused::TooLong,
        Refused::Unsigned,
        Refused::UnknownFormat,
    ];
    let files = [
        Bad::Counts,
        Bad::Directory,
        Bad::Extension,
        Bad::Length,
        Bad::Name,
        Bad::Order,
        Bad::OtherAccount,
        Bad::Reference,
        Bad::Reserved,
        Bad::Root,
        Bad::Scope,
        Bad::UnknownFeature,
        Bad::UnknownFormat,
        Bad::UnknownStatus,
    ];
    let patches = [
        NotApplied::Dangling,
        NotApplied::Malformed,
        NotApplied::Missing,
        NotApplied::Order,
        NotApplied::OtherBase,
        NotApplied::TooMany,
        NotApplied::UnknownFormat,
    ];
    let others = [
        "bad_checksum",
        "bad_record",
        "forged_tag",
        "gap",
        "malformed_token",
        "not_a_bundle",
        "record_too_long",
    ];

    signed
        .map(Refused::code)
        .into_iter()
        .chain(files.map(Bad::code))
        .chain(patches.map(NotApplied::code))
        .chain(others)
        .collect()
}
