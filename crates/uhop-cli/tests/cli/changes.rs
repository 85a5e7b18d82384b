//! `uhop add` and `uhop remove`: patterns in and out of a memory file.

use std::fs;
use std::path::Path;

use ndarray::Array2;
use tempfile::TempDir;
use uhop_data::store::Writer;
use uhop_data::{Matrix, npy};

use crate::memory::{folder, json, numbers, run};
use crate::{documented, fields, stderr, stdout, uhop};

/// The stored patterns, by way of `convert`.
fn stored(folder: &Path, member: &str) -> Vec<Vec<f64>> {
    json(folder, &["convert", "m.safetensors", "stored.csv", "--member", member]);
    numbers(&folder.join("stored.csv"))
}

/// A memory whose file is too large to be written anew for each change: row r is r, r + 1, …
fn large() -> TempDir {
    let folder = TempDir::new().unwrap();
    let rows = Array2::from_shape_fn((600, 500), |(row, column)| (row + column) as f32);
    npy::write(folder.path().join("rows.npy"), &Matrix::from(rows)).unwrap();
    let two = Array2::from_shape_fn((2, 500), |(row, _)| -1.0 - row as f32);
    npy::write(folder.path().join("two.npy"), &Matrix::from(two)).unwrap();
    json(folder.path(), &["fit", "rows.npy", "-o", "m.safetensors", "--similarity", "euclidean"]);
    folder
}

#[test]
fn patterns_come_and_go_by_their_ids() {
    let folder = folder();
    let folder = folder.path();
    let fit = ["fit", "patterns.csv", "-o", "m.safetensors", "--ids", "ids.txt"];
    json(folder, &[&fit[..], &["--values", "values.csv"]].concat());
    fs::write(folder.join("new.csv"), "0,0,0,1\n0,0,1,1\n").unwrap();
    fs::write(folder.join("new-values.csv"), "4\n5\n").unwrap();
    // A number is a name beside names.
    fs::write(folder.join("new-ids.txt"), "four\n5\n").unwrap();
    let new = ["--values", "new-values.csv", "--ids", "new-ids.txt"];
    let added = json(folder, &[&["add", "m.safetensors", "new.csv"][..], &new].concat());
    assert_eq!(fields(&added), documented("add")[0]);
    assert_eq!((&added["n_added"], &added["n_patterns"]), (&2.into(), &5.into()));
    // A small file is written anew, so that whoever reads safetensors alone sees the change.
    assert_eq!(added["journal_bytes"], 0);
    let removed = json(folder, &["remove", "m.safetensors", "--ids", "two,four"]);
    assert_eq!(fields(&removed), documented("remove")[0]);
    assert_eq!((&removed["n_removed"], &removed["n_patterns"]), (&2.into(), &3.into()));
    assert_eq!(stored(folder, "values"), [[7.0], [9.0], [5.0]]);
    fs::write(folder.join("gone.txt"), "5\n").unwrap();
    json(folder, &["remove", "m.safetensors", "--ids-from", "gone.txt"]);
    json(folder, &["remove", "m.safetensors", "--rows", "0"]);
    assert_eq!(stored(folder, "patterns"), [[1.0, 1.0, 1.0, 1.0]]);
}

#[test]
fn a_byte_order_mark_is_no_part_of_an_id() {
    let folder = folder();
    let folder = folder.path();
    fs::write(folder.join("ids.txt"), "\u{feff}1\r\n2\r\n3\r\n").unwrap();
    json(folder, &["fit", "patterns.csv", "-o", "m.safetensors", "--ids", "ids.txt"]);
    // Numbers all three, so that another number can be added.
    fs::write(folder.join("new.csv"), "0,0,0,1\n").unwrap();
    fs::write(folder.join("new-ids.txt"), "\u{feff}4\n").unwrap();
    json(folder, &["add", "m.safetensors", "new.csv", "--ids", "new-ids.txt"]);
    fs::write(folder.join("gone.txt"), "\u{feff}1\n4").unwrap();
    let removed = json(folder, &["remove", "m.safetensors", "--ids-from", "gone.txt"]);
    assert_eq!((&removed["n_removed"], &removed["n_patterns"]), (&2.into(), &2.into()));
}

