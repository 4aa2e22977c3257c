use clap::{CommandFactory, Parser};

use super::*;

/// The file in docs/tracker.md.
fn example() -> &'static str {
    let page = include_str!("../../../../../docs/tracker.md");
    page.split_once("```toml\n").unwrap().1.split_once("```").unwrap().0
}

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    settings: Settings,
}

fn flags(line: &str) -> Settings {
    let words = std::iter::once("tracker").chain(line.split_whitespace());
    Flags::try_parse_from(words).unwrap().settings
}

fn file(text: &str) -> Settings {
    Settings::parse(text).unwrap()
}

/// What becomes of settings.
fn built(settings: &Settings) -> String {
    format!("{:?}", settings.builder())
}

#[test]
fn the_example_holds_every_default_and_every_flag() {
    let relaying = |text: &str| text.replace("on = false", "on = true");
    assert_eq!(built(&file(example())), built(&Settings::default()));
    assert_eq!(built(&file(&relaying(example()))), built(&flags("--relay")));
    // What has no default stands there as a comment.
    let all = example().replace("\n# ", "\n").replace("\n#", "\n");
    let keys: Vec<_> = all.lines().filter_map(|line| line.split_once(" = ")).collect();
    for flag in Flags::command().get_arguments().filter_map(|flag| flag.get_long()) {
        let key = flag.trim_start_matches("relay-").trim_start_matches("tls-").replace('-', "_");
        let key = if flag == "relay" { "on" } else { &key };
        assert!(keys.iter().any(|(written, _)| *written == key), "{flag}");
    }
}

#[test]
fn a_flag_and_its_key_say_the_same() {
    for (line, text) in [
        ("--host ::1 --port 7000", "host = '::1'\nport = 7000"),
        ("--also-port 443 --also-port 80", "also_port = [443, 80]"),
        ("--log --require-tls", "log = true\nrequire_tls = true"),
        ("--max-connections 0 --max-per-address 9", "max_connections = 0\nmax_per_address = 9"),
        ("--connection-rate 8 --request-rate 7", "connection_rate = 8\nrequest_rate = 7"),
        ("--stun-rate=6", "stun_rate = 6"),
        ("--tls-cert a --tls-key b", "[tls]\ncert = 'a'\nkey = 'b'"),
        ("--tls-self-signed a", "[tls]\nself_signed = 'a'"),
        ("--relay --relay-private", "[relay]\non = true\nprivate = true"),
        ("--relay --relay-address ::1", "[relay]\non = true\naddress = '::1'"),
        ("--relay --relay-bitrate 5000", "[relay]\non = true\nbitrate = 5000"),
        ("--relay --relay-allocations 4", "[relay]\non = true\nallocations = 4"),
    ] {
        let (flags, file) = (flags(line), file(text));
        assert_eq!(built(&flags), built(&file));
        assert_ne!(built(&file), built(&Settings::default()), "{line}");
        assert_eq!(built(&Settings::default().over(file)), built(&flags));
    }
}

#[test]
fn flags_win() {
    let all = "host = '::1'\nport = 1\nalso_port = [2]\nlog = true\nrequire_tls = true\n\
               max_connections = 3\nmax_per_address = 4\nconnection_rate = 5\nrequest_rate = 6\n\
               stun_rate = 7\n[tls]\ncert = 'a'\nkey = 'b'\n[relay]\non = true\naddress = '::1'\n\
               bitrate = 8000\nallocations = 9\nprivate = true";
    let line = "--host ::2 --port 11 --also-port 12 --log=false --require-tls=false \
                --max-connections 13 --max-per-address 14 --connection-rate 15 --request-rate 16 \
                --stun-rate 17 --tls-self-signed c --relay=true --relay-address ::2 \
                --relay-bitrate 8001 --relay-allocations 19 --relay-private=false";
    assert_eq!(built(&flags(line).over(file(all))), built(&flags(line)));
    assert!(!flags("--relay=false").over(file(all)).relays());
}

#[test]
fn what_is_wrong_is_said_with_its_line_and_key() {
    for (text, place, what) in [
        ("port = \n", ", line 1: ", "quoted"),
        ("\nport = 1\nport = 2\n", ", line 3: ", "duplicate key"),
        ("port = 'many'\n", ", line 1: ", "expected a whole number from 0 to 65535, in `port`"),
        (
            "also_port = [1,\n 70000]",
            ", line 2: ",
            "70000 is out of range, 0 to 65535, in `also_port`",
        ),
        ("request_rate = 0", ", line 1: ", "0 is out of range, 1 to 10000, in `request_rate`"),
        ("log = 1", ", line 1: ", "expected a boolean, in `log`"),
        ("host = 'here'", ", line 1: ", "invalid IP address syntax, in `host`"),
        ("\n\ncolour = 1", ", line 3: ", "unknown field `colour`, expected one of `host`"),
        ("relay = true", ", line 1: ", "expected a table, [relay]"),
        ("[relay]\nbitrate = 64000", ", line 1: ", "missing field `on`, in `relay`"),
        ("[relay]\non = true\nspeed = 1", ", line 3: ", "unknown field `speed`"),
        ("[tls]\ncert = 'a'", ": ", "tls.cert and tls.key: one needs the other"),
        ("[tls]\nkey = 'a'", ": ", "tls.cert and tls.key: one needs the other"),
        ("[tls]\ncert = 'a'\nkey = 'a'\nself_signed = 'b'", ": ", "one of the two"),
        ("also_port = [1, 2, 3, 4, 5, 6, 7, 8]", ": ", "also_port: 7 are possible"),
    ] {
        let why = Settings::parse(text).unwrap_err();
        assert!(why.starts_with(place) && why.contains(what), "{text}: {why}");
        assert!(!why.contains('\n'), "{why}");
    }
}

#[test]
fn the_library_takes_the_ends_of_every_range() {
    let ends = [
        "--max-per-address 1 --connection-rate 1 --request-rate 1 --stun-rate 1 --relay-bitrate 1000",
        "--max-per-address 1000000 --connection-rate 10000 --request-rate 10000 --stun-rate 10000 \
         --relay-bitrate 1000000000",
    ];
    for line in ends {
        let settings = flags(&format!("--host 127.0.0.1 --port 0 --relay {line}"));
        settings.builder().start().unwrap();
    }
}
