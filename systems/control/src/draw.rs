//! Ids and secrets, drawn for the operator. The only place that asks the system for randomness.

use gateward_core::name::Uuid;
use gateward_core::token::Secret;

/// The system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes; try again when it has started completely")]
pub struct NoRandomness;

/// Returns `N` random bytes.
///
/// # Errors
///
/// The system gives none.
pub fn bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;

    Ok(bytes)
}

/// Returns the secret part of a new token.
///
/// # Errors
///
/// The system gives no random bytes.
pub fn secret() -> Result<Secret, NoRandomness> {
    let mut secret = Secret([0; 32]);
    getrandom::fill(&mut secret.0).map_err(|_| NoRandomness)?;

    Ok(secret)
}

/// Returns a UUID of version 7 (RFC 9562, section 5.7): the time, then random bits.
///
/// # Errors
///
/// The system gives no random bytes.
pub fn uuid(now_ms: u64) -> Result<Uuid, NoRandomness> {
    let mut id: [u8; 16] = bytes()?;
    let [_, _, time @ ..] = now_ms.to_be_bytes();
    id.iter_mut().zip(time).for_each(|(place, byte)| *place = byte);
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut id;
    *version = (*version & 0x0f) | 0x70;
    *variant = (*variant & 0x3f) | 0x80;

    Ok(Uuid(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_carries_its_time_version_and_variant() {
        let text = uuid(0x0193_a5d4_0b9e).unwrap().to_string();

        assert!(text.starts_with("0193a5d4-0b9e-7"), "{text}");
        assert!(matches!(text.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{text}");
    }
}
