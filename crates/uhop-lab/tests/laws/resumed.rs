//! The experiments with files of their own kind go on from what was finished, as those on recall do.

use std::fs;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::Path;

use uhop_lab::metastable::Digits;
use uhop_lab::{DataSet, Observer, Result, Specification as _, capacity, contribution, metastable};

/// Tasks, and those of an earlier run.
type Counts = (usize, usize);

/// An experiment of a few tasks, and another of the same name.
struct Experiment {
    name: &'static str,
    tasks: usize,
    run: fn(Change, &Path, NonZeroUsize, Observer<'_>) -> Result<Counts>,
    changes: &'static [Change],
}

#[derive(Clone, Copy)]
enum Change {
    Nothing,
    Spec,
    Data,
}

const ALL: [Experiment; 3] = [
    Experiment {
        name: "metastable",
        tasks: 6,
        run: metastable,
        changes: &[Change::Spec, Change::Data],
    },
    Experiment {
        name: "contribution",
        tasks: 6,
        run: contribution,
        changes: &[Change::Spec, Change::Data],
    },
    Experiment { name: "capacity", tasks: 6, run: capacity, changes: &[Change::Spec] },
];

fn metastable(
    change: Change,
    out: &Path,
    jobs: NonZeroUsize,
    observer: Observer<'_>,
) -> Result<Counts> {
    let mut spec = metastable::Spec::shipped()?.quick();
    (spec.n_patterns, spec.n_queries, spec.sizes) = (30, 300, 4);
    spec.separations = spec.separations.iter().step_by(2).copied().collect();
    spec.betas = vec![0.1, 1.0];
    let mut digits = Digits::sample();
    match change {
        Change::Nothing => {}
        Change::Spec => spec.steps = 2,
        Change::Data => {
            let folder = mnist();
            digits = Digits::find(folder.path(), &spec)?;
        }
    }
    let run = metastable::Run { spec: &spec, digits: &digits, out, jobs };
    let written = run.run("a command", observer)?;
    Ok((written.tasks, written.resumed))
}

/// A folder with MNIST's files, all of whose images are black.
fn mnist() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("mnist");
    fs::create_dir(&inner).unwrap();
    for split in ["train", "t10k"] {
        let n = 3_u8;
        let sizes = [0, 0, 0, n, 0, 0, 0, 28, 0, 0, 0, 28];
        let images = [&[0, 0, 8, 3][..], &sizes, &vec![0; 784 * usize::from(n)]].concat();
        let labels = [&[0, 0, 8, 1, 0, 0, 0, n][..], &[0; 3]].concat();
        fs::write(inner.join(format!("{split}-images-idx3-ubyte")), images).unwrap();
        fs::write(inner.join(format!("{split}-labels-idx1-ubyte")), labels).unwrap();
    }
    folder
}

fn contribution(
    change: Change,
    out: &Path,
    jobs: NonZeroUsize,
    observer: Observer<'_>,
) -> Result<Counts> {
    let mut spec = contribution::Spec::shipped()?.quick();
    (spec.seeds, spec.n_patterns, spec.n_queries) = (3, vec![3, 5], 4);
    spec.stage1.steps = vec![1, 2];
    let mut data = crate::common::noise();
    match change {
        Change::Nothing => {}
        Change::Spec => spec.beta = 2.0,
        Change::Data => data = DataSet::sample(),
    }
    let run = contribution::Run { spec: &spec, data: &data, out, jobs };
    let written = run.run("a command", observer)?;
    Ok((written.tasks, written.resumed))
}

fn capacity(
    change: Change,
    out: &Path,
    jobs: NonZeroUsize,
    observer: Observer<'_>,
) -> Result<Counts> {
    let mut spec = capacity::Spec::shipped()?.quick();
    (spec.dims, spec.limit, spec.n_queries, spec.feature_ratios) = (vec![3, 4], 8, 20, vec![1.0]);
    spec.codes.points.truncate(1);
    (spec.codes.starts, spec.codes.stages, spec.codes.steps) = (2, 2, 10);
    match change {
        Change::Nothing => {}
        Change::Spec => spec.updates += 1,
        Change::Data => unreachable!("it has no data"),
    }
    let written = capacity::Run { spec: &spec, out, jobs }.run("a command", observer)?;
    Ok((written.tasks, written.resumed))
}

impl Experiment {
    fn finished(&self, out: &Path, jobs: usize) -> Counts {
        let jobs = NonZeroUsize::new(jobs).unwrap();
        (self.run)(Change::Nothing, out, jobs, &|progress| {
            assert!(progress.done <= progress.all && progress.tasks <= progress.all_tasks);
            ControlFlow::Continue(())
        })
        .unwrap()
    }
}

