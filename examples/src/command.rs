//! What can be typed into the terminal peer.

use std::str::FromStr;

use voip_core::DeviceDirection;

/// A typed command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// List who is online.
    Peers,
    /// Link to the node at this address.
    Connect(String),
    /// Write to the active room.
    Send(String),
    /// Write to one peer: its name and the text, which only who knows the names can part.
    Message(String),
    /// Write to everybody.
    All(String),
    /// Show the active room, or make this one active.
    Room(Option<String>),
    /// List the rooms in which somebody has written.
    Rooms,
    /// Show earlier texts: of the active room, or what is named.
    History(Option<String>),
    /// Call this name or key.
    Call(String),
    /// Wait for somebody who waits, too.
    Pair,
    /// Wait no longer.
    Unpair,
    /// Answer the call that rings here.
    Answer,
    /// Decline the call that rings here.
    Reject,
    /// End the call, or stop calling.
    HangUp,
    /// Silence the own microphone.
    Mute,
    /// Let the own microphone be heard again.
    Unmute,
    /// Push to talk: an empty line opens the microphone, the next one closes it.
    PushToTalk(bool),
    /// List microphones and loudspeakers, and how those in use are doing.
    Devices,
    /// Use another microphone or loudspeaker.
    Device(DeviceDirection, String),
    /// Show how loud both sides are, twice a second.
    Levels(bool),
    /// Show how the call goes.
    Stats,
    /// Show what the two of a call compare.
    Verify,
    /// The words or numbers were the same.
    Verified(String),
    /// List whose names are known.
    Contacts,
    /// Take somebody as a contact, with the key that uses this name now.
    Accept(String),
    /// Hear no more of somebody: no calls, no texts.
    Block(String),
    /// Hear them again.
    Unblock(String),
    /// Show this list.
    Help,
    /// Hang up and leave.
    Quit,
}

/// What `help` prints.
pub const HELP: &str = "\
peers          who is online
connect HOST:PORT  link to the node that listens there, and so to all that it knows
send TEXT      write to the active room
msg NAME TEXT  write to somebody, for nobody else to read; NAME#1a2b if two have that name
all TEXT       write to everybody, whatever their room
room [NAME]    the active room, or make another one active: of rooms, only its texts are shown
rooms          in which rooms somebody has written
history [NAME|#ROOM|all]  earlier texts of the active room, with somebody, of a room, to all
call NAME      call somebody by name or key
pair, unpair   wait for somebody who waits, too, and talk to them; wait no longer
answer         answer the call that rings
reject         decline the call that rings
hangup         end the call, or stop calling
mute, unmute   your own microphone
ptt on|off     push to talk: an empty line opens the microphone, the next one closes it
devices        microphones and loudspeakers, and how those in use are doing
device in|out NAME  use another one: its id, its name, a part of the name, default or off
levels on|off  how loud you are and what you hear, twice a second
stats          how the call goes
verify         words and number to compare with whom you talk to
verified NAME  they were the same
contacts       whose names are known, with their keys
accept NAME    take somebody as a contact, and trust the key that uses this name now
block NAME     hear no more of somebody, who is not told
unblock NAME   hear them again
help           this list
quit, exit     hang up and leave";

impl FromStr for Command {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let line = line.trim();
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim_start();
        let named = |command: fn(String) -> Command| match rest {
            "" => Err(format!("{word} whom? Type: {word} NAME")),
            name => Ok(command(name.to_string())),
        };
        let alone = |command| match rest {
            "" => Ok(command),
            _ => Err(format!("{word} takes nothing after it")),
        };
        let saying = |command: fn(String) -> Command| match rest {
            "" => Err(format!("{word} what? Type: {word} TEXT")),
            text => Ok(command(text.to_string())),
        };
        let some = || (!rest.is_empty()).then(|| rest.to_string());
        match word {
            "connect" if rest.is_empty() => Err("connect to whom? Type: connect HOST:PORT".into()),
            // As earlier programs had it: host and port apart.
            "connect" => {
                Ok(Command::Connect(rest.split_whitespace().collect::<Vec<_>>().join(":")))
            }
            "send" => saying(Command::Send),
            "all" => saying(Command::All),
            "msg" if !rest.contains(char::is_whitespace) => {
                Err("who and what? Type: msg NAME TEXT".into())
            }
            "msg" => Ok(Command::Message(rest.to_string())),
            "room" => Ok(Command::Room(some())),
            "rooms" => alone(Command::Rooms),
            "history" => Ok(Command::History(some())),
            "call" => named(Command::Call),
            "verify" => alone(Command::Verify),
            "verified" => named(Command::Verified),
            "contacts" => alone(Command::Contacts),
            "accept" => named(Command::Accept),
            "block" => named(Command::Block),
            "unblock" => named(Command::Unblock),
            "peers" => alone(Command::Peers),
            "pair" => alone(Command::Pair),
            "unpair" => alone(Command::Unpair),
            "answer" => alone(Command::Answer),
            "reject" => alone(Command::Reject),
            "hangup" => alone(Command::HangUp),
            "mute" => alone(Command::Mute),
            "unmute" => alone(Command::Unmute),
            "ptt" => on_or_off(word, rest).map(Command::PushToTalk),
            "levels" => on_or_off(word, rest).map(Command::Levels),
            "devices" => alone(Command::Devices),
            "device" => device(rest),
            "stats" => alone(Command::Stats),
            "help" | "?" => alone(Command::Help),
            "quit" | "exit" => alone(Command::Quit),
            _ => Err(format!("unknown command {word:?}; type help")),
        }
    }
}

