//! The names of `include/voip.h`.

use std::collections::{BTreeMap, BTreeSet};

use crate::rust::Name;
use crate::{shout, snake};

pub(crate) struct Header {
    /// The numbers of constants.
    numbers: BTreeMap<String, i64>,
    /// Every identifier.
    words: BTreeSet<String>,
    /// The words within the braces of each struct.
    fields: BTreeMap<String, BTreeSet<String>>,
    /// What a program can call.
    pub(crate) functions: BTreeSet<String>,
}

impl Header {
    pub(crate) fn read(text: &str) -> Header {
        let code = without_comments(text);
        let mut fields = BTreeMap::new();
        for (start, _) in code.match_indices("typedef struct voip_") {
            let rest = &code[start + "typedef struct ".len()..];
            let name = words(rest).next().unwrap_or_default();
            let after = rest[name.len()..].trim_start();
            if let Some(body) = after.strip_prefix('{').and_then(|body| body.split_once('}')) {
                fields.insert(name.to_owned(), words(body.0).map(str::to_owned).collect());
            }
        }
        let is_called =
            |word: &&str| word.starts_with("voip_") && code.contains(&format!("{word}("));
        Header {
            numbers: numbers(&code),
            functions: words(&code).filter(is_called).map(str::to_owned).collect(),
            words: words(&code).map(str::to_owned).collect(),
            fields,
        }
    }

    /// The name that the rule gives to a Rust name, if the header has it.
    pub(crate) fn has(&self, name: &Name) -> Option<String> {
        let word = match name {
            Name::Type(a) => format!("voip_{}", snake(a)),
            Name::Function(a) => format!("voip_{a}"),
            Name::Constant(a) => format!("VOIP_{a}"),
            // Types may have such names too.
            Name::Method(a, b) => {
                let function = format!("voip_{}_{b}", snake(a));
                return self.functions.contains(&function).then_some(function);
            }
            Name::Variant(a, b) if a == "ErrorKind" => format!("VOIP_{}", shout(b)),
            Name::Variant(a, b) => format!("VOIP_{}_{}", shout(a), shout(b)),
            Name::Field(a, b) | Name::VariantField(a, _, b) => {
                let owner = format!("voip_{}", snake(a));
                return self.has_field(&owner, b).then(|| format!("{owner}.{b}"));
            }
        };
        self.words.contains(&word).then_some(word)
    }

    /// Whether there is what a table calls `word`, or `struct.field`.
    pub(crate) fn has_word(&self, word: &str) -> bool {
        match word.split_once('.') {
            Some((owner, field)) => self.has_field(owner, field),
            None => self.words.contains(word),
        }
    }

    /// The number of a constant.
    pub(crate) fn number(&self, constant: &str) -> Option<i64> {
        self.numbers.get(constant).copied()
    }

    fn has_field(&self, owner: &str, field: &str) -> bool {
        self.fields.get(owner).is_some_and(|fields| fields.contains(field))
    }
}

/// `NAME = 1,` of enums.
fn numbers(code: &str) -> BTreeMap<String, i64> {
    let constant = |line: &str| {
        let (name, number) = line.trim().trim_end_matches(',').split_once(" = ")?;
        Some((name.to_owned(), number.parse().ok()?))
    };
    code.lines().filter_map(constant).collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

fn without_comments(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some((before, comment)) = rest.split_once("/*") {
        code.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    code.push_str(rest);
    code.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}
