//! A telephone for the terminal: `peer --help`.

mod args;
mod phone;
mod screen;

use std::io::{BufRead, IsTerminal, stdin};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use args::Args;
use phone::{Happening, Next, Phone};
use screen::Screen;
use voip_core::{Event, Node};
use voip_examples::console::{self, Failure};
use voip_examples::line::What;

/// How long the trackers may take to accept the name before the program gives up.
const REGISTER: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    console::main(run)
}

fn run(mut args: Args) -> Result<ExitCode, Failure> {
    let name = args.name()?;
    let screen = Screen::new(args.json, name.clone());
    screen.show(&What::Starting { name: name.clone() });
    let node = Arc::new(args.start_node(&name)?);
    screen.show(&What::Started {
        id: node.id().to_string(),
        address: node.local_address().to_string(),
    });

    let (sender, happenings) = channel();
    watch_node(node.clone(), sender.clone());
    let stop = sender.clone();
    ctrlc::set_handler(move || drop(stop.send(Happening::Stop))).map_err(Failure::new)?;
    let waiting = register(&happenings, &screen, args.tracker.len())?;

    read_input(sender.clone());
    let mut phone = Phone::new(node, screen, sender, args.auto_answer);
    for happening in waiting.into_iter().chain(happenings) {
        if phone.handle(happening) == Next::Leave {
            break;
        }
    }
    // Whoever types has seen what went wrong; a script looks at the status.
    let failed = phone.leave() && !stdin().is_terminal();
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

/// Stamps the node's events as they come.
fn watch_node(node: Arc<Node>, sender: Sender<Happening>) {
    thread::spawn(move || {
        loop {
            if let Some(event) = node.next_event(Duration::from_secs(1)) {
                let now = voip_examples::process::unix_micros();
                if sender.send(Happening::Node(now, Box::new(event))).is_err() {
                    break;
                }
            }
        }
    });
}

/// Reads what is typed, so that nobody waits for the keyboard.
fn read_input(sender: Sender<Happening>) {
    thread::spawn(move || {
        for line in stdin().lock().lines().map_while(Result::ok) {
            if sender.send(Happening::Typed(line)).is_err() {
                return;
            }
        }
        let _ = sender.send(Happening::InputEnded);
    });
}
