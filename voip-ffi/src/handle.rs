//! Handles: what C holds as a pointer is a ticket, the number of a row in one table and how often
//! that row has been used. So a handle that was freed, belongs to another type or is no handle at
//! all is recognised and never followed, from whatever thread it comes.
//!
//! A function takes what the row holds (an `Arc`) out of the table before it uses it: another
//! thread may free the handle meanwhile.

use std::any::{Any, TypeId};
use std::ptr;
use std::sync::Arc;
#[cfg(unix)]
use std::sync::atomic::AtomicBool;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use parking_lot::RwLock;

use crate::status::voip_status;
use crate::wall::{Failure, Outcome};

/// An opaque type of the header.
pub(crate) trait Opaque {
    /// What a handle of it stands for.
    type Object: Any + Send + Sync;
    /// For messages.
    const WHAT: &'static str;
}

/// Half of a pointer's bits number the row, the other half the uses. Of these the lowest bit is
/// always set, which it is not in a pointer to anything that is aligned.
const HALF: u32 = usize::BITS / 2;
const ROWS: usize = 1 << HALF;
const USES: usize = 1 << (HALF - 1);

fn ticket(row: usize, uses: usize) -> usize {
    row << HALF | uses << 1 | 1
}

fn row_and_uses(ticket: usize) -> Option<(usize, usize)> {
    (ticket & 1 == 1).then_some((ticket >> HALF, (ticket % ROWS) >> 1))
}

/// What finding a handle reads of it is one line of the processor's cache.
#[repr(C, align(64))]
struct Table {
    /// How often the process has been forked off when the table was made. After a fork the locks of
    /// the parent's table may be held for ever by threads that the child does not have: it begins a
    /// table of its own.
    forks: usize,
    /// The rows before belong to the parent.
    first: usize,
    end: AtomicUsize,
    rows: RwLock<Rows>,
}

#[derive(Default)]
#[repr(C)]
struct Rows {
    rows: Vec<Row>,
    free: Vec<usize>,
}

#[derive(Default)]
struct Row {
    uses: usize,
    object: Option<Object>,
}

/// What a row holds. Of which type it is stands beside it: who reads a frame every 20 ms finds its
/// caches cold, and would have to fetch the table of the type's functions to ask it.
struct Object {
    of: TypeId,
    any: Arc<dyn Any + Send + Sync>,
}

impl Object {
    fn new<T: Any + Send + Sync>(object: T) -> Object {
        Object { of: TypeId::of::<T>(), any: Arc::new(object) }
    }

    fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        if self.of != TypeId::of::<T>() {
            return None;
        }
        let any = Arc::into_raw(self.any.clone());
        // SAFETY: It is a `T`, and the `Arc` was one of a `T` when it was made.
        Some(unsafe { Arc::from_raw(any.cast::<T>()) })
    }
}

/// Counted by the child of each fork: asking the system for the number of the process would cost
/// more than all the rest of finding a handle.
static FORKS: AtomicUsize = AtomicUsize::new(0);

/// Asks for that, once.
#[cfg(unix)]
fn count_forks() {
    extern "C" fn count() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }
    static ASKED: AtomicBool = AtomicBool::new(false);
    if !ASKED.swap(true, Ordering::Relaxed) {
        // Without the memory for it the core still tells what belongs to another process.
        // SAFETY: The function does nothing that may not be done in the child of a fork.
        unsafe { libc::pthread_atfork(None, None, Some(count)) };
    }
}

#[cfg(not(unix))]
fn count_forks() {}

static TABLE: AtomicPtr<Table> = AtomicPtr::new(ptr::null_mut());

fn table() -> &'static Table {
    let forks = FORKS.load(Ordering::Relaxed);
    let current = TABLE.load(Ordering::Acquire);
    // SAFETY: Tables are leaked, one for each process in a line of forks that uses the library.
    let known = unsafe { current.as_ref() };
    if let Some(table) = known.filter(|table| table.forks == forks) {
        return table;
    }
    count_forks();
    let first = known.map_or(0, |table| table.end.load(Ordering::Relaxed));
    let end = AtomicUsize::new(first);
    let new = Box::into_raw(Box::new(Table { forks, first, end, rows: RwLock::default() }));
    match TABLE.compare_exchange(current, new, Ordering::AcqRel, Ordering::Acquire) {
        // SAFETY: As above.
        Ok(_) => unsafe { &*new },
        Err(other) => {
            // SAFETY: It was made here and nobody else has seen it; the other one is as above.
            unsafe {
                drop(Box::from_raw(new));
                &*other
            }
        }
    }
}

impl Table {
    fn put(&self, object: Object) -> Outcome<usize> {
        let mut rows = self.rows.write();
        let row = match rows.free.pop() {
            Some(row) => row,
            None if self.first + rows.rows.len() < ROWS => {
                rows.rows.push(Row::default());
                self.end.store(self.first + rows.rows.len(), Ordering::Relaxed);
                rows.rows.len() - 1
            }
            None => return Err(Failure::new(voip_status::VOIP_SYSTEM, "too many handles")),
        };
        let place = &mut rows.rows[row];
        place.object = Some(object);
        Ok(ticket(self.first + row, place.uses))
    }

