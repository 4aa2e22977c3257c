//! An allocator that counts, for programs that tell how much is allocated on the way of a packet.
//!
//! ```ignore
//! #[global_allocator]
//! static ALLOCATOR: voip_benches::allocations::Counting = voip_benches::allocations::Counting;
//! ```

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static SO_FAR: Cell<u64> = const { Cell::new(0) };
}

/// Allocations and reallocations of this thread so far; zero in a program without [`Counting`].
pub fn so_far() -> u64 {
    SO_FAR.get()
}

fn count() {
    // A thread that ends may allocate after its locals are gone; nobody asks it any more.
    let _ = SO_FAR.try_with(|n| n.set(n.get() + 1));
}

/// The system's allocator, counted.
pub struct Counting;

// SAFETY: every method hands its arguments to the system's allocator unchanged, and counting
// neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as the caller promised.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as the caller promised.
        unsafe { System.realloc(ptr, layout, size) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(ptr, layout) }
    }
}
