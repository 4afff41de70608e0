//! What every parser that meets bytes from outside must do with any bytes at all.
//!
//! One function a parser: it takes bytes, and fails where a promise does not hold. The fuzzer in
//! `tests/fuzz` looks for such bytes; the ordinary tests run the same functions over what it kept in
//! `tests/fuzz/corpus`. Each promises more than to end:
//!
//! - what is accepted has one spelling, the one that is written;
//! - what is signed was signed by enough of the right keys, over what belongs here;
//! - nothing is allowed that no row of the snapshot allows;
//! - the heap is asked for no more than the bytes at hand deserve.
//!
//! The first byte of an input says how the rest is meant (`Input::way`): as it would arrive, or as
//! what a holder of the right keys signs, so that a search is not stopped by the first signature.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a promise that does not hold stops the search, and says which"
)]

#[cfg(feature = "agent")]
mod audit;
mod beacon;
mod cast;
mod delta;
mod envelope;
mod fixture;
mod hash_list;
pub mod heap;
mod key_set;
mod manifest;
#[cfg(feature = "control")]
mod policy;
#[cfg(feature = "agent")]
mod request;
mod revoked;
mod seeds;
mod shim;
mod snapshot;
mod token;

pub use self::seeds::{Seed, seeds};

/// A parser under test.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name of its fuzz target and of its folder in the corpus.
    pub name: &'static str,
    /// Fails where a promise does not hold.
    pub run: fn(&[u8]),
}

/// Every parser that meets bytes from outside.
pub const TARGETS: &[Target] = &[
    #[cfg(feature = "agent")]
    Target { name: "audit", run: audit::run },
    Target { name: "beacon", run: beacon::run },
    Target { name: "delta", run: delta::run },
    Target { name: "envelope", run: envelope::run },
    Target { name: "hash_list", run: hash_list::run },
    Target { name: "key_set", run: key_set::run },
    Target { name: "manifest", run: manifest::run },
    #[cfg(feature = "control")]
    Target { name: "policy", run: policy::run },
    #[cfg(feature = "agent")]
    Target { name: "request", run: request::run },
    Target { name: "revoked", run: revoked::run },
    Target { name: "shim", run: shim::run },
    Target { name: "snapshot", run: snapshot::run },
    Target { name: "token", run: token::run },
];

/// Runs the target called `name`.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target");

    (target.run)(bytes);
}

/// Bytes that are taken from the front; past the end they are zero.
#[derive(Clone, Copy, Debug)]
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// Takes the byte that says how the rest is meant, one of `ways`.
    fn way(&mut self, ways: u8) -> u8 {
        self.byte() % ways
    }

    fn byte(&mut self) -> u8 {
        let [byte] = self.array();
        byte
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        let taken = self.bytes(N);
        bytes.iter_mut().zip(taken).for_each(|(place, byte)| *place = *byte);

        bytes
    }

    /// Takes `len` bytes, or what is left.
    fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;

        taken
    }

    fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    /// Takes what is left.
    const fn rest(self) -> &'a [u8] {
        self.0
    }

    const fn is_over(&self) -> bool {
        self.0.is_empty()
    }
}

/// Every refusal says what to do, in the way that all messages have here.
fn is_a_message(text: &str) {
    assert!(!text.is_empty() && !text.ends_with('.'), "not a message: {text}");
    assert!(!text.chars().any(char::is_control), "a message forges a line: {text:?}");
}
