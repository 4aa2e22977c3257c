//! Options of a bad line, for every program that has one: it acts inside the node, at its socket.

use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use voip_core::sim::{LineStats, Link};

/// A bad line for what is sent.
#[derive(Args, Clone, Copy, Debug, Default, PartialEq)]
pub struct BadLine {
    /// A line that loses so many per cent of what is sent, for trials
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub loss: Option<f32>,
    /// A line that delays each datagram by up to so many milliseconds, so that they overtake each
    /// other, for trials
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub jitter: Option<u32>,
    /// A line with a bottleneck of so many kbit/s and a queue of 200 ms, for trials
    #[arg(long, value_name = "KBIT/S", value_parser = clap::value_parser!(u32).range(8..=1_000_000))]
    pub rate: Option<u32>,
    /// Decides the chances of that line
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
}

impl BadLine {
    /// The line; `None` if none was asked for.
    pub fn link(&self) -> Option<Link> {
        let asked = self.loss.is_some() || self.jitter.is_some() || self.rate.is_some();
        asked.then(|| Link {
            delay: Duration::ZERO,
            jitter: Duration::from_millis(self.jitter.unwrap_or(0).into()),
            loss: self.loss.unwrap_or(0.0) / 100.0,
            rate: self.rate.map(|kbit| kbit * 1_000),
            ..Link::default()
        })
    }

    /// The same as command-line options.
    pub fn options(&self) -> Vec<String> {
        let option = |name: &str, value: Option<String>| value.map(|v| format!("--{name}={v}"));
        let options = [
            option("loss", self.loss.map(|v| v.to_string())),
            option("jitter", self.jitter.map(|v| v.to_string())),
            option("rate", self.rate.map(|v| v.to_string())),
            option("seed", Some(self.seed.to_string())),
        ];
        options.into_iter().flatten().collect()
    }
}

fn percent(text: &str) -> Result<f32, String> {
    let percent = text.parse::<f32>().map_err(|_| "not a number".to_string())?;
    if (0.0..=100.0).contains(&percent) { Ok(percent) } else { Err("not in 0 to 100".into()) }
}

/// What a bad line did to packets of sound, by its own count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineCount {
    /// Sent into it.
    pub sent: u64,
    /// Lost by chance.
    pub lost: u64,
    /// Dropped because the bottleneck's queue was full.
    pub overflowed: u64,
}

impl From<LineStats> for LineCount {
    fn from(stats: LineStats) -> Self {
        LineCount { sent: stats.sent, lost: stats.lost, overflowed: stats.overflowed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        line: BadLine,
    }

    fn parse(options: &[&str]) -> Result<BadLine, clap::Error> {
        Program::try_parse_from([&["program"], options].concat()).map(|p| p.line)
    }

    #[test]
    fn no_line_unless_asked() {
        assert_eq!(parse(&[]).unwrap().link(), None);
        let line = parse(&["--loss=2.5", "--jitter=40", "--rate=64", "--seed=9"]).unwrap();
        let link = line.link().unwrap();
        assert_eq!((link.loss, link.jitter.as_millis(), link.rate), (0.025, 40, Some(64_000)));
        let options = line.options();
        let again: Vec<&str> = options.iter().map(String::as_str).collect();
        assert_eq!(parse(&again).unwrap(), line);
    }

    #[test]
    fn what_is_no_line_is_refused() {
        let wrong =
            ["--loss=abc", "--loss=120", "--loss=-1", "--loss=NaN", "--loss=", "--jitter=x"];
        for option in wrong.into_iter().chain(["--jitter=-1", "--rate=0", "--rate=1e3"]) {
            assert!(parse(&[option]).is_err(), "{option}");
        }
    }
}
