//! Envelopes that look good and must be refused.

use gateward_core::name::Uuid;
use gateward_core::trust::SigningKey;
use gateward_core::trust::sign::TooMany;

use crate::authority::{OTHER_ACCOUNT, STRANGER, key};

/// Makes of an object that `sign` signs with the given keys what must be refused, each with the
/// ending of its name.
///
/// # Panics
///
/// If the object cannot be signed.
pub fn spoilt(
    keys: &[u8],
    mut sign: impl FnMut(Option<Uuid>, &[&SigningKey]) -> Result<Vec<u8>, TooMany>,
) -> Vec<(&'static str, Vec<u8>)> {
    let own: Vec<SigningKey> = keys.iter().map(|seed| key(*seed)).collect();
    let own: Vec<&SigningKey> = own.iter().collect();
    let good = sign(None, &own).expect("it is small");
    let mut flipped = good.clone();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    let stranger = sign(None, &[&key(STRANGER)]).expect("it is small");
    let other = sign(Some(OTHER_ACCOUNT), &own).expect("it is small");

    vec![
        ("flipped", flipped),
        ("other_account", other),
        ("stranger", stranger),
        ("truncated", good[..last].to_vec()),
    ]
}
