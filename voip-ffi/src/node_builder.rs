//! # Describing a node
//!
//! A builder holds what a node is to be; each function sets one thing. Ranges are checked at once
//! where they are given below, the rest by `voip_node_builder_start`. None of them blocks but that
//! one. A builder can start several nodes.

use std::ffi::c_char;
use std::mem::MaybeUninit;

use parking_lot::Mutex;
use voip_core::{
    Application, Audio, EncoderConfig, FrameDuration, JitterConfig, Node, NodeBuilder,
};

use crate::convert::{Place, optional_text, same_variants, text};
use crate::handle::{Opaque, get, put, take};
use crate::node::voip_node;
use crate::status::voip_status;
use crate::wall::{Outcome, guard};

/// What a node is to be.
pub struct voip_node_builder {
    _opaque: [u8; 0],
}

impl Opaque for voip_node_builder {
    type Object = Mutex<Draft>;
    const WHAT: &'static str = "node builder";
}

pub(crate) struct Draft {
    builder: NodeBuilder,
    encoder: EncoderConfig,
    jitter: JitterConfig,
}

/// What the encoder should optimise for (RFC 6716, section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum voip_application {
    /// Intelligible speech; the default.
    Voip = 0,
    /// Faithful sound of any kind.
    Audio = 1,
    /// 2.5 ms of look-ahead in place of 6.5, and no in-band FEC.
    LowDelay = 2,
}
same_variants!(Application, voip_application, "voip_application": Voip, Audio, LowDelay);

/// How much sound one packet carries; the numbers are milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum voip_frame_duration {
    /// 10 ms: least delay, most overhead.
    Ms10 = 10,
    /// 20 ms, the usual choice and the default.
    Ms20 = 20,
    /// 40 ms.
    Ms40 = 40,
    /// 60 ms: least overhead.
    Ms60 = 60,
}
same_variants!(FrameDuration, voip_frame_duration, "voip_frame_duration": Ms10, Ms20, Ms40, Ms60);

/// Changes the core's builder, which is made anew by each of its methods.
fn build(
    builder: *mut voip_node_builder,
    change: impl FnOnce(NodeBuilder) -> NodeBuilder,
) -> Outcome {
    let draft = get(builder)?;
    let mut draft = draft.lock();
    draft.builder = change(draft.builder.clone());
    Ok(())
}

/// Changes the encoder's options, if they stay within their ranges.
fn encode(
    builder: *mut voip_node_builder,
    change: impl FnOnce(&mut EncoderConfig) -> Outcome,
) -> voip_status {
    guard(|| {
        let draft = get(builder)?;
        let mut draft = draft.lock();
        let mut encoder = draft.encoder.clone();
        change(&mut encoder)?;
        encoder.validate()?;
        draft.encoder = encoder;
        Ok(())
    })
}

/// Begins to describe a node. `name`: 1 to 64 bytes of UTF-8, none of them of a character that
/// cannot be seen, no space at either end; checked by `voip_node_builder_start`. The handle is
/// freed with `voip_node_builder_free`. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_node_builder_new(
    name: *const c_char,
    builder: *mut *mut voip_node_builder,
) -> voip_status {
    guard(|| {
        let place = Place::new("builder", builder)?;
        // SAFETY: The caller vouches for it.
        let name = unsafe { text("name", name) }?;
        let draft = Draft {
            builder: Node::builder(name),
            encoder: EncoderConfig::default(),
            jitter: JitterConfig::default(),
        };
        let handle = put(Mutex::new(draft))?;
        // SAFETY: The caller vouches for it.
        unsafe { place.set(handle) };
        Ok(())
    })
}

