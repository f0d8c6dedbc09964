//! Counts the bytes that the thread which asks holds.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static HELD: Cell<i64> = const { Cell::new(0) };
}

fn hold(more: usize, less: usize) {
    HELD.set(HELD.get() + more as i64 - less as i64);
}

#[expect(unsafe_code, reason = "a global allocator is unsafe by its trait; it only counts and passes on")]
// SAFETY: every call goes to the system allocator with the same arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        hold(layout.size(), 0);
        // SAFETY: as promised by our caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        hold(0, layout.size());
        // SAFETY: as promised by our caller.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        hold(size, layout.size());
        // SAFETY: as promised by our caller.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that this thread has taken and not given back.
pub fn held() -> i64 {
    HELD.get()
}