/// Every number of rows.csv as it was written but the seconds, which differ between runs.
fn timeless(out: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(out.join("rows.csv")).unwrap();
    let seconds = reader.headers().unwrap().iter().position(|name| name == "seconds");
    let without = |row: csv::StringRecord| {
        let cells = row.iter().enumerate().filter(|(i, _)| Some(*i) != seconds);
        cells.map(|(_, cell)| cell.to_owned()).collect()
    };
    reader.records().map(|row| without(row.unwrap())).collect()
}

/// What a folder holds of a finished run.
fn files(out: &Path) -> [Vec<u8>; 4] {
    ["rows.csv", "rows.parquet", "rows.jsonl", "report.html"]
        .map(|name| fs::read(out.join(name)).unwrap())
}

#[test]
fn rows_are_the_same_whatever_the_jobs_and_however_often_a_run_was_stopped() {
    for experiment in ALL {
        let folder = tempfile::tempdir().unwrap();
        let [whole, shared, out] =
            ["whole", "shared", "stopped"].map(|name| folder.path().join(name));
        assert_eq!(experiment.finished(&whole, 1), (experiment.tasks, 0), "{}", experiment.name);
        let expected = timeless(&whole);
        assert_eq!(experiment.finished(&shared, 4), (experiment.tasks, 0));
        assert_eq!(timeless(&shared), expected, "{}", experiment.name);

        for tasks in [0, 1, 3] {
            let error = (experiment.run)(Change::Nothing, &out, NonZeroUsize::MIN, &|progress| {
                if progress.tasks >= tasks {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })
            .unwrap_err();
            assert!(error.is_stopped(), "{error}");
            let all = experiment.tasks;
            assert_eq!(error.to_string(), format!("stopped with {tasks} of {all} tasks finished"));
            assert!(!out.join("rows.csv").exists());
        }
        // A crash amid a line.
        let journal = out.join("rows.jsonl");
        let lines = fs::read(&journal).unwrap();
        fs::write(&journal, &lines[..lines.len() - 7]).unwrap();
        assert_eq!(experiment.finished(&out, 2), (experiment.tasks, 2), "{}", experiment.name);
        assert_eq!(timeless(&out), expected, "{}", experiment.name);
        // Nothing is left to do, and every file is the very same.
        let before = files(&out);
        assert_eq!(experiment.finished(&out, 2), (experiment.tasks, experiment.tasks));
        assert!(files(&out) == before, "{}", experiment.name);
    }
}

#[test]
fn rows_of_another_specification_or_of_other_data_are_refused() {
    for experiment in ALL {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path();
        experiment.finished(out, 1);
        let before = files(out);
        for &change in experiment.changes {
            let run = (experiment.run)(change, out, NonZeroUsize::MIN, &|_| {
                panic!("nothing is measured")
            });
            let what = if matches!(change, Change::Data) { " set " } else { "specification" };
            let error = run.unwrap_err();
            let expected = format!("{}: holds rows of another ", out.join("rows.jsonl").display());
            let message = error.to_string();
            assert!(error.is_input() && message.starts_with(&expected), "{message}");
            assert!(message.contains(what) && message.lines().count() == 1, "{message}");
        }
        assert!(files(out) == before, "{}", experiment.name);
    }
}

/// More seeds add to what is there.
#[test]
fn seeds_are_added_to_a_capacity_and_to_a_contribution() {
    let folder = tempfile::tempdir().unwrap();
    let go_on: Observer<'_> = &|_| ControlFlow::Continue(());
    let mut spec = contribution::Spec::shipped().unwrap().quick();
    (spec.n_patterns, spec.stage1.steps) = (vec![3], vec![1]);
    let data = crate::common::noise();
    let mut counts = Vec::new();
    for seeds in [1, 3, 2] {
        spec.seeds = seeds;
        let (out, jobs) = (&folder.path().join("contribution"), NonZeroUsize::MIN);
        let run = contribution::Run { spec: &spec, data: &data, out, jobs };
        let written = run.run("a command", go_on).unwrap();
        assert_eq!(written.found.iter().map(|row| row.seed).max(), Some(seeds as u64 - 1));
        counts.push((written.tasks, written.resumed));
    }
    assert_eq!(counts, [(1, 0), (3, 1), (2, 2)]);

    let mut spec = capacity::Spec::shipped().unwrap().quick();
    (spec.dims, spec.limit, spec.n_queries, spec.feature_ratios) = (vec![3], 4, 8, vec![1.0]);
    spec.codes.points.clear();
    counts.clear();
    for seeds in [1, 3, 2] {
        spec.seeds = seeds;
        let (out, jobs) = (&folder.path().join("capacity"), NonZeroUsize::MIN);
        let written = capacity::Run { spec: &spec, out, jobs }.run("a command", go_on).unwrap();
        counts.push((written.tasks, written.resumed));
    }
    assert_eq!(counts, [(2, 0), (6, 2), (4, 4)]);
}
