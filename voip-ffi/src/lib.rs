//! The C library: check pointers, call `voip-core`, convert. No logic lives here.
//!
//! `include/voip.h` is generated from this file; `cargo test -p voip-ffi` compares the two.

use std::ffi::{CStr, c_char};

const fn c_str(bytes: &'static [u8]) -> &'static CStr {
    match CStr::from_bytes_with_nul(bytes) {
        Ok(s) => s,
        Err(_) => panic!("a string for C ends in its only zero byte"),
    }
}

const VERSION: &CStr = {
    const BYTES: [u8; voip_core::VERSION.len() + 1] = {
        let mut bytes = [0; voip_core::VERSION.len() + 1];
        let mut i = 0;
        while i < voip_core::VERSION.len() {
            bytes[i] = voip_core::VERSION.as_bytes()[i];
            i += 1;
        }
        bytes
    };
    c_str(&BYTES)
};

/// The version of the library, as in "0.1.0". The string lives as long as the library is loaded;
/// do not free it.
#[unsafe(no_mangle)]
pub extern "C" fn voip_version() -> *const c_char {
    VERSION.as_ptr()
}
