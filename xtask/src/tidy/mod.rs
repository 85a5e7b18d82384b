//! `cargo xtask tidy`: the repository rules that neither the compiler nor clippy knows.
//!
//! Every rule reads one file at a time and is a function from path and text to problems, so that
//! its tests need no files. Paths are relative to the workspace root and use `/`.
//!
//! The files read are the top level of the workspace and everything under `bench/`, `crates/`, `docs/`,
//! `fuzz/` and `xtask/`, tracked or not, so that a mistake shows before it is committed. Hidden folders,
//! those that tools write to, links and files that are not UTF-8 are left out.

mod code;
mod layers;
mod text;

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use crate::Outcome;

/// The folders read from top to bottom.
const FOLDERS: &[&str] = &["bench", "crates", "docs", "fuzz", "xtask"];

/// Folders of what tools made: by name anywhere, and by path.
const MADE: &[&str] = &["target", "__pycache__", "fuzz/artifacts", "fuzz/corpus", "fuzz/coverage"];

/// One broken rule.
#[derive(Debug, PartialEq, Eq)]
struct Problem {
    path: String,
    /// Counted from 1.
    line: usize,
    /// What is wrong, and what to do.
    what: String,
}

impl Problem {
    fn new(path: &str, line: usize, what: String) -> Self {
        Self { path: path.to_owned(), line, what }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, what } = self;
        write!(f, "{path}:{line}: {what}")
    }
}

/// Reads the workspace at `root` and writes every problem as `path:line: what, and what to do`.
pub(crate) fn run(root: &Path, out: &mut dyn Write) -> io::Result<Outcome> {
    let mut files = Vec::new();
    collect(root, "", false, &mut files)?;
    for folder in FOLDERS {
        if root.join(folder).is_dir() {
            collect(root, folder, true, &mut files)?;
        }
    }
    files.sort();

    let mut n_files = 0;
    let mut problems = Vec::new();
    for path in &files {
        let bytes = fs::read(root.join(path)).map_err(|error| with_path(path, &error))?;
        if let Ok(text) = String::from_utf8(bytes) {
            n_files += 1;
            problems.extend(check_file(path, &text));
        }
    }
    for problem in &problems {
        writeln!(out, "{problem}")?;
    }
    match problems.len() {
        0 => {
            writeln!(out, "tidy: {n_files} files, no problem")?;
            Ok(Outcome::Passed)
        }
        n => Ok(Outcome::Failed(format!("tidy: {n_files} files, problems: {n}"))),
    }
}

/// Every rule that applies to this file.
fn check_file(path: &str, text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    problems.extend(text::module_doc(path, text));
    problems.extend(text::banned_words(path, text));
    problems.extend(text::local_paths(path, text));
    if path.ends_with(".rs") {
        let code = code::without_comments_and_literals(text);
        problems.extend(text::unsafe_code(path, &code));
        problems.extend(layers::check(path, &code));
    }
    problems.sort_by_key(|problem| problem.line);
    problems
}

/// Adds the files in `folder` of `root`, as paths relative to `root`.
fn collect(root: &Path, folder: &str, deep: bool, files: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(folder)).map_err(|error| with_path(folder, &error))? {
        let entry = entry?;
        let Ok(file_name) = entry.file_name().into_string() else { continue };
        let path =
            if folder.is_empty() { file_name.clone() } else { format!("{folder}/{file_name}") };
        let kind = entry.file_type()?;
        if kind.is_file() {
            files.push(path);
        } else if deep && kind.is_dir() && !file_name.starts_with('.') && !is_made(&path) {
            collect(root, &path, deep, files)?;
        }
    }
    Ok(())
}

fn is_made(path: &str) -> bool {
    MADE.iter().any(|made| path == *made || path.ends_with(&format!("/{made}")))
}

fn with_path(path: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot read {path}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_as_an_editor_link() {
        let problem = Problem::new("docs/a.md", 3, "wrong; do right".to_owned());
        assert_eq!(problem.to_string(), "docs/a.md:3: wrong; do right");
    }

    #[test]
    fn rules_run_together_in_line_order() {
        let text = "//! Doc.\nuse crate::theory::A;\nlet max_iter = 1;\nunsafe { f() }\n";
        let lines: Vec<usize> =
            check_file("crates/uhop/src/energy.rs", text).iter().map(|p| p.line).collect();
        assert_eq!(lines, [2, 3, 4]);
        assert_eq!(check_file("crates/uhop/src/energy.rs", "//! Doc.\nfn f() {}\n"), []);
    }

    #[test]
    fn what_tools_made_is_left_out() {
        assert!(
            is_made("target")
                && is_made("fuzz/target")
                && is_made("bench/a/__pycache__")
                && is_made("fuzz/corpus")
        );
        assert!(!is_made("crates/uhop-data/tests/corpus") && !is_made("crates/a/src/my-target"));
    }

    #[test]
    fn only_the_project_is_read() {
        let mut files = Vec::new();
        collect(&crate::workspace_root(), "xtask", true, &mut files).unwrap();
        assert!(files.contains(&"xtask/src/tidy/mod.rs".to_owned()));
        assert!(files.iter().all(|path| path.starts_with("xtask/")));
    }
}
