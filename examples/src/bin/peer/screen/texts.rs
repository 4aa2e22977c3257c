//! How texts look.

use voip_core::Audience;
use voip_examples::line::{What, Written};

use super::Screen;
use crate::paint::{Ink, quoted, tame};

/// So many characters of a text say which one has come.
const REMINDER: usize = 40;

impl Screen {
    /// What there is to see of texts; `None` for everything else, and for those of other rooms.
    pub(super) fn text_line(&self, what: &What) -> Option<String> {
        match what {
            What::Text(text) => self.is_to_see(text).then(|| self.one_text(text, text.late)),
            What::Delivered { name, id, said, .. } => {
                let name = self.paint.with(Ink::Name, &tame(&self.label(id, name)));
                let tick = self.paint.with(Ink::Good, "✓");
                let said = said.iter().map(|text| format!("{tick} {name} has: {}", reminder(text)));
                let said: Vec<String> = said.collect();
                (!said.is_empty()).then(|| said.join("\n"))
            }
            What::History { texts, .. } if texts.is_empty() => Some("no texts yet".into()),
            What::History { texts, .. } => {
                let lines: Vec<String> = texts.iter().map(|t| self.one_text(t, true)).collect();
                Some(lines.join("\n"))
            }
            _ => None,
        }
    }

    fn is_to_see(&self, text: &Written) -> bool {
        match &text.to {
            Audience::Room(room) => *self.room.borrow() == *room,
            Audience::All | Audience::Peer(_) => true,
        }
    }

    fn one_text(&self, text: &Written, with_time: bool) -> String {
        let to = match &text.to {
            Audience::All => "all".into(),
            Audience::Room(room) => format!("#{room}"),
            Audience::Peer(peer) if self.me.get() == Some(*peer) => "to you".into(),
            Audience::Peer(peer) => {
                let people = self.people.lock();
                format!("to {}", people.label(*peer, &people.name(*peer)))
            }
        };
        let time = if with_time { format!(", {}", time(text.at_ms)) } else { String::new() };
        let aside = self.paint.with(Ink::Aside, &tame(&format!("[{to}{time}]")));
        let name = self.label(&text.which.author, &text.name);
        let name = self.paint.with(Ink::Name, &tame(&name));
        let tick = if text.delivered { self.paint.with(Ink::Good, " ✓") } else { String::new() };
        format!("{aside} {name}: {}{tick}", quoted(&text.text))
    }
}

/// The beginning of a text.
fn reminder(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let mut short: String = line.chars().take(REMINDER).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    tame(&short)
}

/// Of milliseconds since 1970, date and time in UTC.
fn time(at_ms: u64) -> String {
    let (days, minutes) = (at_ms / 86_400_000, at_ms / 60_000 % 1_440);
    // Days since the first of March of the year 0, in eras of 400 years.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, (month + 2) % 12 + 1);
    let year = era * 400 + year + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02} {:02}:{:02} UTC", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(time(0), "1970-01-01 00:00 UTC");
        assert_eq!(time(951_827_640_000), "2000-02-29 12:34 UTC");
        assert_eq!(time(1_709_251_199_999), "2024-02-29 23:59 UTC");
        assert_eq!(time(1_798_761_600_000), "2027-01-01 00:00 UTC");
    }

    #[test]
    fn a_reminder_is_short() {
        assert_eq!(reminder("hello"), "hello");
        assert_eq!(reminder("two\nlines"), "two…");
        assert_eq!(reminder(&"a".repeat(50)), format!("{}…", "a".repeat(40)));
    }
}
