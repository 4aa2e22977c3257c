//! The programs of `examples/c` and the call in README.md: built by a plain C compiler as their users build
//! them, and run together.

#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods, reason = "tests are the side of the user")]
#![cfg(target_os = "linux")]

#[path = "support/cc.rs"]
mod cc;
#[path = "programs/people.rs"]
mod people;
#[path = "programs/tone.rs"]
mod tone;
#[path = "programs/tool.rs"]
mod tool;

use std::fs;
use std::io::Write;
use std::process::Stdio;

use people::{finish, say_until, start};
use tool::Tool;
use voip_core::{Audience, Audio, Event, Node, Tracker};

fn tracker() -> Tracker {
    Tracker::builder().bind("127.0.0.1:0").start().unwrap()
}

/// A whole call between `call` and `echo_bot`, each under a tool of its own.
fn play_to_the_bot(tool: Tool, bots_tool: Tool) {
    let tracker = tracker();
    let address = tracker.address().to_string();
    let said = tone::wav(&format!("said_{tool:?}_{bots_tool:?}.wav"), 1.5);
    let heard = cc::scratch().join(format!("heard_{tool:?}_{bots_tool:?}.wav"));
    let (said, heard) = (said.to_str().unwrap(), heard.to_str().unwrap());
    let bot = bots_tool.start(&bots_tool.example("echo_bot"), &[&address, "bob", "1"]);
    let bot = say_until(bot, "registered");
    let told = finish(tool.start(&tool.example("call"), &[&address, "alice", "bob", said, heard]));
    assert!(told.contains("talking to bob\n") && told.contains("over: hung up\n"), "{told}");
    let told = finish(bot);
    assert!(told.contains("alice calls\n") && told.contains("over: the peer hung up\n"), "{told}");
    let (loud, seconds) = tone::loudness(heard);
    let is_heard = loud > 0.1 || !tool.is_fast() || !bots_tool.is_fast();
    assert!(is_heard, "the echo of a tone of RMS 0.21 has RMS {loud} in {seconds} s");
}

/// A whole call between two of `epoll_peer`; Alice, who calls, is under the tool.
fn talk_on_epoll(tool: Tool) {
    let tracker = tracker();
    let address = tracker.address().to_string();
    let bob = Tool::Plain.start(&Tool::Plain.example("epoll_peer"), &[&address, "bob", "600"]);
    // It says nothing before it is connected; the tracker knows when it is there.
    while tracker.stats().online == 0 {
        assert!(tracker.next_event(people::LIMIT).is_some(), "Bob does not register");
    }
    let alice = tool.start(&tool.example("epoll_peer"), &[&address, "alice", "1", "bob"]);
    for (who, told) in [("alice", finish(alice)), ("bob", finish(bob))] {
        assert!(told.starts_with("connected\nover: "), "{who}: {told}");
        let (_, level) = told.trim().rsplit_once(' ').unwrap();
        let level: f64 = level.parse().unwrap();
        assert!(level > 0.1 || !tool.is_fast(), "{who} heard a tone of RMS 0.21 as {level}");
    }
}

/// Writes to `text`, and reads what it writes.
fn chat(tool: Tool) {
    let bob = Node::builder("bob").bind("127.0.0.1:0").mesh(true).start().unwrap();
    let mut command = tool.command(&tool.example("text"));
    command.stdin(Stdio::piped());
    let address = bob.local_address().to_string();
    let mut alice = start(command, &["127.0.0.1:0", "alice", &address]);
    let mut typed = alice.input();
    let alice = say_until(alice, "bob is here\n");
    typed.write_all("héllo\nagain\n".as_bytes()).unwrap();
    let mut heard = Vec::new();
    while heard.len() < 2 {
        if let Event::Text { text } = bob.next_event(people::LIMIT).unwrap() {
            heard.push((text.name, text.text));
        }
    }
    assert_eq!(heard, ["héllo", "again"].map(|text| ("alice".to_owned(), text.to_owned())));
    bob.send_text(&Audience::All, "hello, Alice", people::LIMIT).unwrap();
    let alice = say_until(alice, "bob: hello, Alice\n");
    drop(typed);
    finish(alice);
}

#[test]
fn a_file_is_played_to_a_bot_that_echoes_it() {
    play_to_the_bot(Tool::Plain, Tool::Plain);
}

