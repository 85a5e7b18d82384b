//! Capacity: how many random patterns are recalled, how many are promised, and how far apart points on a
//! sphere can be.
//!
//! ```
//! use std::num::NonZeroUsize;
//! use std::ops::ControlFlow;
//!
//! use uhop_lab::Specification as _;
//! use uhop_lab::capacity::{Run, Spec};
//!
//! let mut spec = Spec::shipped()?.quick();
//! (spec.dims, spec.codes.points) = (vec![4], vec![]);
//! # let folder = tempfile::tempdir().unwrap();
//! # let out = folder.path();
//! let run = Run { spec: &spec, out, jobs: NonZeroUsize::MIN };
//! let written = run.run("uhop experiment run capacity", &|_| ControlFlow::Continue(()))?;
//! // c of the paper's first example.
//! let bound = written.found.iter().find(|row| row.table == "bound").unwrap();
//! assert!(bound.value >= 3.1546);
//! # Ok::<(), uhop_lab::Error>(())
//! ```

mod codes;
mod document;
mod largest;
mod spec;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;

use parquet::basic::Repetition;
use serde::{Deserialize, Serialize};
use uhop::Model;
use uhop::capacity::dense_capacity;

use crate::error::{Error, Result};
use crate::journal::Header;
use crate::rows::{Column, OPTIONAL, REQUIRED, Record};
use crate::summary::Spread;
use crate::tasks::{GoOn, Observer, Task, Tasks};
use crate::written::{Folder, Written};
pub use document::document;
use largest::Memories;
pub use spec::{Bound, Codes, Descent, Points, Quick, Spec};

/// The name of the experiment.
pub const NAME: &str = "capacity";

/// What to run, and where its files go.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// The experiment.
    pub spec: &'a Spec,
    /// The folder for rows.csv, rows.parquet, rows.jsonl, report.html and the pictures, made if missing.
    pub out: &'a Path,
    /// Searches worked on at once.
    pub jobs: NonZeroUsize,
}

/// What is searched for by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "search", rename_all = "kebab-case")]
enum Search {
    /// The largest memories of both separations at every β; with a map of `ratio` · `dim` features, or none.
    Memories { dim: usize, seed: u64, ratio: Option<f64> },
    /// Points on the sphere from one start.
    Code { points: Points, seed: u64 },
}

impl Task for Search {
    /// Stage I takes most of it.
    fn work(&self) -> u64 {
        match self {
            Self::Memories { ratio: Some(_), .. } => 10,
            _ => 1,
        }
    }
}

/// One capacity, bound or code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Row {
    /// `recall`, `bound` or `code`.
    pub table: String,
    /// What recalls, what is bounded, or what is sought.
    pub contender: String,
    /// Numbers of a pattern; of a point for codes.
    pub dim: u64,
    /// Features of a map, where there is one.
    pub dim_features: Option<u64>,
    /// The effective β; none for codes.
    pub beta: Option<f64>,
    /// Seed of the patterns, or of the start of a code; none for bounds.
    pub seed: Option<u64>,
    /// The largest number recalled, or the number of points; none for bounds.
    pub n_patterns: Option<u64>,
    /// The smallest number of patterns tried that is not recalled, where there is one.
    pub fails_from: Option<u64>,
    /// The share recalled, the base c of a bound, or the smallest angle of a code in degrees.
    pub value: f64,
    /// The share asked for, c as printed in the paper, or the best angle.
    pub reference: Option<f64>,
}

impl Record for Row {
    const COLUMNS: &'static [(Column<Self>, Repetition)] = {
        use Column::{Count, Number, Text};
        &[
            (Text("table", |row| &row.table), REQUIRED),
            (Text("contender", |row| &row.contender), REQUIRED),
            (Count("dim", |row| Some(row.dim)), REQUIRED),
            (Count("dim_features", |row| row.dim_features), OPTIONAL),
            (Number("beta", |row| row.beta), OPTIONAL),
            (Count("seed", |row| row.seed), OPTIONAL),
            (Count("n_patterns", |row| row.n_patterns), OPTIONAL),
            (Count("fails_from", |row| row.fails_from), OPTIONAL),
            (Number("value", |row| Some(row.value)), REQUIRED),
            (Number("reference", |row| row.reference), OPTIONAL),
        ]
    };
}

