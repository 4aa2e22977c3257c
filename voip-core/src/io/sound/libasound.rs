//! libasound when a sound card is first asked for, and not before: a program or a library that links
//! this crate starts on a system that has none. There it finds the sound hosts that need no ALSA,
//! and otherwise no devices.
//!
//! The crates `alsa` and `cpal` call functions that the linker would take from libasound. The
//! stand-ins in `libasound.s` come first; at their first call they load the library.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

std::arch::global_asm!(include_str!("libasound.s"), find = sym find, options(att_syntax));

unsafe extern "C" {
    /// Of `libasound.s`. Named here so that the linker takes the stand-ins along with this module.
    fn voip_libasound_fill();
}

/// What a stand-in jumps through: the address, and behind it the name up to a zero byte.
#[repr(C)]
struct Slot {
    address: AtomicPtr<c_void>,
    name: c_char,
}

/// Whether the system has libasound. Loads it.
pub(super) fn is_there() -> bool {
    std::hint::black_box(voip_libasound_fill as unsafe extern "C" fn());
    library().is_some()
}

/// The library, for as long as the process lives: its threads and plugins may not outlive its code.
fn library() -> Option<NonNull<c_void>> {
    struct Handle(NonNull<c_void>);
    // SAFETY: dlsym takes a handle on any thread.
    unsafe impl Send for Handle {}
    // SAFETY: as above.
    unsafe impl Sync for Handle {}
    static LIBRARY: OnceLock<Option<Handle>> = OnceLock::new();
    let open = || {
        // SAFETY: a name that ends in zero; libasound's initialisers ask nothing of their caller.
        let handle = unsafe { libc::dlopen(c"libasound.so.2".as_ptr(), libc::RTLD_NOW) };
        NonNull::new(handle).map(Handle)
    };
    LIBRARY.get_or_init(open).as_ref().map(|handle| handle.0)
}

/// Fills a slot, at the first call of its function; returns where to go.
///
/// # Safety
/// The slot is one of `libasound.s`, so that a name follows its address.
unsafe extern "C" fn find(slot: *const Slot) -> *mut c_void {
    // SAFETY: slots are never freed, and the name of each ends in a zero byte.
    let (address, name) = unsafe { (&(*slot).address, CStr::from_ptr(&raw const (*slot).name)) };
    // SAFETY: a handle of dlopen and a name that ends in zero.
    let found = library().map(|library| unsafe { libc::dlsym(library.as_ptr(), name.as_ptr()) });
    let found = found.filter(|found| !found.is_null()).unwrap_or(absent as *mut c_void);
    address.store(found, Ordering::Relaxed);
    found
}

/// In place of a function that is not there: as if the system did not have what it does.
extern "C" fn absent() -> c_int {
    -libc::ENOSYS
}
