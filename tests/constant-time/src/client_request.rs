//! What memcheck can be asked by the program that it runs, without bindings to its headers.
//!
//! The sequence of four rotations does nothing on a real processor and is a call to valgrind under
//! it (`valgrind.h`, x86-64). Beside `revoked`, nowhere in this workspace does a proof need `unsafe`.
#![expect(unsafe_code, reason = "valgrind is called by instructions that no safe function emits")]

use core::arch::asm;

const RUNNING: usize = 0x1001;
const MAKE_UNDEFINED: usize = 0x4d43_0001;
const MAKE_DEFINED: usize = 0x4d43_0002;
const GET_BITS: usize = 0x4d43_0008;
const SET_BITS: usize = 0x4d43_0009;

/// Returns whether this program runs under valgrind: elsewhere no mark means anything.
#[must_use]
pub fn is_watched() -> bool {
    request([RUNNING, 0, 0, 0, 0, 0]) != 0
}

/// Makes `bytes` a secret: whatever depends on them is reported.
pub fn hide(bytes: &[u8]) {
    request([MAKE_UNDEFINED, address(bytes.as_ptr()), bytes.len(), 0, 0, 0]);
}

/// Makes the highest bit of `byte` a secret.
pub fn hide_highest_bit(byte: &u8) {
    let bits = 0x80_u8;
    request([SET_BITS, address(byte), address(&raw const bits), 1, 0, 0]);
}

/// Makes `value` public again.
pub fn publish<T>(value: &T) {
    request([MAKE_DEFINED, address(core::ptr::from_ref(value).cast()), size_of::<T>(), 0, 0, 0]);
}

/// Returns how many bits of `bytes` are secret.
#[must_use]
pub fn hidden_bits(bytes: &[u8]) -> u32 {
    let mut bits = vec![0_u8; bytes.len()];
    let into = bits.as_mut_ptr().expose_provenance();
    request([GET_BITS, address(bytes.as_ptr()), into, bytes.len(), 0, 0]);

    bits.iter().map(|bits| bits.count_ones()).sum()
}

fn address(pointer: *const u8) -> usize {
    pointer.expose_provenance()
}

/// Puts a request, and returns its answer; 0 where nobody listens.
#[inline(never)]
fn request(arguments: [usize; 6]) -> usize {
    let mut answer = 0_usize;
    // SAFETY: four rotations by 64 in all leave `rdi` as it was, and `rbx` is exchanged with
    // itself. Valgrind reads `arguments` and the bytes that they name, writes into the buffer of
    // `GET_BITS` as much as it is long, and answers in `rdx`; all of that is declared.
    unsafe {
        asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") arguments.as_ptr(),
            inout("rdx") answer,
            inout("rdi") 0_usize => _,
        );
    }

    answer
}