#[test]
fn a_large_file_is_changed_by_its_journal() {
    let folder = large();
    let folder = folder.path();
    let before = fs::read(folder.join("m.safetensors")).unwrap();
    let added = json(folder, &["add", "m.safetensors", "two.npy"]);
    assert!(added["journal_bytes"].as_u64() > Some(2 * 500 * 4));
    json(folder, &["remove", "m.safetensors", "--rows", "0,600"]);
    assert!(fs::read(folder.join("m.safetensors")).unwrap() == before);
    // Everybody who opens the memory sees the changes.
    assert_eq!(json(folder, &["inspect", "m.safetensors"])["n_patterns"], 600);
    let nearest = ["retrieve", "m.safetensors", "two.npy", "-o", "out.csv", "--top", "1"];
    json(folder, &nearest);
    let recalled = numbers(&folder.join("out.csv"));
    assert_eq!((recalled[0][0], recalled[1][0]), (-2.0, -2.0));
    // As one file it is the same memory.
    let kept = json(folder, &["remove", "m.safetensors", "--rows", "0", "--compact"]);
    assert_eq!((&kept["n_patterns"], &kept["journal_bytes"]), (&599.into(), &0.into()));
    assert!(!folder.join("m.safetensors.journal").exists());
    json(folder, &nearest);
    assert_eq!(numbers(&folder.join("out.csv")), recalled);
    assert_eq!(stored(folder, "patterns")[0][..2], [2.0, 3.0]);
    // A journal that has grown long ends by itself.
    json(folder, &["add", "m.safetensors", "rows.npy"]);
    assert_eq!(stored(folder, "patterns").len(), 599 + 600);
}

/// Whatever reads the rows of a memory reads them as they are now.
#[test]
fn the_journal_is_read_by_every_verb() {
    let folder = large();
    let folder = folder.path();
    json(folder, &["add", "m.safetensors", "two.npy"]);
    json(folder, &["remove", "m.safetensors", "--rows", "0"]);
    assert!(folder.join("m.safetensors.journal").exists());
    let rows = stored(folder, "patterns");
    assert_eq!((rows.len(), rows[0][0], rows[600][0]), (601, 1.0, -2.0));
    json(folder, &["convert", "m.safetensors", "plain.csv"]);
    assert_eq!(numbers(&folder.join("plain.csv")), rows);
    let corrupted = json(folder, &["corrupt", "m.safetensors", "-o", "q.npy", "--mask", "0.5"]);
    assert_eq!(corrupted["n_rows"], 601);
    let fitted = json(folder, &["fit", "m.safetensors", "-o", "again.safetensors"]);
    assert_eq!(fitted["n_patterns"], 601);
    let retrieve = ["retrieve", "again.safetensors", "m.safetensors", "-o", "o.npy"];
    assert_eq!(json(folder, &retrieve)["n_queries"], 601);
    // What a journal does not change is not read past it either.
    for (member, expected) in
        [("ids", "is without the changes in the journal"), ("values", "values")]
    {
        let output = run(folder, &["convert", "m.safetensors", "o.csv", "--member", member]);
        assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""));
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    }
    // And is checked like a memory.
    let mut bytes = fs::read(folder.join("m.safetensors")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(folder.join("m.safetensors"), bytes).unwrap();
    let output = run(folder, &["convert", "m.safetensors", "o.csv"]);
    assert!(stderr(&output).contains("tensor `patterns` is damaged"), "{}", stderr(&output));
}

/// No file that is read is replaced, and no two outputs are one file, whatever they are called.
#[test]
fn an_output_is_none_of_the_files_that_are_read() {
    let folder = folder();
    let folder = folder.path();
    fs::create_dir(folder.join("sub")).unwrap();
    json(folder, &["fit", "patterns.csv", "-o", "m.safetensors", "--similarity", "euclidean"]);
    fs::write(folder.join("seen.csv"), "1,1,0,0\n").unwrap();
    let names = ["patterns.csv", "queries.csv", "seen.csv", "m.safetensors"];
    let files = || names.map(|name| fs::read(folder.join(name)).unwrap());
    let before = files();
    let recall = ["retrieve", "m.safetensors", "queries.csv", "-o"];
    for arguments in [
        &[&recall[..], &["queries.csv"]].concat()[..],
        &[&recall[..], &["sub/../queries.csv"]].concat(),
        &[&recall[..], &["o.csv", "--weights", "./queries.csv"]].concat(),
        &[&recall[..], &["seen.csv", "--observed", "seen.csv"]].concat(),
        &["retrieve", "patterns.csv", "queries.csv", "-o", "patterns.csv"],
        &["convert", "patterns.csv", "./patterns.csv"],
        &["corrupt", "patterns.csv", "-o", "patterns.csv", "--half-mask"],
        &["fit", "m.safetensors", "-o", "./m.safetensors"],
        &[&recall[..], &["o.csv", "--weights", "./o.csv"]].concat(),
        &[&recall[..], &["sub/o.csv", "--weights", "sub/../sub/o.csv"]].concat(),
    ] {
        let output = run(folder, arguments);
        assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""), "{arguments:?}");
        let text = stderr(&output);
        assert!(text.contains("hint: name "), "{arguments:?}: {text}");
        assert!(files() == before && !folder.join("o.csv").exists(), "{arguments:?}");
    }
}