/// The largest memories of one contender in one dimension.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Largest {
    /// The effective β.
    pub beta: f64,
    /// What recalls.
    pub contender: String,
    /// Numbers of a pattern.
    pub dim: usize,
    /// The largest number of patterns, over the seeds.
    pub n_patterns: Spread,
    /// The smallest number tried that is not recalled, the median over the seeds; none where more of them recall all.
    pub fails_from: Option<u64>,
}

impl Run<'_> {
    /// Measures whatever the folder does not hold yet, and writes rows and report; `command` stands in the
    /// report.
    ///
    /// Goes on from what an earlier run has finished, as [`Run::run`](crate::Run::run) does. The rows are the
    /// largest memories recalled, the bounds and the codes, each in the order of the specification.
    ///
    /// # Errors
    /// As [`Run::run`](crate::Run::run); [`is_input`](Error::is_input) when a memory cannot be made.
    pub fn run(&self, command: &str, observer: Observer<'_>) -> Result<Written<Row>> {
        let folder = Folder::make(self.out)?;
        let spec = self.spec;
        let bounds = spec.bounds.iter().map(bound).collect::<Result<Vec<_>>>()?;
        let any_seeds = Spec { seeds: 0, ..spec.clone() };
        let header = Header::new(&spec.name, &any_seeds, Vec::new());
        let all = searches(spec);
        let tasks = Tasks { folder: &folder, header, all, jobs: self.jobs };
        let mut measured =
            tasks.measure(|search, go_on| searched(spec, search, go_on), observer)?;
        let codes = measured.found.iter().position(|row| row.table == "code");
        let codes = codes.unwrap_or(measured.found.len());
        measured.found.splice(codes..codes, bounds);
        let report = document(spec, &measured.found, command)?;
        Ok(folder.write(&measured.found, &report)?.of(measured))
    }
}

/// Every search, those for memories first.
fn searches(spec: &Spec) -> Vec<Search> {
    let mut all = Vec::new();
    for &dim in &spec.dims {
        for seed in 0..spec.seeds as u64 {
            let ratios = spec.feature_ratios.iter().copied().map(Some);
            let ratios = std::iter::once(None).chain(ratios);
            all.extend(ratios.map(|ratio| Search::Memories { dim, seed, ratio }));
        }
    }
    for &points in &spec.codes.points {
        all.extend((0..spec.codes.starts as u64).map(|seed| Search::Code { points, seed }));
    }
    all
}

/// The rows of one search.
fn searched(spec: &Spec, search: &Search, go_on: GoOn<'_>) -> Result<Vec<Row>> {
    let go_on = || if go_on(0.0) { Ok(()) } else { Err(Error::stopped(0, 0)) };
    match *search {
        Search::Memories { dim, seed, ratio } => recalled(spec, dim, seed, ratio, &go_on),
        Search::Code { points: Points { n_points, tammes }, seed } => Ok(vec![Row {
            table: "code".to_owned(),
            contender: "average loss".to_owned(),
            dim: 3,
            dim_features: Some(3),
            beta: None,
            seed: Some(seed),
            n_patterns: Some(n_points as u64),
            fails_from: None,
            value: codes::smallest_angle(&spec.codes, n_points, seed, &go_on)?,
            reference: Some(tammes),
        }]),
    }
}

