//! TLS between nodes and tracker: whom a node trusts, and what is seen on the way.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use voip_core::{Error, ErrorKind, Event, Node, NodeBuilder, Tracker};

use crate::harness::{Folder, LIMIT, await_event, failure, incoming, ms, online, shown};

fn node(name: &str, tracker: &str) -> NodeBuilder {
    Node::builder(name).tracker(tracker).bind("127.0.0.1:0")
}

fn self_signed(folder: &Folder) -> Tracker {
    let builder = Tracker::builder().bind("127.0.0.1:0");
    builder.tls_self_signed(folder.file("keys/tracker.pem")).require_tls(true).start().unwrap()
}

/// The address with the key that the tracker tells.
fn pinned(tracker: &Tracker, at: SocketAddr) -> String {
    format!("tls://{at}#sha256={}", tracker.key_sha256().unwrap())
}

/// Why a tracker is lost.
fn loss(node: &Node) -> Error {
    await_event(node, |event| match event {
        Event::TrackerLost { error, .. } => Some(error),
        _ => None,
    })
}

/// Waits until the tracker's counters say so.
fn until(tracker: &Tracker, is_so: impl Fn(&voip_core::TrackerStats) -> bool) {
    let deadline = std::time::Instant::now() + LIMIT;
    while !is_so(&tracker.stats()) {
        assert!(std::time::Instant::now() < deadline, "{:?}", tracker.stats());
        tracker.next_event(ms(10));
    }
}

#[test]
fn two_who_know_the_trackers_key_call_each_other_over_tls() {
    let folder = Folder::new();
    let tracker = self_signed(&folder);
    let address = pinned(&tracker, tracker.address());
    let alice = online(node("alice", &address));
    let bob = online(node("bob", &address).auto_answer(true));
    let call = alice.call("bob", LIMIT).unwrap();
    call.wait_connected(LIMIT).unwrap();
    assert_eq!(call.peer().id, Some(bob.id()));
    let stats = tracker.stats();
    assert_eq!((stats.accepted, stats.tls, stats.tls_required), (2, 2, 0));
}

