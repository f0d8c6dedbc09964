//! Counts the allocations of the thread that asks, and the bytes it holds.

#![allow(dead_code, reason = "each test program asks for one of the two")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
    static HELD: Cell<i64> = const { Cell::new(0) };
}

fn take(bytes: usize, given_back: usize) {
    COUNT.set(COUNT.get() + 1);
    HELD.set(HELD.get() + bytes as i64 - given_back as i64);
}

#[expect(unsafe_code, reason = "a global allocator is unsafe by its trait; it only counts and passes on")]
// SAFETY: every call goes to the system allocator with the same arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size(), 0);
        // SAFETY: as promised by our caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HELD.set(HELD.get() - layout.size() as i64);
        // SAFETY: as promised by our caller.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        take(size, layout.size());
        // SAFETY: as promised by our caller.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often this thread has allocated so far.
pub fn allocations() -> u64 {
    COUNT.get()
}

/// Bytes that this thread has taken and not given back.
pub fn held() -> i64 {
    HELD.get()
}
