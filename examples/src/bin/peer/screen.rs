//! What is shown: sentences with a prompt, or JSON lines.

mod texts;

use std::cell::{Cell, RefCell};
use std::io::{Write, stdout};

use voip_core::{PeerId, Presence};
use voip_examples::line::{CallReport, CardReport, Device, Line, What};
use voip_examples::process::unix_micros;

use crate::paint::{Ink, Paint, tame};
use crate::people::Shared;
use crate::terminal::Terminal;

/// The program's output.
pub(crate) struct Screen {
    json: bool,
    name: String,
    me: Cell<Option<PeerId>>,
    people: Shared,
    paint: Paint,
    /// A prompt only helps somebody who types.
    terminal: Option<Terminal>,
    talking_to: RefCell<Option<String>>,
    /// The room whose texts are shown, once the prompt is to name it.
    room: RefCell<String>,
}

impl Screen {
    pub(crate) fn new(
        json: bool,
        name: String,
        people: Shared,
        paint: Paint,
        terminal: Option<Terminal>,
    ) -> Self {
        let (me, talking_to, room) = Default::default();
        Screen { json, name, me, people, paint, terminal, talking_to, room }
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
        } else if let Some(text) = self.text_line(what) {
            self.write(&text);
        } else if let Some(text) = sentence(what, &|id, name| self.label(id, name)) {
            let text = tame(&text);
            let is_bad = matches!(what, What::Error { .. });
            self.write(&if is_bad { self.paint.with(Ink::Bad, &text) } else { text });
        }
    }

    /// Shows plain text.
    pub(crate) fn say(&self, text: &str) {
        self.show(&What::Note { message: text.to_owned() });
    }

    /// This node's key.
    pub(crate) fn is_of(&self, me: PeerId) {
        self.me.set(Some(me));
    }

    /// Of the rooms, only this one's texts are shown.
    pub(crate) fn in_room(&self, room: &str) {
        self.room.replace(room.to_owned());
    }

    fn label(&self, id: &str, name: &str) -> String {
        let id = id.parse().ok();
        id.map_or_else(|| name.to_owned(), |id| self.people.lock().label(id, name))
    }

    /// Whom the prompt names.
    pub(crate) fn in_call_with(&self, name: Option<String>) {
        self.talking_to.replace(name);
    }

    pub(crate) fn prompt(&self) {
        let Some(terminal) = &self.terminal else { return };
        let call = self.talking_to.borrow();
        let call = call.as_ref().map(|name| format!("[in call with {name}] ")).unwrap_or_default();
        let room = match self.room.borrow().as_str() {
            "" => String::new(),
            room => format!(" #{room}"),
        };
        terminal.prompt(format!("{call}{}{room}> ", self.name));
    }

    /// A closed pipe ends nothing: the call goes on.
    fn write(&self, text: &str) {
        if let Some(terminal) = &self.terminal {
            return terminal.show(text);
        }
        let mut out = stdout().lock();
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }
}

/// The port of an address that was printed; all of it if there is none.
fn port(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(_, port)| port)
}

/// An event in words; `None` for what only scripts want to know. `label` makes of a key and its name what tells it from
/// others.
fn sentence(what: &What, label: &dyn Fn(&str, &str) -> String) -> Option<String> {
    Some(match what {
        What::Started { id, address, mesh: false } => {
            format!("your key is {id}, sound goes through UDP port {}", port(address))
        }
        What::Started { id, address, mesh: true } => {
            let port = port(address);
            format!(
                "your key is {id}, sound goes through UDP port {port}, links through TCP port {port}"
            )
        }
        What::Registered { tracker, online } => format!("registered at {tracker}, {online} online"),
        What::TrackerLost { tracker, error, tries_again: true } => {
            format!("tracker {tracker}: {error}; trying again, a call goes on")
        }
        What::TrackerLost { tracker, error, tries_again: false } => {
            format!("tracker {tracker}: {error}; quit and start again to come back")
        }
        What::Joined { name, id, online } => {
            format!("{} is here, {online} online", label(id, name))
        }
        What::Changed { name, id, presence } => {
            format!("{} is {}", label(id, name), word(*presence))
        }
        What::Left { name, id, online } => format!("{} left, {online} online", label(id, name)),
        What::Peers { peers } if peers.is_empty() => "nobody is online".into(),
        What::Peers { peers } => peers
            .iter()
            .map(|p| {
                let presence = word(p.presence);
                format!("  {:<20} {presence:<9} {}", label(&p.id, &p.name), p.id)
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
        What::TextsMissing { name, id, count } => {
            format!("{count} texts of {} are not to be had any more", label(id, name))
        }
        What::HistoryFailed { error } => format!("texts are not kept: {error}"),
        What::Room { room } => format!("your room is #{room}"),
        What::Rooms { rooms, active } => {
            let mark = |room: &String| if room == active { "*" } else { " " };
            rooms.iter().map(|r| format!("{} #{r}", mark(r))).collect::<Vec<_>>().join("\n")
        }
        What::Note { message } => message.clone(),
        What::Error { message } => format!("error: {message}"),
        What::Stats(stats) => table(stats),
        What::MediaResumed { muted: true, .. }
        | What::Starting { .. }
        | What::Text(_)
        | What::Sent(_)
        | What::Delivered { .. }
        | What::History { .. }
        | What::Report(_) => return None,
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
