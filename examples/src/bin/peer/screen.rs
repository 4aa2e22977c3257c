//! What is shown: sentences with a prompt, or JSON lines.

use std::cell::RefCell;
use std::io::{IsTerminal, Write, stdin, stdout};

use voip_core::Presence;
use voip_examples::line::{CallReport, CardReport, Device, Line, What};
use voip_examples::process::unix_micros;

/// The program's output.
pub(crate) struct Screen {
    json: bool,
    name: String,
    /// A prompt only helps somebody who types.
    prompts: bool,
    talking_to: RefCell<Option<String>>,
}

impl Screen {
    pub(crate) fn new(json: bool, name: String) -> Self {
        let prompts = !json && stdin().is_terminal() && stdout().is_terminal();
        Screen { json, name, prompts, talking_to: RefCell::new(None) }
    }

    /// Shows what happened now.
    pub(crate) fn show(&self, what: &What) {
        self.show_at(unix_micros(), what);
    }

    /// Shows what happened then.
    pub(crate) fn show_at(&self, t_us: u64, what: &What) {
        if self.json {
            if let Ok(line) = serde_json::to_string(&Line { t_us, what: what.clone() }) {
                self.write(&line);
            }
        } else if let Some(text) = sentence(what) {
            self.write(&text);
        }
    }

    /// Shows plain text; in JSON mode nothing.
    pub(crate) fn say(&self, text: &str) {
        if !self.json {
            self.write(text);
        }
    }

    /// Whom the prompt names.
    pub(crate) fn in_call_with(&self, name: Option<String>) {
        self.talking_to.replace(name);
    }

    pub(crate) fn prompt(&self) {
        if !self.prompts {
            return;
        }
        let call = self.talking_to.borrow();
        let call = call.as_ref().map(|name| format!("[in call with {name}] ")).unwrap_or_default();
        print!("\r\x1b[K{call}{}> ", self.name);
        let _ = stdout().flush();
    }

    /// A closed pipe ends nothing: the call goes on.
    fn write(&self, text: &str) {
        let clear = if self.prompts { "\r\x1b[K" } else { "" };
        let mut out = stdout().lock();
        let _ = writeln!(out, "{clear}{text}").and_then(|()| out.flush());
    }
}

/// The port of an address that was printed; all of it if there is none.
fn port(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(_, port)| port)
}

/// An event in words; `None` for what only scripts want to know.
fn sentence(what: &What) -> Option<String> {
    Some(match what {
        What::Started { id, address } => {
            format!("your key is {id}, sound goes through UDP port {}", port(address))
        }
        What::Registered { tracker, online } => format!("registered at {tracker}, {online} online"),
        What::TrackerLost { tracker, error, tries_again: true } => {
            format!("tracker {tracker}: {error}; trying again, a call goes on")
        }
        What::TrackerLost { tracker, error, tries_again: false } => {
            format!("tracker {tracker}: {error}; quit and start again to come back")
        }
        What::Joined { name, online, .. } => format!("{name} is here, {online} online"),
        What::Changed { name, presence, .. } => format!("{name} is {}", word(*presence)),
        What::Left { name, online, .. } => format!("{name} left, {online} online"),
        What::Peers { peers } if peers.is_empty() => "nobody is online".into(),
        What::Peers { peers } => peers
            .iter()
            .map(|p| {
                let presence = word(p.presence);
                format!("  {:<20} {presence:<9} {}", p.name, p.id)
            })
            .collect::<Vec<_>>()
            .join("\n"),
        What::Placed { to, .. } => format!("calling {to}"),
        What::Pairing => "waiting for a peer …".into(),
        What::Paired { name, id, calls: false } => {
            format!("got {name} ({}), who calls you", id.get(..8).unwrap_or_default())
        }
        What::Paired { name, id, calls: true } => {
            format!("got {name} ({})", id.get(..8).unwrap_or_default())
        }
        What::PairingFailed { error } => format!("no pair: {error}"),
        What::Incoming { name, id } => {
            format!("{name} ({}) calls", id.get(..8).unwrap_or("unknown key"))
        }
        What::Ringing { name, .. } => format!("it rings at {name}"),
        What::Answered { name, .. } => format!("answered: {name}"),
        What::Connected { name, .. } => format!("connected with {name}"),
        What::VerificationReady { name, words } => {
            format!("words to compare with {name}: {words}")
        }
        What::Verification { name, words, safety_number } => {
            verification(name, words, safety_number)
        }
        What::Contacts { contacts } if contacts.is_empty() => "nobody is known yet".into(),
        What::Contacts { contacts } => contacts
            .iter()
            .map(|c| format!("  {:<20} {:<9} {}", c.name, c.state, c.id))
            .collect::<Vec<_>>()
            .join("\n"),
        What::FirstAudio { name, .. } => format!("sound arrives from {name}"),
        What::PeerMuted { name, muted, .. } => {
            format!("{name} {} the microphone", if *muted { "muted" } else { "unmuted" })
        }
        What::MediaSilent { name, reason } => format!("you do not hear {name}: {reason}"),
        What::MediaResumed { name, muted: false } => format!("{name} can be heard again"),
        What::Reconnecting { name } => format!("the path to {name} is lost, looking for another"),
        What::Reconnected { name } => format!("there is a path to {name} again"),
        What::Ended { name, reason, .. } => format!("call with {name} over: {reason}"),
        What::KeyChanged { name, pinned, offered } => format!(
            "{name} has another key than before ({offered}, was {pinned}): ask them over another \
             way, then type: accept {name}"
        ),
        What::DeviceChanged { direction, device, change } => {
            device_changed(direction, device.as_ref(), change)
        }
        What::Devices { devices, .. } if devices.is_empty() => {
            "this system has no sound devices".into()
        }
        What::Devices { devices, microphone, loudspeaker } => {
            let cards = [microphone, loudspeaker].into_iter().flatten().map(card);
            devices.iter().map(device_line).chain(cards).collect::<Vec<_>>().join("\n")
        }
        What::Levels { level_in_dbfs, level_out_dbfs } => {
            format!("you {}   heard {}", bar(*level_in_dbfs), bar(*level_out_dbfs))
        }
        What::Lagged => "too much happened at once; type peers to see who is online".into(),
        What::Error { message } => format!("error: {message}"),
        What::Stats(stats) => table(stats),
        What::MediaResumed { muted: true, .. } | What::Starting { .. } | What::Report(_) => {
            return None;
        }
    })
}

