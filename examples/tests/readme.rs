//! The call in README.md, run as printed but for the address of its tracker.

#![allow(clippy::unwrap_used)]

use voip_core::{Audio, Duration, Event, Node, Tracker};

mod printed {
    include!(concat!(env!("OUT_DIR"), "/readme.rs"));

    pub(crate) fn run() -> Result<(), Error> {
        main()
    }
}

const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn the_call_in_the_readme_is_made() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme");
    // Her key and whom she knows: Bob has another key each time.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    std::env::set_current_dir(&folder).unwrap();
    let tracker = Tracker::builder().bind("127.0.0.1:0").start().unwrap();
    let address = tracker.address().to_string();
    // SAFETY: This is the only test of its program, and no other thread of it reads the environment yet.
    unsafe { std::env::set_var("TRACKER", &address) };
    let bob = Node::builder("bob").tracker(address).bind("127.0.0.1:0").audio(Audio::Null);
    let bob = bob.auto_answer(true).start().unwrap();
    bob.wait_registered(LIMIT).unwrap();
    std::thread::scope(|scope| {
        let alice = scope.spawn(printed::run);
        // Ends with the limit if she fails, who then says why.
        while let Some(event) = bob.next_event(LIMIT) {
            if matches!(event, Event::Connected { .. }) {
                break;
            }
        }
        bob.close();
        alice.join().unwrap().unwrap();
    });
    assert!(folder.join("alice.key").exists());
}
