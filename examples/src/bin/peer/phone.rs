//! The state of the telephone: one call at a time, moved by events and commands.

use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::Scope;
use std::time::{Duration, Instant};

use voip_core::{
    Audience, AudioDevice, Call, CallState, DeviceChange, DeviceChoice, DeviceDirection, Error,
    ErrorKind, Event, Node, Peer, PeerId, Reject, devices,
};
use voip_examples::command::{Command, HELP};
use voip_examples::line::{CallReport, CardReport, Device, Person, Report, What};
use voip_examples::process;

use crate::args::Args;
use crate::pairing::Pairing;
use crate::people::Shared;
use crate::screen::Screen;
use crate::texts::Texts;

/// How long the trackers may take to list who is online.
const LIST: Duration = Duration::from_secs(2);
/// How long the engine may take to sum up a call.
const SUM_UP: Duration = Duration::from_secs(1);
/// How often levels are shown.
const LEVELS: Duration = Duration::from_millis(500);

/// Something to react to.
pub(crate) enum Happening {
    /// The node told something, at this time (microseconds since 1970-01-01 UTC).
    Node(u64, Box<Event<Call>>),
    /// A line was typed.
    Typed(String),
    /// A line of the script.
    Scripted(String),
    /// The input is over.
    InputEnded,
    /// The trackers answered who is online.
    Listed(Result<Vec<Peer>, Error>),
    /// The system told which devices it has; one of them may be wanted.
    Devices(Result<Vec<AudioDevice>, Error>, Option<(DeviceDirection, DeviceChoice)>),
    /// Time is up for the peer that was to call.
    NotCalled,
    /// Time to show how loud it is.
    Levels,
    /// Ctrl+C.
    Stop,
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Stay,
    Leave,
}

pub(crate) struct Phone<'scope, 'env> {
    pub(crate) node: &'env Node,
    pub(crate) screen: &'env Screen,
    /// For what has to wait: it is over before the node is closed.
    pub(crate) threads: &'scope Scope<'scope, 'env>,
    pub(crate) sender: Sender<Happening>,
    /// The call that rings or runs.
    pub(crate) call: Option<Call>,
    /// Who that was, or is.
    pub(crate) last: Option<(String, PeerId)>,
    pub(crate) pairing: Pairing,
    /// Requests to trackers under way.
    listing: u32,
    /// Names that came with another key than before, and that key.
    pub(crate) offered: BTreeMap<String, PeerId>,
    /// With push to talk: whether the microphone is open.
    push_to_talk: Option<bool>,
    /// Dropped, the levels stop.
    levels: Option<Sender<()>>,
    auto_answer: bool,
    pub(crate) is_in_mesh: bool,
    pub(crate) people: Shared,
    pub(crate) texts: Texts,
    input_ended: bool,
    failed: bool,
    /// When the path was made, and the processor time used until then.
    connected: Option<(Instant, Option<Duration>)>,
    report: Report,
}

impl<'scope, 'env> Phone<'scope, 'env> {
    pub(crate) fn new(
        node: &'env Node,
        screen: &'env Screen,
        threads: &'scope Scope<'scope, 'env>,
        sender: Sender<Happening>,
        args: &Args,
        people: Shared,
    ) -> Self {
        let auto_answer = args.auto_answer;
        let is_in_mesh = args.is_in_mesh();
        screen.is_of(node.id());
        let texts = Texts::default();
        if is_in_mesh {
            people.lock().note_room(texts.room());
            screen.in_room(texts.room());
        }
        screen.prompt();
        Phone {
            node,
            screen,
            threads,
            sender,
            call: None,
            last: None,
            pairing: Pairing::default(),
            listing: 0,
            offered: BTreeMap::new(),
            push_to_talk: None,
            levels: None,
            auto_answer,
            is_in_mesh,
            people,
            texts,
            input_ended: false,
            failed: false,
            connected: None,
            report: Report::default(),
        }
    }

    pub(crate) fn handle(&mut self, happening: Happening) -> Next {
        match happening {
            Happening::Node(t_us, event) => self.event(t_us, *event),
            Happening::Typed(line) if line.trim().is_empty() => self.push(),
            Happening::Typed(line) | Happening::Scripted(line) => match line.parse() {
                Ok(Command::Quit) => return Next::Leave,
                Ok(command) => self.command(command),
                Err(message) => self.complain(message),
            },
            Happening::InputEnded => self.input_ended = true,
            Happening::Listed(result) => self.listed(result),
            Happening::Devices(result, wanted) => self.devices_listed(result, wanted),
            Happening::NotCalled => self.not_called(),
            Happening::Levels => self.show_levels(),
            Happening::Stop => return Next::Leave,
        }
        let waits = !matches!(self.pairing, Pairing::Over);
        let idle = self.call.is_none() && self.listing == 0 && !waits;
        if self.input_ended && idle && !self.auto_answer {
            return Next::Leave;
        }
        self.screen.prompt();
        Next::Stay
    }

