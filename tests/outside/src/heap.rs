//! Counts what a thread asks of the heap, so that "nothing in proportion to a length that nobody has
//! verified" is measured.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts, and hands everything on to the system's allocator.
///
/// A program that measures makes one its `#[global_allocator]`; in every other program the count
/// stays 0.
#[derive(Clone, Copy, Debug)]
pub struct Counting;

thread_local! {
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

fn note(bytes: usize) {
    // A thread that ends allocates too, when its counter is gone.
    let _counted = ASKED.try_with(|asked| asked.set(asked.get().saturating_add(bytes)));
}

#[expect(unsafe_code, reason = "an allocator can only be made so; it hands everything on")]
// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller keeps the promises of `GlobalAlloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller keeps the promises of `GlobalAlloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        // SAFETY: the caller keeps the promises of `GlobalAlloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the promises of `GlobalAlloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Does `work` and returns how many bytes this thread asked for, given back or not.
pub fn asked<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = ASKED.with(Cell::get);
    let done = work();

    (done, ASKED.with(Cell::get) - before)
}

/// Does `work`, which may ask for no more than `limit` bytes in all.
///
/// # Panics
///
/// It asked for more.
pub fn within<T>(limit: usize, work: impl FnOnce() -> T) -> T {
    let (done, asked) = asked(work);
    assert!(asked <= limit, "{asked} bytes of heap where {limit} are enough");

    done
}
