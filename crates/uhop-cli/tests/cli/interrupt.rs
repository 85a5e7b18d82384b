//! Signals, closed pipes and places that cannot be written: the program ends in good order.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::{stderr, stdout, uhop};

/// A child whose stdin and stderr are ours.
fn spawn(folder: &Path, arguments: &[&str]) -> Child {
    uhop(folder, arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn signal(child: &Child, name: &str) {
    // The shell's own `kill`, which is always there.
    let line = format!("kill -{name} {}", child.id());
    let sent = Command::new("sh").args(["-c", &line]).status();
    assert!(sent.unwrap().success());
}

/// The names in a folder, hidden ones too.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Digits as .npy, several times what a pipe holds: once all of it is written, the program has
/// been reading for a while.
fn digits() -> Vec<u8> {
    let folder = TempDir::new().unwrap();
    let output = uhop(folder.path(), &["sample", "-", "--count", "200"]).output().unwrap();
    assert!(output.stdout.len() > 4 * 65_536);
    output.stdout
}

/// A fit and a recall that would go on for days, of what `feed` gives them.
fn endless() -> [Vec<&'static str>; 2] {
    let fit = ["fit", "-", "-o", "old.safetensors", "--loss", "average", "--steps", "999999999"];
    let retrieve = ["retrieve", "old.safetensors", "-", "-o", "old.csv"];
    [fit.to_vec(), retrieve.to_vec()]
}

/// Writes the digits; to a recall as the first of a thousand million queries, until nobody reads.
fn feed(mut stdin: ChildStdin, verb: &str, digits: Vec<u8>) {
    if verb == "fit" {
        stdin.write_all(&digits).unwrap();
        return;
    }
    let header_end = 10 + usize::from(u16::from_le_bytes([digits[8], digits[9]]));
    let dict = "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 784), }";
    let header = format!("{dict:<117}\n");
    std::thread::spawn(move || {
        let mut all = b"\x93NUMPY\x01\x00".to_vec();
        all.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
        all.extend(header.as_bytes());
        while stdin.write_all(&all).is_ok() {
            all = digits[header_end..].to_vec();
        }
    });
}

#[test]
fn an_interrupted_fit_or_recall_leaves_everything_as_it_was() {
    let digits = digits();
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        for arguments in endless() {
            let folder = TempDir::new().unwrap();
            let folder = folder.path();
            for make in [
                &["sample", "old.csv", "--count", "9"][..],
                &["fit", "old.csv", "-o", "old.safetensors"],
            ] {
                let made = uhop(folder, make).output().unwrap();
                assert_eq!(stderr(&made), "");
            }
            let before = names(folder);
            let old =
                ["old.safetensors", "old.csv"].map(|name| fs::read(folder.join(name)).unwrap());
            let mut child = spawn(folder, &arguments);
            feed(child.stdin.take().unwrap(), arguments[0], digits.clone());
            // Any moment will do; this one is likely to be amid the work.
            std::thread::sleep(Duration::from_millis(200));
            signal(&child, name);
            let output = child.wait_with_output().unwrap();
            let expected = "error: interrupted; nothing was written\n";
            assert_eq!((output.status.code(), stderr(&output)), (Some(code), expected));
            assert_eq!(stdout(&output), "");
            assert_eq!(names(folder), before, "{arguments:?}");
            for (name, old) in ["old.safetensors", "old.csv"].into_iter().zip(old) {
                assert_eq!(fs::read(folder.join(name)).unwrap(), old, "{arguments:?}: {name}");
            }
        }
    }
}

/// Waiting for a stdin that never comes is interrupted too.
#[test]
fn an_interrupt_ends_the_reading_of_stdin() {
    let digits = digits();
    let folder = TempDir::new().unwrap();
    let mut child = spawn(folder.path(), &["fit", "-", "-o", "m.safetensors"]);
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&digits[..digits.len() - 1]).unwrap();
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(names(folder.path()).is_empty());
}

/// The demo holds its two files open from the start, and gives them up.
#[test]
fn an_interrupted_demo_keeps_the_files_of_the_last_one() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    fs::write(folder.join("demo.csv"), "old").unwrap();
    let mut child = spawn(folder, &["demo", "--out", "."]);
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    errors.read_line(&mut line).unwrap();
    assert!(line.starts_with("Stage I, max loss, 50 patterns"), "{line}");
    assert_eq!(names(folder).len(), 3, "{:?}", names(folder));
    signal(&child, "INT");
    let mut rest = String::new();
    errors.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(rest.ends_with("error: interrupted; nothing was written\n"), "{rest}");
    assert_eq!(names(folder), ["demo.csv"]);
    assert_eq!(fs::read_to_string(folder.join("demo.csv")).unwrap(), "old");
}

