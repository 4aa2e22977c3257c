//! Between C's values and Rust's: texts, arrays, structs, numbers of enums, times. Everything that
//! comes in is checked.

#[cfg(not(unix))]
use std::ffi::c_int;
use std::ffi::{CStr, c_char};
use std::mem::MaybeUninit;
use std::ptr;
use std::slice;

use voip_core::Duration;

use crate::wall::{Failure, Outcome};

/// No struct of the library is larger: a size beyond was never set.
pub(crate) const LARGEST: usize = 16384;

/// `UINT32_MAX` milliseconds mean for ever, of which the core makes a year.
pub(crate) fn time_limit(ms: u32) -> Duration {
    match ms {
        u32::MAX => Duration::from_secs(100 * 365 * 86_400),
        ms => Duration::from_millis(ms.into()),
    }
}

/// A text from C.
///
/// # Safety
/// `text` is NULL or ends in a zero byte, and lives as long as the result is used.
pub(crate) unsafe fn text<'a>(what: &str, text: *const c_char) -> Outcome<&'a str> {
    if text.is_null() {
        return Err(Failure::argument(format!("{what} is NULL")));
    }
    // SAFETY: The caller vouches for it.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map_err(|_| Failure::argument(format!("{what} is not UTF-8")))
}

/// The same where NULL means none.
///
/// # Safety
/// As [`text`].
pub(crate) unsafe fn optional_text<'a>(
    what: &str,
    from: *const c_char,
) -> Outcome<Option<&'a str>> {
    // SAFETY: The caller vouches for it.
    if from.is_null() { Ok(None) } else { unsafe { text(what, from) }.map(Some) }
}

fn check<T>(what: &str, pointer: *const T) -> Outcome {
    if pointer.is_null() {
        return Err(Failure::argument(format!("{what} is NULL")));
    }
    if !pointer.is_aligned() {
        return Err(Failure::argument(format!("{what} is not aligned")));
    }
    Ok(())
}

/// An array from C. One of nothing may be NULL, as arrays of nothing often are.
///
/// # Safety
/// `array` is NULL, or there are `count` values that nobody changes while the result is used.
pub(crate) unsafe fn array<'a, T>(what: &str, array: *const T, count: usize) -> Outcome<&'a [T]> {
    if count == 0 {
        return Ok(&[]);
    }
    check(what, array)?;
    check_count::<T>(count)?;
    // SAFETY: The caller vouches for what could not be checked.
    Ok(unsafe { slice::from_raw_parts(array, count) })
}

/// An array of C's to write to. One of nothing may be NULL.
///
/// # Safety
/// `array` is NULL, or there is room for `count` values that nobody else uses meanwhile.
pub(crate) unsafe fn array_mut<'a, T>(
    what: &str,
    array: *mut T,
    count: usize,
) -> Outcome<&'a mut [T]> {
    if count == 0 {
        return Ok(&mut []);
    }
    check(what, array)?;
    check_count::<T>(count)?;
    // SAFETY: The caller vouches for what could not be checked.
    Ok(unsafe { slice::from_raw_parts_mut(array, count) })
}

fn check_count<T>(count: usize) -> Outcome {
    let most = isize::MAX as usize / size_of::<T>();
    if count <= most { Ok(()) } else { Err(Failure::argument("count is beyond all memory")) }
}

/// A value of C's, of which any bytes are one; NULL means none.
///
/// # Safety
/// `from` is NULL or there is a `T`.
pub(crate) unsafe fn optional_value<T: Copy>(what: &str, from: *const T) -> Outcome<Option<T>> {
    if from.is_null() {
        return Ok(None);
    }
    check(what, from)?;
    // SAFETY: It is aligned; the caller vouches for the rest.
    Ok(Some(unsafe { from.read() }))
}

/// A place of C's for one result.
pub(crate) struct Place<T>(*mut T);

impl<T> Place<T> {
    /// Checks that there is a place at all, before anything is done that would be lost without.
    pub(crate) fn new(what: &str, place: *mut T) -> Outcome<Place<T>> {
        check(what, place)?;
        Ok(Place(place))
    }

    /// The same where NULL means that nobody wants to know.
    pub(crate) fn optional(what: &str, place: *mut T) -> Outcome<Option<Place<T>>> {
        if place.is_null() { Ok(None) } else { Place::new(what, place).map(Some) }
    }

    /// # Safety
    /// The place has room for a `T`.
    pub(crate) unsafe fn set(&self, value: T) {
        // SAFETY: It is not NULL and aligned; the caller vouches for the rest.
        unsafe { self.0.write(value) }
    }
}

/// A struct that the library fills: it begins with its size.
///
/// # Safety
/// `repr(C)`, of plain data, with the size as its first member, and `FIRST` is no more than
/// `END`, which is no more than its size.
pub(crate) unsafe trait Filled {
    /// The end of the last member that it had in its first release: what every caller has room for.
    const FIRST: usize;
    /// The end of the last member that it has now. What follows is padding here, but may be a
    /// member in the caller's header, which is of a later release than the library.
    const END: usize;
}

