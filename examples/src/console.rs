//! What every terminal program does alike: one clear line for an error, and its exit status.

use std::fmt;
use std::process::ExitCode;

use clap::Parser;
use voip_core::{Error, ErrorKind};

/// Exit status for a wrong command line or a number out of its range.
pub const USAGE: u8 = 2;
/// Exit status for everything else that goes wrong.
pub const FAILURE: u8 = 1;

/// Why a program ends early: one line for people, and the exit status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The line.
    pub message: String,
    /// The exit status.
    pub status: u8,
}

impl Failure {
    /// A failure with status 1.
    pub fn new(message: impl fmt::Display) -> Self {
        Failure { message: message.to_string(), status: FAILURE }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let status = if error.kind() == ErrorKind::InvalidArgument { USAGE } else { FAILURE };
        Failure { message: error.to_string(), status }
    }
}

/// Reads the command line, runs the program and turns its failure into a line and a status.
pub fn main<Args: Parser>(program: impl FnOnce(Args) -> Result<ExitCode, Failure>) -> ExitCode {
    let result = match Args::try_parse() {
        Ok(args) => {
            start_log();
            program(args)
        }
        Err(error) if error.use_stderr() => {
            Err(Failure { message: one_line(&error.to_string()), status: USAGE })
        }
        Err(help) => {
            print!("{help}");
            return ExitCode::SUCCESS;
        }
    };
    result.unwrap_or_else(|failure| {
        eprintln!("error: {}", failure.message);
        ExitCode::from(failure.status)
    })
}

/// The first paragraph, without the usage that follows it.
fn one_line(error: &str) -> String {
    let paragraph = error.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = paragraph.split_whitespace().collect();
    words.join(" ").trim_start_matches("error: ").to_string()
}

/// The library's own log goes to stderr; the variable RUST_LOG says how much, usually only errors.
fn start_log() {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_errors_are_one_line() {
        let text =
            "error: the following arguments were required:\n  --name <N>\n\nUsage: x --name <N>";
        assert_eq!(one_line(text), "the following arguments were required: --name <N>");
    }
}
