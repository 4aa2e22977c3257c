//! What programs run under.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cc;
use crate::people::{self, Person};

/// Nothing, or a checker of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    Plain,
    /// The programs are compiled with it; the library's allocations are seen, too.
    AddressSanitizer,
    Valgrind,
}

impl Tool {
    /// Builds a program of the repository.
    pub(crate) fn build(self, folder: &str, name: &str) -> PathBuf {
        let source = cc::root().join(folder).join(name).with_extension("c");
        let mut compiler = cc::c();
        compiler.args(["-std=c11", "-g"]).arg(source);
        let mut program = name.to_owned();
        if self == Tool::AddressSanitizer {
            compiler.args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]);
            program += "_asan";
        }
        cc::build(&mut compiler, &program)
    }

    pub(crate) fn example(self, name: &str) -> PathBuf {
        self.build("examples/c", name)
    }

    /// Starts the program so that a leak or an error of memory makes it fail.
    pub(crate) fn start(self, program: &Path, arguments: &[&str]) -> Person {
        let person = people::start(self.command(program), arguments);
        if self.is_fast() { person } else { person.patient() }
    }

    pub(crate) fn command(self, program: &Path) -> Command {
        if self != Tool::Valgrind {
            let mut command = cc::command(program);
            command.env("ASAN_OPTIONS", "detect_leaks=1:detect_stack_use_after_return=1");
            return command;
        }
        let mut command = cc::command(Path::new("valgrind"));
        command
            .args(["--quiet", "--error-exitcode=99", "--leak-check=full", "--num-callers=30"])
            .args(["--show-leak-kinds=definite,indirect,possible"])
            .args(["--errors-for-leak-kinds=definite,indirect,possible"])
            .arg(program);
        command
    }

    /// Whether programs run as fast as they are meant to.
    pub(crate) fn is_fast(self) -> bool {
        self != Tool::Valgrind
    }
}
