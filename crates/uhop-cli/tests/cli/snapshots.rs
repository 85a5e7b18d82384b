//! Every help text and a table of errors, word for word, in `tests/snapshots/`.
//!
//! After a change that is meant, `UPDATE_SNAPSHOTS=1 cargo test -p uhop-cli --test cli` writes them
//! anew, and the output in `docs/tutorial.md` with them; the diff is what a reviewer reads.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{stderr, stdout, uhop};

/// Compares a text with the file that holds it, line by line; what differs is written or reported.
pub(crate) fn compare(path: &Path, text: &str, same: impl Fn(&str, &str) -> bool) {
    let expected = fs::read_to_string(path).unwrap_or_default();
    let (mut lines, mut expected) = (text.lines(), expected.lines());
    for number in 1.. {
        let (found, expected) = (lines.next(), expected.next());
        match (found, expected) {
            (None, None) => return,
            (Some(found), Some(expected)) if same(found, expected) => continue,
            _ => {}
        }
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            fs::write(path, text).unwrap();
            return;
        }
        panic!(
            "{}:{number}: expected {expected:?}, found {found:?}; if that is meant, run \
             UPDATE_SNAPSHOTS=1 cargo test -p uhop-cli --test cli",
            path.display()
        );
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots")
}

/// A command as typed, with what it prints and its exit code.
fn session(folder: &Path, arguments: &[&str]) -> String {
    let output = uhop(folder, arguments).output().unwrap();
    let code = output.status.code().unwrap();
    let mut text = format!("$ uhop {}\n", arguments.join(" "));
    text += stdout(&output);
    text += stderr(&output);
    let _ = writeln!(text, "[exit code {code}]\n");
    text
}

/// The verbs that a help text lists.
fn verbs(help: &str) -> Vec<String> {
    let Some((_, list)) = help.split_once("\nCommands:\n") else { return Vec::new() };
    let (list, _) = list.split_once("\n\n").unwrap();
    let names = list.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    names.filter(|name| !name.is_empty() && *name != "help").map(str::to_owned).collect()
}

#[test]
fn the_help_of_every_verb_is_as_reviewed() {
    let temporary = TempDir::new().unwrap();
    let here = temporary.path();
    let help = uhop(here, &["--help"]).output().unwrap();
    let mut texts = BTreeMap::new();
    texts.insert("uhop".to_owned(), session(here, &["-h"]) + &session(here, &["--help"]));
    for verb in verbs(stdout(&help)) {
        let mut text = session(here, &[&verb, "-h"]) + &session(here, &[&verb, "--help"]);
        for own in verbs(&text) {
            text += &session(here, &[&verb, &own, "--help"]);
        }
        texts.insert(verb, text);
    }
    assert!(texts.len() >= 10);
    for (name, text) in &texts {
        compare(&folder().join(format!("help-{name}.txt")), text, |a, b| a == b);
    }
    // None is left of a verb that is gone.
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if let Some(verb) = name.strip_prefix("help-") {
            assert!(texts.contains_key(verb), "{} is of no verb; remove it", path.display());
        }
    }
}

