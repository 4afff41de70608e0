//! What lies in the slots, and which of it the floor names.

use std::sync::Arc;

use gateward_core::snapshot::Verified;
use gateward_core::trust::{Audience, Floor, KeySet, Manifest};

use super::Place;
use super::disk::Disk;
use super::slot::Slot;

/// A snapshot and where it lies.
pub(super) type Named = (Slot, Verified<Arc<[u8]>>);

/// Opens the snapshot that the floor names; or returns why there is none.
pub(super) fn named(
    disk: &Disk,
    place: &Place,
    keys: &[KeySet],
    floor: &Floor,
) -> Result<Named, Vec<String>> {
    let mut reasons = Vec::new();
    for slot in Slot::BOTH {
        let opened = match read_manifest(disk, place, keys, slot) {
            Some(Ok(manifest)) if !floor.names(&manifest) => continue,
            Some(manifest) => manifest.and_then(|manifest| open(disk, slot, &manifest)),
            None => continue,
        };
        match opened {
            Ok(verified) => return Ok((slot, verified)),
            Err(reason) => reasons.push(format!("{}: {reason}", slot.dir())),
        }
    }

    Err(reasons)
}

/// Checks a slot's manifest against the key set of its own epoch: a key that was retired since signed
/// it rightly, one that is compromised did not. None where the slot is empty.
pub(super) fn read_manifest(
    disk: &Disk,
    place: &Place,
    keys: &[KeySet],
    slot: Slot,
) -> Option<Result<Manifest, String>> {
    let envelope = match slot.read_manifest(disk) {
        Ok(envelope) => envelope?,
        Err(error) => return Some(Err(error.to_string())),
    };
    let audience = Audience::of(place.account, &place.group);
    let mut why = String::new();
    for set in keys.iter().rev() {
        match Manifest::verify(&envelope, set, audience) {
            Ok(manifest) if manifest.is_voided_by(keys) => {
                return Some(Err("signed with a key that is compromised".into()));
            }
            Ok(manifest) => return Some(Ok(manifest)),
            Err(refused) => why = refused.to_string(),
        }
    }

    Some(Err(why))
}

/// Returns whether a slot's manifest was signed with a key that is compromised.
pub(super) fn is_stolen(disk: &Disk, place: &Place, keys: &[KeySet], slot: Slot) -> bool {
    let Ok(Some(envelope)) = slot.read_manifest(disk) else { return false };
    let audience = Audience::of(place.account, &place.group);
    let verify = |set: &KeySet| Manifest::verify(&envelope, set, audience).ok();
    let signed = keys.iter().rev().find_map(verify);

    signed.is_some_and(|manifest| manifest.is_voided_by(keys))
}

pub(super) fn open(
    disk: &Disk,
    slot: Slot,
    manifest: &Manifest,
) -> Result<Verified<Arc<[u8]>>, String> {
    slot.open(disk, manifest).map_err(|unusable| unusable.to_string())
}