#[test]
fn a_tracker_comes_back_with_the_same_key_and_its_peers_with_it() {
    let folder = Folder::new();
    let tracker = self_signed(&folder);
    let (at, address) = (tracker.address(), pinned(&tracker, tracker.address()));
    let alice = online(node("alice", &address));
    drop(tracker);
    assert_eq!(loss(&alice).kind(), ErrorKind::TrackerUnreachable);
    let file = folder.file("keys/tracker.pem");
    let again = Tracker::builder().bind(at.to_string()).tls_self_signed(&file).start().unwrap();
    assert_eq!(pinned(&again, at), address);
    alice.wait_registered(LIMIT).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn another_key_is_an_error_of_its_own_and_nothing_is_said_to_it() {
    let folder = Folder::new();
    let tracker = self_signed(&folder);
    let wrong = format!("tls://{}#sha256={}", tracker.address(), "00".repeat(32));
    let alice = node("alice", &wrong).start().unwrap();
    let error = failure(alice.wait_registered(LIMIT));
    assert_eq!(error.kind(), ErrorKind::TrackerUntrusted);
    assert!(error.message().contains(tracker.key_sha256().unwrap()), "{error}");
    assert_eq!(loss(&alice), error, "and the event says the same");
    // It tries again, and is no more content.
    until(&tracker, |stats| stats.handshakes_failed >= 2);
    let stats = tracker.stats();
    assert_eq!((stats.tls, stats.online, stats.registrations_refused), (0, 0, 0));
}

/// An authority, and trackers with certificates by it.
struct Authority {
    folder: Folder,
    issuer: Issuer<'static, KeyPair>,
    intermediate: String,
}

fn authority(name: &str) -> CertificateParams {
    let mut about = CertificateParams::new(Vec::new()).unwrap();
    about.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    about.distinguished_name.push(DnType::CommonName, name);
    about
}

impl Authority {
    /// A root of that name, in `root.pem`, and one below it that signs.
    fn new(name: &str) -> Self {
        let (folder, root_key) = (Folder::new(), KeyPair::generate().unwrap());
        let root = authority(name);
        let certificate = root.self_signed(&root_key).unwrap();
        std::fs::write(folder.file("root.pem"), certificate.pem()).unwrap();
        let root = Issuer::new(root, root_key);
        let key = KeyPair::generate().unwrap();
        let below = authority(&format!("below {name}"));
        let intermediate = below.signed_by(&key, &root).unwrap().pem();
        Authority { folder, issuer: Issuer::new(below, key), intermediate }
    }

    fn root(&self) -> String {
        shown(&self.folder.file("root.pem"))
    }

    fn tracker(&self, about: CertificateParams) -> Tracker {
        let key = KeyPair::generate().unwrap();
        let own = about.signed_by(&key, &self.issuer).unwrap().pem();
        let (chain, file) = (self.folder.file("chain.pem"), self.folder.file("key.pem"));
        std::fs::write(&chain, own + &self.intermediate).unwrap();
        std::fs::write(&file, key.serialize_pem()).unwrap();
        Tracker::builder().bind("127.0.0.1:0").tls(chain, file).start().unwrap()
    }
}

fn certificate_for(names: &[&str]) -> CertificateParams {
    CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
}

#[test]
fn a_certificate_for_the_host_by_the_authority_asked_for_is_trusted() {
    let authority = Authority::new("root");
    let tracker = authority.tracker(certificate_for(&["localhost", "127.0.0.1"]));
    let port = tracker.address().port();
    for host in ["localhost", "127.0.0.1"] {
        online(node("alice", &format!("tls://{host}:{port}#ca={}", authority.root())));
    }
    // A pinned key needs no authority.
    online(node("alice", &pinned(&tracker, tracker.address())));
    // Without TLS it is the tracker that it always was.
    online(node("alice", &tracker.address().to_string()));
}

#[test]
fn another_authority_another_host_and_another_time_are_not_trusted() {
    let authority = Authority::new("root");
    let mut expired = certificate_for(&["127.0.0.1"]);
    expired.not_after = rcgen::date_time_ymd(2001, 1, 1);
    let other = Authority::new("another");
    for (about, root, why) in [
        (certificate_for(&["127.0.0.1"]), other.root(), "no authority"),
        (certificate_for(&["localhost"]), authority.root(), "not for 127.0.0.1"),
        (expired, authority.root(), "expired"),
    ] {
        let tracker = authority.tracker(about);
        let address = format!("tls://{}#ca={root}", tracker.address());
        let error = failure(node("alice", &address).start().unwrap().wait_registered(LIMIT));
        assert_eq!(error.kind(), ErrorKind::TrackerUntrusted, "{error}");
        assert!(error.message().contains(why), "{error}");
        assert_eq!(tracker.stats().online, 0);
    }
}

#[test]
fn an_authority_that_the_system_does_not_know_is_not_trusted() {
    let authority = Authority::new("root");
    let tracker = authority.tracker(certificate_for(&["127.0.0.1"]));
    match node("alice", &format!("tls://{}", tracker.address())).start() {
        Ok(alice) => assert_eq!(loss(&alice).kind(), ErrorKind::TrackerUntrusted),
        Err(error) => println!("skipped: {error}"),
    }
}

#[test]
fn where_tls_is_required_a_plain_node_learns_what_to_do() {
    let folder = Folder::new();
    let tracker = self_signed(&folder);
    let alice = node("alice", &tracker.address().to_string()).start().unwrap();
    let error = loss(&alice);
    assert_eq!(error.kind(), ErrorKind::InvalidState);
    assert!(error.message().contains("tls://"), "{error}");
    until(&tracker, |stats| stats.tls_required >= 1);
    assert_eq!(tracker.stats().online, 0);
}

#[test]
fn a_node_that_wants_tls_says_nothing_to_a_tracker_without() {
    let tracker = crate::harness::tracker();
    let address = format!("tls://{}#sha256={}", tracker.address(), "00".repeat(32));
    let alice = node("alice", &address).start().unwrap();
    assert_eq!(loss(&alice).kind(), ErrorKind::TrackerUnreachable);
    assert_eq!(tracker.stats().online, 0);
}

#[test]
fn files_that_are_no_certificates_are_named() {
    let (folder, authority) = (Folder::new(), Authority::new("root"));
    let tracker = authority.tracker(certificate_for(&["127.0.0.1"]));
    let [chain, key] = ["chain.pem", "key.pem"].map(|name| authority.folder.file(name));
    let (rubbish, missing) = (folder.file("rubbish"), folder.file("missing"));
    std::fs::write(&rubbish, "rubbish").unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&rubbish, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let builder = || Tracker::builder().bind("127.0.0.1:0");
    let refused = |builder: voip_core::TrackerBuilder, file: &PathBuf| {
        let error = failure(builder.start());
        assert_eq!(error.kind(), ErrorKind::File, "{error}");
        assert!(error.message().contains(&shown(file)), "{error}");
    };
    refused(builder().tls(&missing, &key), &missing);
    refused(builder().tls(&rubbish, &key), &rubbish);
    refused(builder().tls(&chain, &missing), &missing);
    refused(builder().tls(&chain, &rubbish), &rubbish);
    refused(builder().tls_self_signed(&rubbish), &rubbish);
    std::fs::write(&rubbish, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    refused(builder().tls(&chain, &rubbish), &rubbish);
    let error = failure(builder().require_tls(true).start());
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    for file in [&missing, &rubbish] {
        let address = format!("tls://{}#ca={}", tracker.address(), shown(file));
        let error = failure(node("alice", &address).start());
        assert_eq!(error.kind(), ErrorKind::File, "{error}");
        assert!(error.message().contains(&shown(file)), "{error}");
    }
}

/// Carries connections to `to` and keeps every byte, both ways. Ends with the test.
fn eavesdropper(to: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let carry = |mut from: TcpStream, mut to: TcpStream, heard: Arc<Mutex<Vec<u8>>>| {
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(len @ 1..) = from.read(&mut buffer) {
                heard.lock().extend_from_slice(&buffer[..len]);
                if to.write_all(&buffer[..len]).is_err() {
                    break;
                }
            }
            let _ = to.shutdown(Shutdown::Both);
        });
    };
    let kept = heard.clone();
    std::thread::spawn(move || {
        for near in listener.incoming() {
            let (near, far) = (near.unwrap(), TcpStream::connect(to).unwrap());
            carry(near.try_clone().unwrap(), far.try_clone().unwrap(), kept.clone());
            carry(far, near, kept.clone());
        }
    });
    (address, heard)
}

