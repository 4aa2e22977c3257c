//! # Doctor
//!
//! Why a call would not work here, and what to change.

use std::ffi::{CString, c_char};
use std::mem::MaybeUninit;
use std::sync::LazyLock;

use voip_core::{Check, CheckKind, DoctorOptions, Report, Verdict};

use crate::call::{find, owned};
use crate::convert::{Place, filled, inline, number, put_text, same_variants, text, time_limit};
use crate::handle::{Opaque, get, put, take};
use crate::list::{count_of, element_of};
use crate::status::voip_status;
use crate::wall::guard;

/// Room for the texts of a check and a zero; a longer one is cut off.
pub const VOIP_CHECK_TEXT_SIZE: usize = 512;

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum voip_check_kind {
    /// The microphone can be opened, and gives more than digital silence.
    Microphone = 0,
    /// The loudspeaker can be opened, and asks for sound.
    Loudspeaker = 1,
    /// Two nodes of this program call each other on this machine, and sound is heard.
    LoopbackCall = 2,
    /// A tracker can be reached by TCP, in TLS if its address says so, and answers.
    Tracker = 3,
    /// The tracker accepts a registration.
    Registration = 4,
    /// Datagrams (UDP) get to the tracker's port and back.
    Udp = 5,
    /// What the router does to addresses (RFC 4787 §4.1).
    Nat = 6,
    /// The tracker's relay gives an address to who asks by UDP.
    RelayUdp = 7,
    /// The tracker's relay gives an address to who asks by TCP.
    RelayTcp = 8,
    /// The clock of this machine, against the tracker's.
    Clock = 9,
}
same_variants!(
    CheckKind, voip_check_kind, "voip_check_kind":
    Microphone, Loudspeaker, LoopbackCall, Tracker, Registration, Udp, Nat, RelayUdp, RelayTcp, Clock
);

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum voip_verdict {
    /// Nothing to change.
    Good = 0,
    /// Some calls may not work, or not as well.
    Warning = 1,
    /// Calls do not work before that is changed.
    Bad = 2,
    /// It was not looked at, or cannot be known.
    Skipped = 3,
}
same_variants!(Verdict, voip_verdict, "voip_verdict": Good, Warning, Bad, Skipped);

/// One check.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct voip_check {
    /// In: sizeof(voip_check).
    pub size: usize,
    /// What was looked at.
    pub what: voip_check_kind,
    /// What came of it.
    pub verdict: voip_verdict,
    /// Which one: the tracker's or the device's name; empty where there is but one.
    pub subject: [c_char; VOIP_CHECK_TEXT_SIZE],
    /// What was found, in words.
    pub measured: [c_char; VOIP_CHECK_TEXT_SIZE],
    /// What to change, in words; empty if there is nothing.
    pub advice: [c_char; VOIP_CHECK_TEXT_SIZE],
}

filled!(voip_check, advice, advice);

impl From<&Check> for voip_check {
    fn from(check: &Check) -> voip_check {
        voip_check {
            size: size_of::<voip_check>(),
            what: check.what.into(),
            verdict: check.verdict.into(),
            subject: inline(&check.subject),
            measured: inline(&check.measured),
            advice: inline(&check.advice),
        }
    }
}

/// All that `voip_doctor` found.
pub struct voip_report {
    _opaque: [u8; 0],
}

impl Opaque for voip_report {
    type Object = Report;
    const WHAT: &'static str = "report";
}

/// Says why a call would not work here, and what to change. Opens the devices, has two nodes of this
/// program call each other on this machine, and asks each tracker for all that a call needs of it. At a
/// tracker it is registered for a moment, with a key and a name (`doctor-...`) of its own. `trackers`: each as
/// in `voip_node_builder_tracker`, up to 16 with commas between them (and none in them); "" for none. Two of
/// different hosts tell the kind of router, too. `input`, `output`: as in `voip_node_builder_audio_devices`, "default" or "off", say.
///
/// Blocks for at most `timeout_ms`, 1 s to 10 min, and half a second. The report
/// is freed with `voip_report_free`.
///
/// Errors: `VOIP_INVALID_ARGUMENT`; `VOIP_SYSTEM` without a thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_doctor(
    trackers: *const c_char,
    input: *const c_char,
    output: *const c_char,
    timeout_ms: u32,
    report: *mut *mut voip_report,
) -> voip_status {
    guard(|| {
        let place = Place::new("report", report)?;
        // SAFETY: The caller vouches for it.
        let (trackers, input, output) = unsafe {
            (text("trackers", trackers)?, text("input", input)?, text("output", output)?)
        };
        let trackers = trackers.split(',').map(str::trim).filter(|tracker| !tracker.is_empty());
        let options = DoctorOptions::new(trackers).devices(input, output);
        let handle = put(voip_core::doctor(&options.limit(time_limit(timeout_ms)))?)?;
        // SAFETY: The caller vouches for it.
        unsafe { place.set(handle) };
        Ok(())
    })
}

/// How many checks the report has. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_report_count(
    report: *const voip_report,
    count: *mut usize,
) -> voip_status {
    // SAFETY: The caller vouches for it.
    guard(|| unsafe { count_of(report, |report| &report.checks, count) })
}

/// One of them, `index` from 0. Does not block.
///
/// Errors: `VOIP_INVALID_ARGUMENT` beyond the end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_report_get(
    report: *const voip_report,
    index: usize,
    check: *mut voip_check,
) -> voip_status {
    // SAFETY: The caller vouches for it.
    guard(|| unsafe { element_of(report, |report| &report.checks, index, "check", check) })
}

/// Whether nothing is bad. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_report_is_good(
    report: *const voip_report,
    good: *mut bool,
) -> voip_status {
    guard(|| {
        let place = Place::new("good", good)?;
        // SAFETY: The caller vouches for it.
        unsafe { place.set(get(report)?.is_good()) };
        Ok(())
    })
}

/// The report as JSON: `{"checks":[{"what":"tracker","subject":"...","verdict":"good",...},...]}`. `capacity`
/// is the size of the array; 16384 is enough for 16 trackers. Does not block.
///
/// Errors: `VOIP_INVALID_ARGUMENT` if it is too small.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_report_to_json(
    report: *const voip_report,
    json: *mut c_char,
    capacity: usize,
) -> voip_status {
    // SAFETY: The caller vouches for it.
    guard(|| unsafe { put_text(&get(report)?.to_json(), json, capacity) })
}

/// Frees a report. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn voip_report_free(report: *mut voip_report) -> voip_status {
    guard(|| take(report).map(drop))
}

/// In words, for people, as in "microphone"; "unknown" for what is none. It lives as long as the
/// library is loaded; do not free it. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn voip_check_kind_describe(kind: MaybeUninit<voip_check_kind>) -> *const c_char {
    /// By number.
    static WORDS: LazyLock<Vec<CString>> = LazyLock::new(|| {
        let words = |n| voip_check_kind::read_number(n).map_or("unknown", CheckKind::describe);
        (0..=voip_check_kind::Clock as i32).map(|n| owned(words(n))).collect()
    });
    find(&WORDS, number(kind))
}

/// In words, for people, as in "warning"; "unknown" for what is none. It lives as long as the
/// library is loaded; do not free it. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn voip_verdict_describe(verdict: MaybeUninit<voip_verdict>) -> *const c_char {
    /// By number.
    static WORDS: LazyLock<Vec<CString>> = LazyLock::new(|| {
        let words = |n| voip_verdict::read_number(n).map_or("unknown", Verdict::describe);
        (0..=voip_verdict::Skipped as i32).map(|n| owned(words(n))).collect()
    });
    find(&WORDS, number(verdict))
}
