//! The rules that look at words and lines: module docs, vocabulary, local paths, unsafe code.

use super::Problem;
use super::code::{line_of, words};

/// Names that have one spelling here: what not to write, and what to write instead.
const BANNED_WORDS: &[(&str, &str)] = &[
    ("inverse_temperature", "beta"),
    ("max_iter", "max_steps"),
    ("max_iters", "max_steps"),
    ("n_iter", "max_steps"),
    ("n_memories", "n_patterns"),
    ("num_iter", "max_steps"),
    ("num_patterns", "n_patterns"),
    ("tol", "tolerance"),
];

/// Files that may use banned words: history quotes old names.
const FREE_WORDS: &[&str] = &["CHANGELOG.md"];

/// Folders of a developer's own machine.
const LOCAL_PATHS: &[&str] = &["/tmp/", "/work/", "/root/"];

/// Files that may contain unsafe code. Each states its safety argument.
const UNSAFE_FILES: &[&str] = &[
    "crates/uhop-data/src/store/mapping.rs",
    "crates/uhop-nn/src/train/memory.rs",
    "crates/uhop/src/screen/vnni.rs",
    "crates/uhop/src/vector_state.rs",
];

/// A source file starts by saying what it is.
pub(super) fn module_doc(path: &str, text: &str) -> Option<Problem> {
    let in_crate = path
        .strip_prefix("crates/")
        .and_then(|rest| rest.split_once('/'))
        .is_some_and(|(_, inside)| inside.starts_with("src/"));
    let sourced = in_crate
        || path.starts_with("xtask/src/")
        || path.starts_with("fuzz/")
        || path.starts_with("bench/");
    if !path.ends_with(".rs") || !sourced {
        return None;
    }
    let first = text.lines().next().unwrap_or_default();
    let documented = first.strip_prefix("//!").is_some_and(|doc| !doc.trim().is_empty());
    (!documented).then(|| {
        let what = "no module doc; start the file with a `//!` line that says what it holds";
        Problem::new(path, 1, what.to_owned())
    })
}