/// Adds a tracker. Up to 16; a node is registered at all of them. Default: none. "host:port" is plain
/// TCP, "tls://host:port" TLS 1.3 with a certificate for that host by an authority that this system
/// trusts, "tls://host:port#ca=FILE" the same by an authority in that PEM file, and
/// "tls://host:port#sha256=DIGITS" TLS 1.3 with the key of that hash, as `voip_tracker_key_sha256`
/// tells it. A tracker that shows another certificate or key is `VOIP_TRACKER_UNTRUSTED` in
/// `VOIP_EVENT_TRACKER_LOST`, and is tried again later.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_node_builder_tracker(
    builder: *mut voip_node_builder,
    address: *const c_char,
) -> voip_status {
    guard(|| {
        // SAFETY: The caller vouches for it.
        let address = unsafe { text("address", address) }?;
        build(builder, |b| b.tracker(address))
    })
}

/// The local address and UDP port, "ip:port". Default "[::]:0": any free port, the same one for
/// IPv4 and IPv6. Another address serves its own family alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_node_builder_bind(
    builder: *mut voip_node_builder,
    address: *const c_char,
) -> voip_status {
    guard(|| {
        // SAFETY: The caller vouches for it.
        let address = unsafe { text("address", address) }?;
        build(builder, |b| b.bind(address))
    })
}

/// The file that holds the key; made if it is not there. Names of peers are pinned to their keys on
/// first use and kept beside it, in "<file>.pins". Without one the key lives as long as the node,
/// as do the contacts, and nothing is pinned but what `voip_node_accept_key` and
/// `voip_node_set_contact` are told.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_node_builder_identity_file(
    builder: *mut voip_node_builder,
    path: *const c_char,
) -> voip_status {
    guard(|| {
        // SAFETY: The caller vouches for it.
        let path = unsafe { text("path", path) }?;
        build(builder, |b| b.identity_file(path))
    })
}

/// Sound comes from a microphone and goes to a loudspeaker of this system, opened while calls need
/// them. `input` and `output` are each "default" (the system's default, also when that changes),
/// "off", or a device: its id, its name, or a part of its name that fits one device only. While a
/// chosen one is not there the default stands in for it. `VOIP_EVENT_DEVICE_CHANGED` tells which
/// are in use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_node_builder_audio_devices(
    builder: *mut voip_node_builder,
    input: *const c_char,
    output: *const c_char,
) -> voip_status {
    guard(|| {
        // SAFETY: The caller vouches for it.
        let (input, output) = unsafe { (text("input", input)?, text("output", output)?) };
        build(builder, |b| b.audio(Audio::Devices { input: input.into(), output: output.into() }))
    })
}

/// The program itself writes and reads sound, call by call: `voip_call_write_f32`,
/// `voip_call_read_f32` and their like for 16 bits. `rate`: 8000 to 192000 Hz, checked by
/// `voip_node_builder_start`.
#[unsafe(no_mangle)]
pub extern "C" fn voip_node_builder_audio_manual(
    builder: *mut voip_node_builder,
    rate: u32,
) -> voip_status {
    guard(|| build(builder, |b| b.audio(Audio::Manual { rate })))
}

/// A WAV file is the microphone: `play`, or NULL for silence; any rate of 8 to 192 kHz, any
/// channels. It is played once in real time while calls are connected and followed by digital
/// silence. What is heard is recorded to `record`, 48 kHz mono 16 bit; an existing file is
/// replaced; NULL for no recording.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_node_builder_audio_wav(
    builder: *mut voip_node_builder,
    play: *const c_char,
    record: *const c_char,
) -> voip_status {
    guard(|| {
        // SAFETY: The caller vouches for it.
        let play = unsafe { optional_text("play", play) }?;
        // SAFETY: The same.
        let record = unsafe { optional_text("record", record) }?;
        build(builder, |b| {
            b.audio(Audio::Wav { play: play.map(Into::into), record: record.map(Into::into) })
        })
    })
}

/// Says nothing and plays nothing; the default. Peers are told, truly, that there is only digital
/// silence; whoever only listens mutes the call with `voip_call_set_muted`.
#[unsafe(no_mangle)]
pub extern "C" fn voip_node_builder_audio_null(builder: *mut voip_node_builder) -> voip_status {
    guard(|| build(builder, |b| b.audio(Audio::Null)))
}

