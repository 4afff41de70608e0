//! Plain structs that the interface reads, and the function that it writes with: the input says what
//! they hold; 0 is what can be meant.
#![expect(unsafe_code, reason = "a function that C calls gets pointers")]

use core::ptr;
use std::ffi::c_void;

use gateward::{Now, Request, Shown};

use super::args::{Bytes, Run};
use super::pool::What;
use crate::cast::NOW;

impl Run<'_> {
    /// The time, or something like it.
    pub(super) fn now(&mut self) -> Option<Now> {
        let (choice, at) = (self.input.byte(), NOW.0 + 30);
        let later =
            |seconds: u64| Now { at: at + seconds, backed: at + seconds, quality: 0, zero: 0 };
        Some(match choice {
            0..=127 => later(u64::from(choice)),
            128..=159 => later(u64::from(choice) * 6_000),
            160..=175 => later(u64::MAX - at),
            176..=191 => Now { quality: (choice % 16).into(), ..later(0) },
            192..=207 => Now { zero: (choice % 16).into(), ..later(0) },
            208..=223 => Now { at: 0, ..later(0) },
            224..=239 => Now { at: self.input.u64(), backed: self.input.u64(), ..later(0) },
            240..=255 => return None,
        })
    }

    /// What a clock shows, or something like it.
    pub(super) fn shown(&mut self) -> Option<Shown> {
        let choice = self.input.byte();
        let clock = if choice % 8 == 7 { self.input.u64() } else { NOW.0 + 30 + u64::from(choice) };
        let good = Shown { clock, synchronised: 1, zero: 0 };
        Some(match choice {
            0..=127 => good,
            128..=159 => Shown { clock: 0, ..good },
            160..=191 => Shown { synchronised: (choice % 16).into(), ..good },
            192..=223 => Shown { zero: (choice % 16).into(), ..good },
            224..=239 => Shown { synchronised: 0, ..good },
            240..=255 => return None,
        })
    }

    /// What is asked, or something like it.
    pub(super) fn request(&mut self) -> Option<Request> {
        let choice = self.input.byte();
        let permissions = match choice % 4 {
            0 => 1 << 3,
            1 => u64::MAX,
            2 => 1 << 20,
            _ => self.input.u64(),
        };
        let division = if choice % 8 < 4 {
            let (at, len) = (ptr::null(), 0);
            Bytes { at, len }
        } else {
            self.bytes(What::Text)
        };
        let [operation, mode, rules, zero] = self.input.array().map(u32::from);
        let small = |number: u32, of: u32| if number < 224 { number % of } else { number };
        let (operation, mode) = (small(operation, 8), small(mode, 2));
        let (rules, zero) = (small(rules, 4), small(zero, 1));
        let Bytes { at: division, len: division_len } = division;

        (choice < 240).then_some(Request {
            permissions,
            division,
            division_len,
            operation,
            mode,
            rules,
            zero,
        })
    }
}

/// What the interface wrote through a function of the caller.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) bytes: Vec<u8>,
    pub(super) calls: usize,
    pub(super) first: u32,
    /// From which call on it says no.
    pub(super) until: usize,
}

impl Written {
    pub(super) fn context(&mut self) -> *mut c_void {
        ptr::from_mut(self).cast()
    }
}

/// Takes what is written, in order and without gaps.
///
/// # Safety
///
/// `context` is a [`Written`], `bytes` are `len`.
pub(super) unsafe extern "C" fn write(
    context: *mut c_void,
    offset: u32,
    bytes: *const u8,
    len: usize,
) -> u32 {
    // SAFETY: the interface hands back what it was given, and bytes that are there.
    let (to, bytes) =
        unsafe { (&mut *context.cast::<Written>(), core::slice::from_raw_parts(bytes, len)) };
    if to.calls == 0 {
        to.first = offset;
    }
    assert_eq!(offset as usize, to.first as usize + to.bytes.len(), "a gap");
    to.calls += 1;
    to.bytes.extend(bytes);

    u32::from(to.calls > to.until)
}
