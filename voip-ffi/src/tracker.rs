//! # Tracker
//!
//! Where nodes find each other. A program may run one itself; it has threads of its own.

use std::ffi::c_char;

use parking_lot::Mutex;
use voip_core::{Tracker, TrackerBuilder};

use crate::convert::{Place, put_text, text};
use crate::handle::{Opaque, get, put, take};
use crate::status::voip_status;
use crate::wall::{Outcome, guard};

/// What a tracker is to be.
pub struct voip_tracker_builder {
    _opaque: [u8; 0],
}

impl Opaque for voip_tracker_builder {
    type Object = Mutex<TrackerBuilder>;
    const WHAT: &'static str = "tracker builder";
}

/// A tracker.
pub struct voip_tracker {
    _opaque: [u8; 0],
}

impl Opaque for voip_tracker {
    type Object = Tracker;
    const WHAT: &'static str = "tracker";
}

/// Changes the core's builder, which is made anew by each of its methods.
fn build(
    builder: *mut voip_tracker_builder,
    change: impl FnOnce(TrackerBuilder) -> TrackerBuilder,
) -> Outcome {
    let builder = get(builder)?;
    let mut builder = builder.lock();
    *builder = change(builder.clone());
    Ok(())
}

/// Begins to describe a tracker. The handle is freed with `voip_tracker_builder_free`. Does not
/// block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_tracker_builder_new(
    builder: *mut *mut voip_tracker_builder,
) -> voip_status {
    guard(|| {
        let place = Place::new("builder", builder)?;
        let handle = put(Mutex::new(Tracker::builder()))?;
        // SAFETY: The caller vouches for it.
        unsafe { place.set(handle) };
        Ok(())
    })
}

/// Where to listen, "address:port"; TCP and UDP. Port 0: one that is free. "[::]" takes IPv4 as
/// well as IPv6. Default "0.0.0.0:6000". Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_tracker_builder_bind(
    builder: *mut voip_tracker_builder,
    address: *const c_char,
) -> voip_status {
    guard(|| {
        // SAFETY: The caller vouches for it.
        let address = unsafe { text("address", address) }?;
        build(builder, |b| b.bind(address))
    })
}

/// Listens there, too, TCP and UDP: at port 443, say, for peers whose networks let nothing else out. Up to
/// 8 addresses in all, checked by `voip_tracker_builder_start`. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_tracker_builder_also_bind(
    builder: *mut voip_tracker_builder,
    address: *const c_char,
) -> voip_status {
    guard(|| {
        // SAFETY: The caller vouches for it.
        let address = unsafe { text("address", address) }?;
        build(builder, |b| b.also_bind(address))
    })
}

/// Whether the tracker relays for peers whose routers let nothing of each other through: as a TURN server
/// (RFC 8656) at the addresses it listens on, by UDP and TCP, for the two peers of a call and with
/// credentials that the tracker gives to those registered. It needs UDP ports above 1024 open to the world.
/// Default: no. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn voip_tracker_builder_relay(
    builder: *mut voip_tracker_builder,
    on: bool,
) -> voip_status {
    guard(|| build(builder, |b| b.relay(on)))
}

/// The most allocations of the relay at once, any number; a call needs two at most. Default 1000. Switches
/// the relay on, as all its options do. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn voip_tracker_builder_relay_allocations(
    builder: *mut voip_tracker_builder,
    most: usize,
) -> voip_status {
    guard(|| build(builder, |b| b.relay_allocations(most)))
}

/// Bits per second that one allocation may relay each way, 1000 to 1000000000; twice as many in the first
/// second. What is above is dropped. Default 100000, enough for sound of 64 kbit/s. Checked by
/// `voip_tracker_builder_start`. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn voip_tracker_builder_relay_bitrate(
    builder: *mut voip_tracker_builder,
    bits_per_second: u32,
) -> voip_status {
    guard(|| build(builder, |b| b.relay_bitrate(bits_per_second)))
}

