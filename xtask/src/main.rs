//! The project's automation: `cargo xtask check` runs every check, `cargo xtask tidy` only the
//! repository rules.
//!
//! It needs cargo with rustfmt and clippy and nothing else.

mod check;
mod fuzz;
mod python;
mod tidy;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const HELP: &str = "\
Usage: cargo xtask <task>

Tasks:
  check   every check, cheapest first: fmt, tidy, deny, clippy, test, python, doc
  tidy    the repository rules alone
  python  the wheel of the Python package, built and tested; needs Python and a package index
  fuzz    [TARGET] [SECONDS]: any bytes through every reader; needs cargo-fuzz
  help    this text
";

/// What one task came to.
enum Outcome {
    Passed,
    /// The one line that says what failed and what to do next.
    Failed(String),
}

fn main() -> ExitCode {
    // Handles are not locked for the whole run: the steps are child processes that share them.
    match run(&mut io::stdout()) {
        Ok(Outcome::Passed) => ExitCode::SUCCESS,
        Ok(Outcome::Failed(line)) => fail(&line),
        Err(error) => fail(&format!("xtask: {error}")),
    }
}

/// Writes the line to standard error. A closed standard error leaves the exit code to speak.
fn fail(line: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "{line}");
    ExitCode::FAILURE
}

fn run(out: &mut dyn Write) -> io::Result<Outcome> {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let words: Vec<&str> = words.iter().map(|word| word.to_str().unwrap_or("?")).collect();
    match words[..] {
        [] | ["help" | "--help" | "-h"] => {
            write!(out, "{HELP}")?;
            Ok(Outcome::Passed)
        }
        ["check"] => check::run(&workspace_root(), out),
        ["fuzz", ref words @ ..] => fuzz::run(&workspace_root(), words, out),
        ["python"] => Ok(match python::run(&workspace_root())? {
            python::Ending::Passed => Outcome::Passed,
            python::Ending::Skipped(reason) => {
                writeln!(out, "python: skipped, {reason}")?;
                Outcome::Passed
            }
            python::Ending::Failed => Outcome::Failed("python: failed".to_owned()),
        }),
        ["tidy"] => tidy::run(&workspace_root(), out),
        _ => {
            Ok(Outcome::Failed(format!("unknown task: cargo xtask {}\n\n{HELP}", words.join(" "))))
        }
    }
}

/// The folder of the root `Cargo.toml`, whatever the working directory.
fn workspace_root() -> PathBuf {
    // Set by `cargo run`; the value at build time serves a binary started directly.
    let own = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    own.parent().map_or_else(|| own.clone(), Path::to_path_buf)
}
