//! # Sound of a call
//!
//! For nodes with `voip_node_builder_audio_manual`: mono, at its rate, any count of samples. Floats
//! are -1.0 to 1.0. Where `count` is 0 `samples` may be NULL. All of these return
//! `VOIP_INVALID_STATE` for another kind of audio, and once the call is over what its end was:
//! `VOIP_CALL_ENDED`, `VOIP_NETWORK_LOST` ...

use std::ffi::c_int;
#[cfg(unix)]
use std::os::fd::AsRawFd;

use voip_core::{Call, Duration, Error};

use crate::call::voip_call;
use crate::convert::{Place, array, array_mut, time_limit};
use crate::handle::get;
use crate::status::voip_status;
use crate::wall::guard;

/// # Safety
/// As the exported functions below.
unsafe fn write<T>(
    call: *const voip_call,
    (samples, count): (*const T, usize),
    timeout_ms: u32,
    written: *mut usize,
    write: impl FnOnce(&Call, &[T], Duration) -> Result<usize, Error>,
) -> voip_status {
    guard(|| {
        let place = Place::new("written", written)?;
        // SAFETY: The caller vouches for it. Whoever does not look at the status must not take what
        // was there for progress.
        unsafe { place.set(0) };
        // SAFETY: The same.
        let samples = unsafe { array("samples", samples, count) }?;
        let accepted = write(&*get(call)?, samples, time_limit(timeout_ms))?;
        // SAFETY: The same.
        unsafe { place.set(accepted) };
        Ok(())
    })
}

/// # Safety
/// As the exported functions below.
unsafe fn read<T>(
    call: *const voip_call,
    (samples, count): (*mut T, usize),
    timeout_ms: u32,
    read: impl FnOnce(&Call, &mut [T], Duration) -> Result<(), Error>,
) -> voip_status {
    guard(|| {
        // SAFETY: The caller vouches for it.
        let samples = unsafe { array_mut("samples", samples, count) }?;
        Ok(read(&*get(call)?, samples, time_limit(timeout_ms))?)
    })
}

/// Says `count` samples. Each complete frame leaves at once. Whoever writes faster than real time
/// is paced: the queue holds 200 ms, then this waits for room, for at most `timeout_ms`. `written`
/// is how many were accepted; fewer than `count` only if the time has passed. What is written
/// before the call is connected is spoken to nobody, in real time.
///
/// Whoever writes nothing sends nothing, which the peer's program reports after 0.9 s as
/// `VOIP_SILENCE_REASON_NO_PACKETS`; a program that only listens mutes the call instead.
///
/// Errors: `VOIP_TIMED_OUT` if none was accepted. `written` is 0 after every failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_call_write_f32(
    call: *const voip_call,
    samples: *const f32,
    count: usize,
    timeout_ms: u32,
    written: *mut usize,
) -> voip_status {
    // SAFETY: The caller vouches for it.
    unsafe { write(call, (samples, count), timeout_ms, written, Call::write) }
}

/// As `voip_call_write_f32`, for samples of 16 bits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_call_write_i16(
    call: *const voip_call,
    samples: *const i16,
    count: usize,
    timeout_ms: u32,
    written: *mut usize,
) -> voip_status {
    // SAFETY: The caller vouches for it.
    unsafe { write(call, (samples, count), timeout_ms, written, Call::write_i16) }
}

/// Hears exactly `count` samples, or none. Reading is the playout clock of this call: sound is
/// decoded on demand, and whoever reads early waits, for at most `timeout_ms`. If nobody reads for
/// 200 ms time goes on without the reader, and `unread_ms` of `voip_call_stats` counts what was not
/// heard. Before the call is connected this hears silence.
///
/// Errors: `VOIP_TIMED_OUT`: nothing is lost, read again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_call_read_f32(
    call: *const voip_call,
    samples: *mut f32,
    count: usize,
    timeout_ms: u32,
) -> voip_status {
    // SAFETY: The caller vouches for it.
    unsafe { read(call, (samples, count), timeout_ms, Call::read) }
}

/// As `voip_call_read_f32`, for samples of 16 bits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_call_read_i16(
    call: *const voip_call,
    samples: *mut i16,
    count: usize,
    timeout_ms: u32,
) -> voip_status {
    // SAFETY: The caller vouches for it.
    unsafe { read(call, (samples, count), timeout_ms, Call::read_i16) }
}

/// A descriptor for poll, epoll and event loops, which read and write with `timeout_ms` 0. After a
/// read that came too early, or a write that could not do all it was asked, it becomes readable as
/// soon as so much sound is there, or room for more. The next read makes it unreadable for sound,
/// the next write for room; one of nothing (`count` 0) will do for whoever has given up. When the
/// call is over it is readable for good. Only to wait on. It is made by the first use of this
/// function: call it before the first read or write. Does not block.
///
/// It belongs to the call and is closed when the last handle of that is freed, or a moment later:
/// take it out of epoll before.
///
/// Errors: `VOIP_SYSTEM` without a descriptor left; `VOIP_INVALID_STATE` on systems that are no
/// Unix, too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_call_pcm_descriptor(
    call: *const voip_call,
    descriptor: *mut c_int,
) -> voip_status {
    guard(|| {
        let place = Place::new("descriptor", descriptor)?;
        let call = get(call)?;
        #[cfg(unix)]
        let number = call.pcm_descriptor()?.as_raw_fd();
        #[cfg(not(unix))]
        let number = crate::convert::no_descriptor(&call)?;
        // SAFETY: The caller vouches for it.
        unsafe { place.set(number) };
        Ok(())
    })
}