/// The largest memories over the seeds, by β, contender and dimension in the order of the rows.
pub fn largest(spec: &Spec, rows: &[Row]) -> Vec<Largest> {
    let mut names: Vec<&str> = Vec::new();
    let recall = || rows.iter().filter(|row| row.table == "recall");
    for row in recall() {
        if !names.contains(&row.contender.as_str()) {
            names.push(&row.contender);
        }
    }
    let mut found = Vec::new();
    for &beta in &spec.betas {
        for contender in &names {
            for &dim in &spec.dims {
                let of = |row: &&Row| {
                    row.contender == *contender && row.dim == dim as u64 && row.beta == Some(beta)
                };
                let of: Vec<&Row> = recall().filter(of).collect();
                let counts: Vec<f64> =
                    of.iter().filter_map(|row| row.n_patterns).map(|n| n as f64).collect();
                let mut fails: Vec<u64> =
                    of.iter().map(|row| row.fails_from.unwrap_or(u64::MAX)).collect();
                fails.sort_unstable();
                let fails_from = fails.get(fails.len() / 2).copied().filter(|&n| n < u64::MAX);
                let contender = (*contender).to_owned();
                found.extend(Spread::of(&counts).map(|n_patterns| Largest {
                    beta,
                    contender,
                    dim,
                    n_patterns,
                    fails_from,
                }));
            }
        }
    }
    found
}

/// The largest memories of both separations at every β, with one kind of map.
fn recalled(
    spec: &Spec,
    dim: usize,
    seed: u64,
    ratio: Option<f64>,
    go_on: &dyn Fn() -> Result<()>,
) -> Result<Vec<Row>> {
    let dim_features = ratio.map(|ratio| ((ratio * dim as f64).round() as usize).max(1));
    let mut memories = Memories { spec, dim, seed, dim_features, go_on, maps: BTreeMap::new() };
    let mut rows = Vec::new();
    for &beta in &spec.betas {
        for (name, model) in [("dense", Model::dense(beta)), ("sparse", Model::sparse(beta))] {
            let model = model.map_err(|error| Error::memory(name, error))?;
            let found = memories.largest(&model)?;
            rows.push(Row {
                table: "recall".to_owned(),
                contender: match ratio {
                    None => name.to_owned(),
                    Some(ratio) => format!("uhop-{name} D_Φ = {ratio} d"),
                },
                dim: dim as u64,
                dim_features: dim_features.map(|features| features as u64),
                beta: Some(beta),
                seed: Some(seed),
                n_patterns: Some(found.largest as u64),
                fails_from: found.fails_from.map(|n| n as u64),
                value: found.share,
                reference: Some(spec.share),
            });
        }
    }
    Ok(rows)
}