/// The IP address by which the world reaches this machine, if a router maps one to one and the machine does
/// not have it itself; checked by `voip_tracker_builder_start`. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_tracker_builder_relay_address(
    builder: *mut voip_tracker_builder,
    address: *const c_char,
) -> voip_status {
    guard(|| {
        // SAFETY: The caller vouches for it.
        let address = unsafe { text("address", address) }?;
        build(builder, |b| b.relay_address(address))
    })
}

/// Whether the relay sends to private, shared and loopback addresses: only for a network that is no part of
/// the Internet. Default: no. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn voip_tracker_builder_relay_private(
    builder: *mut voip_tracker_builder,
    yes: bool,
) -> voip_status {
    guard(|| build(builder, |b| b.relay_private(yes)))
}

/// Whether every message in and out becomes a `VOIP_TRACKER_EVENT_WIRE`. Default: no. Does not
/// block.
#[unsafe(no_mangle)]
pub extern "C" fn voip_tracker_builder_wire_log(
    builder: *mut voip_tracker_builder,
    on: bool,
) -> voip_status {
    guard(|| build(builder, |b| b.wire_log(on)))
}

/// The most connections at once, any number; others are turned away, and with 0 all. Default 10000.
/// Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn voip_tracker_builder_max_connections(
    builder: *mut voip_tracker_builder,
    connections: usize,
) -> voip_status {
    guard(|| build(builder, |b| b.max_connections(connections)))
}

/// The most connections at once of one IPv4 address or IPv6 /64, 1 to 1000000; others are turned away. More
/// where many peers are behind one router. This machine's own are not counted. Default 64. Checked by
/// `voip_tracker_builder_start`. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn voip_tracker_builder_max_per_address(
    builder: *mut voip_tracker_builder,
    connections: u32,
) -> voip_status {
    guard(|| build(builder, |b| b.max_per_address(connections)))
}

/// New connections a second of one IPv4 address or IPv6 /64, 1 to 10000, and ten seconds' worth at once; others
/// are turned away. This machine's own are not counted. Default 10. Checked by
/// `voip_tracker_builder_start`. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn voip_tracker_builder_connection_rate(
    builder: *mut voip_tracker_builder,
    per_second: u32,
) -> voip_status {
    guard(|| build(builder, |b| b.connection_rate(per_second)))
}

/// Requests a second of one connection, 1 to 10000, and five seconds' worth at once; others are refused. To
/// list all peers takes one for each fifty. Default 20. Checked by `voip_tracker_builder_start`. Does not
/// block.
#[unsafe(no_mangle)]
pub extern "C" fn voip_tracker_builder_request_rate(
    builder: *mut voip_tracker_builder,
    per_second: u32,
) -> voip_status {
    guard(|| build(builder, |b| b.request_rate(per_second)))
}

/// Answers a second over UDP to one IPv4 /24 or IPv6 /56, 1 to 10000, and four seconds' worth at once: of STUN,
/// and as many of the relay to who has no credentials yet. More where many peers are in one network; each
/// answer may hit somebody who never asked. This machine's own questions of STUN are not counted. Default 5.
/// Checked by `voip_tracker_builder_start`. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn voip_tracker_builder_stun_rate(
    builder: *mut voip_tracker_builder,
    per_second: u32,
) -> voip_status {
    guard(|| build(builder, |b| b.stun_rate(per_second)))
}

/// Takes TLS 1.3 on the same port, with this certificate: PEM files of the chain, the tracker's own
/// first, and of its key. They are read at the start only. Default: no TLS. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_tracker_builder_tls(
    builder: *mut voip_tracker_builder,
    chain: *const c_char,
    key: *const c_char,
) -> voip_status {
    guard(|| {
        // SAFETY: The caller vouches for it.
        let (chain, key) = unsafe { (text("chain", chain)?, text("key", key)?) };
        build(builder, |b| b.tls(chain, key))
    })
}

