//! Decisions behind a C interface, for boot loaders and firmware without an operating system.
//!
//! The interface keeps to five rules, so that it can be read in one sitting:
//!
//! 1. Every function returns a [`Status`]; results go through out pointers.
//! 2. A pointer that is read comes with a length; one that is written is set only on success.
//! 3. Nothing is allocated, and no pointer is kept after the call.
//! 4. A null pointer is a status, not a crash.
//! 5. No C `enum` or `bool` crosses the border: a wrong value of either is undefined behaviour.
//!
//! All pointers are handled in the module `foreign`. So far the interface reads a snapshot's shape
//! and a token's public part; verification and decisions follow.

#![no_std]

mod foreign;
mod status;

use gateward_core::snapshot;
use gateward_core::token::{LOOKUP_LEN, Token};

pub use crate::status::Status;

/// The version of this interface; it rises when a function changes its meaning.
pub const ABI_VERSION: u32 = 0;

/// Returns [`ABI_VERSION`], so that a program can refuse a library that it was not built for.
#[expect(unsafe_code, reason = "C calls this by name")]
#[unsafe(no_mangle)]
pub extern "C" fn gateward_abi_version() -> u32 {
    ABI_VERSION
}

/// Checks the shape of the snapshot of `len` bytes at `bytes`, and stores the number of its tokens.
///
/// Says nothing about who made it.
///
/// # Safety
///
/// `bytes` points to `len` readable bytes and `tokens` to a writable `u32`, or either is null.
#[expect(unsafe_code, reason = "C calls this by name")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_snapshot_shape(
    bytes: *const u8,
    len: usize,
    tokens: *mut u32,
) -> Status {
    // SAFETY: the caller promises the same about `bytes` and `tokens`.
    unsafe {
        foreign::read(bytes, len, |bytes| {
            let content = snapshot::unsigned(bytes)?;
            let count = u32::try_from(content.view().token_count()).map_err(|_| Status::LENGTH)?;
            foreign::write(tokens, count)
        })
    }
}

/// Reads the text of a token, and stores the 12 characters that it may be called by in a log.
///
/// # Safety
///
/// `text` points to `len` readable bytes and `lookup` to 12 writable ones, or either is null.
#[expect(unsafe_code, reason = "C calls this by name")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_token_lookup(
    text: *const u8,
    len: usize,
    lookup: *mut [u8; LOOKUP_LEN],
) -> Status {
    // SAFETY: the caller promises the same about `text` and `lookup`.
    unsafe {
        foreign::read(text, len, |text| {
            let token = Token::read(text).map_err(|_| Status::TOKEN)?;
            foreign::write(lookup, token.lookup.text())
        })
    }
}

#[cfg(feature = "firmware")]
#[panic_handler]
fn halt(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

#[cfg(test)]
mod tests;