/// `filled!(type, member, member)`: the last member of the type's first release, which stays named
/// here for good, and the last one now.
macro_rules! filled {
    ($of:ty, $first:ident, $last:ident) => {
        // SAFETY: Plain data that begins with its size; the rest is checked.
        unsafe impl $crate::convert::Filled for $of {
            const FIRST: usize = $crate::convert::end_of!($of, $first);
            const END: usize = $crate::convert::end_of!($of, $last);
        }
        const _: () = {
            use $crate::convert::Filled as _;
            assert!(std::mem::offset_of!($of, size) == 0 && <$of>::FIRST <= <$of>::END);
            assert!(size_of::<$of>() - <$of>::END < align_of::<$of>(), "it is not the last member");
            assert!(size_of::<$of>() <= $crate::convert::LARGEST);
        };
    };
}
pub(crate) use filled;

/// Where a member ends.
macro_rules! end_of {
    ($of:ty, $member:ident) => {
        std::mem::offset_of!($of, $member)
            + $crate::convert::size_of_member::<$of, _>(|all| &all.$member)
    };
}
pub(crate) use end_of;

pub(crate) const fn size_of_member<T, M>(_: fn(&T) -> &M) -> usize {
    size_of::<M>()
}

/// A struct of C's to be filled, and how much of it the caller knows of.
pub(crate) struct Form<T> {
    place: *mut T,
    size: usize,
}

impl<T: Filled> Form<T> {
    /// # Safety
    /// `place` is NULL or has the size that it says.
    pub(crate) unsafe fn new(what: &str, place: *mut T) -> Outcome<Form<T>> {
        check(what, place)?;
        // SAFETY: It is not NULL and aligned, and its first member is its size.
        let size = unsafe { place.cast::<usize>().read() };
        if !(T::FIRST..=LARGEST).contains(&size) {
            let message = format!("{what}: size is {size}; set it to sizeof before the call");
            return Err(Failure::argument(message));
        }
        Ok(Form { place, size })
    }

    /// Whether the caller has room for a member that ends there.
    pub(crate) fn knows(&self, end: usize) -> bool {
        self.size >= end
    }

    /// # Safety
    /// As [`Form::new`].
    pub(crate) unsafe fn fill(&self, value: T) {
        let known = self.size.min(T::END);
        // SAFETY: Both have so many bytes; the first member was set by the caller and stays.
        unsafe {
            let from = (&raw const value).cast::<u8>();
            let skip = size_of::<usize>();
            let to = self.place.cast::<u8>();
            ptr::copy_nonoverlapping(from.add(skip), to.add(skip), known - skip);
        }
    }
}

/// A text in an array of a struct, cut off between two characters if it is too long.
pub(crate) fn inline<const N: usize>(text: &str) -> [c_char; N] {
    let mut out = [0; N];
    copy(text, &mut out);
    out
}

fn copy(text: &str, out: &mut [c_char]) {
    let room = out.len() - 1;
    let length = text.floor_char_boundary(room.min(text.len()));
    for (to, from) in out.iter_mut().zip(&text.as_bytes()[..length]) {
        *to = *from as c_char;
    }
    out[length] = 0;
}

/// A text into an array of the caller's, whole or not at all.
///
/// # Safety
/// As [`array_mut`].
pub(crate) unsafe fn put_text(text: &str, out: *mut c_char, capacity: usize) -> Outcome {
    // SAFETY: The caller vouches for it.
    let out = unsafe { array_mut("the array for the text", out, capacity) }?;
    if out.len() <= text.len() {
        let message = format!("the text needs an array of {} bytes", text.len() + 1);
        return Err(Failure::argument(message));
    }
    copy(text, out);
    Ok(())
}

/// The number of an enum that came from C, where an enum can have any number.
pub(crate) fn number<E>(value: MaybeUninit<E>) -> i32 {
    const { assert!(size_of::<E>() == size_of::<i32>(), "an enum of C is an int") };
    // SAFETY: C has passed an int, and every int is one.
    unsafe { value.as_ptr().cast::<i32>().read() }
}

/// What a system without descriptors has in their place.
#[cfg(not(unix))]
pub(crate) fn no_descriptor<T>(_of: &T) -> Outcome<c_int> {
    let message = "this system has no descriptors to wait on";
    Err(Failure::new(crate::status::voip_status::VOIP_INVALID_STATE, message))
}

/// Ties an enum of the header to the one of the core, both ways, by their equal variants.
macro_rules! same_variants {
    ($core:ty, $c:ident, $what:literal: $($variant:ident),+) => {
        impl From<$core> for $c {
            fn from(value: $core) -> $c {
                match value {
                    $(<$core>::$variant => $c::$variant,)+
                    #[allow(unreachable_patterns, reason = "some enums of the core may grow")]
                    other => unreachable!("{other:?} has no number yet"),
                }
            }
        }

        impl $c {
            /// The core's value for what came from C.
            #[allow(dead_code, reason = "not all enums go both ways")]
            pub(crate) fn read(value: std::mem::MaybeUninit<$c>) -> $crate::wall::Outcome<$core> {
                let n = $crate::convert::number(value);
                Self::read_number(n).ok_or_else(|| {
                    $crate::wall::Failure::argument(format!("{n} is no {}", $what))
                })
            }

            #[allow(dead_code, reason = "not all enums go both ways")]
            fn read_number(number: i32) -> Option<$core> {
                match number {
                    $(n if n == $c::$variant as i32 => Some(<$core>::$variant),)+
                    _ => None,
                }
            }
        }
    };
}
pub(crate) use same_variants;