fn verification(name: &str, words: &Option<String>, safety_number: &str) -> String {
    let none = "none: not connected yet, or a program that knows no words";
    let words = words.as_deref().unwrap_or(none);
    format!(
        "  words          {words}\n  safety number  {safety_number}\nread the words to each other: if \
         they are not the same, somebody sits between you. If they are, type: verified {name}"
    )
}

fn device_changed(direction: &str, device: Option<&Device>, change: &str) -> String {
    let why = match change {
        "opened" => "",
        "chosen" => ", as you chose",
        "default_moved" => ", the system's default now",
        "fell_back" => ", because the one you chose is not there",
        "restored" => ", sound is back",
        "lost" => " was lost; looking for another one, the call goes on",
        "missing" => " found; looking for one, the call goes on",
        other => other,
    };
    match (device, change) {
        (Some(device), _) => format!("{direction}: {}{why}", device.name),
        (None, "missing") => format!("no {direction}{why}"),
        (None, "chosen") => format!("{direction}: off{why}"),
        (None, _) => format!("the {direction}{why}"),
    }
}

fn device_line(device: &Device) -> String {
    let mark = if device.is_default { "*" } else { " " };
    format!("{mark} {:<11} {:<32} {}", device.direction, device.name, device.id)
}

fn card(card: &CardReport) -> String {
    format!(
        "in use: {}, {} Hz, {} channels, {} samples a callback, {:.1} ms delay, clock off by {:.0} \
         ppm, {:.0} ms missed, {} xruns, {} errors",
        card.name,
        card.rate,
        card.channels,
        card.callback_frames,
        card.delay_ms,
        card.drift_ppm,
        card.missed_ms,
        card.xruns,
        card.errors,
    )
}

/// A level of −60 to 0 dBFS as a bar of 20 characters.
fn bar(dbfs: f32) -> String {
    let filled = ((dbfs + 60.0) / 3.0).clamp(0.0, 20.0) as usize;
    format!("[{:<20}] {dbfs:4.0} dBFS", "#".repeat(filled))
}

fn word(presence: Presence) -> String {
    format!("{presence:?}").to_lowercase()
}

fn table(stats: &CallReport) -> String {
    let stages = stats.stages_ms.named();
    let total: f64 = stages.iter().map(|(_, ms)| ms).sum();
    let stages: Vec<String> = stages.iter().map(|(name, ms)| format!("{name} {ms:.1}")).collect();
    let rtt = stats.rtt_ms.map_or("unknown".into(), |ms| format!("{ms:.1} ms"));
    format!(
        "  quality    {}\n  packets    {} sent, {} received, {} lost ({:.1} %)\n  concealed  {:.2} %\n  \
         jitter     {:.1} ms, round trip {rtt}\n  delay      {total:.1} ms: {}\n  \
         level      {:.0} dBFS out, {:.0} dBFS heard\n  path       {}",
        stats.quality,
        stats.packets.sent,
        stats.packets.received,
        stats.packets.lost,
        stats.loss_pct,
        stats.concealed_pct,
        stats.jitter_ms,
        stages.join(", "),
        stats.level_in_dbfs,
        stats.level_out_dbfs,
        stats.path.as_deref().unwrap_or("none yet"),
    )
}
