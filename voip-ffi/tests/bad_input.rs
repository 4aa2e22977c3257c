//! Every exported function is called with everything that can be wrong with each of its arguments: a status
//! each time, and the words for it, and never a crash. The calls are made up from the header, so that
//! none is forgotten; `bad_input.c` runs them, and has those that need a story.

#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

#[path = "support/cc.rs"]
mod cc;
#[path = "support/header.rs"]
mod header;
#[path = "support/prototypes.rs"]
mod prototypes;

use std::fmt::Write;

use prototypes::{Parameter, Prototype};

/// Opaque types, and the valid handle of each in `bad_input.c`.
const HANDLES: [&str; 10] = [
    "voip_node",
    "voip_node_builder",
    "voip_call",
    "voip_contact_list",
    "voip_peer_list",
    "voip_device_list",
    "voip_report",
    "voip_text_list",
    "voip_tracker",
    "voip_tracker_builder",
];

/// Structs that begin with their size, and the last member that each had in its first release: what
/// programs compiled with that have room for.
const STRUCTS: [(&str, &str); 13] = [
    ("voip_audio_device", "is_default"),
    ("voip_call_peer", "id"),
    ("voip_call_stats", "path_remote"),
    ("voip_check", "advice"),
    ("voip_contact", "state"),
    ("voip_device_stats", "errors"),
    ("voip_event", "device_name"),
    ("voip_jitter_second", "late"),
    ("voip_node_stats", "realtime"),
    ("voip_peer", "since_unix_ms"),
    ("voip_text", "text"),
    ("voip_tracker_event", "text"),
    ("voip_tracker_stats", "events_dropped"),
];

/// Where NULL has a meaning.
const MAY_BE_NULL: [(&str, &str); 6] = [
    ("voip_node_builder_audio_wav", "play"),
    ("voip_node_builder_audio_wav", "record"),
    ("voip_node_send_text", "id"),
    ("voip_node_history", "before"),
    ("voip_call_get_state", "reason"),
    ("voip_call_wait_ended", "reason"),
];

/// Those of which nothing can be wrong: they take no argument.
const WITHOUT_ARGUMENTS: [&str; 2] = ["voip_last_error", "voip_version"];

