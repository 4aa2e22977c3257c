//! The identity file: a key that is kept, and names that stay pinned to keys.

use std::path::Path;

use crate::harness::{Folder, LIMIT, await_event, failure, node, online, shown, tracker};
use voip_core::{Error, ErrorKind, Event, Node};

fn with_key(file: &Path) -> Result<Node, Error> {
    Node::builder("alice").bind("127.0.0.1:0").identity_file(file).start()
}

#[test]
fn the_key_is_made_once_and_kept_for_its_owner_alone() {
    let folder = Folder::new();
    let file = folder.file("keys/alice");
    let id = with_key(&file).unwrap().id();
    assert_eq!(with_key(&file).unwrap().id(), id);
    assert_ne!(with_key(&folder.file("another")).unwrap().id(), id);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn a_damaged_file_is_an_error_and_stays_as_it_is() {
    let folder = Folder::new();
    let file = folder.file("alice");
    with_key(&file).unwrap();
    let good = std::fs::read(&file).unwrap();
    let cut = &good[..good.len() / 2];
    for contents in [cut, b"", b"rubbish", &[0xff; 100]] {
        std::fs::write(&file, contents).unwrap();
        let error = failure(with_key(&file));
        assert_eq!(error.kind(), ErrorKind::File);
        assert!(error.message().contains(&shown(&file)), "{error}");
        assert_eq!(std::fs::read(&file).unwrap(), contents);
    }
    std::fs::write(&file, &good).unwrap();
    let pins = folder.file("alice.pins");
    std::fs::write(&pins, "rubbish").unwrap();
    assert!(failure(with_key(&file)).message().contains(&shown(&pins)));
}

#[test]
fn a_name_stays_pinned_to_its_key_until_another_is_accepted() {
    let (tracker, folder) = (tracker(), Folder::new());
    let file = folder.file("alice");
    let alice = || online(node("alice", &tracker).identity_file(&file));
    let bob = || online(node("bob", &tracker).auto_answer(true));

    let first = bob();
    let pinned_id = first.id();
    let caller = alice();
    caller.call("bob", LIMIT).unwrap().wait_connected(LIMIT).unwrap();
    drop((caller, first));

    // Both start again, Bob with another key: the pin was on the disk.
    let (caller, second) = (alice(), bob());
    let error = failure(caller.call("bob", LIMIT));
    assert_eq!(error.kind(), ErrorKind::KeyChanged);
    let told = await_event(&caller, |event| match event {
        Event::KeyChanged { name, pinned, offered } => Some((name, pinned, offered)),
        _ => None,
    });
    assert_eq!(told, ("bob".into(), pinned_id, second.id()));
    caller.accept_key("bob", second.id()).unwrap();
    caller.call("bob", LIMIT).unwrap().wait_connected(LIMIT).unwrap();
    drop(caller);

    alice().call("bob", LIMIT).unwrap();
}

#[test]
fn a_name_in_use_is_refused_at_once_and_the_same_key_takes_its_place_over() {
    let (tracker, folder) = (tracker(), Folder::new());
    let file = folder.file("alice");
    let first = online(node("alice", &tracker).identity_file(&file));
    let thief = node("alice", &tracker).start().unwrap();
    assert_eq!(failure(thief.wait_registered(LIMIT)).kind(), ErrorKind::NameTaken);
    let again = online(node("alice", &tracker).identity_file(&file));
    assert_eq!(again.id(), first.id());
    let replaced = await_event(&first, |event| match event {
        Event::TrackerLost { error, .. } => Some(error.kind()),
        _ => None,
    });
    assert_eq!(replaced, ErrorKind::InvalidState);
}