#[test]
fn a_second_writer_is_told_and_a_reader_is_not_held_up() {
    let folder = large();
    let folder = folder.path();
    let before = fs::read(folder.join("m.safetensors")).unwrap();
    let writer = Writer::open(folder.join("m.safetensors")).unwrap();
    for change in [
        &["add", "m.safetensors", "two.npy"][..],
        &["remove", "m.safetensors", "--rows", "1"],
        &["fit", "two.npy", "-o", "m.safetensors"],
    ] {
        let output = run(folder, change);
        assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""));
        let text = stderr(&output);
        assert!(text.contains("another process is writing to this file"), "{text}");
    }
    assert_eq!(json(folder, &["inspect", "m.safetensors"])["n_patterns"], 600);
    drop(writer);
    assert!(fs::read(folder.join("m.safetensors")).unwrap() == before);
    json(folder, &["add", "m.safetensors", "two.npy"]);
}

/// Killed at any moment, a change has been made or it has not, whatever it was doing.
#[test]
fn a_killed_change_was_made_or_was_not() {
    let folder = large();
    let folder = folder.path();
    let stored = || {
        let inspected = json(folder, &["inspect", "m.safetensors", "--sample", "1"]);
        inspected["n_patterns"].as_u64().unwrap()
    };
    let mut n_patterns = stored();
    let (mut n_killed, mut n_done) = (0, 0);
    for round in 0..40_u64 {
        let change = match round % 4 {
            0 => &["add", "m.safetensors", "two.npy"][..],
            1 => &["remove", "m.safetensors", "--rows", "0"],
            2 => &["add", "m.safetensors", "two.npy", "--compact"],
            _ => &["remove", "m.safetensors", "--rows", "0", "--compact"],
        };
        let changed = if round % 2 == 0 { n_patterns + 2 } else { n_patterns - 1 };
        let mut child = uhop(folder, &[change, &["--quiet"]].concat())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // From before the file is opened to after the change is made, on any machine.
        std::thread::sleep(std::time::Duration::from_micros(round * round * 40));
        let _ = child.kill();
        let is_done = child.wait().unwrap().success();
        let found = stored();
        assert!(found == changed || (found == n_patterns && !is_done), "round {round}");
        n_patterns = found;
        if is_done { n_done += 1 } else { n_killed += 1 }
    }
    // The first is killed as it starts, unless starting takes no time at all.
    assert!(n_killed > 0, "{n_done} done");
    json(folder, &["add", "m.safetensors", "two.npy"]);
    assert_eq!(stored(), n_patterns + 2);
}