/// Takes TLS 1.3 on the same port, with a key and a certificate of its own making, which no authority
/// vouches for: peers know the tracker by `voip_tracker_key_sha256`. They are kept in this file, PEM,
/// made with its folder at the first start and readable by its owner only. It takes the place of
/// `voip_tracker_builder_tls`, and the other way round. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_tracker_builder_tls_self_signed(
    builder: *mut voip_tracker_builder,
    file: *const c_char,
) -> voip_status {
    guard(|| {
        // SAFETY: The caller vouches for it.
        let file = unsafe { text("file", file) }?;
        build(builder, |b| b.tls_self_signed(file))
    })
}

/// Whether connections that are not in TLS are turned away. UDP is answered either way: STUN, and TURN if
/// there is a relay. Default: no. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn voip_tracker_builder_require_tls(
    builder: *mut voip_tracker_builder,
    on: bool,
) -> voip_status {
    guard(|| build(builder, |b| b.require_tls(on)))
}

/// Starts a tracker. Blocks for as long as the system needs to resolve a name, if the address is
/// one. The tracker's handle is freed with `voip_tracker_free`; the builder stays as it is.
///
/// Errors: `VOIP_INVALID_ARGUMENT` (the address is none, or not of this machine; a limit is out of its
/// range; TLS is required and there is no certificate), `VOIP_FILE` (a certificate or key),
/// `VOIP_ADDRESS_IN_USE`, `VOIP_SYSTEM`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_tracker_builder_start(
    builder: *const voip_tracker_builder,
    tracker: *mut *mut voip_tracker,
) -> voip_status {
    guard(|| {
        let place = Place::new("tracker", tracker)?;
        let ready = get(builder)?.lock().clone();
        let handle = put(ready.start()?)?;
        // SAFETY: The caller vouches for it.
        unsafe { place.set(handle) };
        Ok(())
    })
}

/// Frees a builder. Trackers that it started live on. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn voip_tracker_builder_free(builder: *mut voip_tracker_builder) -> voip_status {
    guard(|| take(builder).map(drop))
}

/// Where it listens, "ip:port", into `address`, which has room for `capacity` bytes:
/// `VOIP_ADDRESS_SIZE` is enough. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_tracker_address(
    tracker: *const voip_tracker,
    address: *mut c_char,
    capacity: usize,
) -> voip_status {
    // SAFETY: The caller vouches for it.
    guard(|| unsafe { put_text(&get(tracker)?.address().to_string(), address, capacity) })
}

/// SHA-256 of the SubjectPublicKeyInfo of the certificate's key into `digits`, which has room for
/// `capacity` bytes: `VOIP_ID_SIZE` is enough for the 64 hexadecimal digits. Behind
/// "tls://host:port#sha256=" in `voip_node_builder_tracker` they are all that a peer needs to trust.
/// "" without TLS. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_tracker_key_sha256(
    tracker: *const voip_tracker,
    digits: *mut c_char,
    capacity: usize,
) -> voip_status {
    // SAFETY: The caller vouches for it.
    guard(|| unsafe { put_text(get(tracker)?.key_sha256().unwrap_or(""), digits, capacity) })
}

/// Stops and ends all connections; the handle stays. Threads that wait in functions with it return.
/// Twice is once. Blocks for at most 500 ms.
#[unsafe(no_mangle)]
pub extern "C" fn voip_tracker_close(tracker: *const voip_tracker) -> voip_status {
    guard(|| {
        get(tracker)?.close();
        Ok(())
    })
}

/// Whether the tracker was closed. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_tracker_is_closed(
    tracker: *const voip_tracker,
    closed: *mut bool,
) -> voip_status {
    guard(|| {
        let place = Place::new("closed", closed)?;
        // SAFETY: The caller vouches for it.
        unsafe { place.set(get(tracker)?.is_closed()) };
        Ok(())
    })
}

/// Closes the tracker, as `voip_tracker_close`, and frees its handle. Blocks for at most 500 ms.
#[unsafe(no_mangle)]
pub extern "C" fn voip_tracker_free(tracker: *mut voip_tracker) -> voip_status {
    guard(|| {
        // Other threads may be inside functions with it: it goes when the last of them has left.
        take(tracker)?.close();
        Ok(())
    })
}