/// Whether incoming calls are answered at once. Such a call stays up until somebody hangs up,
/// though nobody may hold a handle of it. Default: no.
#[unsafe(no_mangle)]
pub extern "C" fn voip_node_builder_auto_answer(
    builder: *mut voip_node_builder,
    yes: bool,
) -> voip_status {
    guard(|| build(builder, |b| b.auto_answer(yes)))
}

/// Whether only the user's contacts may call: those that `voip_node_set_contact` was told are
/// accepted or verified, and whoever is being called just then. All others, a contact's name with
/// another key included, are refused as if they were blocked. Default no.
#[unsafe(no_mangle)]
pub extern "C" fn voip_node_builder_contacts_only(
    builder: *mut voip_node_builder,
    yes: bool,
) -> voip_status {
    guard(|| build(builder, |b| b.contacts_only(yes)))
}

/// How long an outgoing call rings: 1000 to 600000 ms, checked by `voip_node_builder_start`.
/// Default 45000.
#[unsafe(no_mangle)]
pub extern "C" fn voip_node_builder_ring_timeout(
    builder: *mut voip_node_builder,
    timeout_ms: u32,
) -> voip_status {
    let timeout = voip_core::Duration::from_millis(timeout_ms.into());
    guard(|| build(builder, |b| b.ring_timeout(timeout)))
}

/// Calls at one time: 1 to 32, checked by `voip_node_builder_start`; one more is answered "busy".
/// Default 1.
#[unsafe(no_mangle)]
pub extern "C" fn voip_node_builder_max_calls(
    builder: *mut voip_node_builder,
    calls: u32,
) -> voip_status {
    guard(|| build(builder, |b| b.max_calls(calls as usize)))
}

/// Adds a relay, beside those that trackers have: a TURN server (RFC 8656), as a URI of RFC 7065,
/// "turn:host[:port][?transport=udp|tcp]", or "turns:host[:port]" for TLS with a certificate that the system
/// trusts; and the name and password it wants, 1 to 508 bytes each. Up to 4, checked by `voip_node_builder_start`. What goes through it is as encrypted as everything between peers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_node_builder_turn_server(
    builder: *mut voip_node_builder,
    uri: *const c_char,
    username: *const c_char,
    password: *const c_char,
) -> voip_status {
    guard(|| {
        // SAFETY: The caller vouches for it.
        let uri = unsafe { text("uri", uri) }?;
        // SAFETY: The same.
        let username = unsafe { text("username", username) }?;
        // SAFETY: The same.
        let password = unsafe { text("password", password) }?;
        build(builder, |b| b.turn_server(uri, username, password))
    })
}

/// Whether peers are to learn no address of this host: calls then go through relays only, those of the
/// trackers and of `voip_node_builder_turn_server`. Without one a call ends with
/// `VOIP_END_REASON_UNREACHABLE`. Default: no.
#[unsafe(no_mangle)]
pub extern "C" fn voip_node_builder_relay_only(
    builder: *mut voip_node_builder,
    yes: bool,
) -> voip_status {
    guard(|| build(builder, |b| b.relay_only(yes)))
}

/// Whether to take part in the mesh of nodes that needs no tracker: the node listens for others, TCP on its
/// own port number, and is reached by them and whoever they know. Default: no, unless
/// `voip_node_builder_connect` names one.
#[unsafe(no_mangle)]
pub extern "C" fn voip_node_builder_mesh(
    builder: *mut voip_node_builder,
    yes: bool,
) -> voip_status {
    guard(|| build(builder, |b| b.mesh(yes)))
}

