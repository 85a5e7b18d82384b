//! Metastable states: how many patterns share the weight where queries come to rest.
//!
//! ```
//! use std::num::NonZeroUsize;
//! use std::ops::ControlFlow;
//!
//! use uhop_lab::Specification as _;
//! use uhop_lab::metastable::{Digits, Run, Spec};
//!
//! let mut spec = Spec::shipped()?.quick();
//! (spec.n_queries, spec.betas) = (20, vec![10.0]);
//! # let folder = tempfile::tempdir().unwrap();
//! # let out = folder.path();
//! let run = Run { spec: &spec, digits: &Digits::sample(), out, jobs: NonZeroUsize::MIN };
//! let written = run.run("uhop experiment run metastable", &|_| ControlFlow::Continue(()))?;
//! // Sparsemax at β = 10 recalls every query as one pattern.
//! let found = &written.found;
//! assert_eq!(found.iter().find(|row| row.separation == "sparsemax").unwrap().shares[1], 1.0);
//! # Ok::<(), uhop_lab::Error>(())
//! ```

mod document;
mod spec;

use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Instant;

use ndarray::{Array2, ArrayView2, Axis, s};
use parquet::basic::Repetition;
use serde::{Deserialize, Serialize};
use uhop::{Dynamics, Memory, Model, Patterns, Similarity};
use uhop_data::datasets::{Dataset, Split};
use uhop_data::sample;

use crate::data::{SAMPLE, fingerprint, provenance_of};
use crate::error::{Error, Result};
use crate::journal::Header;
use crate::rows::{Column, REQUIRED, Record};
use crate::tasks::{GoOn, Observer, Task, Tasks};
use crate::written::{Folder, Written};
pub use document::document;
pub use spec::{Quick, Rule, Spec};

/// The name of the experiment.
pub const NAME: &str = "metastable";

/// Digits to store and digits to ask for, pixels from 0 to 1.
#[derive(Debug, Clone)]
pub struct Digits {
    name: &'static str,
    provenance: String,
    stored: Array2<f32>,
    asked: Array2<f32>,
}

/// What to run, on what, and where its files go.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// The experiment.
    pub spec: &'a Spec,
    /// What is stored and asked for.
    pub digits: &'a Digits,
    /// The folder for rows.csv, rows.parquet, rows.jsonl, report.html and the pictures, made if missing.
    pub out: &'a Path,
    /// Memories worked on at once.
    pub jobs: NonZeroUsize,
}

/// One memory, the same for all of its queries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Cell {
    separation: Rule,
    beta: f64,
}

impl Task for Cell {
    fn work(&self) -> u64 {
        1000
    }
}

/// The states of one memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct States {
    /// Name of the separation.
    pub separation: String,
    /// β.
    pub beta: f64,
    /// Patterns stored.
    pub n_patterns: usize,
    /// Queries asked.
    pub n_queries: usize,
    /// The share of queries of each size from 0, the last one of all larger sizes.
    pub shares: Vec<f64>,
    /// The largest size.
    pub largest: usize,
    /// Time it took.
    pub seconds: f64,
}

/// The queries of one memory whose states have one size.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Row {
    /// Where the digits come from.
    pub provenance: String,
    /// Name of the separation.
    pub separation: String,
    /// β.
    pub beta: f64,
    /// Patterns stored.
    pub n_patterns: u64,
    /// Queries asked.
    pub n_queries: u64,
    /// The size; the largest of a memory stands for all sizes from it on.
    pub size: u64,
    /// The share of queries.
    pub share: f64,
    /// Time the memory took. The only column that differs between runs.
    pub seconds: f64,
}

