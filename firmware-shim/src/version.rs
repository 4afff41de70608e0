//! Which interface this is.

/// The version of this interface; it rises when a function changes its meaning.
pub const GATEWARD_ABI_VERSION: u32 = 1;

/// Returns [`GATEWARD_ABI_VERSION`], so that a program can refuse a library that it was not built for.
#[expect(unsafe_code, reason = "C calls this by name")]
#[unsafe(no_mangle)]
pub extern "C" fn gateward_abi_version() -> u32 {
    GATEWARD_ABI_VERSION
}
