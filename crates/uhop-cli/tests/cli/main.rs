//! The `uhop` binary from outside: what it prints, writes and answers to bad input.

#![expect(clippy::unwrap_used, reason = "helpers of tests, which clippy does not see as tests")]

mod changes;
mod channel;
mod corrupt;
mod demo;
mod experiment;
mod inspect;
#[cfg(unix)]
mod interrupt;
mod memory;
mod refusals;
mod shell;
#[cfg(unix)]
mod snapshots;
mod streams;
mod train;
#[cfg(unix)]
mod tutorial;
mod usage;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

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

/// The fields that docs/json.md lists for a verb; those of its rows apart.
fn documented(verb: &str) -> [Vec<String>; 2] {
    let docs = include_str!("../../../../docs/json.md");
    let title = format!("## `uhop {verb} --json`");
    let section = docs.split_once(&title).unwrap().1.split("\n## ").next().unwrap();
    let (object, row) = section.split_once("\nA row:\n").unwrap_or((section, ""));
    [object, row].map(|text| {
        let fields = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
        let mut fields: Vec<_> = fields.map(|(name, _)| name.to_owned()).collect();
        fields.sort();
        fields
    })
}

/// The fields of a JSON object.
fn fields(object: &Value) -> Vec<String> {
    let mut fields: Vec<_> = object.as_object().unwrap().keys().cloned().collect();
    fields.sort();
    fields
}
