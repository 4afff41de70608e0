//! Deltas.

use gateward_core::snapshot::chunk;
use gateward_core::snapshot::delta::{Broken, Delta, Mark, NotApplied, Sink};

use super::*;

struct Gathered(Vec<u8>);

impl Sink for Gathered {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.0.extend(bytes);
        Ok(())
    }
}

pub(crate) const fn code(bad: NotApplied) -> &'static str {
    match bad {
        NotApplied::Broken => "bad_delta_broken",
        NotApplied::Dangling => "bad_delta_dangling",
        NotApplied::Malformed => "bad_delta_malformed",
        NotApplied::Missing => "bad_delta_missing",
        NotApplied::NoRoom => "bad_delta_no_room",
        NotApplied::Order => "bad_delta_order",
        NotApplied::OtherBase => "bad_delta_other_base",
        NotApplied::TooMany => "bad_delta_too_many",
        NotApplied::UnknownFormat => "bad_delta_unknown_format",
    }
}

pub(super) fn delta(bytes: &[u8], given: &Given<'_>) -> Said {
    let manifest = given.manifest(&given.bytes("manifest")).map_err(Refused::code)?;
    let base = snapshot::open(given.bytes("base"), manifest).map_err(snapshot::Refused::code)?;
    let delta = Delta::read(bytes).map_err(code)?;
    let mut marks = vec![Mark::default(); delta.room()];
    let ready = delta.on(&base, &mut marks).map_err(code)?;
    let mut result = Gathered(Vec::new());
    ready.write(&mut result).map_err(code)?;
    let root = chunk::root_of(&result.0, 12).unwrap();
    snapshot::unsigned(&result.0[..]).map_err(snapshot::Refused::code)?;

    Ok(json!({ "len": result.0.len(), "root": hex(&root.0) }))
}