#[test]
fn two_peers_talk_on_epoll_alone() {
    talk_on_epoll(Tool::Plain);
}

#[test]
fn texts_are_typed_and_told() {
    chat(Tool::Plain);
}

#[test]
fn texts_without_a_tracker_come_and_are_kept() {
    let program = Tool::Plain.build("voip-ffi/tests", "texts");
    let history = cc::scratch().join("texts.history");
    let _ = fs::remove_file(&history);
    let told = finish(start(cc::command(&program), &[history.to_str().unwrap()]));
    assert!(told.contains("were kept"), "{told}");
}

#[test]
fn words_are_the_same_at_both_ends_and_the_blocked_never_ring() {
    let tracker = tracker();
    let program = Tool::Plain.build("voip-ffi/tests", "contacts");
    let person = start(cc::command(&program), &[&tracker.address().to_string()]);
    assert!(finish(person).contains("as they should be"));
}

#[test]
fn two_strangers_are_handed_to_each_other() {
    let tracker = tracker();
    let program = Tool::Plain.build("voip-ffi/tests", "pairing");
    let person = start(cc::command(&program), &[&tracker.address().to_string()]);
    assert!(finish(person).contains("as they should be"));
}

#[test]
fn threads_leave_when_what_they_use_is_freed() {
    let program = Tool::Plain.build("voip-ffi/tests", "threads");
    assert!(finish(start(cc::command(&program), &[])).contains("threads have left"));
}

#[test]
#[ignore = "long: with the address sanitizer"]
fn no_error_and_no_leak_with_the_address_sanitizer() {
    play_to_the_bot(Tool::AddressSanitizer, Tool::AddressSanitizer);
    talk_on_epoll(Tool::AddressSanitizer);
    chat(Tool::AddressSanitizer);
}

#[test]
#[ignore = "long: under valgrind"]
fn no_error_and_no_leak_under_valgrind() {
    // One at a time: two would be too slow for each other.
    play_to_the_bot(Tool::Valgrind, Tool::Plain);
    play_to_the_bot(Tool::Plain, Tool::Valgrind);
    talk_on_epoll(Tool::Valgrind);
    chat(Tool::Valgrind);
}

#[test]
#[ignore = "long: a thousand calls"]
fn a_thousand_calls_leave_nothing_behind() {
    let tracker = tracker();
    let program = Tool::Plain.build("voip-ffi/tests", "thousand_calls");
    let address = tracker.address().to_string();
    let told = finish(start(cc::command(&program), &[&address, "1000"]).patient());
    println!("{told}");
    assert!(told.contains("1000 calls"), "{told}");
}

/// What the README prints between the fences of the language, below the heading.
fn printed(heading: &str, language: &str) -> String {
    let text = fs::read_to_string(cc::root().join("README.md")).unwrap();
    let (_, section) = text.split_once(&format!("\n{heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let (_, code) = section.split_once(&format!("\n```{language}\n")).unwrap();
    code.split_once("\n```").unwrap().0.to_owned() + "\n"
}

#[test]
fn the_call_in_the_readme_runs_as_printed() {
    let tracker = tracker();
    let printed = printed("## A call", "c");
    assert!(printed.lines().count() <= 24, "it is meant to be short");
    // The only word that differs: there is no tracker of that name.
    let code = printed.replace("tracker.example.org:6000", &tracker.address().to_string());
    assert_ne!(code, printed);
    let source = cc::write("readme.c", &code);
    let program = cc::build(cc::c().arg("-std=c11").arg(source), "readme");
    // Alice is new here: she has not met another Bob before.
    let folder = cc::scratch().join("readme_folder");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).unwrap();
    let bob = Node::builder("bob").tracker(tracker.address().to_string()).audio(Audio::Null);
    let bob = bob.auto_answer(true).start().unwrap();
    bob.wait_registered(people::LIMIT).unwrap();
    let mut alice = cc::command(&program);
    alice.current_dir(folder);
    let alice = start(alice, &[]);
    // A moment's talk, and Bob hangs up.
    loop {
        match bob.next_event(people::LIMIT).unwrap() {
            Event::Connected { call } => break call.hang_up(),
            _ => continue,
        }
    }
    let told = finish(alice);
    assert!(told.contains("talking to bob\n"), "{told}");
    assert!(told.contains("over: the peer hung up\n"), "{told}");
}
