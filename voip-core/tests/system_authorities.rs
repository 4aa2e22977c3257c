//! A tracker whose certificate is by an authority of the system's. The system is told by the
//! environment, so the node is in a process of its own: this test, started again.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::path::Path;
use std::process::{Command, Output};
use std::{env, fs, process};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use voip_core::{Duration, Node, Tracker};

const LIMIT: Duration = Duration::from_secs(10);
/// Where the tracker is, for the process that has the node.
const ADDRESS: &str = "VOIP_TEST_TRACKER";
const TEST: &str = "authorities_of_the_system_are_trusted_and_no_others";

fn register_in_another_process(address: &str, authorities: &Path, folder: &Path) -> Output {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture"])
        .env(ADDRESS, address)
        .env("SSL_CERT_FILE", authorities)
        .env("SSL_CERT_DIR", folder)
        .output()
        .unwrap()
}

fn authority(name: &str) -> (CertificateParams, KeyPair) {
    let mut about = CertificateParams::new(Vec::new()).unwrap();
    about.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    about.distinguished_name.push(DnType::CommonName, name);
    (about, KeyPair::generate().unwrap())
}

#[test]
fn authorities_of_the_system_are_trusted_and_no_others() {
    if let Ok(address) = env::var(ADDRESS) {
        let node = Node::builder("alice").tracker(address).bind("127.0.0.1:0").start().unwrap();
        return node.wait_registered(LIMIT).unwrap();
    }
    let folder = env::temp_dir().join(format!("voip-authorities-{}", process::id()));
    let nothing = folder.join("nothing");
    fs::create_dir_all(&nothing).unwrap();
    let [ours, other, chain, file] =
        ["ours.pem", "other.pem", "chain.pem", "key.pem"].map(|name| folder.join(name));
    let (about, key) = authority("other");
    fs::write(&other, about.self_signed(&key).unwrap().pem()).unwrap();
    let (about, key) = authority("ours");
    fs::write(&ours, about.self_signed(&key).unwrap().pem()).unwrap();
    let (issuer, key) = (Issuer::new(about, key), KeyPair::generate().unwrap());
    let about = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    fs::write(&chain, about.signed_by(&key, &issuer).unwrap().pem()).unwrap();
    fs::write(&file, key.serialize_pem()).unwrap();
    let tracker = Tracker::builder().bind("127.0.0.1:0").tls(chain, file).start().unwrap();
    let address = format!("tls://localhost:{}", tracker.address().port());

    let trusting = register_in_another_process(&address, &ours, &nothing);
    assert!(trusting.status.success(), "{}", String::from_utf8_lossy(&trusting.stderr));
    assert_eq!(tracker.stats().tls, 1);
    for (authorities, why) in [(&other, "no authority"), (&nothing, "no certificate authorities")] {
        let refusing = register_in_another_process(&address, authorities, &nothing);
        let said = String::from_utf8_lossy(&refusing.stderr);
        assert!(!refusing.status.success() && said.contains(why), "{said}");
    }
    assert_eq!(tracker.stats().tls, 1);
    fs::remove_dir_all(&folder).unwrap();
}