/// Whether a node of the mesh announces itself on its local network, key and port, and finds others there: by
/// multicast DNS (RFC 6762). Default: yes, but for a node that is bound to a loopback address.
#[unsafe(no_mangle)]
pub extern "C" fn voip_node_builder_lan(builder: *mut voip_node_builder, yes: bool) -> voip_status {
    guard(|| build(builder, |b| b.lan(yes)))
}

/// Takes part in the mesh, and begins with the node that listens at this address, "host:port". Up to 64,
/// checked by `voip_node_builder_start`. One that cannot be reached is tried again, ever more seldom, up to
/// once a minute.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_node_builder_connect(
    builder: *mut voip_node_builder,
    address: *const c_char,
) -> voip_status {
    guard(|| {
        // SAFETY: The caller vouches for it.
        let address = unsafe { text("address", address) }?;
        build(builder, |b| b.connect(address))
    })
}

/// The file in which texts of the mesh are kept from one start to the next, those of others included; made
/// if it is not there, readable by its owner only. Texts for one peer are encrypted in it, others are not.
/// Default: none; they are kept as long as the node runs, and others have them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_node_builder_history_file(
    builder: *mut voip_node_builder,
    path: *const c_char,
) -> voip_status {
    guard(|| {
        // SAFETY: The caller vouches for it.
        let path = unsafe { text("path", path) }?;
        build(builder, |b| b.history_file(path))
    })
}

/// The encoder's rate: 6000 to 510000 bits per second. Default 32000: full-band speech with room
/// for FEC. A call makes less while its packets queue up.
#[unsafe(no_mangle)]
pub extern "C" fn voip_node_builder_encoder_bitrate(
    builder: *mut voip_node_builder,
    bits_per_second: u32,
) -> voip_status {
    encode(builder, |encoder| {
        encoder.bitrate = bits_per_second;
        Ok(())
    })
}

/// The encoder's effort: 0 to 10. Default 5.
#[unsafe(no_mangle)]
pub extern "C" fn voip_node_builder_encoder_complexity(
    builder: *mut voip_node_builder,
    complexity: u32,
) -> voip_status {
    encode(builder, |encoder| {
        // What does not fit is out of the range, too.
        encoder.complexity = u8::try_from(complexity).unwrap_or(u8::MAX);
        Ok(())
    })
}

/// How much sound a packet carries. Default 20 ms.
#[unsafe(no_mangle)]
pub extern "C" fn voip_node_builder_encoder_frame(
    builder: *mut voip_node_builder,
    frame: MaybeUninit<voip_frame_duration>,
) -> voip_status {
    encode(builder, |encoder| {
        encoder.frame = voip_frame_duration::read(frame)?;
        Ok(())
    })
}

/// In-band forward error correction: a packet carries a coarse copy of the one before (RFC 6716,
/// section 2.1.7). Default: on. While a peer reports that packets are lost in bursts, which copies cannot
/// mend, a call sends each packet twice in its place, at half the bits (RFC 2198).
#[unsafe(no_mangle)]
pub extern "C" fn voip_node_builder_encoder_fec(
    builder: *mut voip_node_builder,
    on: bool,
) -> voip_status {
    encode(builder, |encoder| {
        encoder.fec = on;
        Ok(())
    })
}

/// Discontinuous transmission: next to nothing is sent in silence (RFC 6716, section 2.1.9).
/// Default: off, so that a steady stream shows at once when a path breaks.
#[unsafe(no_mangle)]
pub extern "C" fn voip_node_builder_encoder_dtx(
    builder: *mut voip_node_builder,
    on: bool,
) -> voip_status {
    encode(builder, |encoder| {
        encoder.dtx = on;
        Ok(())
    })
}

/// Packet loss to prepare for: 0 to 100 per cent. Default 10. A call prepares for more, up to 30, when
/// its peer reports more.
#[unsafe(no_mangle)]
pub extern "C" fn voip_node_builder_encoder_expected_loss(
    builder: *mut voip_node_builder,
    percent: u32,
) -> voip_status {
    encode(builder, |encoder| {
        // What does not fit is out of the range, too.
        encoder.expected_loss = u8::try_from(percent).unwrap_or(u8::MAX);
        Ok(())
    })
}