impl Record for Row {
    const COLUMNS: &'static [(Column<Self>, Repetition)] = {
        use Column::{Count, Number, Text};
        &[
            (Text("provenance", |row| &row.provenance), REQUIRED),
            (Text("separation", |row| &row.separation), REQUIRED),
            (Number("beta", |row| Some(row.beta)), REQUIRED),
            (Count("n_patterns", |row| Some(row.n_patterns)), REQUIRED),
            (Count("n_queries", |row| Some(row.n_queries)), REQUIRED),
            (Count("size", |row| Some(row.size)), REQUIRED),
            (Number("share", |row| Some(row.share)), REQUIRED),
            (Number("seconds", |row| Some(row.seconds)), REQUIRED),
        ]
    };
}

/// Queries whose weights are held together.
const BATCH: usize = 256;

impl Digits {
    /// The built-in digits: the first 800 to store, the others to ask for.
    pub fn sample() -> Self {
        let digits = sample::digits();
        let all = digits.images().patterns();
        let (stored, asked) = all.split_at(Axis(0), 800);
        Self {
            name: SAMPLE,
            provenance: "the first 1,000 test images of MNIST, built in: 800 stored, 200 asked for"
                .to_owned(),
            stored: stored.to_owned(),
            asked: asked.to_owned(),
        }
    }

    /// MNIST from a folder: training digits to store, test digits to ask for.
    ///
    /// # Errors
    /// [`is_input`](Error::is_input) when it is not there or cannot be read.
    pub fn find(folder: &Path, spec: &Spec) -> Result<Self> {
        let load = |split, n| Dataset::Mnist.load(folder, split, Some(n));
        let stored = load(Split::Train, spec.n_patterns)?;
        let asked = load(Split::Test, spec.n_queries)?;
        let provenance =
            format!("stored: {}; asked for: {}", provenance_of(&stored), provenance_of(&asked));
        let (stored, asked) = (stored.into_parts().0, asked.into_parts().0);
        Ok(Self { name: Dataset::Mnist.name(), provenance, stored, asked })
    }

    /// The name of their data set.
    pub fn name(&self) -> &str {
        self.name
    }

    /// Where they come from.
    pub fn provenance(&self) -> &str {
        &self.provenance
    }

    fn id(&self) -> (String, String) {
        let words = format!("{}\n{:?} {:?}", self.provenance, self.stored.dim(), self.asked.dim());
        ("digits".to_owned(), fingerprint(&words, &[&self.stored, &self.asked]))
    }
}

impl Run<'_> {
    /// Measures whatever the folder does not hold yet, and writes rows and report; `command` stands in the
    /// report.
    ///
    /// Goes on from what an earlier run has finished, as [`Run::run`](crate::Run::run) does. The states are
    /// in the order of the specification, whatever the number of jobs.
    ///
    /// # Errors
    /// As [`Run::run`](crate::Run::run); [`is_input`](Error::is_input) when a memory cannot be made.
    pub fn run(&self, command: &str, observer: Observer<'_>) -> Result<Written<States>> {
        let folder = Folder::make(self.out)?;
        let Self { spec, digits, .. } = *self;
        let stored = signed(&digits.stored, spec.n_patterns);
        let patterns = Patterns::new(stored).map_err(failed)?;
        let queries = signed(&digits.asked, spec.n_queries);
        let header = Header::new(&spec.name, spec, vec![digits.id()]);
        let of_rule =
            |&separation: &Rule| spec.betas.iter().map(move |&beta| Cell { separation, beta });
        let all = spec.separations.iter().flat_map(of_rule).collect();
        let tasks = Tasks { folder: &folder, header, all, jobs: self.jobs };
        let measured = tasks.measure(
            |cell, go_on| Ok(vec![states(spec, cell, &patterns, &queries, go_on)?]),
            observer,
        )?;
        let report = document(spec, digits.provenance(), &measured.found, command)?;
        Ok(folder.write(&rows(digits, &measured.found), &report)?.of(measured))
    }
}

fn failed(error: uhop::Error) -> Error {
    Error::memory("the digits", error)
}

/// The first `n` images, or all, with pixels from -1 to 1.
fn signed(images: &Array2<f32>, n: usize) -> Array2<f32> {
    images.slice(s![..n.min(images.nrows()), ..]).mapv(|pixel| 2.0 * pixel - 1.0)
}

