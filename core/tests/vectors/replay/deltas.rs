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

pub(super) fn delta(bytes: &[u8], given: &Given<'_>) -> Said {
    let manifest = given.manifest(&given.bytes("manifest")).map_err(Refused::code)?;
    let base = snapshot::open(given.bytes("base"), manifest).map_err(snapshot::Refused::code)?;
    let delta = Delta::read(bytes).map_err(NotApplied::code)?;
    let mut marks = vec![Mark::default(); delta.room()];
    let ready = delta.on(&base, &mut marks).map_err(NotApplied::code)?;
    let mut result = Gathered(Vec::new());
    ready.write(&mut result).map_err(NotApplied::code)?;
    let root = chunk::root_of(&result.0, 12).unwrap();
    snapshot::unsigned(&result.0[..]).map_err(snapshot::Refused::code)?;

    Ok(json!({ "len": result.0.len(), "root": hex(&root.0) }))
}
