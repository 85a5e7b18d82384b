//! `docs/tutorial.md`, run: every command of it in order, in one folder.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::snapshots::compare;

/// The document with the output of its commands replaced by what they print here.
///
/// Commands are the lines of `console` blocks that start with `$ `; what follows one, up to the
/// next, is its output.
fn rerun(document: &str, mut run: impl FnMut(&str) -> String) -> String {
    let mut text = String::new();
    let mut in_block = false;
    for line in document.lines() {
        let fence = line.starts_with("```");
        if fence {
            in_block = !in_block && line == "```console";
        }
        let command = line.strip_prefix("$ ").filter(|_| in_block);
        if fence || !in_block || command.is_some() {
            text += line;
            text.push('\n');
        }
        if let Some(command) = command {
            text += &run(command);
        }
    }
    text
}

/// Words that may differ between machines, which are times and losses: every number with a point.
fn without_decimals(line: &str) -> Vec<&str> {
    let decimal = |word: &str| {
        let number = word.trim_end_matches([',', ';', ':']);
        number.contains('.') && number.parse::<f64>().is_ok()
    };
    line.split_whitespace().map(|word| if decimal(word) { "#.#" } else { word }).collect()
}

#[test]
fn the_tutorial_does_what_it_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/tutorial.md");
    let document = std::fs::read_to_string(&path).unwrap();
    let folder = TempDir::new().unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_uhop")).parent().unwrap();
    let mut paths = vec![binary.to_owned()];
    paths.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let search = std::env::join_paths(paths).unwrap();
    let mut n_commands = 0;
    let text = rerun(&document, |command| {
        n_commands += 1;
        // Both streams as a terminal shows them.
        let output = Command::new("sh")
            .args(["-c", &format!("exec 2>&1; {command}")])
            .current_dir(folder.path())
            .env("PATH", &search)
            .env_remove("COLUMNS")
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(!text.contains("error:") && !text.contains("not found"), "{command}\n{text}");
        text
    });
    assert!(n_commands > 5);
    compare(&path, &text, |a, b| without_decimals(a) == without_decimals(b));
}

#[test]
fn only_commands_of_console_blocks_are_run() {
    let document = "$ no\n```console\n$ one\nold\n$ two\n```\nkept\n```sh\n$ no\nkept\n```\n";
    let text = rerun(document, |command| format!("output of {command}\n"));
    let expected = "$ no\n```console\n$ one\noutput of one\n$ two\noutput of two\n```\nkept\n\
                    ```sh\n$ no\nkept\n```\n";
    assert_eq!(text, expected);
    assert_eq!(
        without_decimals("in 0.25 s; mean 1.5, 3 ok"),
        without_decimals("in 1.0 s; mean 2.0 3 ok")
    );
    assert_ne!(without_decimals("3 differ"), without_decimals("4 differ"));
}