fn bound(bound: &Bound) -> Result<Row> {
    let &Bound { beta, radius_factor, dim, failure, printed } = bound;
    let contender = format!("K = {radius_factor} p = {failure}");
    let capacity = dense_capacity(beta, radius_factor, dim, failure)
        .map_err(|error| Error::memory(&*contender, error))?;
    Ok(Row {
        table: "bound".to_owned(),
        contender,
        dim: dim as u64,
        dim_features: None,
        beta: Some(beta),
        seed: None,
        n_patterns: None,
        fails_from: None,
        value: capacity.base,
        reference: printed,
    })
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::spec::Specification as _;

    fn small() -> Spec {
        let mut spec = Spec::shipped().unwrap().quick();
        (spec.dims, spec.limit, spec.codes.starts) = (vec![4], 16, 1);
        spec.codes.points.truncate(1);
        spec
    }

    fn written(spec: &Spec, out: &Path) -> Written<Row> {
        let run = Run { spec, out, jobs: NonZeroUsize::MIN };
        run.run("uhop experiment run capacity", &|_| ControlFlow::Continue(())).unwrap()
    }

    fn measured(spec: &Spec) -> Vec<Row> {
        written(spec, tempfile::tempdir().unwrap().path()).found
    }

    #[test]
    fn rows_are_the_same_again_and_hold_what_they_say() {
        let spec = small();
        let rows = measured(&spec);
        assert_eq!(rows, measured(&spec));
        assert_eq!(rows.len(), 4 * 2 * 2 + spec.bounds.len() + 1);
        for row in &rows {
            match row.table.as_str() {
                "recall" => {
                    assert!(row.value >= spec.share, "{row:?}");
                    assert!((1..=16).contains(&row.n_patterns.unwrap()), "{row:?}");
                }
                // Printed as a lower bound with four decimals.
                "bound" => {
                    assert!(row.reference.is_none_or(|c| row.value >= c && row.value < c + 1e-4))
                }
                _ => assert!(row.value <= row.reference.unwrap() + 5e-5),
            }
        }
        assert_eq!(largest(&spec, &rows).len(), 8 * 2);
    }

    /// An orthogonal W leaves every product as it is, so that what a learned one changes is due to learning.
    #[test]
    fn without_learning_u_hop_is_the_plain_model() {
        let mut spec = small();
        (spec.dims, spec.limit, spec.feature_ratios) = (vec![8], 64, vec![1.0]);
        spec.stage1 = Descent { steps: 1, rate: 1e-9 };
        let rows = measured(&spec);
        let found = largest(&spec, &rows);
        for plain in found.iter().filter(|one| !one.contender.starts_with("uhop")) {
            let name = format!("uhop-{} D_Φ = 1 d", plain.contender);
            let of = |one: &&Largest| one.contender == name && one.beta == plain.beta;
            assert_eq!(found.iter().find(of).unwrap().n_patterns, plain.n_patterns, "{name}");
        }
    }

    #[test]
    fn every_row_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let written = written(&small(), folder.path());
        assert_eq!(written.n_rows, written.found.len());
        let text = std::fs::read_to_string(&written.csv).unwrap();
        assert_eq!(text.lines().count(), 1 + written.n_rows);
        assert!(written.report.is_file() && written.parquet.is_file());
    }

    #[test]
    fn wrong_specifications_name_their_line() {
        let text = include_str!("../../specs/capacity.toml");
        for (right, wrong, key) in [
            ("betas = [8.0", "betas = [-8.0", "betas"),
            ("share = 0.95", "share = 1.5", "share"),
            ("cosine = 0.99", "cosine = 2.0", "cosine"),
            ("failure = 0.001", "failure = 7.5", "bounds"),
            ("n_points = 4", "n_points = 1", "points"),
            ("n_points = 6,", "n_points = 4,", "points"),
            ("feature_ratios = [0.5", "feature_ratios = [0.0", "feature_ratios"),
            // What would take too much memory, or could not be interrupted.
            ("16, 32]", "16, 10000]", "dims"),
            ("[4, 8]", "[4, 10000]", "dims"),
            ("1.0, 2.0]", "1.0, 1e5]", "feature_ratios"),
            ("1.0, 2.0]", "1.0, 2.0, 3.0, 4.0, 5.0]", "feature_ratios"),
            ("limit = 1024", "limit = 10000000", "limit"),
            ("limit = 64", "limit = 10000000", "limit"),
            ("n_queries = 200", "n_queries = 10000000", "n_queries"),
            ("seeds = 5", "seeds = 10001", "seeds"),
            ("seeds = 1", "seeds = 10001", "seeds"),
            ("updates = 3", "updates = 10001", "updates"),
            ("n_points = 4", "n_points = 1001", "points"),
            ("starts = 12", "starts = 10001", "starts"),
            ("stages = 10", "stages = 65", "stages"),
            ("steps = 60", "steps = 2000000000", "steps"),
            ("steps = 80", "steps = 2000000000", "steps"),
        ] {
            assert!(text.contains(right), "{right}");
            let error = Spec::parse(&text.replace(right, wrong), "c.toml").unwrap_err().to_string();
            assert!(error.starts_with("c.toml:") && error.contains(&format!("{key}: ")), "{error}");
        }
    }
}
