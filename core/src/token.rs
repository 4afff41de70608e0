//! The text of a token: read without a branch on its secret part, and written.
//!
//! `gwd1.` ‖ base64url(kind ‖ id) ‖ `.` ‖ base64url(secret ‖ CRC-32), 66 characters, one spelling.
//! The part before the second dot is public and is what records show. A token that Gateward did
//! not make is taken whole: its digests stand in for id and secret (FORMAT section 2).

use core::fmt;
use core::hint::black_box;

use sha2::{Digest, Sha256};
use zeroize::Zeroize;

use crate::principal::TokenKind;

/// Length of the text in bytes.
pub const TEXT_LEN: usize = 66;

/// What every token of ours begins with.
pub const PREFIX: &[u8; 5] = b"gwd1.";

/// Length of the public part between the dots.
pub const LOOKUP_LEN: usize = 12;

/// Lengths in bytes that an imported token may have; shorter ones hold too little entropy, longer
/// ones are not looked at (DOMAIN F6).
pub const OPAQUE_LEN: core::ops::RangeInclusive<usize> = 22..=512;

/// The public part of a token: what it is looked up by, and what records name it by.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Lookup {
    /// The kind as presented: 1 or 2 in tokens of ours, 0 where the text does not say.
    pub kind: u8,
    /// Drawn at random by the control plane.
    pub id: u64,
}

impl Lookup {
    /// Reads the 12 characters of the public part.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text: &[u8; LOOKUP_LEN] = text.as_bytes().try_into().ok()?;
        let mut bytes = [0; 9];
        if decode(text, &mut bytes) != 0 {
            return None;
        }
        let [kind, id @ ..] = bytes;

        Some(Self { kind, id: u64::from_be_bytes(id) })
    }

    /// Returns the 12 characters, all ASCII.
    #[must_use]
    pub fn text(self) -> [u8; LOOKUP_LEN] {
        let mut bytes = [0; 9];
        let (kind, id) = bytes.split_at_mut(1);
        kind.fill(self.kind);
        id.copy_from_slice(&self.id.to_be_bytes());
        let mut text = [0; LOOKUP_LEN];
        encode(&bytes, &mut text);

        text
    }
}

impl fmt::Display for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(core::str::from_utf8(&self.text()).unwrap_or_default())
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// 32 secret bytes, wiped when dropped and never shown.
#[derive(Clone)]
pub struct Secret(pub [u8; 32]);

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A token as presented: nothing about it has been checked but its length and its frame.
///
/// Whether the alphabet and the checksum are right is kept as masks of all ones or all zeros, so
/// that a decision weighs them together with everything else.
#[derive(Clone)]
pub struct Token {
    /// What it is looked up by.
    pub lookup: Lookup,
    pub(crate) secret: Secret,
    /// All ones where a character is outside the alphabet.
    pub(crate) malformed: u32,
    /// All ones where the checksum is not the text's.
    pub(crate) bad_checksum: u32,
    /// Whether the text is not one of ours; depends on its prefix only.
    pub(crate) opaque: bool,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("lookup", &self.lookup).finish_non_exhaustive()
    }
}

/// The text cannot be a token: its length or its frame is wrong, whatever its secret is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NotAToken;

impl fmt::Display for NotAToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the text of a token; check that it was copied whole")
    }
}

impl core::error::Error for NotAToken {}

impl Token {
    /// Reads the text of a token.
    ///
    /// Returns early only on what is the same for every token: length, prefix and dots.
    ///
    /// # Errors
    ///
    /// The text has another length or frame.
    pub fn read(text: &[u8]) -> Result<Self, NotAToken> {
        if !text.starts_with(PREFIX) {
            return Self::opaque(text);
        }
        let text: &[u8; TEXT_LEN] = text.try_into().map_err(|_| NotAToken)?;
        let (public, private) = text.split_at(17);
        let (public, private) = (public.get(5..).unwrap_or_default(), private.split_first());
        let Some((b'.', private)) = private else { return Err(NotAToken) };

        let mut head = [0; 9];
        let mut tail = [0; 36];
        let malformed = decode(public, &mut head) | decode(private, &mut tail);
        let mut secret = Secret([0; 32]);
        let mut stated = [0; 4];
        let (secret_part, stated_part) = tail.split_at(32);
        secret.0.copy_from_slice(secret_part);
        stated.copy_from_slice(stated_part);
        tail.zeroize();
        let checksum = crc32(&[PREFIX, &head, &secret.0]);
        let [kind, id @ ..] = head;

        Ok(Self {
            lookup: Lookup { kind, id: u64::from_be_bytes(id) },
            secret,
            malformed,
            bad_checksum: differs(checksum, u32::from_be_bytes(stated)),
            opaque: false,
        })
    }

    /// Stands for a token of which only the public part is known: its secret matches nothing.
    #[cfg(any(test, feature = "build"))]
    #[must_use]
    pub const fn without_secret(lookup: Lookup) -> Self {
        let opaque = lookup.kind == 0;

        Self { lookup, secret: Secret([0; 32]), malformed: 0, bad_checksum: 0, opaque }
    }

    /// Takes a text that Gateward did not make: printable ASCII without white space.
    fn opaque(text: &[u8]) -> Result<Self, NotAToken> {
        if !OPAQUE_LEN.contains(&text.len()) {
            return Err(NotAToken);
        }
        let printable = text.iter().fold(true, |so_far, byte| so_far & byte.is_ascii_graphic());
        let mut id = [0; 8];
        let mut hash = Sha256::new();
        hash.update(b"legacy-id");
        hash.update(text);
        id.iter_mut().zip(hash.finalize()).for_each(|(byte, digest)| *byte = digest);

        Ok(Self {
            lookup: Lookup { kind: 0, id: u64::from_be_bytes(id) },
            secret: Secret(Sha256::digest(text).into()),
            malformed: u32::from(!printable).wrapping_neg(),
            bad_checksum: 0,
            opaque: true,
        })
    }

