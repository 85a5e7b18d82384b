//! Help, and one clear line for bad input.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;

use crate::{stderr, stdout, uhop};

#[test]
fn help_and_version_are_answers() {
    let folder = TempDir::new().unwrap();
    for arguments in [&["--help"][..], &["-h"], &["help"], &["demo", "--help"], &["--version"]] {
        let output = uhop(folder.path(), arguments).output().unwrap();
        assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""), "{arguments:?}");
    }
    let help = uhop(folder.path(), &["--help"]).output().unwrap();
    for word in ["demo", "--out <DIR>", "--seed <N>", "--json", "--quiet", "--no-progress"] {
        assert!(stdout(&help).contains(word), "{word}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "help writes nothing");
}

#[test]
fn bad_arguments_are_one_error_and_exit_code_1() {
    let folder = TempDir::new().unwrap();
    for arguments in
        [&["--bogus"][..], &["bogus"], &["--seed", "x"], &["demo", "--seed", "-1"], &["--out"]]
    {
        let output = uhop(folder.path(), arguments).output().unwrap();
        assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""), "{arguments:?}");
        let errors = stderr(&output).lines().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(errors, 1, "{}", stderr(&output));
    }
}

/// By the option or the variable, with the same bytes for any number.
#[test]
fn threads_are_chosen_and_change_nothing() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let digits = uhop(folder, &["sample", "digits.npy", "--count", "300"]).output().unwrap();
    assert_eq!(stderr(&digits), "");
    let mut recalled = Vec::new();
    for (option, variable) in
        [("--threads=1", "x"), ("--threads=3", "2"), ("--quiet", ""), ("--quiet", "2")]
    {
        for arguments in [
            &["fit", "digits.npy", "-o", "m.safetensors", "--loss", "max", "--steps", "2"][..],
            &["retrieve", "m.safetensors", "digits.npy", "-o", "o.npy", "--alpha", "1.5"],
        ] {
            let mut command = uhop(folder, arguments);
            command.args([option, "--no-progress"]).env("RAYON_NUM_THREADS", variable);
            let output = command.output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{option}: {}", stderr(&output));
        }
        recalled.push(fs::read(folder.join("o.npy")).unwrap());
        fs::remove_file(folder.join("o.npy")).unwrap();
    }
    assert!(recalled.iter().all(|rows| *rows == recalled[0]));
    for variable in ["0", "many", "1025"] {
        let mut command = uhop(folder, &["retrieve", "m.safetensors", "digits.npy", "-o", "o.npy"]);
        let output = command.env("RAYON_NUM_THREADS", variable).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let expected = format!(
            "error: RAYON_NUM_THREADS is {variable:?}\n\nhint: give a whole number from 1 to 1024\n"
        );
        assert_eq!(stderr(&output), expected);
        assert!(!folder.join("o.npy").exists());
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error_with_a_hint() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("taken"), "kept").unwrap();
    let output = uhop(folder.path(), &["--out", "taken"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.starts_with("error: cannot write taken: "), "{text}");
    assert!(text.ends_with("\nhint: choose another folder with --out DIR\n"), "{text}");
    assert_eq!(fs::read_to_string(folder.path().join("taken")).unwrap(), "kept");

    fs::create_dir_all(folder.path().join("out/demo.png")).unwrap();
    let output = uhop(folder.path(), &["--out", "out"]).output().unwrap();
    let picture = Path::new("out").join("demo.png");
    let expected = format!("error: {}: not a regular file", picture.display());
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with(&expected), "{}", stderr(&output));
}

#[test]
fn a_reader_who_leaves_is_no_error() {
    let folder = TempDir::new().unwrap();
    let mut child = uhop(folder.path(), &["--quiet"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
}
