//! The command line, and the node it describes.

use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::{fs, io};

use clap::Parser;
use voip_core::{Audio, EncoderConfig, FrameDuration, Node};
use voip_examples::bad_line::BadLine;
use voip_examples::console::Failure;
use voip_examples::data_folder::identity_file;

use crate::paint::Color;

/// How often to look for a port that is free for UDP and TCP.
const PORTS_TRIED: u32 = 16;
/// Where a tracker is, usually.
const USUAL_TRACKER: &str = "127.0.0.1:6000";

/// A telephone for the terminal.
///
/// Type `help` once it runs. Commands may come through a pipe; at the end of the input the program
/// leaves when its call is over, or with --auto-answer stays until it is stopped.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Args {
    /// The local address to send and receive sound on, and to be linked to; :: is every address, IPv4
    /// and IPv6
    #[arg(long, visible_alias = "bind", default_value = "::", value_name = "IP")]
    host: IpAddr,
    /// The UDP port to send and receive sound on, and the TCP port at which other nodes link to this
    /// one; 0 for any that is free
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// A tracker, HOST:PORT, or tls://HOST:PORT with #ca=FILE or #sha256=DIGITS behind it if it is not
    /// one that the system's authorities know; give it again for more than one [default: 127.0.0.1:6000,
    /// or none with --connect or --mesh]
    #[arg(long)]
    pub(crate) tracker: Vec<String>,
    /// A node to link to, HOST:PORT, and by it to all that it knows: no tracker is needed. Give it again
    /// for more than one
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) connect: Vec<String>,
    /// Let other nodes link to this one, without naming any to begin with
    #[arg(long)]
    mesh: bool,
    /// Neither announce this node on the local network nor look for others there
    #[arg(long)]
    no_lan: bool,
    /// Keep texts in this file, and have those of before; without it they are kept while the program
    /// runs
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// Do the commands in this file, one a line, before those that are typed; lines that are empty or
    /// begin with # are skipped. With --connect they wait, 10 s at most, until somebody is there. With
    /// `quit` at its end nothing else is read
    #[arg(long, value_name = "FILE")]
    pub(crate) script: Option<PathBuf>,
    /// When to use colours; the variable NO_COLOR switches them off, too
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
    /// The name by which others call you [default: user-<port>]
    #[arg(long)]
    username: Option<String>,
    /// The microphone: an id, a name or a part of it, as `devices` lists them, or off
    #[arg(long, value_name = "DEVICE", default_value = "default")]
    input: String,
    /// The loudspeaker
    #[arg(long, value_name = "DEVICE", default_value = "default")]
    output: String,
    /// Play this WAV file as the microphone, once over all calls, and silence after it; no sound
    /// card is used then
    #[arg(long)]
    wav: Option<PathBuf>,
    /// Record what you hear into this WAV file, all calls one after the other; no sound card is used
    /// then
    #[arg(long)]
    record: Option<PathBuf>,
    /// Answer every call at once
    #[arg(long)]
    pub(crate) auto_answer: bool,
    /// Let peers learn no address of this machine: calls go through relays only
    #[arg(long)]
    relay_only: bool,
    /// A TURN server to relay by, turn:HOST[:PORT][?transport=tcp], beside the trackers'
    #[arg(long, value_name = "URI", requires = "turn_user", requires = "turn_password")]
    turn: Option<String>,
    /// The user name that it wants
    #[arg(long, value_name = "NAME")]
    turn_user: Option<String>,
    /// The password that it wants
    #[arg(long, value_name = "PASSWORD")]
    turn_password: Option<String>,
    /// Write one JSON object per event and answer instead of text
    #[arg(long)]
    pub(crate) json: bool,
    /// Bits per second of sound
    #[arg(long, default_value_t = 32_000, value_parser = clap::value_parser!(u32).range(6_000..=510_000))]
    bitrate: u32,
    /// Milliseconds of sound in a packet: 10, 20, 40 or 60
    #[arg(long, default_value_t = 20)]
    frame_ms: u32,
    /// Work the encoder may take, 0 (least) to 10
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(0..=10))]
    complexity: u8,
    /// The file of your key, made if it is not there [default: one per name in your data folder]
    #[arg(long)]
    identity: Option<PathBuf>,
    /// Use a new key for this run only, and trust any key of the others
    #[arg(long, conflicts_with = "identity")]
    ephemeral: bool,
    #[command(flatten)]
    line: BadLine,
}

