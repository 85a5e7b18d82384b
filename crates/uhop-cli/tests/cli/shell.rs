//! `uhop completions` and `uhop man`, read by the programs they are for.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::{stderr, stdout, uhop};

/// What a program says of its input on stderr, or nothing when there is no such program.
fn complaints(program: &str, arguments: &[&str], input: &[u8]) -> Option<String> {
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.ok()?;
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    Some(format!("{}{}", stderr(&output), if output.status.success() { "" } else { "failed" }))
}

#[test]
fn completions_are_a_script_on_stdout() {
    let folder = TempDir::new().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = uhop(folder.path(), &["completions", shell]).output().unwrap();
        assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""), "{shell}");
        assert!(stdout(&output).contains("retrieve"), "{shell}");
        if shell == "bash" {
            match complaints("bash", &["-n"], &output.stdout) {
                Some(complaints) => assert_eq!(complaints, ""),
                None => eprintln!("skipped: bash is not there"),
            }
        }
    }
}

#[test]
fn the_manual_is_roff_without_warnings() {
    let folder = TempDir::new().unwrap();
    let page = uhop(folder.path(), &["man"]).output().unwrap();
    assert_eq!((page.status.code(), stderr(&page)), (Some(0), ""));
    let output = uhop(folder.path(), &["man", "--out", "share/man1"]).output().unwrap();
    assert_eq!((output.status.code(), stdout(&output), stderr(&output)), (Some(0), "", ""));
    let pages: Vec<_> = fs::read_dir(folder.path().join("share/man1"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    assert!(pages.len() > 5);
    for path in &pages {
        let roff = fs::read(path).unwrap();
        if path.ends_with("uhop.1") {
            assert_eq!(roff, page.stdout);
        }
        let arguments = ["-man", "-Tutf8", "-Kutf8", "-ww", "-z"];
        match complaints("groff", &arguments, &roff) {
            Some(complaints) => assert_eq!(complaints, "", "{}", path.display()),
            None => eprintln!("skipped: groff is not there"),
        }
    }
}
