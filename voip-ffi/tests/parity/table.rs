//! The tables of `docs/languages.md`: where a name differs from the rule, and why.

use crate::rust::Name;

/// One row: a Rust name, what stands for it in C and in Python, and the reason.
pub(crate) struct Exception {
    pub(crate) rust: String,
    pub(crate) c: Stands,
    pub(crate) python: Stands,
}

/// What stands for a Rust name in another language.
pub(crate) enum Stands {
    /// What the rule says.
    Rule,
    /// Something else, all of it there.
    Other(Vec<String>),
    /// Nothing.
    Nothing,
}

/// The rows of the table behind the heading.
pub(crate) fn rows<'a>(text: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let (_, section) = text
        .split_once(&format!("\n## {heading}\n"))
        .unwrap_or_else(|| panic!("docs/languages.md has no section \"{heading}\""));
    let section = section.split("\n## ").next().unwrap_or_default();
    section
        .lines()
        .filter(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect()
}

/// What the table of exceptions says.
pub(crate) fn exceptions(text: &str) -> Vec<Exception> {
    let parse = |row: Vec<&str>| {
        let [rust, c, python, reason] = row[..] else { panic!("four columns, not {row:?}") };
        assert!(reason.len() > 5, "{rust}: an exception needs a reason");
        Exception { rust: bare(rust), c: Stands::read(c), python: Stands::read(python) }
    };
    rows(text, "Exceptions").into_iter().map(parse).collect()
}

impl Exception {
    /// Whether it speaks of that name: of itself, or of everything of a type (`Encoder*`).
    pub(crate) fn is_about(&self, name: &Name) -> bool {
        let path = name.path();
        match self.rust.strip_suffix('*') {
            Some(start) => path.strip_prefix(start).is_some_and(|rest| {
                rest.is_empty() || rest.starts_with(['.', ':']) || start.ends_with([':', '.'])
            }),
            None => path == self.rust,
        }
    }
}

impl Stands {
    fn read(cell: &str) -> Stands {
        match cell {
            "as ruled" => Stands::Rule,
            "–" => Stands::Nothing,
            words => Stands::Other(words.split(',').map(bare).collect()),
        }
    }
}

/// A name without the marks of code.
pub(crate) fn bare(cell: &str) -> String {
    cell.trim().trim_matches('`').to_owned()
}
