//! The wall that every exported function stands behind: an error becomes a status and the text of
//! `voip_last_error`, and so does a panic, which must not unwind into C.

use std::any::Any;
use std::cell::RefCell;
use std::ffi::{CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::status::voip_status;

/// Why a function fails.
#[derive(Debug)]
pub(crate) struct Failure {
    status: voip_status,
    message: String,
}

pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    pub(crate) fn new(status: voip_status, message: impl Into<String>) -> Failure {
        Failure { status, message: message.into() }
    }

    pub(crate) fn argument(message: impl Into<String>) -> Failure {
        Failure::new(voip_status::VOIP_INVALID_ARGUMENT, message)
    }
}

impl From<voip_core::Error> for Failure {
    fn from(error: voip_core::Error) -> Failure {
        Failure::new(error.kind().into(), error.message())
    }
}

thread_local! {
    static LAST: RefCell<Option<CString>> = const { RefCell::new(None) };
}

/// Runs the body of an exported function.
pub(crate) fn guard(body: impl FnOnce() -> Outcome) -> voip_status {
    let failure = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return voip_status::VOIP_OK,
        Ok(Err(failure)) => failure,
        Err(panic) => Failure::new(voip_status::VOIP_INTERNAL, words_of(&*panic)),
    };
    remember(failure.message);
    failure.status
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().copied();
    let words = words.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("a bug of the library: {}", words.unwrap_or("no words for it"))
}

fn remember(message: String) {
    let mut bytes = message.into_bytes();
    bytes.retain(|byte| *byte != 0);
    // A thread that ends has no use for the text.
    let _ = LAST.try_with(|last| *last.borrow_mut() = CString::new(bytes).ok());
}

/// The text of the last failure on this thread.
pub(crate) fn last() -> *const c_char {
    let text = LAST.try_with(|last| last.borrow().as_ref().map(|text| text.as_ptr()));
    text.ok().flatten().unwrap_or(c"".as_ptr())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    fn text() -> String {
        // SAFETY: It lives until the next failure on this thread.
        unsafe { CStr::from_ptr(last()) }.to_string_lossy().into_owned()
    }

    #[test]
    fn a_panic_becomes_a_status_and_its_words() {
        assert_eq!(guard(|| panic!("no {}", "way")), voip_status::VOIP_INTERNAL);
        assert_eq!(text(), "a bug of the library: no way");
        assert_eq!(guard(|| std::panic::panic_any(7)), voip_status::VOIP_INTERNAL);
        assert_eq!(text(), "a bug of the library: no words for it");
    }

    #[test]
    fn each_thread_has_its_own_text_and_success_leaves_it() {
        guard(|| Err(Failure::argument("a\0b")));
        assert_eq!(text(), "ab");
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(text(), ""));
        });
        assert_eq!(guard(|| Ok(())), voip_status::VOIP_OK);
        assert_eq!(text(), "ab");
    }
}
