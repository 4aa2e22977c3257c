//! A telephone for the terminal: `peer --help`.

mod args;
mod contacts;
#[cfg(unix)]
mod editor;
mod paint;
mod pairing;
mod people;
mod phone;
mod screen;
#[cfg(unix)]
mod terminal;
#[cfg(not(unix))]
#[path = "no_terminal.rs"]
mod terminal;
mod texts;

use std::io::{BufRead, IsTerminal, stdin};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use args::Args;
use paint::Paint;
use people::Shared;
use phone::{Happening, Next, Phone};
use screen::Screen;
use terminal::{Terminal, Typing};
use voip_core::{Event, Node};
use voip_examples::console::{self, Failure};
use voip_examples::line::What;

/// How long the trackers may take to accept the name before the program gives up.
const REGISTER: Duration = Duration::from_secs(10);
/// How long a script waits for somebody of the mesh.
const MEET: Duration = Duration::from_secs(10);
/// How often somebody who waits for events looks whether it is over.
const GLANCE: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    console::main(run)
}

fn run(mut args: Args) -> Result<ExitCode, Failure> {
    let name = args.name()?;
    let script = args.script()?;
    let (people, paint) = (Shared::default(), Paint::new(args.color));
    let terminal = if args.json { None } else { Terminal::new(people.clone(), paint) };
    let (terminal, typing) = terminal.unzip();
    let screen = Screen::new(args.json, name.clone(), people.clone(), paint, terminal);
    screen.show(&What::Starting { name: name.clone() });
    let node = args.start_node(&name)?;
    screen.show(&What::Started {
        id: node.id().to_string(),
        address: node.local_address().to_string(),
        mesh: args.is_in_mesh(),
    });

    let (sender, happenings) = channel();
    let stop = sender.clone();
    ctrlc::set_handler(move || drop(stop.send(Happening::Stop))).map_err(Failure::new)?;
    let over = AtomicBool::new(false);
    let (report, failed) = thread::scope(|threads| {
        let watcher = sender.clone();
        threads.spawn(|| watch_node(&node, watcher, &over));
        let trackers = args.trackers().len();
        let begun = match trackers {
            // Whoever types sees who comes; a script would speak to nobody.
            0 if !args.connect.is_empty() && (typing.is_none() || !script.is_empty()) => {
                meet(&happenings)
            }
            0 => Ok(Vec::new()),
            trackers => register(&happenings, &screen, trackers),
        };
        let result = begun.map(|waiting| {
            let mut phone = Phone::new(&node, &screen, threads, sender.clone(), &args, people);
            read_input(script, typing, sender);
            let mut happenings = waiting.into_iter().chain(happenings);
            while happenings.next().is_some_and(|h| phone.handle(h) == Next::Stay) {}
            phone.leave()
        });
        over.store(true, Ordering::Relaxed);
        result
    })?;
    node.close();
    // The recording is complete now.
    screen.show(&What::Report(Box::new(report)));
    // Whoever types has seen what went wrong; a script looks at the status.
    let failed = failed && !stdin().is_terminal();
    Ok(if failed { ExitCode::from(console::FAILURE) } else { ExitCode::SUCCESS })
}

/// Waits until one tracker has accepted the name. Everything else that happens meanwhile is given
/// back. That no tracker answers is an error here; later on the node goes on trying.
fn register(
    happenings: &Receiver<Happening>,
    screen: &Screen,
    trackers: usize,
) -> Result<Vec<Happening>, Failure> {
    let deadline = Instant::now() + REGISTER;
    let (mut waiting, mut lost) = (Vec::new(), Vec::new());
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match happenings.recv_timeout(left) {
            Ok(Happening::Node(t_us, event)) => match *event {
                Event::Registered { .. } => {
                    screen.show_at(t_us, &phone::describe(&event));
                    return Ok(waiting);
                }
                Event::TrackerLost { ref tracker, ref error } => {
                    if !lost.contains(tracker) {
                        lost.push(tracker.clone());
                    }
                    if lost.len() >= trackers {
                        return Err(Failure::new(format_args!("tracker {tracker}: {error}")));
                    }
                    waiting.push(Happening::Node(t_us, event));
                }
                _ => waiting.push(Happening::Node(t_us, event)),
            },
            Ok(Happening::Stop) => return Err(Failure::new("stopped before it was registered")),
            Ok(other) => waiting.push(other),
            Err(_) => {
                let seconds = REGISTER.as_secs();
                let message = format!("no tracker accepted the name within {seconds} s");
                return Err(Failure::new(message));
            }
        }
    }
}

/// Waits until somebody of the mesh is there, but not for long. What happens meanwhile is given back.
fn meet(happenings: &Receiver<Happening>) -> Result<Vec<Happening>, Failure> {
    let deadline = Instant::now() + MEET;
    let mut waiting = Vec::new();
    while let left = deadline.saturating_duration_since(Instant::now())
        && let Ok(happening) = happenings.recv_timeout(left)
    {
        let is_over = match &happening {
            Happening::Stop => return Err(Failure::new("stopped before anybody was there")),
            Happening::Node(_, event) => matches!(**event, Event::Joined { .. }),
            _ => false,
        };
        waiting.push(happening);
        if is_over {
            break;
        }
    }
    Ok(waiting)
}

/// Stamps the node's events as they come, until it is over.
fn watch_node(node: &Node, sender: Sender<Happening>, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        if let Some(event) = node.next_event(GLANCE) {
            let now = voip_examples::process::unix_micros();
            let _ = sender.send(Happening::Node(now, Box::new(event)));
        }
    }
}

/// Reads the script and what is typed, so that nobody waits for the keyboard.
fn read_input(script: Vec<String>, typing: Option<Typing>, sender: Sender<Happening>) {
    thread::spawn(move || {
        for line in script {
            if sender.send(Happening::Scripted(line)).is_err() {
                return;
            }
        }
        if let Some(typing) = typing {
            return typing.read(&sender);
        }
        for line in stdin().lock().lines().map_while(Result::ok) {
            if sender.send(Happening::Typed(line)).is_err() {
                return;
            }
        }
        let _ = sender.send(Happening::InputEnded);
    });
}