    /// Hangs up. What there is to report, and whether anything went wrong.
    pub(crate) fn leave(mut self) -> (Report, bool) {
        if let Some(call) = self.call.take() {
            call.hang_up();
            // A call that does not end in time is summed up as it stands.
            let _ = call.wait_ended(SUM_UP);
            self.account(&call);
        }
        let usage = process::usage();
        self.report.cpu_ms = usage.map(|u| milliseconds(u.cpu));
        self.report.rss_mb = usage.map(|u| u.peak_rss as f64 / 1e6);
        (self.report.with_node(self.node), self.failed)
    }

    fn event(&mut self, t_us: u64, event: Event<Call>) {
        if let Event::Text { text } = &event
            && self.is_blocked(text.id.author)
        {
            return;
        }
        let what = self.text_event(&event).unwrap_or_else(|| describe(&event));
        match &event {
            Event::Joined { peer, .. } | Event::Changed { peer } => {
                self.people.lock().meet(peer.id, &peer.name);
            }
            _ => {}
        }
        self.screen.show_at(t_us, &what);
        if let Some(peer) = event.call().map(Call::peer)
            && let Some(id) = peer.id
        {
            self.last = Some((peer.name, id));
        }
        match event {
            Event::Incoming { call } => {
                self.begin(call);
                if !self.auto_answer {
                    self.screen.say("type answer or reject");
                }
            }
            Event::Connected { call } => {
                self.connected = Some((Instant::now(), process::usage().map(|u| u.cpu)));
                self.screen.in_call_with(Some(call.peer().name));
            }
            Event::Ended { call, .. } => self.ended(&call),
            Event::Paired { peer, calls } => self.paired(&peer, calls),
            Event::PairingFailed { .. } => {
                self.stop_pairing();
                self.failed = true;
            }
            Event::KeyChanged { name, offered, .. } => drop(self.offered.insert(name, offered)),
            _ => {}
        }
    }

    /// A call rings, here or there. With push to talk it is muted before any sound can flow, whatever
    /// became of the last one.
    fn begin(&mut self, call: Call) {
        self.stop_pairing();
        if let Some(open) = &mut self.push_to_talk {
            *open = false;
            call.set_muted(true);
        }
        self.call = Some(call);
    }

    fn ended(&mut self, call: &Call) {
        if self.call.as_ref() == Some(call) {
            self.failed |= self.connected.is_none();
            self.account(call);
            self.call = None;
            self.screen.in_call_with(None);
        }
    }

    /// Notes how the call went.
    fn account(&mut self, call: &Call) {
        self.report.call = Some(CallReport::from(&call.stats()));
        let node = self.node.stats();
        self.report.microphone = node.microphone.as_ref().map(CardReport::from);
        self.report.loudspeaker = node.loudspeaker.as_ref().map(CardReport::from);
        if let Some((since, cpu)) = self.connected.take() {
            self.report.connected_s = since.elapsed().as_secs_f64();
            let used = process::usage().map(|u| u.cpu).zip(cpu).map(|(now, then)| now - then);
            self.report.connected_cpu_ms = used.map(milliseconds);
        }
    }

    fn command(&mut self, command: Command) {
        let result = match command {
            Command::Help => {
                self.screen.say(HELP);
                Ok(())
            }
            Command::Peers => {
                self.list();
                Ok(())
            }
            Command::Connect(address) => self.connect(&address),
            Command::Send(text) => self.send(&text),
            Command::Message(typed) => self.message(&typed),
            Command::All(text) => self.write(Audience::All, &text),
            Command::Room(name) => self.room(name),
            Command::Rooms => {
                self.rooms();
                Ok(())
            }
            Command::History(of) => self.history(of.as_deref()),
            Command::Call(name) => self.target(&name).and_then(|target| self.place(&target, &name)),
            Command::Pair => self.pair(),
            Command::Unpair => self.unpair(),
            Command::Verify => self.verify(),
            Command::Verified(name) => self.verified(&name),
            Command::Contacts => {
                self.list_contacts();
                Ok(())
            }
            Command::Accept(name) => self.accept(&name),
            Command::Block(name) => self.block(&name),
            Command::Unblock(name) => self.unblock(&name),
            Command::Quit => Ok(()),
            Command::Answer => self.with_call(|call| call.answer()),
            Command::Reject => self.with_call(|call| call.reject(Reject::Declined)),
            Command::HangUp => self.hang_up(),
            Command::Mute => self.mute(true),
            Command::Unmute => self.mute(false),
            Command::PushToTalk(on) => self.push_to_talk(on),
            Command::Levels(on) => {
                self.levels(on);
                Ok(())
            }
            Command::Devices => {
                self.list_devices(None);
                Ok(())
            }
            Command::Device(direction, name) => {
                self.list_devices(Some((direction, name.as_str().into())));
                Ok(())
            }
            Command::Stats => self.stats(),
        };
        if let Err(message) = result {
            self.complain(message);
        }
    }

