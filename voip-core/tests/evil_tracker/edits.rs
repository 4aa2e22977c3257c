//! Every small change of a message: each value in its JSON, in JSON within strings, and each line of a session
//! description, changed, emptied, removed, doubled, and exchanged for another of its kind.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::de::IgnoredAny;

/// Values of other messages, by the last part of their path; and what to call the exchange for one of them.
pub type Pool = BTreeMap<String, Vec<(&'static str, String)>>;

/// One changed message.
pub struct Edit {
    /// Where, as in `signal.body.sdp.a=fingerprint`.
    pub path: String,
    pub how: &'static str,
    pub text: String,
}

impl Edit {
    pub fn name(&self) -> String {
        format!("{} {}", self.path, self.how)
    }
}

/// A value in a text: the whole `"key":value` or element, and the value alone.
struct Place {
    path: String,
    member: Range<usize>,
    value: Range<usize>,
}

/// All changes of a JSON text, the smallest ones.
pub fn edits(text: &str, path: &str, pool: &Pool) -> Vec<Edit> {
    let mut places = Vec::new();
    scan(text, 0, path, &mut places);
    let mut all = Vec::new();
    for Place { path, member, value } in places {
        let old = &text[value.clone()];
        let mut edit = |path: &str, how, range: &Range<usize>, new: &str| {
            let text = [&text[..range.start], new, &text[range.end..]].concat();
            all.push(Edit { path: path.to_owned(), how, text });
        };
        let whole = &text[member.clone()];
        edit(&path, "emptied", &value, "null");
        edit(&path, "doubled", &member, &format!("{whole},{whole}"));
        edit(&path, "removed", &with_comma(text, &member), "");
        for (how, other) in others(&path, pool, old) {
            edit(&path, how, &value, &other);
        }
        if let Some(new) = changed(old) {
            edit(&path, "changed", &value, &new);
        }
        let Ok(inner) = serde_json::from_str::<String>(old) else { continue };
        let inside = if inner.starts_with('{') {
            edits(&inner, &path, pool)
        } else if inner.contains("\r\n") {
            line_edits(&inner, &path, pool)
        } else {
            Vec::new()
        };
        for Edit { path, how, text } in inside {
            edit(&path, how, &value, &serde_json::to_string(&text).unwrap());
        }
    }
    all
}

/// All values of a text, by the last part of their path. `how` says what to call it when one takes another's place.
pub fn collect(text: &str, how: &'static str, pool: &mut Pool) {
    let mut put = |name: &str, value: &str| {
        let values = pool.entry(name.to_owned()).or_default();
        if !values.iter().any(|(_, v)| v == value) {
            values.push((how, value.to_owned()));
        }
    };
    let mut places = Vec::new();
    scan(text, 0, "", &mut places);
    let mut nested = Vec::new();
    for place in places {
        let value = &text[place.value];
        put(last(&place.path), value);
        let Ok(inner) = serde_json::from_str::<String>(value) else { continue };
        for line in inner.split_terminator("\r\n").filter(|_| inner.contains("\r\n")) {
            put(line_name(line), line);
        }
        if inner.starts_with('{') {
            nested.push(inner);
        }
    }
    for inner in nested {
        collect(&inner, how, pool);
    }
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap()
}

/// The last other value of each sort.
fn others(path: &str, pool: &Pool, own: &str) -> BTreeMap<&'static str, String> {
    let values = pool.get(last(path)).into_iter().flatten();
    values.filter(|(_, v)| v != own).cloned().collect()
}

/// Where the value that begins at `at` ends.
fn end(text: &str, at: usize) -> usize {
    let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<IgnoredAny>();
    values.next().unwrap().unwrap();
    at + values.byte_offset()
}

/// Finds every value inside the one that begins at `at`. The texts have no spaces between their tokens.
fn scan(text: &str, at: usize, path: &str, places: &mut Vec<Place>) {
    let is_object = text[at..].starts_with('{');
    if !is_object && !text[at..].starts_with('[') {
        return;
    }
    let mut at = at + 1;
    while !text[at..].starts_with(['}', ']']) {
        let (start, mut name) = (at, "[]".to_owned());
        if is_object {
            let key = end(text, at);
            name = serde_json::from_str(&text[at..key]).unwrap();
            at = key + 1;
        }
        let value = at..end(text, at);
        let path = if path.is_empty() { name } else { format!("{path}.{name}") };
        scan(text, value.start, &path, places);
        at = value.end + usize::from(text[value.end..].starts_with(','));
        places.push(Place { path, member: start..value.end, value });
    }
}

/// With the comma behind or before it.
fn with_comma(text: &str, member: &Range<usize>) -> Range<usize> {
    if text[member.end..].starts_with(',') {
        member.start..member.end + 1
    } else if text[..member.start].ends_with(',') {
        member.start - 1..member.end
    } else {
        member.clone()
    }
}

/// Another value of the same form.
fn changed(value: &str) -> Option<String> {
    if let Ok(number) = value.parse::<u64>() {
        return Some((number + 1).to_string());
    }
    let text: String = serde_json::from_str(value).ok()?;
    serde_json::to_string(&altered(&text)).ok()
}

/// One letter or digit in the middle becomes the next one.
fn altered(text: &str) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let middle = chars.len() / 2;
    let place = (middle..chars.len()).find(|&i| chars[i].is_ascii_alphanumeric());
    let Some(place) = place else { return format!("{text}x") };
    chars[place] = match chars[place] {
        '9' => '0',
        'f' => 'a',
        'F' => 'A',
        'z' => 'y',
        'Z' => 'Y',
        c => (c as u8 + 1) as char,
    };
    chars.into_iter().collect()
}

/// `a=fingerprint` of `a=fingerprint:sha-256 …`, `m` of `m=audio …`.
fn line_name(line: &str) -> &str {
    match line.strip_prefix("a=") {
        Some(rest) => &line[..rest.find([':', ' ']).map_or(line.len(), |i| i + 2)],
        None => line.split('=').next().unwrap(),
    }
}

fn line_edits(text: &str, path: &str, pool: &Pool) -> Vec<Edit> {
    let lines: Vec<&str> = text.split_terminator("\r\n").collect();
    let mut all = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let mut edit = |how, new: &[&str]| {
            let lines = [&lines[..i], new, &lines[i + 1..]].concat();
            let path = format!("{path}.{}", line_name(line));
            all.push(Edit { path, how, text: lines.join("\r\n") + "\r\n" });
        };
        edit("removed", &[]);
        edit("doubled", &[line, line]);
        edit("changed", &[&altered(line)]);
        for (how, other) in others(line_name(line), pool, line) {
            edit(how, &[&other]);
        }
    }
    all
}
