//! Beacons and revocation lists.

use std::collections::BTreeSet;

use gateward_core::trust::Beacon;

use super::*;

pub(super) fn beacon(bytes: &[u8], given: &Given<'_>) -> Said {
    let keys = given.keys().map_err(Refused::code)?;
    let beacon = Beacon::verify(bytes, &keys, Audience(given.array("audience")));
    let beacon = beacon.map_err(Refused::code)?;
    let mut fields = json!({
        "keyset": beacon.number().epoch,
        "number": beacon.number().number,
        "revoked_counter": beacon.revoked().number,
        "time": beacon.time().0,
        "version": beacon.version().number,
    });
    if given.has("floor") {
        let floor = given.floor()?;
        let admission = floor.admit_beacon(&beacon, &given.now()).map_err(Refused::code)?;
        fields["admission"] = json!(word(admission));
        let after = if admission == Admission::Same { floor } else { floor.with_beacon(&beacon) };
        fields["floor_after"] = json!(hex(&after.encode()));
    }

    Ok(fields)
}

/// Accepts lists one after the other, as a gateway does that runs on one snapshot.
pub(super) fn revocation_list(bytes: &[u8], given: &Given<'_>) -> Said {
    let keys = given.keys().map_err(Refused::code)?;
    let audience = Audience(given.array("audience"));
    let mut denied = Denied::default();
    let earlier = given.given.get("lists").and_then(Value::as_array).into_iter().flatten();
    let earlier: Vec<_> = earlier.map(|list| given.resolve(list)).collect();
    for list in &earlier {
        denied.accept(&Revoked::verify(list, &keys, audience).map_err(Refused::code)?, given);
    }
    let list = Revoked::verify(bytes, &keys, audience).map_err(Refused::code)?;
    let admission = if given.has("floor") {
        Some(given.floor()?.admit_revoked(denied.held, &list).map_err(Refused::code)?)
    } else {
        None
    };
    if given.has("version") {
        denied.accept(&list, given);
    }

    Ok(json!({
        "admission": admission.map(word),
        "base_version": list.base().number,
        "counter": list.number().number,
        "denied": denied.json(),
        "issued_at": list.issued_at().0,
        "keyset": list.number().epoch,
        "principals": list.principals().collect::<Vec<_>>(),
        "stale": denied.stale,
        "tokens": list.tokens().map(|id| format!("{id:016x}")).collect::<Vec<_>>(),
    }))
}

/// Every entry that counts beside the snapshot in force (TRUST section 3).
#[derive(Default)]
struct Denied {
    held: Version,
    stale: bool,
    tokens: BTreeSet<u64>,
    principals: BTreeSet<u32>,
}

impl Denied {
    fn accept(&mut self, list: &Revoked<'_>, given: &Given<'_>) {
        let version = Version { epoch: list.number().epoch, number: given.number("version") };
        self.held = list.number();
        self.stale = version < list.base();
        if !self.stale {
            self.tokens.clear();
            self.principals.clear();
        }
        self.tokens.extend(list.tokens());
        self.principals.extend(list.principals());
    }

    fn json(&self) -> Value {
        let tokens = self.tokens.iter().map(|id| format!("{id:016x}"));

        json!([tokens.collect::<Vec<_>>(), self.principals])
    }
}
