//! What Rust has, C and Python have, by one rule and one table of exceptions: `docs/languages.md`.

#![allow(clippy::unwrap_used)]

#[path = "parity/c.rs"]
mod c;
#[path = "parity/python.rs"]
mod python;
#[path = "parity/rust.rs"]
mod rust;
#[path = "parity/table.rs"]
mod table;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use table::Stands;

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

/// `NoAnswer` as `NO_ANSWER`.
fn shout(camel: &str) -> String {
    snake(camel).to_uppercase()
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What `import voip` brings.
fn python_names() -> python::Stub {
    let file = |file: &str| read(&format!("voip-py/python/voip/{file}"));
    let mut stub = python::Stub::read(["_voip.pyi", "_enums.py", "_errors.py"].map(file));
    // What `__all__` lists.
    let listed = file("__init__.py");
    stub.names.retain(|name| listed.contains(&format!("    \"{name}\",")));
    stub
}

/// What is wrong with what stands for a name, if anything is.
fn judge(
    stands: Option<&Stands>,
    by_rule: Option<String>,
    is_there: impl Fn(&str) -> bool,
) -> Option<String> {
    match (stands, by_rule) {
        (None | Some(Stands::Rule), Some(_)) => None,
        (None | Some(Stands::Rule), None) => Some("is missing".into()),
        (Some(_), Some(name)) => Some(format!("needs no exception: there is {name}")),
        (Some(Stands::Nothing), None) => None,
        (Some(Stands::Other(names)), None) => {
            let missing = names.iter().find(|name| !is_there(name));
            missing.map(|name| format!("is said to be {name}, which is not there"))
        }
    }
}

#[test]
fn every_public_name_is_there_in_c_and_python() {
    let names = rust::public_names(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../voip-core/src"));
    let header = c::Header::read(&read("include/voip.h"));
    let stub = python_names();
    let exceptions = table::exceptions(&read("docs/languages.md"));

    let mut problems = Vec::new();
    let mut used = BTreeSet::new();
    for name in &names {
        let exception = exceptions.iter().position(|exception| exception.is_about(name));
        used.extend(exception);
        let exception = exception.map(|at| &exceptions[at]);
        let in_c = judge(exception.map(|e| &e.c), header.has(name), |n| header.has_word(n));
        let in_python = judge(exception.map(|e| &e.python), stub.has(name), |n| stub.has_word(n));
        for (language, problem) in [("C", in_c), ("Python", in_python)] {
            problems
                .extend(problem.map(|problem| format!("{}: in {language} {problem}", name.path())));
        }
    }
    for (at, exception) in exceptions.iter().enumerate() {
        if !used.contains(&at) {
            problems.push(format!("{}: an exception for what is not there", exception.rust));
        }
    }
    assert!(problems.is_empty(), "{} names:\n  {}\n", problems.len(), problems.join("\n  "));
}

#[test]
fn the_numbers_of_variants_are_the_same_in_c_and_python() {
    let names = rust::public_names(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../voip-core/src"));
    let header = c::Header::read(&read("include/voip.h"));
    let stub = python_names();
    let mut compared = 0;
    for name in names.iter().filter(|name| matches!(name, rust::Name::Variant(..))) {
        let (Some(in_c), Some(in_python)) = (header.has(name), stub.has(name)) else { continue };
        // Events are classes in Python.
        let Some(number) = stub.number(&in_python) else { continue };
        assert_eq!(header.number(&in_c), Some(number), "{in_c} and {in_python}");
        compared += 1;
    }
    assert!(compared > 50, "{compared} numbers were found");
}

/// The other way round: nothing is there in C alone, or in Python alone, without a reason.
#[test]
fn nothing_is_there_in_one_language_alone() {
    let text = read("docs/languages.md");
    let names = rust::public_names(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../voip-core/src"));
    let header = c::Header::read(&read("include/voip.h"));
    let stub = python_names();

    let mut known: BTreeSet<String> = BTreeSet::new();
    for name in &names {
        known.extend(header.has(name));
        known.extend(stub.has(name));
    }
    for exception in table::exceptions(&text) {
        for stands in [exception.c, exception.python] {
            if let Stands::Other(names) = stands {
                known.extend(names);
            }
        }
    }
    for row in table::rows(&text, "In one language only") {
        let [names, reason] = row[..] else { panic!("two columns, not {row:?}") };
        assert!(reason.len() > 5, "{names}: it needs a reason");
        for name in names.split(',').map(table::bare) {
            let is_there = header.has_word(&name) || stub.has_word(&name);
            assert!(is_there, "{name}: listed, but there is no such thing");
            known.insert(name);
        }
    }
    // Exceptions have the names of the kinds of error, some with "Error" behind.
    let is_error = |name: &str| {
        let kind = name.strip_suffix("Error").unwrap_or(name);
        stub.has_word(&format!("ErrorKind.{}", shout(kind)))
    };
    let alone: Vec<_> = header
        .functions
        .iter()
        .chain(stub.names.iter().filter(|name| !name.starts_with('_') && !is_error(name)))
        .filter(|name| !known.contains(*name))
        .collect();
    assert!(alone.is_empty(), "in one language only, without a reason: {alone:#?}");
}
