//! `cargo xtask check`: the steps, cheapest first, stopping at the first that fails.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::{Outcome, python, tidy};

/// What a step runs.
enum Action {
    /// The rules in this binary.
    Tidy,
    /// `cargo` with these arguments.
    Cargo(&'static [&'static str]),
    /// `cargo` with these arguments when `cargo <first argument> --version` succeeds.
    /// Otherwise the step is skipped, and says that the named tool is not installed.
    Optional(&'static str, &'static [&'static str]),
    /// `cargo` with these arguments and rustdoc's warnings as errors.
    Doc(&'static [&'static str]),
    /// The Python package, where there is a Python and a package index.
    Python,
}

struct Step {
    name: &'static str,
    action: Action,
}

const STEPS: &[Step] = &[
    Step { name: "fmt", action: Action::Cargo(&["fmt", "--all", "--", "--check"]) },
    Step { name: "tidy", action: Action::Tidy },
    Step {
        name: "deny",
        // Advisories are left out: they need the network. Duplicate versions are only warnings,
        // shown when the command is run without the log level.
        action: Action::Optional(
            "cargo-deny",
            &["deny", "--locked", "--log-level", "error", "check", "licenses", "bans", "sources"],
        ),
    },
    Step {
        name: "clippy",
        action: Action::Cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ]),
    },
    Step { name: "test", action: Action::Cargo(&["test", "--workspace", "--locked"]) },
    // After the tests: it takes what they compiled, and the binary that they made.
    Step { name: "python", action: Action::Python },
    Step {
        name: "doc",
        // No binaries: `uhop` would write the pages of the library `uhop`. Examples, for they have
        // the features that everything was checked with, so that nothing is checked again.
        action: Action::Doc(&[
            "doc",
            "--workspace",
            "--no-deps",
            "--lib",
            "--examples",
            "--locked",
        ]),
    },
];

/// How a step ended, when it could be run at all.
enum Ending {
    Passed,
    Skipped(String),
    Failed,
}

/// Runs every step from `root`, with a header and a wall time for each.
pub(crate) fn run(root: &Path, out: &mut dyn Write) -> io::Result<Outcome> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let start = Instant::now();
    for Step { name, action } in STEPS {
        let command = command_line(action);
        writeln!(out, "== {name}: {command}")?;
        let step_start = Instant::now();
        let ending = match action {
            Action::Tidy => match tidy::run(root, out)? {
                Outcome::Passed => Ending::Passed,
                Outcome::Failed(_) => Ending::Failed,
            },
            Action::Cargo(arguments) => finish(cargo_command(&cargo, root, arguments))?,
            Action::Optional(tool, arguments) => {
                if installed(&cargo, root, arguments[0]) {
                    finish(cargo_command(&cargo, root, arguments))?
                } else {
                    Ending::Skipped(format!("{tool} is not installed"))
                }
            }
            Action::Python => match python::run(root)? {
                python::Ending::Passed => Ending::Passed,
                python::Ending::Skipped(reason) => Ending::Skipped(reason),
                python::Ending::Failed => Ending::Failed,
            },
            Action::Doc(arguments) => {
                let mut command = cargo_command(&cargo, root, arguments);
                command.env(
                    "RUSTDOCFLAGS",
                    deny_warnings(std::env::var_os("RUSTDOCFLAGS").as_deref()),
                );
                finish(command)?
            }
        };
        match ending {
            Ending::Passed => {
                writeln!(out, "== {name}: passed in {:.1} s", step_start.elapsed().as_secs_f64())?;
            }
            Ending::Skipped(reason) => writeln!(out, "== {name}: skipped, {reason}")?,
            Ending::Failed => {
                writeln!(out, "== {name}: failed in {:.1} s", step_start.elapsed().as_secs_f64())?;
                return Ok(Outcome::Failed(format!(
                    "check: step `{name}` failed; rerun it with: {command}"
                )));
            }
        }
    }
    writeln!(out, "== check passed in {:.1} s", start.elapsed().as_secs_f64())?;
    Ok(Outcome::Passed)
}

/// The step as a user would type it.
fn command_line(action: &Action) -> String {
    match action {
        Action::Tidy => "cargo xtask tidy".to_owned(),
        Action::Python => "cargo xtask python".to_owned(),
        Action::Cargo(arguments) | Action::Optional(_, arguments) => {
            format!("cargo {}", arguments.join(" "))
        }
        Action::Doc(arguments) => {
            format!("RUSTDOCFLAGS=\"-D warnings\" cargo {}", arguments.join(" "))
        }
    }
}

fn cargo_command(cargo: &OsStr, root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(root);
    command
}

fn finish(mut command: Command) -> io::Result<Ending> {
    let status = command.status().map_err(|error| {
        let program = command.get_program().display();
        io::Error::new(error.kind(), format!("cannot start {program}: {error}"))
    })?;
    Ok(if status.success() { Ending::Passed } else { Ending::Failed })
}

fn installed(cargo: &OsStr, root: &Path, subcommand: &str) -> bool {
    cargo_command(cargo, root, &[subcommand, "--version"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The flags already set, followed by the one that turns warnings into errors.
fn deny_warnings(flags: Option<&OsStr>) -> OsString {
    let mut all = OsString::new();
    if let Some(flags) = flags.filter(|flags| !flags.is_empty()) {
        all.push(flags);
        all.push(" ");
    }
    all.push("-D warnings");
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rustdoc_flags_are_appended_to() {
        assert_eq!(deny_warnings(None), "-D warnings");
        assert_eq!(deny_warnings(Some(OsStr::new(""))), "-D warnings");
        assert_eq!(deny_warnings(Some(OsStr::new("--cfg x"))), "--cfg x -D warnings");
    }

    #[test]
    fn every_step_can_be_rerun_by_hand() {
        for step in STEPS {
            assert!(command_line(&step.action).contains("cargo "), "{}", step.name);
        }
        let lines: Vec<String> = STEPS.iter().map(|step| command_line(&step.action)).collect();
        assert_eq!(lines[0], "cargo fmt --all -- --check");
        assert_eq!(lines[1], "cargo xtask tidy");
    }

    #[test]
    fn the_help_lists_the_steps_in_order() {
        let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        assert!(crate::HELP.contains(&names.join(", ")));
    }
}
