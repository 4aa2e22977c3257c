//! The names of the Python module, read off its stub and its sources by their indentation.

use std::collections::{BTreeMap, BTreeSet};

use crate::rust::Name;
use crate::shout;

#[derive(Default)]
pub(crate) struct Stub {
    /// Names at the top, and those of each class.
    pub(crate) names: BTreeSet<String>,
    members: BTreeMap<String, BTreeSet<String>>,
    /// `Class.MEMBER = 1`.
    numbers: BTreeMap<String, i64>,
    /// What each class is made of: the parameters of its constructor.
    parameters: BTreeMap<String, BTreeSet<String>>,
}

impl Stub {
    pub(crate) fn read<const N: usize>(files: [String; N]) -> Stub {
        let mut stub = Stub::default();
        files.iter().for_each(|text| stub.add(text));
        stub
    }

    fn add(&mut self, text: &str) {
        // The classes that a line is within, each with the indentation of its own line.
        let mut classes: Vec<(usize, String)> = Vec::new();
        let mut in_docs = false;
        let mut constructor: Option<String> = None;
        for line in text.lines() {
            let code = line.trim();
            // Documentation is no code, on one line or on several.
            let quotes = line.matches("\"\"\"").count();
            if in_docs || quotes > 0 {
                in_docs ^= quotes % 2 == 1;
                continue;
            }
            if let Some(owner) = &constructor {
                let owner = owner.clone();
                self.add_parameters(&owner, code);
                if code.contains("->") {
                    constructor = None;
                }
                continue;
            }
            let Some(name) = defined(code) else { continue };
            let depth = line.len() - line.trim_start().len();
            classes.retain(|(outer, _)| *outer < depth);
            let within = classes.last().map(|(_, class)| class.clone());
            let path = within.as_ref().map_or(name.to_owned(), |class| format!("{class}.{name}"));
            match within {
                Some(class) if name == "__new__" || name == "__init__" => {
                    self.add_parameters(&class, code);
                    constructor = (!code.contains("->")).then_some(class);
                }
                Some(class) => {
                    let number = code.split_once(" = ").and_then(|(_, number)| number.parse().ok());
                    self.numbers.extend(number.map(|number| (path.clone(), number)));
                    self.members.entry(class).or_default().insert(name.to_owned());
                }
                None => {
                    self.names.insert(name.to_owned());
                }
            }
            if code.starts_with("class ") {
                classes.push((depth, path));
            }
        }
    }

    fn add_parameters(&mut self, class: &str, code: &str) {
        let words = code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        self.parameters.entry(class.to_owned()).or_default().extend(words.map(str::to_owned));
    }

    /// The name that the rule gives to a Rust name, if the stub has it.
    pub(crate) fn has(&self, name: &Name) -> Option<String> {
        let path = match name {
            Name::Type(a) | Name::Function(a) | Name::Constant(a) => a.clone(),
            Name::Method(a, b) => match a.strip_suffix("Builder") {
                Some(made) => format!("{made}({b})"),
                None => format!("{a}.{b}"),
            },
            Name::Field(a, b) => format!("{a}.{b}"),
            Name::Variant(a, b) if a == "Event" => b.clone(),
            Name::Variant(a, b) if a == "TrackerEvent" => format!("{a}.{b}"),
            Name::Variant(a, b) => format!("{a}.{}", shout(b)),
            Name::VariantField(a, b, c) => {
                // A word of Python's own gets a stroke.
                let field = if c == "from" { "from_" } else { c };
                if a == "Event" { format!("{b}.{field}") } else { format!("{a}.{b}.{field}") }
            }
        };
        self.has_word(&path).then_some(path)
    }

    /// The number of a member of an enum.
    pub(crate) fn number(&self, member: &str) -> Option<i64> {
        self.numbers.get(member).copied()
    }

    /// Whether there is `name`, `class.member`, or `class(parameter)`.
    pub(crate) fn has_word(&self, path: &str) -> bool {
        if let Some((class, parameter)) = path.strip_suffix(')').and_then(|p| p.split_once('(')) {
            return self.parameters.get(class).is_some_and(|all| all.contains(parameter));
        }
        match path.rsplit_once('.') {
            Some((class, member)) => {
                self.members.get(class).is_some_and(|members| members.contains(member))
            }
            None => self.names.contains(path),
        }
    }
}

/// What a line defines: a class, a function, a value.
fn defined(code: &str) -> Option<&str> {
    let named = name_after(code, "class ")
        .or_else(|| name_after(code, "def "))
        .or_else(|| name_after(code, "async def "));
    named.or_else(|| {
        let name = leading_name(code);
        let rest = code[name.len()..].trim_start();
        let is_value = rest.starts_with(':') || (rest.starts_with('=') && !rest.starts_with("=="));
        (is_value && !name.is_empty()).then_some(name)
    })
}

fn name_after<'a>(code: &'a str, keyword: &str) -> Option<&'a str> {
    code.strip_prefix(keyword).map(leading_name)
}

fn leading_name(code: &str) -> &str {
    let end = code.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(code.len());
    &code[..end]
}