/// What the encoder should optimise for. Default `VOIP_APPLICATION_VOIP`.
#[unsafe(no_mangle)]
pub extern "C" fn voip_node_builder_encoder_application(
    builder: *mut voip_node_builder,
    application: MaybeUninit<voip_application>,
) -> voip_status {
    encode(builder, |encoder| {
        encoder.application = voip_application::read(application)?;
        Ok(())
    })
}

/// The jitter buffer's delay over the fastest packet: `min_ms` is kept even on a perfect line,
/// `max_ms` is never exceeded for long. 0 <= `min_ms` <= `max_ms` <= 600. Default 0 and 400.
#[unsafe(no_mangle)]
pub extern "C" fn voip_node_builder_jitter(
    builder: *mut voip_node_builder,
    min_ms: u32,
    max_ms: u32,
) -> voip_status {
    let ms = |ms: u32| voip_core::Duration::from_millis(ms.into());
    jitter(builder, |jitter| (jitter.min_delay, jitter.max_delay) = (ms(min_ms), ms(max_ms)))
}

/// A quality for `voip_node_builder_jitter_quality`: for playing music together. What is late by more
/// than a little is rather made up.
pub const VOIP_JITTER_LOWEST_DELAY: u32 = 10;
/// A quality for `voip_node_builder_jitter_quality`: for listening. Next to nothing is made up that any
/// delay allowed by `voip_node_builder_jitter` saves.
pub const VOIP_JITTER_NEVER_A_GAP: u32 = 300;

/// What sound without gaps is worth to the jitter buffer: so many milliseconds of delay for each per
/// cent of the sound that would otherwise be made up, 0 to 1000. Default 35.
#[unsafe(no_mangle)]
pub extern "C" fn voip_node_builder_jitter_quality(
    builder: *mut voip_node_builder,
    quality: u32,
) -> voip_status {
    jitter(builder, |jitter| jitter.quality = quality)
}

fn jitter(builder: *mut voip_node_builder, change: impl FnOnce(&mut JitterConfig)) -> voip_status {
    guard(|| {
        let builder = get(builder)?;
        let mut builder = builder.lock();
        let mut jitter = builder.jitter.clone();
        change(&mut jitter);
        jitter.validate()?;
        builder.jitter = jitter;
        Ok(())
    })
}

const _: () = assert!(VOIP_JITTER_LOWEST_DELAY == JitterConfig::LOWEST_DELAY);
const _: () = assert!(VOIP_JITTER_NEVER_A_GAP == JitterConfig::NEVER_A_GAP);

/// Starts a node: binds its port, opens its files, and begins to register. Does not wait for the
/// trackers: see `voip_node_wait_registered`. Blocks for as long as the files and the system's
/// random generator do. The node's handle is freed with `voip_node_free`; the builder stays as it
/// is.
///
/// Errors: `VOIP_INVALID_ARGUMENT`, the text names the field; `VOIP_ADDRESS_IN_USE`; `VOIP_FILE`:
/// the identity, its pins, the history or a WAV file; `VOIP_SYSTEM`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_node_builder_start(
    builder: *const voip_node_builder,
    node: *mut *mut voip_node,
) -> voip_status {
    guard(|| {
        let place = Place::new("node", node)?;
        let ready = {
            let draft = get(builder)?;
            let draft = draft.lock();
            draft.builder.clone().encoder(draft.encoder.clone()).jitter(draft.jitter.clone())
        };
        let handle = put(ready.start()?)?;
        // SAFETY: The caller vouches for it.
        unsafe { place.set(handle) };
        Ok(())
    })
}

/// Frees a builder. Nodes that it started live on. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn voip_node_builder_free(builder: *mut voip_node_builder) -> voip_status {
    guard(|| take(builder).map(drop))
}
