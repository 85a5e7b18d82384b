//! `uhop experiment`: what it lists, writes, resumes and refuses.

use std::fs;
#[cfg(unix)]
use std::io::Read as _;
use std::path::Path;
#[cfg(unix)]
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::{documented, fields, stderr, stdout, uhop};

/// A small experiment on the digits.
const SPEC: &str = r#"
name = "tiny"
title = "A tiny experiment"
method = "As small as can be."
axis = "steps"
datasets = ["mnist"]
seeds = 2
n_patterns = [6]
recall_threshold = 1.0
contenders = ["dense", "uhop-dense-average"]
stage1 = { steps = [1, 3], average_rate = 1.0, max_rate = 10.0 }
corruption = [{ kind = "gaussian-std", levels = [1.0] }]
protocol = [{ name = "paper" }]
quick = { seeds = 1 }
"#;

fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("tiny.toml"), SPEC).unwrap();
    folder
}

const RUN: [&str; 6] = ["experiment", "run", "tiny", "--spec", "tiny.toml", "--no-progress"];

fn json(folder: &Path, arguments: &[&str]) -> Value {
    let output = uhop(folder, &[arguments, &["--json"]].concat()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// rows.csv without its last column, the seconds.
fn rows(path: &Path) -> Vec<String> {
    let lines = lines_of(path);
    lines.iter().map(|line| line.rsplit_once(',').unwrap().0.to_owned()).collect()
}

fn lines_of(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

/// What is shown can be run; a name that there is not is one line.
#[test]
fn what_is_shown_can_be_changed_and_run() {
    let folder = TempDir::new().unwrap();
    let shown = uhop(folder.path(), &["experiment", "show", "temperature"]).output().unwrap();
    let (all_but_quick, _) = stdout(&shown).split_once("[quick]").unwrap();
    let mine = all_but_quick.to_owned() + "[quick]\nseeds = 1\nn_patterns = [4]\nsteps = [1]\n";
    fs::write(folder.path().join("mine.toml"), mine).unwrap();
    let run = ["experiment", "run", "temperature", "--quick", "--spec", "mine.toml", "--out", "o"];
    assert!(json(folder.path(), &run)["n_rows"].as_u64().unwrap() > 0);
    let output = uhop(folder.path(), &["experiment", "show", "no-such"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no experiment is called no-such"), "{}", stderr(&output));
}

#[test]
fn the_list_names_what_can_be_run() {
    let folder = TempDir::new().unwrap();
    let document = json(folder.path(), &["experiment", "list"]);
    let [top, row] = documented("experiment list");
    assert_eq!(fields(&document), top);
    let entries = document["rows"].as_array().unwrap();
    let output = uhop(folder.path(), &["experiment", "list"]).output().unwrap();
    assert_eq!(stdout(&output).lines().count(), entries.len());
    for (entry, line) in entries.iter().zip(stdout(&output).lines()) {
        assert_eq!(fields(entry), row);
        let name = entry["name"].as_str().unwrap();
        assert!(line.starts_with(name) && line.ends_with(entry["title"].as_str().unwrap()));
    }
    assert!(entries.iter().any(|entry| entry["name"] == "memory-size"));
}

#[test]
fn a_run_writes_rows_and_another_goes_on() {
    let folder = folder();
    let here = folder.path();
    let document = json(here, &[&RUN[..], &["--quick"]].concat());
    assert_eq!(fields(&document), documented("experiment run")[0]);
    assert_eq!(document["data"][0]["name"], "mnist-sample");
    assert_eq!((&document["tasks"], &document["resumed"]), (&1.into(), &0.into()));
    let csv = here.join(document["csv"].as_str().unwrap());
    assert_eq!(csv, here.join("uhop-tiny/rows.csv"));
    let quick = rows(&csv);
    // A header; the limit, dense, and U-Hop after each number of steps.
    assert_eq!((quick.len(), &document["n_rows"]), (1 + 4, &4.into()));
    assert!(here.join(document["parquet"].as_str().unwrap()).is_file());

    // --quick changes nothing but the seeds here: the full run goes on from it.
    let output = uhop(here, &RUN).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.starts_with("A tiny experiment\n"), "{text}");
    for part in ["gaussian-std 1, 6 patterns, protocol paper", " bayes ", "rank correlation"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let end = "8 rows of 2 tasks, 1 from an earlier run\nreport  uhop-tiny/report.html\n";
    assert!(text.ends_with(end), "{text}");
    let page = fs::read_to_string(here.join("uhop-tiny/report.html")).unwrap();
    for part in ["A tiny experiment", "As small as can be.", "uhop experiment run tiny", "bayes"] {
        assert!(page.contains(part), "{part}");
    }
    let full = rows(&csv);
    assert_eq!((full.len(), &full[..5]), (1 + 8, &quick[..]));

    for jobs in ["1", "2"] {
        let anew = json(here, &[&RUN[..], &["--out", jobs, "--jobs", jobs]].concat());
        assert_eq!(rows(&here.join(anew["csv"].as_str().unwrap())), full, "{jobs}");
    }
}

/// The command in the report can be typed again.
#[test]
fn the_command_in_a_report_is_quoted() {
    let folder = folder();
    let here = folder.path();
    json(here, &[&RUN[..], &["--quick", "--out", "a b"]].concat());
    let page = fs::read_to_string(here.join("a b/report.html")).unwrap();
    assert!(page.contains("--out 'a b' --json"), "{page}");
}

/// Without data an experiment whose memories are all too large for the built-in digits has those of a quick run.
#[test]
fn an_experiment_on_large_memories_runs_on_the_digits() {
    let folder = folder();
    let here = folder.path();
    let large =
        SPEC.replace("[6]", "[2000]").replace("seeds = 1 }", "seeds = 1, n_patterns = [5] }");
    fs::write(here.join("tiny.toml"), &large).unwrap();
    let output = uhop(here, &RUN).output().unwrap();
    let expected = "mnist-sample: fewer images than the smallest memory stores, 2000; runs with the \
                    sizes of --quick, from 5\n";
    assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    let document = json(here, &RUN);
    assert_eq!((&document["tasks"], &document["n_rows"]), (&2.into(), &8.into()));
    let csv = lines_of(&here.join(document["csv"].as_str().unwrap()));
    assert!(csv[1].contains(",5,"), "{}", csv[1]);
    // Where a quick run has no other sizes, one line says both numbers.
    fs::write(here.join("tiny.toml"), SPEC.replace("[6]", "[2000]")).unwrap();
    let output = uhop(here, &[&RUN[..], &["--out", "none"]].concat()).output().unwrap();
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""));
    let expected = "its smallest memory stores 2000 images, mnist-sample has 1000";
    assert!(stderr(&output).contains(expected), "{}", stderr(&output));
}

/// What a quick run of an experiment with rows of its own kind has to come to.
struct Expected {
    name: &'static str,
    n_rows: usize,
    header: &'static str,
    seeds: Option<u64>,
    tasks: usize,
}

impl Expected {
    /// Runs it twice: the second time nothing is left to do where there is a journal.
    fn of(self, here: &Path) {
        let Self { name, n_rows, header, seeds, tasks } = self;
        let run = ["experiment", "run", name, "--quick", "--no-progress"];
        let document = json(here, &run);
        assert_eq!(fields(&document), documented("experiment run")[0]);
        assert_eq!(document["n_rows"], n_rows);
        assert_eq!(document["seeds"].as_u64(), seeds);
        if name != "basins" && name != "capacity" {
            assert_eq!(document["data"][0]["name"], "mnist-sample", "{name}");
        }
        assert_eq!((&document["tasks"], &document["resumed"]), (&tasks.into(), &0.into()));
        let csv = here.join(document["csv"].as_str().unwrap());
        let text = fs::read_to_string(csv).unwrap();
        assert!(text.starts_with(header), "{name}");
        assert_eq!(text.lines().count(), 1 + n_rows);
        for file in ["parquet", "report"] {
            assert!(here.join(document[file].as_str().unwrap()).is_file(), "{name} {file}");
        }
        let resumed = if name == "basins" { 0 } else { tasks };
        let output = uhop(here, &run).output().unwrap();
        let plural = if tasks == 1 { "" } else { "s" };
        let end = format!(
            "{n_rows} rows of {tasks} task{plural}, {resumed} from an earlier run\n\
             report  uhop-{name}/report.html\n"
        );
        assert!(stdout(&output).ends_with(&end), "{}", stdout(&output));
        assert!(here.join(format!("uhop-{name}/rows.jsonl")).is_file());
    }
}

#[test]
fn the_table_of_accuracies_writes_rows_and_a_report() {
    let (name, header) = ("classification", "dataset,provenance,setup,");
    let n_rows = 2 + 4 + 5 * 3;
    Expected { name, n_rows, header, seeds: Some(1), tasks: 2 + 5 }
        .of(TempDir::new().unwrap().path());
}

#[test]
fn the_curves_of_learning_write_rows_and_a_report() {
    let (name, header) = ("convergence", "dataset,provenance,setup,");
    Expected { name, n_rows: 4 * 5, header, seeds: Some(1), tasks: 4 }
        .of(TempDir::new().unwrap().path());
}

/// Experiments with rows of their own kind have them, a report, and tasks to share among workers but for
/// the plane.
#[test]
fn experiments_of_their_own_kind_write_rows_and_a_report() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    for (name, n_rows, header, seeds, tasks) in [
        ("basins", 7 * 41 * 41, "landscape,stage1_steps,", None, 1),
        ("metastable", 15 * 12, "provenance,separation,", None, 15),
        ("contribution", 3 * 2 * (2 + 4 * 2), "provenance,n_patterns,", Some(2), 3 * 2),
        (
            "capacity",
            2 * 4 * 2 * 2 + 5 + 4 * 12,
            "table,contender,dim,dim_features,",
            Some(1),
            2 * 4 + 4 * 12,
        ),
    ] {
        Expected { name, n_rows, header, seeds, tasks }.of(here);
    }
    for (option, value) in [("--jobs", "2"), ("--seeds", "2"), ("--data", "x")] {
        let run = ["experiment", "run", "basins", "--quick", option, value];
        let output = uhop(here, &run).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let expected = format!("{option} means nothing to the experiment basins");
        assert!(stderr(&output).contains(&expected), "{}", stderr(&output));
    }
    // A folder that cannot be made is refused before anything is measured.
    fs::write(here.join("file"), "").unwrap();
    let run = ["experiment", "run", "metastable", "--out", "file/results"];
    let output = uhop(here, &run).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("file/results: cannot write"), "{}", stderr(&output));
    let run = ["experiment", "run", "basins", "--jobs", "0"];
    let output = uhop(here, &run).output().unwrap();
    assert!(stderr(&output).contains("give a whole number from 1"), "{}", stderr(&output));
    let run = ["experiment", "run", "metastable", "--quick", "--seeds", "2"];
    let output = uhop(here, &run).output().unwrap();
    assert!(stderr(&output).contains("--seeds means nothing"), "{}", stderr(&output));
    let run = ["experiment", "run", "contribution", "--quick", "--seeds", "1"];
    let document = json(here, &run);
    assert_eq!((&document["n_rows"], &document["resumed"]), (&(3 * 10).into(), &3.into()));
    let output = uhop(here, &["experiment", "run", "no-such"]).output().unwrap();
    assert!(stderr(&output).contains("metastable, basins, contribution"), "{}", stderr(&output));
}

/// Where the hub is out of reach, one line says which file to put where.
#[cfg(feature = "hub")]
#[test]
fn without_the_hub_an_error_says_what_to_put_where() {
    let folder = TempDir::new().unwrap();
    for name in ["memory-size", "metastable", "contribution"] {
        let output = uhop(folder.path(), &["experiment", "run", name, "--quick", "--fetch"])
            .env("HF_HOME", folder.path())
            .env("HF_ENDPOINT", "http://127.0.0.1:1")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let error = stderr(&output);
        let error = error.lines().last().unwrap();
        for part in ["mnist/train-00000-of-00001.parquet", "127.0.0.1:1", "put it here"] {
            assert!(error.contains(part), "{error}");
        }
    }
}

/// Data from a folder, and a folder that holds rows of other data.
#[test]
fn data_come_from_a_folder() {
    let folder = folder();
    let here = folder.path();
    json(here, &RUN);
    let digits = uhop(here, &["sample", "digits.npy", "--count", "50"]).output().unwrap();
    assert_eq!(stderr(&digits), "");
    let convert = ["convert", "digits.npy", "digits.idx", "--size", "28x28", "--grey"];
    assert_eq!(stderr(&uhop(here, &convert).output().unwrap()), "");
    let data = here.join("data/mnist");
    fs::create_dir_all(&data).unwrap();
    fs::rename(here.join("digits.idx"), data.join("train-images-idx3-ubyte")).unwrap();
    let labels = [&[0, 0, 8, 1, 0, 0, 0, 50][..], &[0; 50]].concat();
    fs::write(data.join("train-labels-idx1-ubyte"), labels).unwrap();
    let arguments = [&RUN[..], &["--data", "data"]].concat();
    let refused = uhop(here, &arguments).output().unwrap();
    assert_eq!((refused.status.code(), stdout(&refused)), (Some(1), ""));
    let expected = "rows.jsonl: holds rows of another data set (mnist-sample, not mnist)";
    assert!(stderr(&refused).contains(expected), "{}", stderr(&refused));
    let document = json(here, &[&arguments[..], &["--out", "other"]].concat());
    assert_eq!(document["data"][0]["name"], "mnist");
    let provenance = document["data"][0]["provenance"].as_str().unwrap();
    assert!(provenance.contains("50 of 60,000 images"), "{provenance}");
}

/// Ctrl-C amid a Stage I without end: the journal is there, and the results are not.
#[cfg(unix)]
#[test]
fn an_interrupted_run_says_how_to_go_on() {
    let folder = folder();
    let here = folder.path();
    fs::write(here.join("tiny.toml"), SPEC.replace("[1, 3]", "[1, 999999999]")).unwrap();
    let mut child = uhop(here, &RUN).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let journal = here.join("uhop-tiny/rows.jsonl");
    // Signals are noted once the journal is there.
    while !journal.is_file() && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    let kill = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{text}");
    let expected =
        "error: interrupted; what was finished is kept, and the same command goes on from it\n";
    assert!(text.ends_with(expected), "{text}");
    assert!(!here.join("uhop-tiny/rows.csv").exists());
}

/// Ctrl-C once a task is finished: the same command goes on to the rows of a run without it.
#[cfg(unix)]
#[test]
fn interrupted_experiments_of_their_own_kind_go_on() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    for name in ["metastable", "contribution", "capacity"] {
        let run = ["experiment", "run", name, "--quick", "--no-progress"];
        let whole = json(here, &[&run[..], &["--out", "whole", "--jobs", "2"]].concat());
        let run = [&run[..], &["--out", "stopped", "--jobs", "1"]].concat();
        let mut child =
            uhop(here, &run).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let journal = here.join("stopped/rows.jsonl");
        let lines = || fs::read_to_string(&journal).unwrap_or_default().lines().count();
        while lines() < 2 && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        let kill = format!("kill -INT {}", child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{name}: {}", stderr(&output));
        let expected =
            "error: interrupted; what was finished is kept, and the same command goes on from it\n";
        assert!(stderr(&output).ends_with(expected), "{}", stderr(&output));
        assert_eq!(stdout(&output), "");
        assert!(
            !here.join("stopped/rows.csv").exists() && !here.join("stopped/report.html").exists()
        );

        let kept = lines() - 1;
        let document = json(here, &run);
        assert_eq!(document["resumed"], kept, "{name}");
        let of_both = [&whole, &document].map(|document| {
            let csv = here.join(document["csv"].as_str().unwrap());
            // The seconds come last where there are any.
            if name == "capacity" { lines_of(&csv) } else { rows(&csv) }
        });
        assert_eq!(of_both[0], of_both[1], "{name}");
        fs::remove_dir_all(here.join("whole")).unwrap();
        fs::remove_dir_all(here.join("stopped")).unwrap();
    }
}

#[test]
fn a_specification_is_of_the_experiment_it_names() {
    let folder = folder();
    let arguments = ["experiment", "run", "noise", "--spec", "tiny.toml"];
    let output = uhop(folder.path(), &arguments).output().unwrap();
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""));
    assert!(stderr(&output).contains("tiny.toml is of the experiment tiny, not noise"));
    // Two experiments have specifications of one kind; one has a kind of its own; two have different
    // kinds.
    for (shown, written, run, to_do) in [
        ("convergence", "convergence", "classification", "give the name that stands in the file"),
        ("capacity", "mine", "capacity", "write name = \"capacity\" in the file"),
        ("capacity", "capacity", "noise", "give the name that stands in the file"),
    ] {
        let output = uhop(folder.path(), &["experiment", "show", shown]).output().unwrap();
        let name = |name| format!("name = \"{name}\"");
        let text = stdout(&output).replacen(&name(shown), &name(written), 1);
        fs::write(folder.path().join("mine.toml"), text).unwrap();
        let arguments = ["experiment", "run", run, "--spec", "mine.toml"];
        let output = uhop(folder.path(), &arguments).output().unwrap();
        assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""), "{run}");
        let expected = format!("mine.toml is of the experiment {written}, not {run}: {to_do}");
        assert!(stderr(&output).contains(&expected), "{}", stderr(&output));
    }
}
