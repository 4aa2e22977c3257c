//! The scripted peer in Rust; see README.md beside it. The harness runs it as a thread.

use std::time::{Duration, Instant};

use voip_core::{
    Audio, Call, CallState, EndReason, Error, ErrorKind, Event, Node, NodeBuilder, Reject,
};

const RATE: u32 = 48_000;
const BLOCK: usize = 480;
const LIMIT: Duration = Duration::from_secs(10);

/// What it is told: the options of the programs in the other languages.
pub(crate) struct Script<'a> {
    pub(crate) tracker: &'a str,
    pub(crate) name: &'a str,
    pub(crate) role: Role<'a>,
}

pub(crate) enum Role<'a> {
    /// How it takes the call: `answer`, `decline`, `busy` or `ignore`.
    Callee { how: &'a str },
    /// Whom it calls; and whether it does so without waiting for the tracker.
    Caller { target: &'a str, unregistered: bool },
}

/// Plays the part; `say` gets each line.
pub(crate) fn run(script: &Script<'_>, mut say: impl FnMut(String)) -> Result<(), Error> {
    let node = builder(script).start()?;
    if !matches!(script.role, Role::Caller { unregistered: true, .. }) {
        node.wait_registered(LIMIT / 2)?;
    }
    say("ready".into());
    match script.role {
        Role::Callee { how } => take_a_call(&node, how, &mut say),
        Role::Caller { target, unregistered } => make_a_call(&node, target, unregistered, &mut say),
    }
}

fn builder(script: &Script<'_>) -> NodeBuilder {
    Node::builder(script.name)
        .tracker(script.tracker)
        .bind("127.0.0.1:0")
        .audio(Audio::Manual { rate: RATE })
        .ring_timeout(Duration::from_secs(3))
}

fn take_a_call(node: &Node, how: &str, say: &mut impl FnMut(String)) -> Result<(), Error> {
    let call = wait_for_a_call(node);
    say(format!("incoming {}", call.peer().name));
    match how {
        "answer" => {
            call.answer()?;
            return talk_to_the_end(node, &call, say);
        }
        "decline" => call.reject(Reject::Declined)?,
        "busy" => call.reject(Reject::Busy)?,
        _ => {}
    }
    say(format!("ended {}", reason(call.wait_ended(LIMIT)?)));
    Ok(())
}

fn wait_for_a_call(node: &Node) -> Call {
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline {
        if let Some(Event::Incoming { call }) = node.next_event(Duration::from_millis(100)) {
            return call;
        }
    }
    panic!("nobody called");
}

fn talk_to_the_end(node: &Node, call: &Call, say: &mut impl FnMut(String)) -> Result<(), Error> {
    let mut talk = Talk::default();
    while !matches!(call.state(), CallState::Ended(_)) {
        talk.turn(call)?;
        while let Some(event) = node.next_event(Duration::ZERO) {
            if let Event::PeerMuted { muted, .. } = event {
                say(format!("peer {}", if muted { "muted" } else { "unmuted" }));
            }
        }
    }
    say(format!("ended {}", reason(call.wait_ended(LIMIT)?)));
    say(format!("heard {}", talk.heard()));
    Ok(())
}

fn make_a_call(
    node: &Node,
    target: &str,
    unregistered: bool,
    say: &mut impl FnMut(String),
) -> Result<(), Error> {
    if !unregistered {
        let names: Vec<_> = node.peers(LIMIT)?.into_iter().map(|peer| peer.name).collect();
        say(format!("listed {}", names.join(" ")));
    }
    let call = match node.call(target, LIMIT) {
        Ok(call) => call,
        Err(error) => {
            say(format!("error {}", snake(&format!("{:?}", error.kind()))));
            return Ok(());
        }
    };
    say("answered".into());
    let mut talk = Talk::default();
    for (muted, blocks) in [(false, 60), (true, 40), (false, 60)] {
        call.set_muted(muted);
        for _ in 0..blocks {
            talk.turn(&call)?;
        }
    }
    call.hang_up();
    say(format!("ended {}", reason(call.wait_ended(LIMIT)?)));
    say(format!("heard {}", talk.heard()));
    Ok(())
}

/// Says a tone of 440 Hz and listens, 10 ms at a time.
#[derive(Default)]
struct Talk {
    said: usize,
    heard: bool,
}

impl Talk {
    /// The end of the call is no mistake.
    fn turn(&mut self, call: &Call) -> Result<(), Error> {
        let mut block = [0.0; BLOCK];
        for sample in &mut block {
            let seconds = self.said as f32 / RATE as f32;
            *sample = 0.3 * (std::f32::consts::TAU * 440.0 * seconds).sin();
            self.said += 1;
        }
        let spoken = call.write(&block, LIMIT).and_then(|_| call.read(&mut block, LIMIT));
        match spoken {
            Ok(()) => {
                let power = block.iter().map(|s| s * s).sum::<f32>() / BLOCK as f32;
                self.heard |= power.sqrt() > 0.01;
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::CallEnded => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn heard(&self) -> &'static str {
        if self.heard { "yes" } else { "no" }
    }
}

fn reason(reason: EndReason) -> String {
    snake(&format!("{reason:?}"))
}

/// `NoAnswer` as `no_answer`.
fn snake(camel: &str) -> String {
    let mut snake = String::new();
    for letter in camel.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}
