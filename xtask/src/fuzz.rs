//! `cargo xtask fuzz`: the fuzz targets, one after the other, from the hostile files on.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Outcome;

/// How long each target runs when nothing is said.
const SECONDS: u64 = 60;

/// Where hostile files are, a folder for each target.
const SEEDS: &[&str] = &["crates/uhop-data/tests/corpus", "crates/uhop/tests/corpus"];

/// Runs the targets asked for, or all of them, stopping at the first that finds something.
pub(crate) fn run(root: &Path, words: &[&str], out: &mut dyn Write) -> io::Result<Outcome> {
    let known = targets(root)?;
    let Some((wanted, seconds)) = parse(words, &known) else {
        return Ok(Outcome::Failed(format!(
            "fuzz: expected [TARGET] [SECONDS] with one of the targets {}, found {:?}",
            known.join(", "),
            words.join(" ")
        )));
    };
    if !installed() {
        let what = "fuzz: cargo-fuzz is not installed; install it with: cargo install cargo-fuzz";
        return Ok(Outcome::Failed(what.to_owned()));
    }
    for target in wanted {
        fs::create_dir_all(root.join("fuzz/corpus").join(target))?;
        let arguments = arguments(root, target, seconds);
        writeln!(out, "== cargo {}", arguments.join(" "))?;
        let status = Command::new("cargo").args(&arguments).current_dir(root).status()?;
        if !status.success() {
            return Ok(Outcome::Failed(format!(
                "fuzz: target `{target}` found something in fuzz/artifacts/{target}; see \
                 fuzz/README.md"
            )));
        }
    }
    Ok(Outcome::Passed)
}

/// The targets and the seconds that the words name.
fn parse<'a>(words: &[&str], known: &'a [String]) -> Option<(Vec<&'a String>, u64)> {
    let (target, seconds) = match words {
        [] => (None, None),
        [word] if word.parse::<u64>().is_ok() => (None, Some(*word)),
        [target] => (Some(*target), None),
        [target, seconds] => (Some(*target), Some(*seconds)),
        _ => return None,
    };
    let seconds = seconds.map_or(Some(SECONDS), |seconds| seconds.parse().ok())?;
    let wanted: Vec<_> =
        known.iter().filter(|name| target.is_none_or(|target| target == *name)).collect();
    (!wanted.is_empty()).then_some((wanted, seconds))
}

/// The files in `fuzz/fuzz_targets`.
fn targets(root: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root.join("fuzz/fuzz_targets"))? {
        let path = PathBuf::from(entry?.file_name());
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

/// Without a sanitizer, as those need a nightly toolchain: safe Rust fails by panicking.
fn arguments(root: &Path, target: &str, seconds: u64) -> Vec<String> {
    let mut all: Vec<String> =
        ["fuzz", "run", "--sanitizer", "none", target].map(String::from).into();
    all.push(format!("fuzz/corpus/{target}"));
    let seeds = SEEDS.iter().map(|folder| format!("{folder}/{target}"));
    all.extend(seeds.filter(|folder| root.join(folder).is_dir()));
    all.extend(["--", "-rss_limit_mb=4096", "-timeout=20"].map(String::from));
    all.push(format!("-max_total_time={seconds}"));
    all
}

fn installed() -> bool {
    Command::new("cargo")
        .args(["fuzz", "--version"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_and_seconds_are_told_apart() {
        let known = ["csv".to_owned(), "npy".to_owned()];
        let parse = |words: &[&str]| parse(words, &known).map(|(all, n)| (all.len(), n));
        assert_eq!(parse(&[]), Some((2, SECONDS)));
        assert_eq!(parse(&["5"]), Some((2, 5)));
        assert_eq!(parse(&["npy"]), Some((1, SECONDS)));
        assert_eq!(parse(&["npy", "5"]), Some((1, 5)));
        for wrong in [&["other"][..], &["npy", "long"], &["npy", "5", "6"]] {
            assert_eq!(parse(wrong), None);
        }
    }

    #[test]
    fn every_target_is_named_in_the_manifest_and_has_hostile_files() {
        let root = crate::workspace_root();
        let manifest = fs::read_to_string(root.join("fuzz/Cargo.toml")).unwrap();
        let targets = targets(&root).unwrap();
        assert_eq!(manifest.matches("[[bin]]").count(), targets.len());
        for target in targets {
            assert!(manifest.contains(&format!("path = \"fuzz_targets/{target}.rs\"")), "{target}");
            let arguments = arguments(&root, &target, 1).join(" ");
            assert!(arguments.contains(&format!("tests/corpus/{target} --")), "{arguments}");
        }
    }
}
