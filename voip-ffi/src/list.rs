//! Lists behind handles: how long they are, and one element at a time. `items` finds the list in what the handle holds.

use crate::convert::{Filled, Form, Place};
use crate::handle::{Opaque, get};
use crate::wall::{Failure, Outcome};

/// How many elements a list has.
///
/// # Safety
/// `count` is NULL or may be written.
pub(crate) unsafe fn count_of<L: Opaque, T>(
    list: *const L,
    items: fn(&L::Object) -> &[T],
    count: *mut usize,
) -> Outcome {
    let place = Place::new("count", count)?;
    // SAFETY: The caller vouches for it.
    unsafe { place.set(items(&*get(list)?).len()) };
    Ok(())
}

/// One element, `index` from 0, into the struct that the caller calls `what`.
///
/// # Safety
/// `into` is NULL or a struct that begins with its size.
pub(crate) unsafe fn element_of<L: Opaque, T, S>(
    list: *const L,
    items: fn(&L::Object) -> &[T],
    index: usize,
    what: &'static str,
    into: *mut S,
) -> Outcome
where
    S: Filled + for<'a> From<&'a T>,
{
    // SAFETY: The caller vouches for it.
    let form = unsafe { Form::new(what, into) }?;
    let list = get(list)?;
    let found =
        items(&list).get(index).ok_or_else(|| Failure::argument("index: beyond the end"))?;
    // SAFETY: The same.
    unsafe { form.fill(found.into()) };
    Ok(())
}
