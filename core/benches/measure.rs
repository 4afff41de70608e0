//! Times of what is short, and the middle of many.
//!
//! Times are the thread's own on the processor: others who use the machine slow what is measured,
//! but what they do is not counted.

use core::hint::black_box;

use rustix::time::{ClockId, clock_gettime};

/// Returns the nanoseconds that `call` took for each of `all`, and how often it said yes.
pub fn each<T>(all: &[T], mut call: impl FnMut(&T) -> bool) -> (f64, usize) {
    let (seconds, yes) = once(|| all.iter().filter(|one| black_box(call(black_box(*one)))).count());

    (seconds * 1e9 / all.len() as f64, yes)
}

/// Returns the seconds that `call` took, and what it returned.
pub fn once<T>(call: impl FnOnce() -> T) -> (f64, T) {
    let start = on_the_processor();
    let made = black_box(call());

    (on_the_processor() - start, made)
}

/// Returns the middle one.
pub fn middle(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn on_the_processor() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);

    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