    /// Returns the secret, for the control plane that makes a verifier of it.
    #[must_use]
    pub const fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Returns whether alphabet and checksum are right, for whoever may know: the owner of the
    /// token.
    #[must_use]
    pub const fn is_well_formed(&self) -> bool {
        self.malformed | self.bad_checksum == 0
    }
}

/// Writes the text of a token.
#[must_use]
pub fn write(kind: TokenKind, id: u64, secret: &Secret) -> [u8; TEXT_LEN] {
    let lookup = Lookup { kind: kind as u8, id };
    let mut head = [kind as u8; 9];
    if let Some(place) = head.get_mut(1..) {
        place.copy_from_slice(&id.to_be_bytes());
    }
    let mut tail = [0; 36];
    let (secret_part, checksum_part) = tail.split_at_mut(32);
    secret_part.copy_from_slice(&secret.0);
    checksum_part.copy_from_slice(&crc32(&[PREFIX, &head, &secret.0]).to_be_bytes());

    let mut text = [b'.'; TEXT_LEN];
    let (public, private) = text.split_at_mut(17);
    let (prefix, public) = public.split_at_mut(5);
    prefix.copy_from_slice(PREFIX);
    public.copy_from_slice(&lookup.text());
    if let Some(private) = private.get_mut(1..) {
        encode(&tail, private);
    }
    tail.zeroize();

    text
}

/// The 64 bytes hashed before id and secret: they tie a verifier to one account (TRUST section 2).
///
/// The state after them is kept, so that a check costs one compression.
#[derive(Clone)]
pub struct Context(Sha256);

impl Context {
    /// Prepares the verifiers of `account`.
    #[must_use]
    pub fn new(account: &[u8; 16]) -> Self {
        let mut block = [0; 64];
        let (domain, rest) = block.split_at_mut(16);
        domain.iter_mut().zip(b"gwd-token-v1").for_each(|(place, byte)| *place = *byte);
        if let Some(place) = rest.get_mut(..16) {
            place.copy_from_slice(account);
        }
        let mut hash = Sha256::new();
        hash.update(block);

        Self(hash)
    }

    /// Returns SHA-256(context ‖ id ‖ secret), of which a snapshot keeps the first 16 or all 32
    /// bytes.
    #[must_use]
    pub fn verifier(&self, id: u64, secret: &Secret) -> [u8; 32] {
        let mut hash = self.0.clone();
        hash.update(id.to_be_bytes());
        hash.update(secret.0);

        hash.finalize().into()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Context(..)")
    }
}

/// All ones where `a` and `b` differ, else zero; no branch.
pub(crate) const fn differs(a: u32, b: u32) -> u32 {
    let difference = a ^ b;
    // A compiler that knows that this is 0 or 1 may make a branch of it again.
    black_box((difference | difference.wrapping_neg()) >> 31).wrapping_neg()
}

/// CRC-32 (IEEE 802.3) bit by bit, so that no secret becomes an address.
pub fn crc32(parts: &[&[u8]]) -> u32 {
    let mut crc = !0_u32;
    for byte in parts.iter().copied().flatten() {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let mask = (crc & 1).wrapping_neg();
            crc = (crc >> 1) ^ (0xedb8_8320 & mask);
        }
    }

    !crc
}

/// Value of a base64url character, -1 outside the alphabet; no table and no branch.
fn sextet(character: u8) -> i32 {
    let c = i32::from(character);
    let within = |low: i32, high: i32| (((low - 1 - c) & (c - high - 1)) >> 31) & 1;

    within(65, 90) * (c - 64)
        + within(97, 122) * (c - 70)
        + within(48, 57) * (c + 5)
        + within(45, 45) * 63
        + within(95, 95) * 64
        - 1
}

/// Decodes groups of four characters into three bytes; all ones where one is outside the alphabet.
fn decode(text: &[u8], bytes: &mut [u8]) -> u32 {
    let mut bad = 0;
    for (group, out) in text.chunks_exact(4).zip(bytes.chunks_exact_mut(3)) {
        let mut bits = 0_i32;
        for character in group {
            let value = sextet(*character);
            bad |= value;
            bits = (bits << 6) | (value & 63);
        }
        let [_, decoded @ ..] = bits.to_be_bytes();
        out.copy_from_slice(&decoded);
    }

    (bad >> 31).cast_unsigned()
}

/// Character of a value below 64; no table, because the value may be secret.
fn character(value: u8) -> u8 {
    let v = i32::from(value & 63);
    let past = |limit: i32| (limit - v) >> 31;
    // Each step adds the distance from one run of the alphabet to the next.
    let code = v + 65 + (past(25) & 6) + (past(51) & -75) + (past(61) & -13) + (past(62) & 49);

    code.to_le_bytes()[0]
}

fn encode(bytes: &[u8], text: &mut [u8]) {
    for (group, out) in bytes.chunks_exact(3).zip(text.chunks_exact_mut(4)) {
        let bits = group.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte));
        for (place, shift) in out.iter_mut().zip([18, 12, 6, 0]) {
            *place = character((bits >> shift).to_le_bytes()[0]);
        }
    }
}

#[cfg(test)]
mod tests;