    /// Waits until it is done: the next line may be a call already.
    fn hang_up(&mut self) -> Result<(), String> {
        let call = self.call.clone().ok_or("there is no call")?;
        call.hang_up();
        let _ = call.wait_ended(SUM_UP);
        Ok(())
    }

    /// Calls a name or a key, shown as `to`.
    pub(crate) fn place(&mut self, target: &str, to: &str) -> Result<(), String> {
        // One that is over may wait among the events behind this command.
        if let Some(call) = self.call.clone() {
            if !matches!(call.state(), CallState::Ended(_)) {
                return Err("you are in a call; type hangup first".into());
            }
            self.ended(&call);
        }
        let now = process::unix_micros();
        let call = self.node.place(target).map_err(|e| e.to_string())?;
        self.screen.show_at(now, &What::Placed { to: to.into() });
        self.begin(call);
        Ok(())
    }

    /// A name as it is: the node looks it up. With digits behind it, the key.
    fn target(&self, name: &str) -> Result<String, String> {
        let people = self.people.lock();
        match people.find(name) {
            Ok(id) if people.name(id) != name => Ok(id.to_string()),
            Err(why) if self.is_in_mesh && why.starts_with("more than one") => Err(why),
            _ => Ok(name.to_owned()),
        }
    }

    fn with_call(&self, act: impl FnOnce(&Call) -> Result<(), Error>) -> Result<(), String> {
        let call = self.call.as_ref().ok_or("there is no call")?;
        act(call).map_err(|e| e.to_string())
    }

    fn mute(&self, muted: bool) -> Result<(), String> {
        self.call.as_ref().ok_or("there is no call")?.set_muted(muted);
        self.screen.say(if muted { "you are muted" } else { "you can be heard again" });
        Ok(())
    }

    fn push_to_talk(&mut self, on: bool) -> Result<(), String> {
        self.push_to_talk = on.then_some(false);
        if let Some(call) = &self.call {
            call.set_muted(on);
        }
        self.screen.say(if on {
            "push to talk: an empty line opens the microphone, the next one closes it"
        } else {
            "your microphone is open"
        });
        Ok(())
    }

    /// An empty line: with push to talk it opens or closes the microphone.
    fn push(&mut self) {
        let (Some(open), Some(call)) = (&mut self.push_to_talk, &self.call) else { return };
        *open = !*open;
        call.set_muted(!*open);
        self.screen.say(if *open { "talk" } else { "muted" });
    }

    fn levels(&mut self, on: bool) {
        self.levels = on.then(|| {
            let (stop, stopped) = channel();
            let sender = self.sender.clone();
            let shown = move || sender.send(Happening::Levels).is_ok();
            self.threads.spawn(move || {
                while stopped.recv_timeout(LEVELS) == Err(RecvTimeoutError::Timeout) && shown() {}
            });
            stop
        });
    }

    fn show_levels(&self) {
        let Some(call) = self.call.as_ref().filter(|_| self.levels.is_some()) else { return };
        let stats = call.stats();
        self.screen.show(&What::Levels {
            level_in_dbfs: stats.level_in_dbfs,
            level_out_dbfs: stats.level_out_dbfs,
        });
    }

    /// Asks on a thread of its own: a sound server may take its time.
    fn list_devices(&mut self, wanted: Option<(DeviceDirection, DeviceChoice)>) {
        self.listing += 1;
        let sender = self.sender.clone();
        self.threads.spawn(move || sender.send(Happening::Devices(devices(LIST), wanted)));
    }

    fn devices_listed(
        &mut self,
        result: Result<Vec<AudioDevice>, Error>,
        wanted: Option<(DeviceDirection, DeviceChoice)>,
    ) {
        self.listing -= 1;
        let list = match result {
            Ok(list) => list,
            Err(error) => return self.complain(error.to_string()),
        };
        let Some((direction, choice)) = wanted else {
            let node = self.node.stats();
            return self.screen.show(&What::Devices {
                devices: list.iter().map(Device::from).collect(),
                microphone: node.microphone.as_ref().map(CardReport::from),
                loudspeaker: node.loudspeaker.as_ref().map(CardReport::from),
            });
        };
        let list: Vec<_> = list.into_iter().filter(|d| d.direction == direction).collect();
        if let DeviceChoice::Named(name) = &choice
            && choice.pick(&list).is_none()
        {
            return self.complain(format!("no {direction}, or more than one, is called {name}"));
        }
        match self.node.choose_device(direction, choice) {
            Ok(()) if self.call.is_none() => self.screen.say("used from the next call on"),
            Ok(()) => {}
            Err(error) => self.complain(error.to_string()),
        }
    }

