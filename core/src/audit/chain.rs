//! What ties each record to the one before, and makes what was written before a break-in safe.
//!
//! Anybody can follow the heads; only who holds the first key can follow the tags, and a key that
//! has been used is gone (TRUST section 5).

use core::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use crate::name::{Hex, Uuid};
use crate::trust::{GatewayId, Incarnation};

/// Length of a tag in bytes.
pub const TAG_LEN: usize = 16;

/// The state of the chain after a record: a hash over everything so far.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Head(pub [u8; 32]);

impl Head {
    /// Before the first record.
    pub const START: Self = Self([0; 32]);

    /// Returns SHA-256(`gwd-audit\0` ‖ this head ‖ record).
    #[must_use]
    pub fn next(&self, record: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"gwd-audit\0");
        hash.update(self.0);
        hash.update(record);

        Self(hash.finalize().into())
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

/// What proves that a head was there when its key still was.
pub type Tag = [u8; TAG_LEN];

/// The key for the next record; wiped when dropped and never shown.
#[derive(Clone)]
pub struct Ratchet([u8; 32]);

impl Ratchet {
    /// Takes a key: the one of enrolment, or the one that the key file holds.
    #[must_use]
    pub const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// Returns the first 16 bytes of HMAC-SHA-256(key, head).
    #[must_use]
    pub fn tag(&self, head: &Head) -> Tag {
        let mut tag = [0; TAG_LEN];
        tag.iter_mut().zip(hmac(&self.0, &head.0)).for_each(|(place, byte)| *place = byte);

        tag
    }

    /// Returns whether `tag` is that of `head`, in constant time.
    #[must_use]
    pub fn accepts(&self, head: &Head, tag: &Tag) -> bool {
        self.tag(head).ct_eq(tag).into()
    }

    /// Goes on to the key for the next record, SHA-256(`gwd-ratchet\0` ‖ key); this one is lost.
    pub fn step(&mut self) {
        let mut hash = Sha256::new();
        hash.update(b"gwd-ratchet\0");
        hash.update(self.0);
        self.0.zeroize();
        self.0 = hash.finalize().into();
    }

    /// Returns the key, for whoever keeps it: the key file and the enrolment.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Drop for Ratchet {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Ratchet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ratchet(..)")
    }
}

/// HMAC-SHA-256 (RFC 2104) with a key of at most one block.
fn hmac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    block.iter_mut().zip(key).for_each(|(place, byte)| *place = *byte);
    block.iter_mut().for_each(|byte| *byte ^= 0x36);
    let inner = Sha256::new().chain_update(block).chain_update(message).finalize();
    block.iter_mut().for_each(|byte| *byte ^= 0x36 ^ 0x5c);
    let outer = Sha256::new().chain_update(block).chain_update(inner).finalize();
    block.zeroize();

    outer.into()
}

/// Names one decision everywhere and forever; the key by which a collector knows a record again.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct DecisionId(pub Uuid);

impl DecisionId {
    /// Returns four bytes of gateway and incarnation, then boot and number, most significant byte
    /// first, so that the ids of one gateway sort by time.
    ///
    /// A gateway enrolled again counts from 1 again; its incarnation keeps the ids apart.
    #[must_use]
    pub fn new(gateway: GatewayId, incarnation: Incarnation, boot: u32, seq: u64) -> Self {
        let mut id = [0; 16];
        let (who, rest) = id.split_at_mut(4);
        let mixed = gateway.0.iter().zip(incarnation.0).map(|(a, b)| a ^ b);
        who.iter_mut().zip(mixed).for_each(|(place, byte)| *place = byte);
        let (start, number) = rest.split_at_mut(4);
        start.copy_from_slice(&boot.to_be_bytes());
        number.copy_from_slice(&seq.to_be_bytes());

        Self(Uuid(id))
    }
}

impl fmt::Display for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::format;

    use super::*;

    #[test]
    fn the_mac_is_that_of_rfc_4231_for_a_key_that_fits() {
        // Test case 2 with its key "Jefe" padded with zeros, which HMAC does anyway.
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");

        assert_eq!(
            format!("{}", Hex(&hmac(&key, b"what do ya want for nothing?"))),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn n9_the_key_of_the_chain_is_never_shown() {
        let ratchet = Ratchet::new([0xab; 32]);

        assert_eq!(format!("{ratchet:?}"), "Ratchet(..)");
    }

    #[test]
    fn a_key_that_was_used_cannot_tag_again() {
        let head = Head::START.next(b"record");
        let mut ratchet = Ratchet::new([7; 32]);
        let tag = ratchet.tag(&head);

        assert!(ratchet.accepts(&head, &tag));
        ratchet.step();
        assert!(!ratchet.accepts(&head, &tag));
    }

    #[test]
    fn two_incarnations_of_a_gateway_never_share_a_decision_id() {
        let id =
            |incarnation| DecisionId::new(GatewayId([9; 16]), Incarnation([incarnation; 8]), 1, 1);

        assert_ne!(id(1), id(2));
        assert_eq!(format!("{}", id(1)), "08080808-0000-0001-0000-000000000001");
    }
}