#[test]
fn errors_are_as_reviewed() {
    let temporary = TempDir::new().unwrap();
    let here = temporary.path();
    let write = |name: &str, text: &str| fs::write(here.join(name), text).unwrap();
    write("patterns.csv", "1,1,0,0\n1,1,1,0\n1,1,1,1\n");
    write("queries.csv", "0.9,0.8,0.1,0\n");
    write("short.csv", "1,2\n");
    write("nan.csv", "1,NaN,0,0\n");
    write("ragged.csv", "1,2\n3\n");
    write("words.csv", "1,2\n3,four\n");
    write("empty.csv", "");
    write("ids.txt", "one\ntwo\n");
    write("other.txt", "");
    write("broken.toml", "name = \"noise\"\nseeds = 1.5\n");
    write("broken.npy", "\u{7f}NUMPY");
    write("broken.safetensors", "{}");
    fs::create_dir(here.join("no-images")).unwrap();
    let stored = uhop(here, &["fit", "patterns.csv", "-o", "m.safetensors"]).output().unwrap();
    assert_eq!(stderr(&stored), "");
    let text: String = [
        "bogus",
        "--bogus",
        "demo --seed -1",
        "demo --out ids.txt",
        "fit",
        "fit patterns.csv",
        "fit none.csv -o m.safetensors",
        "fit patterns.csv -o m.csv",
        "fit patterns.csv -o none/m.safetensors",
        "fit other.txt -o m.safetensors",
        "fit nan.csv -o m.safetensors",
        "fit ragged.csv -o m.safetensors",
        "fit words.csv -o m.safetensors",
        "fit empty.csv -o m.safetensors",
        "fit broken.npy -o m.safetensors",
        "fit no-images -o m.safetensors",
        "fit patterns.csv -o m.safetensors --ids ids.txt",
        "fit patterns.csv -o m.safetensors --values short.csv",
        "fit patterns.csv -o m.safetensors --beta 0",
        "fit patterns.csv -o m.safetensors --alpha 0.5",
        "fit patterns.csv -o m.safetensors --top 9",
        "fit patterns.csv -o m.safetensors --alpha 2 --top 1",
        "fit patterns.csv -o m.safetensors --rate 1",
        "fit patterns.csv -o m.safetensors --loss max --rate -1",
        "fit patterns.csv -o m.safetensors --loss max --similarity dot",
        "add m.safetensors short.csv",
        "add none.safetensors patterns.csv",
        "add patterns.csv patterns.csv",
        "add m.safetensors patterns.csv --ids ids.txt",
        "add m.safetensors patterns.csv --values queries.csv",
        "remove m.safetensors",
        "remove m.safetensors --rows 3",
        "remove m.safetensors --rows 0,1,2",
        "remove m.safetensors --ids one",
        "retrieve m.safetensors short.csv -o o.csv",
        "retrieve m.safetensors queries.csv -o o.txt",
        "retrieve m.safetensors queries.csv -o out/",
        "retrieve m.safetensors queries.csv -o - --json",
        "retrieve m.safetensors queries.csv -o o.csv --max-steps 0",
        "retrieve m.safetensors queries.csv -o o.csv --tolerance 1e-3",
        "retrieve m.safetensors queries.csv -o o.csv --tolerance -1 --max-steps 9",
        "retrieve broken.safetensors queries.csv -o o.csv",
        "retrieve m.safetensors queries.csv -o o.csv --threads 0",
        "inspect m.safetensors --threads 1025",
        "inspect patterns.csv",
        "inspect none.safetensors",
        "convert patterns.csv rows.parquet",
        "convert patterns.csv rows/ --size 0x2",
        "convert patterns.csv rows/ --size 3x3 --grey",
        "convert m.safetensors rows.csv --member none",
        "corrupt patterns.csv -o q.csv",
        "corrupt patterns.csv -o q.csv --noise -1",
        "corrupt patterns.csv -o q.csv --half-mask --occlude",
        "corrupt patterns.csv -o q.csv --occlude",
        "corrupt patterns.csv -o q.csv --occlude --size 3x3 --grey",
        "sample digits",
        "sample digits/ --count 1001",
        "experiment",
        "experiment run",
        "experiment run bogus",
        "experiment run noise --seeds 0",
        "experiment run noise --jobs 0",
        "experiment run noise --jobs 1025",
        "experiment run noise --data none",
        "experiment run noise --data no-images",
        "experiment run noise --spec none.toml",
        "experiment run noise --spec broken.toml",
        "experiment run noise --quick --out ids.txt",
        "train",
        "train classify --model none",
        "train classify --data bogus",
        "train classify --data mnist",
        "train classify --data mnist --data-dir none",
        "train classify --data-dir no-images",
        "train classify --patch-size 5",
        "train classify --dim 6",
        "train classify --epochs 0",
        "completions tcsh",
        "man --out ids.txt",
    ]
    .into_iter()
    .map(|line| session(here, &line.split(' ').collect::<Vec<_>>()))
    .collect();
    compare(&folder().join("errors.txt"), &text, |a, b| a == b);
    assert!(!text.contains("[exit code 0]") && !text.contains("[exit code 2]"), "{text}");
}
