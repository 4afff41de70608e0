//! One fuzz target a parser; what each of them does stands in `tests/outside`.
//!
//! ```text
//! cargo install --locked cargo-fuzz
//! cd tests
//! cargo run -p gateward-outside --example seeds
//! cargo +nightly fuzz run --fuzz-dir fuzz -s none token -- -max_total_time=600 -max_len=4096
//! cargo +nightly fuzz cmin --fuzz-dir fuzz -s none token
//! ```
//!
//! Without a nightly toolchain, `RUSTC_BOOTSTRAP=1` and the stable one do. There is next to no
//! `unsafe` in what is searched, so no sanitizer is needed, and the search is faster without; but for
//! `shim`, where pointers cross a border: `-s address`, and an input is at most 1,024 bytes.
//! An input that breaks a promise lands in `fuzz/artifacts/TARGET`: mend what it shows, and
//! move it to `fuzz/corpus/TARGET` under a name that says what it was.

pub use gateward_outside as outside;
pub use libfuzzer_sys;

#[global_allocator]
static COUNTING: outside::heap::Counting = outside::heap::Counting;

/// Makes the fuzz target of a parser.
#[macro_export]
macro_rules! target {
    ($name:literal) => {
        libfuzzer_sys::fuzz_target!(|bytes: &[u8]| $crate::outside::run($name, bytes));
    };
}
