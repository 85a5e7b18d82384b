//! The `uhop` binary from outside: what it prints, writes and answers to bad input.

#![expect(clippy::unwrap_used, reason = "helpers of tests, which clippy does not see as tests")]

mod demo;
mod usage;

use std::path::Path;
use std::process::{Command, Output};

/// The binary, in `folder`, with nothing of the caller's environment that changes its output.
fn uhop(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_uhop"));
    command.current_dir(folder).args(arguments).env_remove("COLUMNS");
    command
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}