    fn stats(&self) -> Result<(), String> {
        let call = self.call.as_ref().ok_or("there is no call")?;
        if call.state() != CallState::Connected {
            return Err("the call is not connected yet".into());
        }
        self.screen.show(&What::Stats(CallReport::from(&call.stats())));
        Ok(())
    }

    /// Asks on a thread of its own, so that the prompt does not wait for a tracker.
    fn list(&mut self) {
        self.listing += 1;
        let (node, sender) = (self.node, self.sender.clone());
        self.threads.spawn(move || sender.send(Happening::Listed(node.peers(LIST))));
    }

    fn listed(&mut self, result: Result<Vec<Peer>, Error>) {
        self.listing -= 1;
        match result {
            Ok(peers) => {
                let others = || peers.iter().filter(|p| p.id != self.node.id());
                others().for_each(|p| self.people.lock().meet(p.id, &p.name));
                let list = others().map(|p| Person {
                    name: p.name.clone(),
                    id: p.id.to_string(),
                    presence: p.presence,
                });
                self.screen.show(&What::Peers { peers: list.collect() });
            }
            Err(error) => self.complain(error.to_string()),
        }
    }

    pub(crate) fn complain(&mut self, message: String) {
        self.failed = true;
        self.screen.show(&What::Error { message });
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn change_word(change: DeviceChange) -> &'static str {
    match change {
        DeviceChange::Opened => "opened",
        DeviceChange::Chosen => "chosen",
        DeviceChange::DefaultMoved => "default_moved",
        DeviceChange::Lost => "lost",
        DeviceChange::Missing => "missing",
        DeviceChange::FellBack => "fell_back",
        DeviceChange::Restored => "restored",
        _ => "changed",
    }
}

/// An event of the node as a line.
pub(crate) fn describe(event: &Event<Call>) -> What {
    let name = |call: &Call| call.peer().name;
    match event {
        Event::Registered { tracker, online } => {
            What::Registered { tracker: tracker.clone(), online: *online }
        }
        Event::TrackerLost { tracker, error } => {
            // Whoever was replaced by another program with the same key stays away.
            let tries_again = error.kind() != ErrorKind::InvalidState;
            What::TrackerLost { tracker: tracker.clone(), error: error.to_string(), tries_again }
        }
        Event::Joined { peer, online } => {
            What::Joined { name: peer.name.clone(), id: peer.id.to_string(), online: *online }
        }
        Event::Changed { peer } => What::Changed {
            name: peer.name.clone(),
            id: peer.id.to_string(),
            presence: peer.presence,
        },
        Event::Left { name, id, online } => {
            What::Left { name: name.clone(), id: id.to_string(), online: *online }
        }
        Event::Paired { peer, calls } => {
            What::Paired { name: peer.name.clone(), id: peer.id.to_string(), calls: *calls }
        }
        Event::PairingFailed { error } => What::PairingFailed { error: error.to_string() },
        Event::Incoming { call } => {
            let caller = call.peer().id.map(|id| id.to_string()).unwrap_or_default();
            What::Incoming { name: name(call), id: caller }
        }
        Event::Ringing { call } => What::Ringing { name: name(call) },
        Event::Answered { call } => What::Answered { name: name(call) },
        Event::Connected { call } => What::Connected { name: name(call) },
        Event::VerificationReady { call, words } => {
            What::VerificationReady { name: name(call), words: words.join(" ") }
        }
        Event::FirstAudio { call } => What::FirstAudio { name: name(call) },
        Event::PeerMuted { call, muted } => What::PeerMuted { name: name(call), muted: *muted },
        Event::MediaSilent { call, reason } => {
            What::MediaSilent { name: name(call), reason: reason.describe().to_string() }
        }
        Event::MediaResumed { call } => {
            What::MediaResumed { name: name(call), muted: call.is_peer_muted() }
        }
        Event::Reconnecting { call } => What::Reconnecting { name: name(call) },
        Event::Reconnected { call } => What::Reconnected { name: name(call) },
        Event::Ended { call, reason } => {
            What::Ended { name: name(call), reason: reason.describe().to_string() }
        }
        Event::KeyChanged { name, pinned, offered } => What::KeyChanged {
            name: name.clone(),
            pinned: pinned.to_string(),
            offered: offered.to_string(),
        },
        Event::DeviceChanged { direction, device, change } => What::DeviceChanged {
            direction: direction.to_string(),
            device: device.as_ref().map(Device::from),
            change: change_word(*change).to_string(),
        },
        Event::Lagged => What::Lagged,
        other => What::Error { message: format!("unknown event {other:?}") },
    }
}