/// The states of one memory.
fn states(
    spec: &Spec,
    cell: &Cell,
    patterns: &Patterns<f32>,
    queries: &Array2<f32>,
    go_on: GoOn<'_>,
) -> Result<States> {
    let begun = Instant::now();
    let separation = cell.separation.separation().map_err(failed)?;
    let model = Model::new(Similarity::Dot, separation, cell.beta).map_err(failed)?;
    let mut memory = Memory::new(patterns.clone(), model).map_err(failed)?;
    if separation.margin().is_some() {
        memory = memory.screened();
    }
    let mut sizes = Vec::with_capacity(queries.nrows());
    for batch in queries.axis_chunks_iter(Axis(0), BATCH) {
        if !go_on(sizes.len() as f64 / queries.nrows() as f64) {
            return Err(Error::stopped(0, 0));
        }
        sizes.extend(sizes_of(&memory, batch, spec).map_err(failed)?);
    }
    Ok(States {
        separation: cell.separation.to_string(),
        beta: cell.beta,
        n_patterns: patterns.n_patterns(),
        n_queries: queries.nrows(),
        shares: shares(&sizes, spec.sizes),
        largest: sizes.iter().copied().max().unwrap_or(0),
        seconds: begun.elapsed().as_secs_f64(),
    })
}

/// A row for each size of each memory.
pub fn rows(digits: &Digits, found: &[States]) -> Vec<Row> {
    let of = |states: &States| -> Vec<Row> {
        let sizes = states.shares.iter().enumerate();
        sizes
            .map(|(size, &share)| Row {
                provenance: digits.provenance.clone(),
                separation: states.separation.clone(),
                beta: states.beta,
                n_patterns: states.n_patterns as u64,
                n_queries: states.n_queries as u64,
                size: size as u64,
                share,
                seconds: states.seconds,
            })
            .collect()
    };
    found.iter().flat_map(of).collect()
}

/// The size of the state of every query after the last update.
fn sizes_of(
    memory: &Memory<f32>,
    queries: ArrayView2<'_, f32>,
    spec: &Spec,
) -> uhop::Result<Vec<usize>> {
    if memory.model().separation().margin().is_some() {
        let found = memory.retrieve(queries, &Dynamics::steps(spec.steps)?)?;
        return Ok(found.reports.iter().map(|report| report.support_size).collect());
    }
    // The weights of the last update are those of the states before it.
    let before = match spec.steps - 1 {
        0 => queries.to_owned(),
        steps => memory.retrieve(queries, &Dynamics::steps(steps)?)?.retrieved,
    };
    let weights = memory.weights(before.view())?.weights;
    let counts = |&p: &&f32| f64::from(*p) > spec.threshold;
    Ok(weights.outer_iter().map(|weights| weights.iter().filter(counts).count()).collect())
}

