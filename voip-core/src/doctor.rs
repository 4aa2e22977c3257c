//! Why a call would not work here, and what to change: [`doctor`].

mod judge;
mod local;

use std::sync::mpsc::channel;

use serde::Serialize;

use crate::device::DeviceChoice;
use crate::error::{Error, ErrorKind};
use crate::io::probe::{TrackerFindings, mappings, probe};
use crate::io::{Clock, spawn};
use crate::time::Duration;

/// What [`doctor`] is to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DoctorOptions {
    /// Trackers, written as in [`NodeBuilder::tracker`](crate::NodeBuilder::tracker), up to 16. Two of different hosts tell
    /// the kind of router, too.
    pub trackers: Vec<String>,
    /// The microphone; [`DeviceChoice::Off`] leaves it out. Default: the system's.
    pub input: DeviceChoice,
    /// The loudspeaker; [`DeviceChoice::Off`] leaves it out. Default: the system's.
    pub output: DeviceChoice,
    /// How long it may take in all, 1 s to 10 min. Default: 15 s.
    pub limit: Duration,
}

impl Default for DoctorOptions {
    fn default() -> Self {
        let (input, output) = (DeviceChoice::Default, DeviceChoice::Default);
        DoctorOptions { trackers: Vec::new(), input, output, limit: Duration::from_secs(15) }
    }
}

impl DoctorOptions {
    /// Looks at these trackers.
    pub fn new<T: Into<String>>(trackers: impl IntoIterator<Item = T>) -> DoctorOptions {
        let trackers = trackers.into_iter().map(Into::into).collect();
        DoctorOptions { trackers, ..DoctorOptions::default() }
    }

    /// Uses these devices.
    #[must_use]
    pub fn devices(
        mut self,
        input: impl Into<DeviceChoice>,
        output: impl Into<DeviceChoice>,
    ) -> DoctorOptions {
        (self.input, self.output) = (input.into(), output.into());
        self
    }

    /// Takes no longer than this.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> DoctorOptions {
        self.limit = limit;
        self
    }
}

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CheckKind {
    /// The microphone can be opened, and gives more than digital silence.
    Microphone,
    /// The loudspeaker can be opened, and asks for sound.
    Loudspeaker,
    /// Two nodes of this program call each other on this machine, and sound is heard.
    LoopbackCall,
    /// A tracker can be reached by TCP, in TLS if its address says so, and answers.
    Tracker,
    /// The tracker accepts a registration.
    Registration,
    /// Datagrams (UDP) get to the tracker's port and back.
    Udp,
    /// What the router does to addresses (RFC 4787 §4.1).
    Nat,
    /// The tracker's relay gives an address to who asks by UDP.
    RelayUdp,
    /// The tracker's relay gives an address to who asks by TCP.
    RelayTcp,
    /// The clock of this machine, against the tracker's.
    Clock,
}

impl CheckKind {
    /// In words, for people.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Microphone => "microphone",
            Self::Loudspeaker => "loudspeaker",
            Self::LoopbackCall => "call on this machine",
            Self::Tracker => "tracker",
            Self::Registration => "registration",
            Self::Udp => "datagrams (UDP)",
            Self::Nat => "router",
            Self::RelayUdp => "relay by UDP",
            Self::RelayTcp => "relay by TCP",
            Self::Clock => "clock",
        }
    }
}

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// Nothing to change.
    Good,
    /// Some calls may not work, or not as well.
    Warning,
    /// Calls do not work before that is changed.
    Bad,
    /// It was not looked at, or cannot be known.
    Skipped,
}

impl Verdict {
    /// In words, for people.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Bad => "bad",
            Self::Skipped => "skipped",
        }
    }
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Check {
    /// What was looked at.
    pub what: CheckKind,
    /// Which one: the tracker's or the device's name; empty where there is but one.
    pub subject: String,
    /// What came of it.
    pub verdict: Verdict,
    /// What was found, in words.
    pub measured: String,
    /// What to change, in words; empty if there is nothing.
    pub advice: String,
}

/// All that [`doctor`] found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// One after the other: this machine, its devices, each tracker, the router.
    pub checks: Vec<Check>,
}

impl Report {
    /// Whether nothing is [bad](Verdict::Bad).
    pub fn is_good(&self) -> bool {
        self.checks.iter().all(|check| check.verdict != Verdict::Bad)
    }

    /// As JSON: `{"checks":[{"what":"tracker","subject":"…","verdict":"good","measured":"…","advice":""},…]}`.
    #[expect(clippy::expect_used, reason = "texts and names of variants: nothing fails")]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a report of texts")
    }
}

/// Says why a call would not work here, and what to change.
///
/// Opens the devices, has two nodes of this program call each other on this machine, and asks each
/// tracker for all that a call needs of it. At a tracker it is registered for a moment, with a key
/// and a name (`doctor-…`) of its own. Nobody else is called.
///
/// Blocks the calling thread for at most the options' limit and half a second; trackers are asked on a
/// short-lived thread each, `voip-doctor`.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] naming the option; [`ErrorKind::System`] without a thread.
pub fn doctor(options: &DoctorOptions) -> Result<Report, Error> {
    let invalid = |what: &str| Err(Error::new(ErrorKind::InvalidArgument, what));
    if !(Duration::from_secs(1)..=Duration::from_secs(600)).contains(&options.limit) {
        return invalid("limit: 1 s to 10 min are possible");
    }
    if options.trackers.len() > 16 {
        return invalid("trackers: 16 are possible");
    }
    let clock = Clock::new();
    let deadline = clock.now() + options.limit;
    // Datagrams come last, and need a moment of their own.
    let asked_until = deadline - (options.limit / 4).min(Duration::from_secs(2));
    let (sender, answers) = channel();
    for (at, tracker) in options.trackers.iter().cloned().enumerate() {
        let sender = sender.clone();
        spawn("voip-doctor", move || {
            // Whoever asked may have given up.
            let _ = sender.send((at, probe(tracker, asked_until)));
        })?;
    }
    drop(sender);
    let mut checks = local::checks(options, asked_until);
    let nothing = |tracker: &String| TrackerFindings::nothing(tracker.clone());
    let mut found: Vec<_> = options.trackers.iter().map(nothing).collect();
    while let Ok((at, findings)) =
        answers.recv_timeout(asked_until.since(clock.now()) + Duration::from_millis(100))
    {
        found[at] = findings;
    }
    let mapped = mappings(found.iter().map(|f| f.address).collect(), deadline);
    for (findings, mapping) in found.iter().zip(&mapped) {
        checks.extend(judge::tracker(findings, mapping.as_ref()));
    }
    if !found.is_empty() {
        let relay = found.iter().any(TrackerFindings::relays);
        checks.push(judge::nat(&mapped.into_iter().flatten().collect::<Vec<_>>(), relay));
    }
    Ok(Report { checks })
}

fn check(
    what: CheckKind,
    subject: &str,
    verdict: Verdict,
    measured: impl Into<String>,
    advice: &str,
) -> Check {
    let (subject, measured, advice) = (subject.to_owned(), measured.into(), advice.to_owned());
    Check { what, subject, verdict, measured, advice }
}