    fn find<T: Opaque>(&self, ticket: usize) -> Outcome<Arc<T::Object>> {
        let row = self.row::<T>(ticket)?;
        let rows = self.rows.read();
        object_of::<T>(rows.rows.get(row), ticket)
    }

    fn take<T: Opaque>(&self, ticket: usize) -> Outcome<Arc<T::Object>> {
        let row = self.row::<T>(ticket)?;
        let mut rows = self.rows.write();
        let object = object_of::<T>(rows.rows.get(row), ticket)?;
        let place = &mut rows.rows[row];
        place.object = None;
        place.uses += 1;
        // A row that has been used up is left alone: its tickets must not come again.
        if place.uses < USES {
            rows.free.push(row);
        }
        Ok(object)
    }

    /// The row of a ticket within this table.
    fn row<T: Opaque>(&self, ticket: usize) -> Outcome<usize> {
        if ticket == 0 {
            return Err(Failure::argument(format!("the {} is NULL", T::WHAT)));
        }
        let Some((row, _)) = row_and_uses(ticket) else { return Err(foreign::<T>()) };
        row.checked_sub(self.first).ok_or_else(|| {
            let message = format!("this {} belongs to the process that forked this one", T::WHAT);
            Failure::new(voip_status::VOIP_CLOSED, message)
        })
    }
}

fn object_of<T: Opaque>(row: Option<&Row>, ticket: usize) -> Outcome<Arc<T::Object>> {
    let (_, uses) = row_and_uses(ticket).unwrap_or_default();
    let row = row.filter(|row| uses <= row.uses).ok_or_else(foreign::<T>)?;
    match &row.object {
        Some(object) if row.uses == uses => object.get().ok_or_else(foreign::<T>),
        _ => {
            let message = format!("this {} has been freed", T::WHAT);
            Err(Failure::new(voip_status::VOIP_CLOSED, message))
        }
    }
}

fn foreign<T: Opaque>() -> Failure {
    Failure::argument(format!("that is no {}", T::WHAT))
}

/// Makes a handle.
pub(crate) fn put<T: Opaque>(object: T::Object) -> Outcome<*mut T> {
    Ok(ptr::without_provenance_mut(table().put(Object::new(object))?))
}

/// What a handle stands for.
pub(crate) fn get<T: Opaque>(handle: *const T) -> Outcome<Arc<T::Object>> {
    table().find::<T>(handle.addr())
}

/// Frees a handle; the caller lets go of what it stood for.
pub(crate) fn take<T: Opaque>(handle: *mut T) -> Outcome<Arc<T::Object>> {
    table().take::<T>(handle.addr())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Thing;
    impl Opaque for Thing {
        type Object = u8;
        const WHAT: &'static str = "thing";
    }

    struct Other;
    impl Opaque for Other {
        type Object = String;
        const WHAT: &'static str = "other";
    }

    fn status<T>(outcome: Outcome<T>) -> voip_status {
        crate::wall::guard(|| outcome.map(drop))
    }

    #[test]
    fn a_handle_stands_for_one_thing_until_it_is_freed() {
        use voip_status::*;
        let a = put::<Thing>(1).unwrap();
        let b = put::<Thing>(2).unwrap();
        assert_eq!((*get(a).unwrap(), *get(b).unwrap()), (1, 2));
        assert_eq!(status(get(a.cast::<Other>())), VOIP_INVALID_ARGUMENT);
        let held = get(a).unwrap();
        assert_eq!(*take(a).unwrap(), 1);
        assert_eq!(status(get(a)), VOIP_CLOSED);
        assert_eq!(status(take(a)), VOIP_CLOSED);
        // One of these has its row.
        let again = (0..100).map(|_| put::<Thing>(3).unwrap()).collect::<Vec<_>>();
        assert!(!again.contains(&a));
        assert_eq!(status(get(a)), VOIP_CLOSED);
        assert_eq!(*held, 1, "whoever is inside keeps it");
        for handle in again {
            take(handle).unwrap();
        }
        take(b).unwrap();
    }

    #[test]
    fn what_is_no_handle_is_not_followed() {
        let row = ticket(ROWS - 1, 0);
        for foreign in [row, ticket(0, USES - 1), 8, 9, usize::MAX, usize::MAX - 1] {
            let foreign = ptr::without_provenance_mut::<Thing>(foreign);
            assert_eq!(status(get(foreign)), voip_status::VOIP_INVALID_ARGUMENT, "{foreign:?}");
            assert_eq!(status(take(foreign)), voip_status::VOIP_INVALID_ARGUMENT, "{foreign:?}");
        }
        assert_eq!(status(get::<Thing>(ptr::null())), voip_status::VOIP_INVALID_ARGUMENT);
    }

    #[test]
    fn tickets_are_read_as_they_were_written() {
        for (row, uses) in [(0, 0), (1, 0), (0, 1), (ROWS - 1, USES - 1), (77, 12_345)] {
            assert_eq!(row_and_uses(ticket(row, uses)), Some((row, uses)));
        }
        assert_eq!(row_and_uses(0x1000), None);
    }
}