enum Kind<'a> {
    Handle(&'a str),
    /// With the last member of its first release.
    Struct(&'a str, &'static str),
    /// Where a result goes.
    Place(&'a str),
    /// A value that is read.
    Value(&'a str),
    Text,
    /// An array and its type; the length is the next parameter.
    Array(&'a str),
    Length,
    Enum(&'a str),
    /// A plain number, about which `bad_input.c` has stories.
    Number,
}

fn kind(parameter: &Parameter) -> Kind<'_> {
    let of = parameter.of.as_str();
    let bare = of.trim_start_matches("const ").trim_end_matches(" *");
    if let Some((_, last)) = STRUCTS.iter().find(|(name, _)| *name == bare) {
        return Kind::Struct(bare, last);
    }
    match of {
        "const char *" => Kind::Text,
        "char *" | "float *" | "const float *" | "int16_t *" | "const int16_t *" => {
            Kind::Array(bare)
        }
        "size_t" if ["count", "capacity"].contains(&parameter.name.as_str()) => Kind::Length,
        "size_t" | "uint32_t" | "bool" => Kind::Number,
        _ if HANDLES.contains(&bare) => Kind::Handle(bare),
        _ if of.starts_with("const ") => Kind::Value(bare),
        _ if of.ends_with('*') => Kind::Place(of.strip_suffix('*').unwrap().trim()),
        _ if of.starts_with("voip_") => Kind::Enum(of),
        _ => panic!("{of} {}: nothing is known of such a parameter", parameter.name),
    }
}

/// An argument about which nothing is wrong.
fn valid(parameter: &Parameter) -> String {
    match kind(parameter) {
        Kind::Handle(of) => format!("the_{of}"),
        Kind::Struct(of, _) => format!("sized(&a_{of}, sizeof a_{of})"),
        Kind::Place(of) => format!("({of} *)place"),
        Kind::Value(of) => format!("&a_{of}"),
        Kind::Text if parameter.name == "id" => "some_id".into(),
        Kind::Text => "\"127.0.0.1:9\"".into(),
        Kind::Array(of) => format!("({of} *)place"),
        Kind::Length => "80".into(),
        Kind::Enum("voip_frame_duration") => "VOIP_FRAME_DURATION_MS20".into(),
        Kind::Enum(of) => format!("({of})1"),
        Kind::Number => "1".into(),
    }
}

/// What can be wrong with an argument: the argument, the status, a word of the text.
fn wrong(function: &str, parameter: &Parameter) -> Vec<(String, &'static str, &'static str)> {
    let invalid = |argument: &str, word| (argument.to_owned(), "VOIP_INVALID_ARGUMENT", word);
    let null = invalid("NULL", "is NULL");
    let null = (!MAY_BE_NULL.contains(&(function, &parameter.name))).then_some(null);
    let more = match kind(parameter) {
        Kind::Handle(of) => {
            let other = if of == "voip_node" { "voip_call" } else { "voip_node" };
            vec![
                (format!("freed_{of}"), "VOIP_CLOSED", "has been freed"),
                invalid(&format!("({of} *)the_{other}"), "that is no"),
                invalid(&format!("({of} *)place"), "that is no"),
                invalid(&format!("({of} *)(uintptr_t)0x0badbad7"), "that is no"),
                invalid(&format!("({of} *)UINTPTR_MAX"), "that is no"),
            ]
        }
        Kind::Struct(of, last) => {
            let too_small = format!("END_OF({of}, {last}) - 1");
            let sizes = ["0", "1", &too_small, "20000", "SIZE_MAX"];
            let mut cases: Vec<_> =
                sizes.map(|size| invalid(&format!("sized(&a_{of}, {size})"), "size")).into();
            cases.push(invalid(&format!("({of} *)(place + 1)"), "not aligned"));
            cases
        }
        Kind::Place("bool") => vec![],
        Kind::Place(of) | Kind::Value(of) => {
            vec![invalid(&format!("({of} *)(place + 1)"), "not aligned")]
        }
        Kind::Text => vec![
            invalid("\"\\xff\"", "not UTF-8"),
            invalid("\"caf\\xe9\"", "not UTF-8"),
            // A surrogate, which UTF-8 must not have.
            invalid("\"\\xed\\xa0\\x80\"", "not UTF-8"),
        ],
        Kind::Array("char") => vec![],
        Kind::Array(of) => vec![invalid(&format!("({of} *)(place + 1)"), "not aligned")],
        Kind::Length if parameter.name == "capacity" => {
            return vec![
                invalid("0", "needs"),
                invalid("1", "needs"),
                invalid("SIZE_MAX", "memory"),
            ];
        }
        Kind::Length => return vec![invalid("SIZE_MAX", "memory")],
        Kind::Enum(of) => {
            return ["99", "-1", "INT32_MAX"]
                .map(|number| invalid(&format!("({of}){number}"), "is no"))
                .into();
        }
        Kind::Number => return vec![],
    };
    null.into_iter().chain(more).collect()
}

fn call(function: &Prototype, argument: impl Fn(usize, &Parameter) -> String) -> String {
    let arguments: Vec<_> =
        function.parameters.iter().enumerate().map(|(i, p)| argument(i, p)).collect();
    format!("{}({})", function.name, arguments.join(", "))
}

/// The calls of all functions, as lines of C.
fn cases(functions: &[Prototype]) -> String {
    let mut text = String::new();
    for function in functions {
        let writes = function.parameters.iter().any(|p| p.name == "written");
        let mut count = 0;
        for (at, parameter) in function.parameters.iter().enumerate() {
            for (argument, status, word) in wrong(&function.name, parameter) {
                let call = call(function, |i, p| if i == at { argument.clone() } else { valid(p) });
                if function.returns == "voip_status" {
                    writeln!(text, "EXPECT({status}, \"{word}\", {call});").unwrap();
                } else {
                    writeln!(text, "EXPECT_TEXT(\"unknown\", {call});").unwrap();
                }
                if writes && parameter.name != "written" {
                    writeln!(text, "NONE_WRITTEN();").unwrap();
                }
                count += 1;
            }
        }
        let is_plain = WITHOUT_ARGUMENTS.contains(&function.name.as_str());
        assert!((count == 0) == is_plain, "{}: {count} cases", function.name);
    }
    text
}

/// Every function that takes a handle, with one of the process that forked this one.
fn cases_after_fork(functions: &[Prototype]) -> String {
    let is_handle = |p: &Parameter| matches!(kind(p), Kind::Handle(_));
    let mut text = String::new();
    for function in functions.iter().filter(|f| f.parameters.iter().any(is_handle)) {
        let call = call(function, |_, parameter| valid(parameter));
        writeln!(text, "EXPECT(VOIP_CLOSED, \"forked\", {call});").unwrap();
    }
    text
}

#[test]
fn every_function_survives_everything() {
    let functions = prototypes::all();
    cc::write("bad_input_cases.h", &cases(&functions));
    cc::write("bad_input_cases_after_fork.h", &cases_after_fork(&functions));
    let source = cc::tests().join("bad_input.c");
    // The generated calls are wrong on purpose.
    let mut compiler = cc::c();
    compiler.args(["-std=c11", "-D_DEFAULT_SOURCE", "-g"]).arg("-I").arg(cc::scratch());
    let program = cc::build(compiler.arg(source), "bad_input");
    let output = cc::run(&program, &[]);
    println!("{output}");
    let tried: usize = output.split_whitespace().next().unwrap().parse().unwrap();
    assert!(tried > 4 * functions.len(), "{tried} calls for {} functions", functions.len());
}
