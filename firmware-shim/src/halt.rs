//! Where a panic ends: nowhere in firmware, and in a symbol that nobody has where a test looks for
//! functions that can get here.

#[cfg(not(feature = "no-panic"))]
#[panic_handler]
fn halt(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

#[cfg(feature = "no-panic")]
#[expect(unsafe_code, reason = "the linker is to miss it by name")]
#[panic_handler]
fn halt(_: &core::panic::PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        fn gateward_must_not_panic() -> !;
    }

    // SAFETY: never runs; a program that has this function does not link.
    unsafe { gateward_must_not_panic() }
}

/// Panics for `None`'s sake, so that the test can see itself fail.
#[cfg(feature = "no-panic")]
#[expect(unsafe_code, clippy::expect_used, reason = "a planted panic, called by name")]
#[unsafe(no_mangle)]
pub extern "C" fn gateward_planted_panic(number: u32) -> u32 {
    number.checked_add(1).expect("it can be too much")
}