/// The share of each size from 0 to `largest`, then of all above.
fn shares(sizes: &[usize], largest: usize) -> Vec<f64> {
    let mut counts = vec![0_usize; largest + 2];
    sizes.iter().for_each(|&size| counts[size.min(largest + 1)] += 1);
    counts.into_iter().map(|count| count as f64 / sizes.len() as f64).collect()
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::spec::Specification as _;

    fn small() -> Spec {
        let mut spec = Spec::shipped().unwrap().quick();
        (spec.n_patterns, spec.n_queries) = (60, 10);
        spec
    }

    fn written(spec: &Spec, out: &Path) -> Written<States> {
        let run = Run { spec, digits: &Digits::sample(), out, jobs: NonZeroUsize::MIN };
        run.run("uhop experiment run", &|_| ControlFlow::Continue(())).unwrap()
    }

    fn measured(spec: &Spec) -> Vec<States> {
        written(spec, tempfile::tempdir().unwrap().path()).found
    }

    #[test]
    fn shares_are_of_all_queries() {
        assert_eq!(shares(&[0, 1, 1, 9], 2), [0.25, 0.5, 0.0, 0.25]);
        let spec = small();
        let rows = measured(&spec);
        assert_eq!(rows.len(), 15);
        for row in rows {
            // A sum of at most twelve multiples of a tenth.
            assert!((row.shares.iter().sum::<f64>() - 1.0).abs() < 16.0 * f64::EPSILON);
            assert_eq!(row.shares.len(), spec.sizes + 2);
            // Only softmax spreads its weight so thinly that nobody has any.
            assert!(row.shares[0] == 0.0 || row.separation == "softmax", "{row:?}");
        }
    }

    /// The size is that of the weights of the last update, counted one by one.
    #[test]
    fn sizes_are_counted_from_the_weights_of_the_last_update() {
        let mut spec = small();
        spec.betas = vec![0.02];
        let digits = Digits::sample();
        let patterns = Patterns::new(signed(&digits.stored, 60)).unwrap();
        let queries = signed(&digits.asked, 10);
        for (rule, row) in spec.separations.iter().zip(measured(&spec)) {
            let model = Model::new(Similarity::Dot, rule.separation().unwrap(), 0.02).unwrap();
            let memory = Memory::new(patterns.clone(), model).unwrap();
            let mut states = queries.clone();
            for _ in 1..spec.steps {
                states = memory.retrieve(states.view(), &Dynamics::one_step()).unwrap().retrieved;
            }
            let weights = memory.weights(states.view()).unwrap().weights;
            let least = if rule.to_string() == "softmax" { 0.01 } else { 0.0 };
            let sizes: Vec<usize> = weights
                .outer_iter()
                .map(|weights| weights.iter().filter(|&&p| f64::from(p) > least).count())
                .collect();
            assert_eq!(row.shares, shares(&sizes, spec.sizes), "{rule}");
            assert_eq!(Some(&row.largest), sizes.iter().max());
        }
    }

    #[test]
    fn every_size_of_a_memory_is_a_row() {
        let mut spec = small();
        spec.betas = vec![1.0];
        let folder = tempfile::tempdir().unwrap();
        let written = written(&spec, folder.path());
        assert_eq!(written.n_rows, 5 * 12);
        let text = std::fs::read_to_string(&written.csv).unwrap();
        assert_eq!(text.lines().count(), 1 + written.n_rows);
        assert!(written.report.is_file() && written.parquet.is_file());
    }

    #[test]
    fn wrong_specifications_name_their_line() {
        let text = include_str!("../../specs/metastable.toml");
        let wrong = text.replace("alpha = 1.5", "alpha = 0.5");
        let error = Spec::parse(&wrong, "m.toml").unwrap_err().to_string();
        assert!(error.starts_with("m.toml:") && error.contains("alpha is 0.5"), "{error}");
        for (right, wrong, problem) in [
            ("sizes = 10", "sizes = 101", "sizes: expected at most 100, found 101"),
            ("n_patterns = 2000", "n_patterns = 9", "sizes: expected at most the patterns, 9,"),
            ("n_patterns = 60000", "n_patterns = 2000000000", "n_patterns: expected at most"),
            ("n_queries = 10000", "n_queries = 2000000000", "n_queries: expected at most"),
            ("n_queries = 200\n", "n_queries = 2000000000\n", "n_queries: expected at most"),
            ("steps = 5", "steps = 10001", "steps: expected at most 10000, found 10001"),
        ] {
            assert!(text.contains(right), "{right}");
            let error = Spec::parse(&text.replace(right, wrong), "m.toml").unwrap_err().to_string();
            assert!(error.starts_with("m.toml:") && error.contains(problem), "{error}");
        }
        let wrong = text.replace("betas = [0.1", "betas = [-0.1");
        let error = Spec::parse(&wrong, "m.toml").unwrap_err().to_string();
        assert!(error.contains("betas") && error.contains("-0.1"), "{error}");
    }
}