/// One spelling per word, in code, comments and documents.
pub(super) fn banned_words(path: &str, text: &str) -> Vec<Problem> {
    let checked = [".rs", ".md", ".py"].iter().any(|ending| path.ends_with(ending))
        && in_project(path)
        && !FREE_WORDS.contains(&path);
    if !checked {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for (offset, word) in words(text) {
        if let Some((_, instead)) = BANNED_WORDS.iter().find(|(banned, _)| *banned == word) {
            let what = format!("`{word}` is not a word of this project; write `{instead}`");
            problems.push(Problem::new(path, line_of(text, offset), what));
        }
    }
    problems
}

/// No file names a folder that only exists on one machine.
pub(super) fn local_paths(path: &str, text: &str) -> Vec<Problem> {
    let at_root = !path.contains('/');
    if !in_project(path) || (at_root && !path.ends_with(".md")) {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for (i, line) in text.lines().enumerate() {
        for local in LOCAL_PATHS {
            if line.match_indices(local).any(|(at, _)| starts_a_path(&line[..at])) {
                let what = format!(
                    "`{local}` is a folder of one machine; use a relative path or a temporary \
                     folder made by the code"
                );
                problems.push(Problem::new(path, i + 1, what));
            }
        }
    }
    problems
}

/// Unsafe code stays in the files that are listed. Takes code without comments and literals.
pub(super) fn unsafe_code(path: &str, code: &str) -> Vec<Problem> {
    if UNSAFE_FILES.contains(&path) {
        return Vec::new();
    }
    words(code)
        .filter(|&(_, word)| word == "unsafe")
        .map(|(offset, _)| {
            let what = "unsafe code; write it safely, or list the file in UNSAFE_FILES in \
                        xtask/src/tidy/text.rs with its reason";
            Problem::new(path, line_of(code, offset), what.to_owned())
        })
        .collect()
}

/// The crates, the benchmarks, the documents and the top level; not the automation, which names what it looks for.
fn in_project(path: &str) -> bool {
    ["bench/", "crates/", "docs/", "fuzz/"].iter().any(|folder| path.starts_with(folder))
        || !path.contains('/')
}

/// Whether a `/` after this text starts an absolute path, rather than going on with another one.
fn starts_a_path(before: &str) -> bool {
    !before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '}' | ')'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::code::without_comments_and_literals;

    fn lines(problems: &[Problem]) -> Vec<usize> {
        problems.iter().map(|problem| problem.line).collect()
    }

    #[test]
    fn sources_start_with_a_module_doc() {
        assert_eq!(module_doc("crates/uhop/src/a.rs", "//! What it holds.\n"), None);
        assert_eq!(module_doc("crates/uhop/tests/a.rs", "fn f() {}\n"), None);
        assert_eq!(module_doc("docs/a.md", "text"), None);
        for (path, text) in [
            ("crates/uhop/src/a.rs", "use std::fmt;\n"),
            ("crates/uhop-data/src/b/c.rs", "// A comment.\n"),
            ("crates/uhop/src/a.rs", "#![allow(x)]\n//! Late.\n"),
            ("xtask/src/a.rs", "//!\n"),
            ("xtask/src/a.rs", ""),
            ("fuzz/fuzz_targets/a.rs", "#![no_main]\n"),
            ("bench/benches/a.rs", "use a;\n"),
        ] {
            assert!(module_doc(path, text).is_some(), "{path}: {text:?}");
        }
    }

    #[test]
    fn one_spelling_per_word() {
        let good = "let n_patterns = 3; // tolerance, max_steps, beta\ntolerances total my_tol";
        assert_eq!(banned_words("crates/uhop/src/a.rs", good), []);
        for (banned, instead) in BANNED_WORDS {
            let problems = banned_words("crates/uhop/src/a.rs", &format!("//! A.\nf(x.{banned})"));
            assert_eq!(lines(&problems), [2], "{banned}");
            assert!(problems[0].what.contains(instead), "{banned}");
        }
        assert_eq!(lines(&banned_words("docs/a.md", "Set `tol`.")), [1]);
        assert_eq!(lines(&banned_words("bench/peers/a.py", "tol = 1")), [1]);
        assert_eq!(lines(&banned_words("README.md", "n_memories, max_iter")), [1, 1]);
    }

    #[test]
    fn words_are_free_in_history_and_data() {
        assert_eq!(banned_words("CHANGELOG.md", "`tol` is now `tolerance`"), []);
        assert_eq!(banned_words("crates/uhop/tests/a.json", "tol"), []);
        assert_eq!(banned_words("xtask/src/a.rs", "tol"), []);
    }

    #[test]
    fn local_folders_are_named_nowhere() {
        for text in ["a\nsee /tmp/x", "a\n\"/work/main\"", "a\nfile:///root/x", "a\n`/tmp/`"] {
            assert_eq!(lines(&local_paths("crates/uhop/tests/a.json", text)), [2], "{text}");
            assert_eq!(lines(&local_paths("README.md", text)), [2], "{text}");
        }
    }

    #[test]
    fn other_paths_are_free() {
        for text in
            ["https://example.org/work/3", "../tmp/x", "$HOME/tmp/x", "crates/root/a", "tmp"]
        {
            assert_eq!(local_paths("docs/a.md", text), [], "{text}");
        }
        assert_eq!(local_paths("xtask/src/a.rs", "/tmp/"), []);
        assert_eq!(local_paths("Cargo.toml", "/tmp/"), []);
    }

    #[test]
    fn unsafe_code_is_listed() {
        let check = |source: &str| {
            lines(&unsafe_code("crates/uhop/src/a.rs", &without_comments_and_literals(source)))
        };
        assert_eq!(check("#![deny(unsafe_code)]\n// unsafe { }\nf(\"unsafe fn\")"), []);
        assert_eq!(check("\nunsafe { f() }"), [2]);
        assert_eq!(check("pub unsafe fn f() {}\nunsafe impl Send for A {}"), [1, 2]);
    }
}