/// Whether what is seen on the way to the tracker, while one calls the other, tells who they are.
fn is_told_on_the_way(tracker: &Tracker, address_at: impl Fn(SocketAddr) -> String) -> Vec<bool> {
    let (proxy, heard) = eavesdropper(tracker.address());
    let alice = online(node("alice-of-the-test", &address_at(proxy)));
    let bob = online(node("bob-of-the-test", &address_at(proxy)));
    let call = alice.place("bob-of-the-test").unwrap();
    let at_bob = incoming(&bob);
    at_bob.answer().unwrap();
    call.wait_connected(LIMIT).unwrap();
    let heard = heard.lock();
    assert!(heard.len() > 4_000, "an offer and an answer at least: {}", heard.len());
    let secrets =
        ["alice-of-the-test", "bob-of-the-test", &alice.id().to_string(), &bob.id().to_string()];
    let is_heard = |secret: &&str| heard.windows(secret.len()).any(|w| w == secret.as_bytes());
    secrets.iter().map(is_heard).collect()
}

#[test]
fn over_tls_nobody_on_the_way_sees_who_calls_whom() {
    let folder = Folder::new();
    let tracker = self_signed(&folder);
    let seen = is_told_on_the_way(&tracker, |at| pinned(&tracker, at));
    assert_eq!(seen, [false; 4]);
    let tracker = crate::harness::tracker();
    let seen = is_told_on_the_way(&tracker, |at| at.to_string());
    assert_eq!(seen, [true; 4], "without TLS everything is there to be read");
}
