//! What the caller keeps for the library: storage of known size that says what it holds.
//!
//! Nothing is allocated and nothing is static, so every object lives in the caller's memory. Each
//! begins with a mark, and what was never filled is a status. Objects may be moved by copying them.

use gateward_core::decide::Ask as CoreAsk;
use gateward_core::division::DivisionRules;
use gateward_core::snapshot::chunk::HashList as CoreHashList;
use gateward_core::token::Token as CoreToken;
use gateward_core::trust::{FLOOR_LEN, KeySet, Manifest as CoreManifest, Root, TrustedTime};

use crate::open::Open;

/// Bytes of a floor.
pub const GATEWARD_FLOOR_SIZE: usize = 464;
/// Words of 8 bytes of a key set.
pub const GATEWARD_KEYS_WORDS: usize = 800;
/// Words of 8 bytes of a manifest.
pub const GATEWARD_MANIFEST_WORDS: usize = 56;
/// Words of 8 bytes of a hash list.
pub const GATEWARD_HASH_LIST_WORDS: usize = 6;
/// Words of 8 bytes of an open snapshot.
pub const GATEWARD_SNAPSHOT_WORDS: usize = 96;
/// Words of 8 bytes of a token.
pub const GATEWARD_TOKEN_WORDS: usize = 12;
/// Words of 8 bytes of a prepared question.
pub const GATEWARD_ASK_WORDS: usize = 10;
/// Words of 8 bytes of a clock.
pub const GATEWARD_CLOCK_WORDS: usize = 10;

/// What was accepted so far, and never less again (TRUST section 4): bytes to be kept where they
/// outlive a restart, written whole.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Floor {
    /// As `core/docs/format.md` writes them down.
    pub bytes: [u8; GATEWARD_FLOOR_SIZE],
}

/// Storage that holds one thing.
pub(crate) trait Storage: Sized {
    /// What it holds.
    type Held;
    /// What it begins with once it holds something.
    const MARK: u64;
}

/// How a thing stands in its storage.
#[repr(C)]
pub(crate) struct Filled<T> {
    pub(crate) mark: u64,
    pub(crate) held: T,
}

/// A question prepared for one snapshot.
pub(crate) struct Prepared {
    pub(crate) ask: CoreAsk,
    pub(crate) rules: DivisionRules,
    pub(crate) of: Root,
}

/// Keys that are trusted.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Keys {
    opaque: [u64; GATEWARD_KEYS_WORDS],
}

/// A manifest whose signatures were verified.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Manifest {
    opaque: [u64; GATEWARD_MANIFEST_WORDS],
}

/// The hashes of all chunks of a snapshot, which stay where they arrived.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct HashList {
    opaque: [u64; GATEWARD_HASH_LIST_WORDS],
}

/// A snapshot that was verified and that decisions are made with; its file stays where it is.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Snapshot {
    opaque: [u64; GATEWARD_SNAPSHOT_WORDS],
}

/// The text of a token, read. It holds the secret: clear it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct ParsedToken {
    opaque: [u64; GATEWARD_TOKEN_WORDS],
}

/// A question, prepared for one snapshot and for any number of tokens.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Ask {
    opaque: [u64; GATEWARD_ASK_WORDS],
}

/// The time that may be trusted, followed through one run of the program.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Clock {
    opaque: [u64; GATEWARD_CLOCK_WORDS],
}

macro_rules! storage {
    ($($storage:ident $held:ty, $mark:literal;)*) => {
        $(
            impl Storage for $storage {
                type Held = $held;
                const MARK: u64 = u64::from_le_bytes(*$mark);
            }

            const _: () = {
                assert!(size_of::<Filled<$held>>() <= size_of::<$storage>());
                assert!(align_of::<Filled<$held>>() <= align_of::<$storage>());
            };
        )*
    };
}

storage! {
    Keys KeySet, b"GWD-keys";
    Manifest CoreManifest, b"GWD-mani";
    HashList CoreHashList<&'static [u8]>, b"GWD-list";
    Snapshot Open, b"GWD-snap";
    ParsedToken CoreToken, b"GWD-tokn";
    Ask Prepared, b"GWD-ask1";
    Clock TrustedTime, b"GWD-clck";
}

const _: () = assert!(GATEWARD_FLOOR_SIZE == FLOOR_LEN);
