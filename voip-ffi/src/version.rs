//! # Version

use std::ffi::{CStr, c_char};

/// The version of the library, as in "0.1.0"; `VOIP_VERSION` is that of the header. The string
/// lives as long as the library is loaded; do not free it. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn voip_version() -> *const c_char {
    VERSION.as_ptr()
}

const VERSION: &CStr = {
    const TEXT: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    match CStr::from_bytes_with_nul(TEXT.as_bytes()) {
        Ok(text) => text,
        Err(_) => panic!("a version has no zero byte"),
    }
};

#[cfg(test)]
mod tests {
    #[test]
    fn it_is_the_cores() {
        assert_eq!(super::VERSION.to_str(), Ok(voip_core::VERSION));
    }
}
