//! What gateways and collectors say of each other.

use super::*;

pub(super) fn receipt(bytes: &[u8], given: &Given<'_>) -> Said {
    let keys = given.keys().map_err(Refused::code)?;
    let (gateway, incarnation) =
        (GatewayId(given.array("gateway")), Incarnation(given.array("incarnation")));
    let receipt = Receipt::verify(bytes, &keys, gateway, incarnation).map_err(Refused::code)?;

    Ok(json!({
        "head": hex(&receipt.head().0),
        "through": receipt.through(),
        "time": receipt.time().0,
    }))
}

fn own_key(given: &Given<'_>) -> VerifyingKey {
    VerifyingKey::from_bytes(&given.array("key")).unwrap()
}

pub(super) fn checkpoint(bytes: &[u8], given: &Given<'_>) -> Said {
    let (key, gateway) = (own_key(given), GatewayId(given.array("gateway")));
    let read = Checkpoint::verify(bytes, &key, given.account(), gateway).map_err(Refused::code)?;

    Ok(json!({
        "boot": read.boot,
        "head": hex(&read.head.0),
        "incarnation": hex(&read.incarnation.0),
        "number": read.number,
        "time": read.time.0,
    }))
}

pub(super) fn status(bytes: &[u8], given: &Given<'_>) -> Said {
    let (key, gateway) = (own_key(given), GatewayId(given.array("gateway")));
    let read = Status::verify(bytes, &key, given.account(), gateway).map_err(Refused::code)?;

    Ok(json!({
        "audit_head": hex(&read.audit_head.0),
        "audit_number": read.audit_number,
        "backlog": read.backlog,
        "boot": read.boot,
        "floor_time": read.floor_time.0,
        "gone": read.gone,
        "incarnation": hex(&read.incarnation.0),
        "keyset": read.keyset,
        "revoked_counter": read.revoked_counter,
        "root8": hex(&read.root8),
        "time_quality": read.time_quality.name(),
        "version": read.version,
    }))
}