impl Args {
    /// The name asked for, or one made of the port. Any port becomes a certain one for that.
    pub(crate) fn name(&mut self) -> Result<String, Failure> {
        if let Some(name) = &self.username {
            return Ok(name.clone());
        }
        if self.port == 0 {
            let port = (0..PORTS_TRIED).find_map(|_| self.free_port().transpose());
            let none = || Failure::new(format_args!("{}: no port is free", self.host));
            self.port = port
                .ok_or_else(none)?
                .map_err(|e| Failure::new(format_args!("{}: {e}", self.host)))?;
        }
        Ok(format!("user-{}", self.port))
    }

    /// A port for UDP; `None` if it is needed for TCP, too, and taken there.
    fn free_port(&self) -> io::Result<Option<u16>> {
        let socket = UdpSocket::bind((self.host, 0))?;
        let address = socket.local_addr()?;
        let will_do = !self.is_in_mesh() || TcpListener::bind(address).is_ok();
        Ok(will_do.then_some(address.port()))
    }

    /// Whether other nodes may link to this one.
    pub(crate) fn is_in_mesh(&self) -> bool {
        self.mesh || !self.connect.is_empty()
    }

    /// The commands to begin with.
    pub(crate) fn script(&self) -> Result<Vec<String>, Failure> {
        let Some(file) = &self.script else { return Ok(Vec::new()) };
        let text = fs::read_to_string(file)
            .map_err(|e| Failure::new(format_args!("{}: {e}", file.display())))?;
        let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
        Ok(lines.map(String::from).collect())
    }

    /// Those asked for, or the one that is usual.
    pub(crate) fn trackers(&self) -> Vec<String> {
        if self.tracker.is_empty() && !self.is_in_mesh() {
            return vec![USUAL_TRACKER.into()];
        }
        self.tracker.clone()
    }

    /// Starts the node.
    pub(crate) fn start_node(&self, name: &str) -> Result<Node, Failure> {
        let encoder = EncoderConfig {
            bitrate: self.bitrate,
            complexity: self.complexity,
            frame: FrameDuration::from_millis(self.frame_ms)?,
            ..EncoderConfig::default()
        };
        let mut builder = Node::builder(name)
            .bind(SocketAddr::new(self.host, self.port).to_string())
            .audio(self.audio())
            .encoder(encoder)
            .auto_answer(self.auto_answer)
            .relay_only(self.relay_only)
            .mesh(self.is_in_mesh())
            .lan(!self.no_lan);
        if let (Some(uri), Some(user), Some(password)) =
            (&self.turn, &self.turn_user, &self.turn_password)
        {
            builder = builder.turn_server(uri, user, password);
        }
        for tracker in self.trackers() {
            builder = builder.tracker(tracker);
        }
        for node in &self.connect {
            builder = builder.connect(node);
        }
        if let Some(file) = &self.history {
            builder = builder.history_file(file);
        }
        if let Some(link) = self.line.link() {
            builder = builder.line(link, self.line.seed);
        }
        if let Some(file) = self.identity_file(name)? {
            builder = builder.identity_file(file);
        }
        Ok(builder.start()?)
    }

    fn audio(&self) -> Audio {
        match (&self.wav, &self.record) {
            (None, None) => Audio::Devices {
                input: self.input.as_str().into(),
                output: self.output.as_str().into(),
            },
            (play, record) => Audio::Wav { play: play.clone(), record: record.clone() },
        }
    }

    fn identity_file(&self, name: &str) -> Result<Option<PathBuf>, Failure> {
        if self.ephemeral {
            return Ok(None);
        }
        if let Some(file) = &self.identity {
            return Ok(Some(file.clone()));
        }
        let file = identity_file(name)
            .ok_or_else(|| Failure::new("no data folder for your key: give --identity FILE"))?;
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)
                .map_err(|e| Failure::new(format_args!("{}: {e}", folder.display())))?;
        }
        Ok(Some(file))
    }
}