/// What goes to stdout cannot be taken back, and the message says so.
#[test]
fn an_interrupted_stream_is_called_incomplete() {
    let folder = TempDir::new().unwrap();
    let mut child = spawn(folder.path(), &["sample", "-"]);
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0]).unwrap();
    signal(&child, "INT");
    let output = child.wait_with_output().unwrap();
    let expected = "error: interrupted; the output is incomplete\n";
    assert_eq!((output.status.code(), stderr(&output)), (Some(130), expected));
}

/// A first signal waits for the output, here a pipe that nobody reads; a second one does not.
#[test]
fn a_second_interrupt_ends_at_once() {
    let folder = TempDir::new().unwrap();
    let pipe = folder.path().join("pipe.csv");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut child = spawn(folder.path(), &["sample", "pipe.csv"]);
    // Opened as soon as the program opens it.
    let reader = fs::File::open(&pipe).unwrap();
    let mut n_signals = 0;
    while child.try_wait().unwrap().is_none() {
        signal(&child, "INT");
        n_signals += 1;
        std::thread::sleep(Duration::from_millis(100));
    }
    drop(reader);
    assert!(n_signals >= 2);
    let output = child.wait_with_output().unwrap();
    let expected = "error: interrupted; a temporary file may be left beside the output\n";
    assert_eq!((output.status.code(), stderr(&output)), (Some(130), expected));
}

/// One command line of the shell, with `$uhop` for the binary.
fn sh(folder: &Path, line: &str) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(folder).env("uhop", env!("CARGO_BIN_EXE_uhop"));
    command.output().unwrap()
}

#[test]
fn a_reader_who_leaves_ends_every_verb_quietly() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    assert!(
        sh(folder, "\"$uhop\" sample d.csv --count 50 && \"$uhop\" fit d.csv -o m.safetensors")
            .status
            .success()
    );
    for arguments in [
        "inspect m.safetensors",
        "inspect m.safetensors --json",
        "retrieve m.safetensors d.csv -o -",
        "sample -",
        "corrupt d.csv -o - --half-mask",
        "completions bash",
        "man",
        "--help",
    ] {
        // The code of the program itself, not of the one it writes to.
        let line = format!("{{ \"$uhop\" {arguments}; echo $? > code; }} | exec true");
        let output = sh(folder, &line);
        assert_eq!(stderr(&output), "", "{arguments}");
        assert_eq!(fs::read_to_string(folder.join("code")).unwrap(), "0\n", "{arguments}");
    }
}

/// One error line, and the old file.
fn fails_and_keeps(folder: &Path, line: &str, kept: &str) {
    let (before, old) = (names(folder), fs::read(folder.join(kept)).unwrap());
    let output = sh(folder, line);
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""), "{line}");
    let text = stderr(&output);
    assert!(text.starts_with("error: ") && text.contains("cannot"), "{line}: {text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{text}");
    assert_eq!((names(folder), fs::read(folder.join(kept)).unwrap()), (before, old), "{line}");
}

#[test]
fn a_full_disk_leaves_the_old_file() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    for (line, kept) in [
        ("fit d.csv -o m.safetensors", "m.safetensors"),
        ("add m.safetensors d.csv", "m.safetensors"),
        ("retrieve m.safetensors d.csv -o r.npy", "r.npy"),
        ("corrupt d.csv -o c.csv --half-mask", "c.csv"),
        ("sample d.csv --count 100", "d.csv"),
    ] {
        if kept != "d.csv" {
            assert!(sh(folder, "\"$uhop\" sample d.csv --count 50").status.success());
        }
        assert!(sh(folder, &format!("\"$uhop\" {line}")).status.success(), "{line}");
        // Files of up to 8 blocks of 512 or 1,024 bytes.
        fails_and_keeps(folder, &format!("ulimit -f 8; exec \"$uhop\" {line}"), kept);
    }
    if Path::new("/dev/full").exists() {
        let output = sh(folder, "\"$uhop\" inspect m.safetensors > /dev/full");
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).starts_with("error: cannot write to stdout: "));
    } else {
        eprintln!("skipped: there is no /dev/full");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_one_error() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    assert!(sh(folder, "\"$uhop\" sample d.csv --count 9; echo kept > taken").status.success());
    for line in ["fit d.csv -o taken/m.safetensors", "corrupt d.csv -o taken/c.csv --half-mask"] {
        fails_and_keeps(folder, &format!("exec \"$uhop\" {line}"), "taken");
    }
    let line = "mkdir closed && echo kept > closed/c.csv && chmod 555 closed && ! touch closed/x";
    if !sh(folder, line).status.success() {
        eprintln!("skipped: folders are never read-only for this user");
        return;
    }
    fails_and_keeps(folder, "exec \"$uhop\" sample closed/c.csv", "closed/c.csv");
}
