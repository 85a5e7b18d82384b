use std::fs;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use uhop_lab::{DataSet, Finished, Result, Row, Run, Spec};

use crate::common::{noise, rows, run, small, timeless};

#[test]
fn rows_do_not_depend_on_the_number_of_jobs() {
    let (spec, data) = (small(), noise());
    let expected = timeless(&rows(&spec, &data));
    for jobs in [1, 3, 9] {
        let folder = tempfile::tempdir().unwrap();
        let finished = run(&spec, &data, folder.path(), jobs).unwrap();
        assert_eq!(timeless(&finished.rows), expected, "{jobs} jobs");
    }
}

/// Sets in the order of sizes and seeds, then corruption, level, protocol and contender.
#[test]
fn rows_are_in_the_order_of_the_specification() {
    let (spec, data) = (small(), noise());
    let rows = rows(&spec, &data);
    let levels = [("half-mask", 0.5), ("gaussian-std", 0.25), ("gaussian-std", 1.0)];
    let levels = levels.iter().chain(&[("gaussian-norm", 0.5), ("occluded-half", 0.5)]);
    let mut expected = Vec::new();
    for n_patterns in [4, 7] {
        for seed in 0..3 {
            for (corruption, level) in levels.clone() {
                let mut push = |protocol: &str, contender: String| {
                    let corruption = (*corruption).to_owned();
                    let key =
                        (n_patterns, seed, corruption, *level, protocol.to_owned(), contender);
                    expected.push(key);
                };
                push("bayes", "bayes".to_owned());
                for protocol in &spec.protocol {
                    for contender in &spec.contenders {
                        if !protocol.without.contains(contender) {
                            push(&protocol.name, contender.to_string());
                        }
                    }
                }
            }
        }
    }
    let key = |row: &Row| {
        let Row { n_patterns, seed, level, .. } = *row;
        let (protocol, contender) = (row.protocol.clone(), row.contender.clone());
        (n_patterns, seed, row.corruption.clone(), level, protocol, contender)
    };
    assert_eq!(rows.iter().map(key).collect::<Vec<_>>(), expected);
}

