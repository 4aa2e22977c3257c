//! The names of the Python module, read off its stub and its sources by their indentation.

use std::collections::{BTreeMap, BTreeSet};

use crate::rust::Name;
use crate::{shout, snake};

#[derive(Default)]
pub struct Stub {
    /// Names at the top, and those of each class.
    pub names: BTreeSet<String>,
    members: BTreeMap<String, BTreeSet<String>>,
    /// What each class is made of: the parameters of its constructor.
    parameters: BTreeMap<String, BTreeSet<String>>,
}

impl Stub {
    pub fn read<const N: usize>(files: [String; N]) -> Stub {
        let mut stub = Stub::default();
        files.iter().for_each(|text| stub.add(text));
        stub
    }

    fn add(&mut self, text: &str) {
        let mut class = String::new();
        let mut in_docs = false;
        let mut constructor = None;
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
            let is_top = !line.starts_with(' ') && !code.is_empty();
            if is_top {
                class = name_after(code, "class ").unwrap_or_default().to_owned();
            }
            let Some(name) = defined(code) else { continue };
            if is_top {
                self.names.insert(name.to_owned());
            } else if !class.is_empty() {
                self.members.entry(class.clone()).or_default().insert(name.to_owned());
                if name == "__new__" || name == "__init__" {
                    self.add_parameters(&class, code);
                    constructor = (!code.contains("->")).then(|| class.clone());
                }
            }
        }
    }

    fn add_parameters(&mut self, class: &str, code: &str) {
        let words = code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        self.parameters.entry(class.to_owned()).or_default().extend(words.map(str::to_owned));
    }

    /// The name that the rule gives to a Rust name, if the stub has it.
    pub fn has(&self, name: &Name) -> Option<String> {
        let path = match name {
            Name::Type(a) | Name::Function(a) | Name::Constant(a) => a.clone(),
            Name::Method(a, b) => match a.strip_suffix("Builder") {
                Some(made) => format!("{made}({b})"),
                None => format!("{a}.{b}"),
            },
            Name::Field(a, b) => format!("{a}.{b}"),
            Name::Variant(a, b) if a == "Event" || a == "TrackerEvent" => b.clone(),
            Name::VariantField(a, b, c) if a == "Event" || a == "TrackerEvent" => {
                format!("{b}.{c}")
            }
            Name::Variant(a, b) => format!("{a}.{}", shout(b)),
            Name::VariantField(a, b, c) => format!("{a}.{}.{c}", snake(b)),
        };
        self.has_word(&path).then_some(path)
    }

    /// Whether there is `name`, `class.member`, or `class(parameter)`.
    pub fn has_word(&self, path: &str) -> bool {
        if let Some((class, parameter)) = path.strip_suffix(')').and_then(|p| p.split_once('(')) {
            return self.parameters.get(class).is_some_and(|all| all.contains(parameter));
        }
        match path.split_once('.') {
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
