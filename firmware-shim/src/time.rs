//! How late it is: said by the caller, or followed from what was signed (TRUST section 4).
#![expect(unsafe_code, reason = "C calls these by name")]

use gateward_core::time::{Millis, TimeQuality, UnixSeconds};
use gateward_core::trust::{Audience, Beacon, Now as CoreNow, Shown as CoreShown, TrustedTime};

use crate::foreign::{self, call};
use crate::open::lifted;
use crate::status::{GATEWARD_ABSURD, Status};
use crate::storage::{Clock, Floor, Keys};

/// The clock is synchronised.
pub const GATEWARD_TIME_SYNCED: u32 = 0;
/// The clock runs and is ahead of every signed time, but nobody vouches for it.
pub const GATEWARD_TIME_HOLDOVER: u32 = 1;
/// The clock is behind signed time, which is used instead.
pub const GATEWARD_TIME_FLOOR: u32 = 2;
/// Nothing but the time of the build is known.
pub const GATEWARD_TIME_UNKNOWN: u32 = 3;

/// The time to decide with. There is no default.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Now {
    /// Seconds since 1970; 0 is no time.
    pub at: u64,
    /// The latest time that the clock, two keys or root keys stand for; `at` where that is the clock's.
    pub backed: u64,
    /// One of `GATEWARD_TIME_*`.
    pub quality: u32,
    /// Zero.
    pub zero: u32,
}

/// What the machine's clock shows.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Shown {
    /// Seconds since 1970; 0 where there is no clock.
    pub clock: u64,
    /// 1 where something vouches for the clock, else 0.
    pub synchronised: u32,
    /// Zero.
    pub zero: u32,
}

pub(crate) fn quality(number: u32) -> Result<TimeQuality, Status> {
    Ok(match number {
        GATEWARD_TIME_SYNCED => TimeQuality::Synced,
        GATEWARD_TIME_HOLDOVER => TimeQuality::Holdover,
        GATEWARD_TIME_FLOOR => TimeQuality::Floor,
        GATEWARD_TIME_UNKNOWN => TimeQuality::Unknown,
        _ => return Err(GATEWARD_ABSURD),
    })
}

fn shown(Shown { clock, synchronised, zero }: Shown) -> Result<CoreShown, Status> {
    if synchronised > 1 || zero != 0 {
        return Err(GATEWARD_ABSURD);
    }
    let clock = (clock != 0).then_some(UnixSeconds(clock));

    Ok(CoreShown { clock, synchronised: synchronised == 1 })
}

/// Starts to follow the time. `build` is when the program was built, in seconds since 1970; `mono` is
/// the run time in milliseconds.
///
/// # Safety
///
/// `floor` points to a floor and `clock` to storage, or either is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_clock_start(
    build: u64,
    floor: *const Floor,
    mono: u64,
    clock: *mut Clock,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe {
        let floor = foreign::floor(floor)?;
        foreign::fill(clock, TrustedTime::new(UnixSeconds(build), &floor, Millis(mono)))
    })
}

/// Stores how late it is at run time `mono`.
///
/// # Safety
///
/// `clock` points to storage, `on_display` and `now` to structs; or any is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_clock_now(
    clock: *const Clock,
    mono: u64,
    on_display: *const Shown,
    now: *mut Now,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe {
        let display = shown(foreign::plain(on_display)?)?;
        let CoreNow { at, quality, backed } = foreign::held(clock)?.now(Millis(mono), display);
        let quality = quality as u32;
        foreign::put(now, Now { at: at.0, backed: backed.0, quality, zero: 0 })
    })
}

/// Brings the floor up to run time `mono`: before anything is accepted into it, at least every ten
/// minutes, and at stop. `until` is the end of the snapshot in force; a clock that jumped ahead does
/// not stick beyond it. After something was accepted, call `gateward_clock_start` with the new floor.
///
/// # Safety
///
/// `clock` points to storage, `on_display` to a struct, `floor` to a floor; or any is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_clock_keep(
    clock: *const Clock,
    mono: u64,
    on_display: *const Shown,
    until: u64,
    floor: *mut Floor,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe {
        let display = shown(foreign::plain(on_display)?)?;
        let clock = foreign::held(clock)?;
        let before = foreign::floor(floor)?;
        foreign::put_floor(floor, &clock.kept(&before, Millis(mono), display, UnixSeconds(until)))
    })
}

/// Takes a beacon: what time it is, and what is the newest. What is in force has to hear of it:
/// `gateward_snapshot_follow`.
///
/// # Safety
///
/// `keys` points to storage, `audience` to 16 bytes, `floor` to a floor, `now` to a time, `envelope`
/// to `len` bytes; or any is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_beacon_take(
    keys: *const Keys,
    audience: *const u8,
    floor: *mut Floor,
    now: *const Now,
    envelope: *const u8,
    len: usize,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe {
        let keys = foreign::held(keys)?;
        let audience = Audience(foreign::array(audience)?);
        let now = foreign::now(now)?;
        let beacon = Beacon::verify(foreign::bytes(envelope, len)?, keys, audience)?;
        raise(floor, &beacon, &now)
    })
}

/// Stores the floor as a beacon leaves it, where it may follow. Not a part of its caller, whose stack
/// the signature needs.
///
/// # Safety
///
/// As `gateward_beacon_take`.
#[inline(never)]
unsafe fn raise(floor: *mut Floor, beacon: &Beacon, now: &CoreNow) -> Result<(), Status> {
    // SAFETY: the caller promises the same.
    let before = unsafe { foreign::floor(floor)? };
    before.admit_beacon(beacon, &lifted(now, &before))?;

    // SAFETY: as above.
    unsafe { foreign::put_floor(floor, &before.with_beacon(beacon)) }
}