/// Stops when so many memory sets are finished.
fn stopped(spec: &Spec, data: &DataSet, out: &Path, sets: usize) -> Result<Finished> {
    let jobs = NonZeroUsize::MIN;
    Run { spec, data: std::slice::from_ref(data), out, jobs }.run(&|progress| {
        if progress.tasks >= sets { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
}

#[test]
fn a_stopped_run_is_gone_on_with() {
    let (spec, data) = (small(), noise());
    let expected = timeless(&rows(&spec, &data));
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for sets in [0, 2, 3] {
        let error = stopped(&spec, &data, folder, sets).unwrap_err();
        assert!(error.is_stopped() && !error.is_input());
        let expected = format!("stopped with {sets} of 6 tasks finished");
        assert_eq!(error.to_string(), expected);
        assert!(!folder.join("rows.csv").exists());
    }
    // A crash amid a line.
    let journal = folder.join("rows.jsonl");
    let whole = fs::read(&journal).unwrap();
    fs::write(&journal, &whole[..whole.len() - 7]).unwrap();
    let finished = run(&spec, &data, folder, 2).unwrap();
    assert_eq!((finished.resumed, finished.tasks), (2, 6));
    assert_eq!(timeless(&finished.rows), expected);
    // Nothing is left to do, and the rows are the very same.
    let again = run(&spec, &data, folder, 2).unwrap();
    assert_eq!((again.resumed, &again.rows), (6, &finished.rows));
}

#[test]
fn the_observer_stops_a_run_amid_stage_one() {
    let (mut spec, data) = (small(), noise());
    spec.stage1.steps = vec![1_000_000_000];
    let folder = tempfile::tempdir().unwrap();
    let calls = AtomicUsize::new(0);
    let (data, out) = (std::slice::from_ref(&data), folder.path());
    let result = Run { spec: &spec, data, out, jobs: NonZeroUsize::MIN }.run(&|_| {
        let calls = calls.fetch_add(1, Ordering::Relaxed);
        if calls < 1000 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    assert!(result.unwrap_err().is_stopped());
}

#[test]
fn more_seeds_add_to_what_is_there() {
    let (mut spec, data) = (small(), noise());
    let folder = tempfile::tempdir().unwrap();
    let many = timeless(&rows(&spec, &data));
    spec.seeds = 1;
    assert_eq!(run(&spec, &data, folder.path(), 1).unwrap().tasks, 2);
    spec.seeds = 3;
    let finished = run(&spec, &data, folder.path(), 1).unwrap();
    assert_eq!((finished.resumed, finished.tasks), (2, 6));
    assert_eq!(timeless(&finished.rows), many);
    // And fewer leave the others out. What a quick run would be says nothing of these rows.
    (spec.seeds, spec.quick.seeds) = (2, 9);
    assert_eq!(run(&spec, &data, folder.path(), 1).unwrap().resumed, 4);
}

#[test]
fn a_folder_of_another_run_is_refused() {
    let (spec, data) = (small(), noise());
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    run(&Spec { n_patterns: vec![4], seeds: 1, ..spec.clone() }, &data, folder, 1).unwrap();
    let journal = folder.join("rows.jsonl");
    let before = fs::read(&journal).unwrap();
    let refused = |spec: &Spec, data: &DataSet, what: &str| {
        let error = run(spec, data, folder, 1).unwrap_err();
        let expected = format!("{}: holds rows of another {what}", journal.display());
        assert!(error.is_input() && error.to_string().starts_with(&expected), "{error}");
        assert_eq!(error.to_string().lines().count(), 1);
    };
    refused(&spec, &data, "specification");
    refused(
        &Spec { name: "other".to_owned(), ..spec.clone() },
        &data,
        "experiment (small, not other)",
    );
    refused(&spec, &DataSet::sample(), "data set (noise, not mnist-sample)");
    let grey = ndarray::Array2::from_elem((40, 20), 0.5);
    let other = DataSet::new("noise", "another copy", (4, 5, 1), grey).unwrap();
    refused(&spec, &other, "set of images called noise; choose");
    assert_eq!(fs::read(&journal).unwrap(), before);
    let text = String::from_utf8(before).unwrap();
    let version = format!("\"version\":\"{}\"", env!("CARGO_PKG_VERSION"));
    fs::write(&journal, text.replacen(&version, "\"version\":\"0.0.0\"", 1)).unwrap();
    refused(&spec, &data, "version (0.0.0, not ");
    for damaged in ["{}\n", "text\n", "{\"version\":1}\n"] {
        fs::write(&journal, damaged).unwrap();
        let error = run(&spec, &data, folder, 1).unwrap_err().to_string();
        assert!(error.contains("rows.jsonl: line 1: not as it was written"), "{error}");
    }
}

/// A run that failed at once leaves a header, and what was wrong is mended in another specification.
#[test]
fn a_folder_without_a_finished_set_is_free() {
    let (spec, data) = (small(), noise());
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    assert!(stopped(&spec, &data, out, 0).unwrap_err().is_stopped());
    let journal = out.join("rows.jsonl");
    assert_eq!(fs::read_to_string(&journal).unwrap().lines().count(), 1);
    // A piece of a first line that was cut short is no finished set.
    fs::write(&journal, [&fs::read(&journal).unwrap()[..], b"{\"dataset\""].concat()).unwrap();
    let other = Spec { seeds: 1, n_patterns: vec![4], name: "other".to_owned(), ..spec.clone() };
    assert_eq!(run(&other, &data, out, 1).unwrap().resumed, 0);
    assert_eq!(run(&other, &data, out, 1).unwrap().resumed, 1);
    let error = run(&spec, &data, out, 1).unwrap_err().to_string();
    assert!(error.contains("holds rows of another experiment (other, not small)"), "{error}");
    // Results without a journal of their sets, as an experiment in one go has them, are not free.
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, format!("{}\n", text.lines().next().unwrap())).unwrap();
    assert!(run(&spec, &data, out, 1).unwrap_err().is_input());
    assert!(out.join("rows.csv").exists());
}

#[test]
fn more_than_the_images_is_refused_with_both_numbers() {
    let spec = Spec { n_patterns: vec![41, 50], ..small() };
    let error = run(&spec, &noise(), tempfile::tempdir().unwrap().path(), 1).unwrap_err();
    let expected = "small: its smallest memory stores 41 images, noise has 40; name";
    assert!(error.is_input() && error.to_string().starts_with(expected), "{error}");
}

#[test]
fn two_runs_do_not_share_a_folder() {
    let (spec, data) = (small(), noise());
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    let first =
        Run { spec: &spec, data: std::slice::from_ref(&data), out, jobs: NonZeroUsize::MIN };
    let finished = first.run(&|_| {
        let error = run(&spec, &data, out, 1).unwrap_err();
        assert!(error.to_string().contains("another run is writing to it"), "{error}");
        ControlFlow::Break(())
    });
    assert!(finished.unwrap_err().is_stopped());
}

#[test]
fn sizes_beyond_the_data_are_left_out() {
    let (mut spec, data) = (small(), noise());
    spec.seeds = 1;
    spec.n_patterns = vec![4, 41, 1000];
    let folder = tempfile::tempdir().unwrap();
    let finished = run(&spec, &data, folder.path(), 1).unwrap();
    assert_eq!(finished.left_out, [("noise".to_owned(), 41), ("noise".to_owned(), 1000)]);
    assert!(finished.rows.iter().all(|row| row.n_patterns == 4));
    spec.n_patterns = vec![41];
    let error = run(&spec, &data, &folder.path().join("other"), 1).unwrap_err();
    assert!(error.is_input(), "{error}");
}
