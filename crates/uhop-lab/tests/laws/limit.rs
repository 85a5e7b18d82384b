use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use uhop_lab::{BAYES, Contender, DataSet, Row, Run, Spec, Specification as _, document, report};

use crate::common::{informed, noise, rows, small};

/// Mean over the seeds of how far each contender is above the Bayes limit of the same queries, with
/// its standard error, by cell.
fn above(rows: &[Row]) -> BTreeMap<String, (f64, f64)> {
    let cell = |row: &Row| format!("{} {} {}", row.n_patterns, row.corruption, row.level);
    let limit = |row: &Row| {
        let same = |other: &&Row| {
            other.contender == BAYES && cell(other) == cell(row) && other.seed == row.seed
        };
        rows.iter().find(same).unwrap().error
    };
    let mut above: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.contender != BAYES) {
        let steps = row.stage1_steps.unwrap_or(0);
        let key = format!("{}: {} {} {steps}", cell(row), row.protocol, row.contender);
        above.entry(key).or_default().push(row.error - limit(row));
    }
    let summarised = above.into_iter().map(|(key, values)| {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
        (key, (mean, (variance / n).sqrt()))
    });
    summarised.collect()
}

fn nothing_is_below(rows: &[Row]) {
    for (key, (mean, error)) in above(rows) {
        // Student's t of two degrees of freedom is below −30 once in 2,000 times; f32 rounds pixels.
        assert!(mean > -30.0 * error - 1e-5, "{key}: {mean} ± {error}");
    }
}

#[test]
fn no_contender_is_below_the_bayes_limit() {
    let mut spec = small();
    spec.seeds = 40;
    for (key, (mean, error)) in above(&rows(&spec, &noise())) {
        // Of 40 seeds, for each of some 400 cells.
        assert!(mean > -5.0 * error - 1e-5, "{key}: {mean} ± {error}");
    }
}

const LEARN_FROM_COPIES: [Contender; 4] =
    [Contender::Denoised, Contender::DenoisedMix, Contender::Auto, Contender::AutoMix];

#[test]
fn what_learns_from_copies_is_not_below_the_limit() {
    let mut spec = informed();
    spec.seeds = 3;
    spec.corruption.truncate(1);
    assert!(LEARN_FROM_COPIES.iter().all(|contender| spec.contenders.contains(contender)));
    nothing_is_below(&rows(&spec, &noise()));
}

/// The quick form of experiments that come with the program, on the built-in digits, and its report; smaller still,
/// because tests are not optimised.
fn run_on_the_digits_without_one_below_the_limit(names: impl Iterator<Item = &'static str>) {
    for name in names {
        let mut spec = Spec::shipped(name).unwrap().quick();
        spec.seeds = 3;
        // What learns from copies takes the longest by far: above.
        spec.contenders.retain(|contender| !LEARN_FROM_COPIES.contains(contender));
        spec.n_patterns = vec![*spec.n_patterns.first().unwrap().min(&20)];
        spec.stage1.steps = spec.stage1.steps.iter().map(|&steps| steps.min(20)).collect();
        spec.stage1.steps.dedup();
        spec.stage1.dim_features = spec.stage1.dim_features.map(|n| n.min(100));
        for corruption in &mut spec.corruption {
            let had_any = !corruption.levels.is_empty();
            corruption.levels.retain(|level| [0.5, 0.9, 1.0, 2.0].contains(level));
            assert_eq!(!corruption.levels.is_empty(), had_any, "{name}");
        }
        let (data, folder) = ([DataSet::sample()], tempfile::tempdir().unwrap());
        let out = folder.path();
        let run = Run { spec: &spec, data: &data, out, jobs: NonZeroUsize::new(2).unwrap() };
        let finished = run.run(&|_| ControlFlow::Continue(())).unwrap();
        let page = report::write(&document(&run, &finished, "a command").unwrap(), out).unwrap();
        assert!(fs::read_to_string(page).unwrap().contains(&spec.title), "{name}");
        let rows = finished.rows;
        assert!(rows.len() > 3 * spec.contenders.len(), "{name}");
        assert!(rows.iter().all(|row| row.experiment == name && row.dataset == "mnist-sample"));
        nothing_is_below(&rows);
    }
}

/// These have a test of their own: the longest one is shared by two.
fn is_on_memory_size(name: &&str) -> bool {
    name.starts_with("memory-size")
}

#[test]
fn experiments_on_memory_size_run_on_the_digits_and_none_is_below_the_limit() {
    run_on_the_digits_without_one_below_the_limit(Spec::names().filter(is_on_memory_size));
}

#[test]
fn all_other_experiments_run_on_the_digits_and_none_is_below_the_limit() {
    let others = Spec::names().filter(|name| !is_on_memory_size(name));
    run_on_the_digits_without_one_below_the_limit(others);
}