/// A slip of the hand must not replace a memory by what it recalls, or a file of rows by a memory.
#[test]
fn rows_do_not_replace_a_memory_nor_a_memory_rows() {
    let folder = folder();
    let folder = folder.path();
    json(folder, &["fit", "patterns.csv", "-o", "m.safetensors"]);
    json(folder, &["convert", "patterns.csv", "rows.safetensors"]);
    let files =
        || ["m.safetensors", "rows.safetensors"].map(|name| fs::read(folder.join(name)).unwrap());
    let before = files();
    let recall = ["retrieve", "m.safetensors", "queries.csv", "-o"];
    for arguments in [
        &[&recall[..], &["m.safetensors"]].concat()[..],
        &[&recall[..], &["o.csv", "--weights", "m.safetensors"]].concat(),
        &["convert", "patterns.csv", "m.safetensors"],
        &["corrupt", "patterns.csv", "-o", "m.safetensors", "--half-mask"],
        &["sample", "m.safetensors"],
        &["fit", "rows.safetensors", "-o", "rows.safetensors"],
    ] {
        let output = run(folder, arguments);
        assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""), "{arguments:?}");
        let text = stderr(&output);
        assert!(text.contains("hint: name another file"), "{arguments:?}: {text}");
        assert!(files() == before, "{arguments:?}");
    }
    // A journal that cannot be read is no reason to lose the memory.
    fs::write(folder.join("m.safetensors.journal"), "damaged").unwrap();
    let output = run(folder, &["convert", "patterns.csv", "m.safetensors"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(files() == before);
    fs::remove_file(folder.join("m.safetensors.journal")).unwrap();
    // Each may be replaced by its like.
    json(folder, &["fit", "rows.safetensors", "-o", "m.safetensors"]);
    json(folder, &[&recall[..], &["rows.safetensors"]].concat());
}

#[test]
fn a_trusted_memory_recalls_the_same() {
    let folder = large();
    let folder = folder.path();
    let retrieve = ["retrieve", "m.safetensors", "two.npy", "-o", "out.csv", "--beta", "0.001"];
    json(folder, &retrieve);
    let checked = fs::read(folder.join("out.csv")).unwrap();
    json(folder, &[&retrieve[..], &["--trust"]].concat());
    assert_eq!(fs::read(folder.join("out.csv")).unwrap(), checked);
    // Damage in the numbers is found unless the file is trusted.
    let mut bytes = fs::read(folder.join("m.safetensors")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(folder.join("m.safetensors"), bytes).unwrap();
    let output = run(folder, &retrieve);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("tensor `patterns` is damaged"), "{}", stderr(&output));
    json(folder, &[&retrieve[..], &["--trust"]].concat());
}

#[test]
fn changes_that_cannot_be_made_change_nothing() {
    let folder = large();
    let folder = folder.path();
    fs::write(folder.join("short.csv"), "1,2\n").unwrap();
    fs::write(folder.join("ids.txt"), "1\n2\n").unwrap();
    fs::write(folder.join("blank.txt"), "1\n \n2\n").unwrap();
    json(folder, &["add", "m.safetensors", "two.npy"]);
    let files = || {
        ["m.safetensors", "m.safetensors.journal"].map(|name| fs::read(folder.join(name)).unwrap())
    };
    let before = files();
    let refused = |arguments: &[&str], expected: &str| {
        let output = run(folder, arguments);
        assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""), "{arguments:?}");
        let text = stderr(&output);
        assert!(text.starts_with("error: ") && text.contains(expected), "{arguments:?}: {text}");
        assert!(files() == before, "{arguments:?}");
    };
    refused(&["add", "m.safetensors", "short.csv"], "[1, 2]");
    refused(&["add", "m.safetensors", "none.npy"], "none.npy");
    refused(&["add", "none.safetensors", "two.npy"], "none.safetensors");
    refused(&["add", "two.npy", "two.npy"], "two.npy is not a memory file");
    refused(&["add", "m.safetensors", "two.npy", "--ids", "ids.txt"], "ids is given");
    refused(&["add", "m.safetensors", "two.npy", "--values", "two.npy"], "values is given");
    refused(&["remove", "m.safetensors", "--ids", "1"], "hint: name them by their rows");
    refused(&["remove", "m.safetensors", "--rows", "602"], "from 0 to 601");
    refused(&["remove", "m.safetensors", "--rows", "1", "--ids", "1"], "cannot be used with");
    refused(&["remove", "m.safetensors", "--rows", "1,2,1"], "--rows names row 1 twice");
    refused(&["remove", "m.safetensors", "--ids-from", "blank.txt"], "blank.txt: line 2 is blank");
    refused(&["add", "m.safetensors", "two.npy", "--ids", "blank.txt"], "line 2 is blank");
    refused(&["remove", "m.safetensors"], "--rows");
    let mut journal = before[1].clone();
    journal[20] ^= 1;
    fs::write(folder.join("m.safetensors.journal"), &journal).unwrap();
    for verb in [&["inspect", "m.safetensors"][..], &["remove", "m.safetensors", "--rows", "1"]] {
        let output = run(folder, verb);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("journal is damaged"), "{}", stderr(&output));
    }
}
