//! The functions of `include/voip.h`, read from its text.

// Each test program uses a part of it.
#![allow(dead_code)]

use std::fs;

/// A function as the header declares it.
pub(crate) struct Prototype {
    pub(crate) returns: String,
    pub(crate) name: String,
    pub(crate) parameters: Vec<Parameter>,
}

pub(crate) struct Parameter {
    /// As in `const voip_node *`.
    pub(crate) of: String,
    pub(crate) name: String,
}

pub(crate) fn all() -> Vec<Prototype> {
    let text = fs::read_to_string(super::header::path()).unwrap();
    let code: String = without_comments(&text)
        .lines()
        .filter(|line| !line.trim_start().starts_with('#') && !line.contains("extern"))
        .map(|line| format!("{line} "))
        .collect();
    let declarations = code.split(';').map(str::trim);
    declarations.filter(|code| code.ends_with(')')).map(read).collect()
}

fn without_comments(text: &str) -> String {
    let mut parts = text.split("/*");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |code, part| code + part.split_once("*/").unwrap().1)
}

fn read(declaration: &str) -> Prototype {
    let (head, parameters) = declaration.trim_end_matches(')').split_once('(').unwrap();
    let Parameter { of: returns, name } = split(head);
    let parameters = parameters.split(',').map(str::trim).filter(|p| *p != "void").map(split);
    Prototype { returns, name, parameters: parameters.collect() }
}

/// `const voip_node *node` into type and name.
fn split(text: &str) -> Parameter {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let start = text.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap() + 1;
    Parameter { of: text[..start].trim().to_owned(), name: text[start..].to_owned() }
}