fn on_or_off(word: &str, rest: &str) -> Result<bool, String> {
    match rest {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(format!("on or off? Type: {word} on")),
    }
}

fn device(rest: &str) -> Result<Command, String> {
    let (direction, name) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    match (direction.parse(), name.trim()) {
        (Ok(direction), name) if !name.is_empty() => Ok(Command::Device(direction, name.into())),
        _ => Err("which device? Type: device in NAME, or: device out NAME".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_understood() {
        assert_eq!("peers".parse(), Ok(Command::Peers));
        assert_eq!("  exit \n".parse(), Ok(Command::Quit));
        let headset = Command::Device(DeviceDirection::Output, "USB Headset".into());
        assert_eq!("device out USB Headset".parse(), Ok(headset));
        assert_eq!("levels off".parse(), Ok(Command::Levels(false)));
        assert_eq!("call  Jean Paul ".parse(), Ok(Command::Call("Jean Paul".into())));
        assert_eq!("connect 127.0.0.1 5000".parse(), Ok(Command::Connect("127.0.0.1:5000".into())));
        assert_eq!("send a  b".parse(), Ok(Command::Send("a  b".into())));
        assert_eq!("room".parse(), Ok(Command::Room(None)));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = |line: &str| line.parse::<Command>().unwrap_err();
        assert_eq!(error("call"), "call whom? Type: call NAME");
        assert_eq!(error("mute bob"), "mute takes nothing after it");
        assert_eq!(error("send"), "send what? Type: send TEXT");
        assert_eq!(error("msg bob"), "who and what? Type: msg NAME TEXT");
        assert_eq!(error("ptt"), "on or off? Type: ptt on");
        assert_eq!(error("device in"), "which device? Type: device in NAME, or: device out NAME");
        assert_eq!(error("dance"), "unknown command \"dance\"; type help");
    }

    #[test]
    fn help_names_every_command() {
        for word in HELP.lines().flat_map(|l| l[..14].split([',', ' ']).filter(|w| !w.is_empty())) {
            if !word.chars().all(char::is_lowercase) {
                continue;
            }
            let with = ["", " x", " on", " in x", " x y"].map(|rest| format!("{word}{rest}"));
            assert!(with.iter().any(|line| line.parse::<Command>().is_ok()), "{word}");
        }
    }
}
