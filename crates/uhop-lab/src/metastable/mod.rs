//! Metastable states: how many patterns share the weight where queries come to rest.
//!
//! ```
//! use std::ops::ControlFlow;
//!
//! use uhop_lab::Specification as _;
//! use uhop_lab::metastable::{Digits, Spec, measure};
//!
//! let mut spec = Spec::shipped()?.quick();
//! (spec.n_queries, spec.betas) = (20, vec![10.0]);
//! let rows = measure(&spec, &Digits::sample(), &|_| ControlFlow::Continue(()))?;
//! // Sparsemax at β = 10 recalls every query as one pattern.
//! assert_eq!(rows.iter().find(|row| row.separation == "sparsemax").unwrap().shares[1], 1.0);
//! # Ok::<(), uhop_lab::Error>(())
//! ```

mod document;
mod spec;

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use ndarray::{Array2, ArrayView2, Axis, s};
use parquet::basic::Repetition;
use serde::Serialize;
use uhop::{Dynamics, Memory, Model, Patterns, Similarity};
use uhop_data::datasets::{Dataset, Split};
use uhop_data::sample;

use crate::error::{Error, Result};
use crate::rows::{Column, REQUIRED, Record};
use crate::written::{Folder, Written};
pub use document::document;
pub use spec::{Quick, Rule, Spec};

/// The name of the experiment.
pub const NAME: &str = "metastable";

/// Digits to store and digits to ask for, pixels from 0 to 1.
#[derive(Debug, Clone)]
pub struct Digits {
    provenance: String,
    stored: Array2<f32>,
    asked: Array2<f32>,
}

/// The states of one memory.
#[derive(Debug, Clone, PartialEq)]
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
            format!("stored: {}; asked for: {}", stored.provenance(), asked.provenance());
        Ok(Self { provenance, stored: stored.into_parts().0, asked: asked.into_parts().0 })
    }

    /// Where they come from.
    pub fn provenance(&self) -> &str {
        &self.provenance
    }
}

/// The sizes of the states of every separation and β, in the order of the specification.
///
/// `observer` is told the share of the work done and stops the run by [`ControlFlow::Break`].
///
/// # Errors
/// [`is_stopped`](Error::is_stopped) when the observer stopped it; [`is_input`](Error::is_input) when a
/// memory cannot be made.
pub fn measure(
    spec: &Spec,
    digits: &Digits,
    observer: &dyn Fn(f64) -> ControlFlow<()>,
) -> Result<Vec<States>> {
    let failed = |error| Error::memory("the digits", error);
    let signed = |rows: &Array2<f32>, n: usize| {
        rows.slice(s![..n.min(rows.nrows()), ..]).mapv(|pixel| 2.0 * pixel - 1.0)
    };
    let patterns = Patterns::new(signed(&digits.stored, spec.n_patterns)).map_err(failed)?;
    let queries = signed(&digits.asked, spec.n_queries);
    let cells = spec.betas.len() * spec.separations.len();
    let mut rows = Vec::with_capacity(cells);
    for &rule in &spec.separations {
        for &beta in &spec.betas {
            let begun = Instant::now();
            let separation = rule.separation().map_err(failed)?;
            let model = Model::new(Similarity::Dot, separation, beta).map_err(failed)?;
            let mut memory = Memory::new(patterns.clone(), model).map_err(failed)?;
            if separation.margin().is_some() {
                memory = memory.screened();
            }
            let mut sizes = Vec::with_capacity(queries.nrows());
            for batch in queries.axis_chunks_iter(Axis(0), BATCH) {
                let done = sizes.len() as f64 / queries.nrows() as f64;
                if observer((rows.len() as f64 + done) / cells as f64).is_break() {
                    return Err(Error::stopped(rows.len(), cells));
                }
                sizes.extend(states(&memory, batch, spec).map_err(failed)?);
            }
            rows.push(States {
                separation: rule.to_string(),
                beta,
                n_patterns: patterns.n_patterns(),
                n_queries: queries.nrows(),
                shares: shares(&sizes, spec.sizes),
                largest: sizes.iter().copied().max().unwrap_or(0),
                seconds: begun.elapsed().as_secs_f64(),
            });
        }
    }
    Ok(rows)
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

/// Measures, and writes rows.csv, rows.parquet, report.html and the pictures into a folder, made if
/// missing. `command` stands in the report.
///
/// # Errors
/// As [`measure`]; [`is_input`](Error::is_input) when a file cannot be written.
pub fn run(
    spec: &Spec,
    digits: &Digits,
    out: &Path,
    command: &str,
    observer: &dyn Fn(f64) -> ControlFlow<()>,
) -> Result<Written<States>> {
    let folder = Folder::make(out)?;
    let found = measure(spec, digits, observer)?;
    let report = document(spec, digits.provenance(), &found, command)?;
    Ok(folder.write(&rows(digits, &found), &report)?.of(found))
}

/// The size of the state of every query after the last update.
fn states(
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
    use super::*;
    use crate::spec::Specification as _;

    fn small() -> Spec {
        let mut spec = Spec::shipped().unwrap().quick();
        (spec.n_patterns, spec.n_queries) = (60, 10);
        spec
    }

    fn measured(spec: &Spec) -> Vec<States> {
        measure(spec, &Digits::sample(), &|_| ControlFlow::Continue(())).unwrap()
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
        let signed = |rows: &Array2<f32>, n| rows.slice(s![..n, ..]).mapv(|x| 2.0 * x - 1.0);
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
        let go_on = |_: f64| ControlFlow::Continue(());
        let written =
            run(&spec, &Digits::sample(), folder.path(), "uhop experiment run", &go_on).unwrap();
        assert_eq!(written.n_rows, 5 * 12);
        let text = std::fs::read_to_string(&written.csv).unwrap();
        assert_eq!(text.lines().count(), 1 + written.n_rows);
        assert!(written.report.is_file() && written.parquet.is_file());
    }

    #[test]
    fn it_stops_when_asked_to() {
        let stop =
            |done: f64| if done > 0.3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        assert!(measure(&small(), &Digits::sample(), &stop).unwrap_err().is_stopped());
    }

    #[test]
    fn wrong_specifications_name_their_line() {
        let text = include_str!("../../specs/metastable.toml");
        let wrong = text.replace("alpha = 1.5", "alpha = 0.5");
        let error = Spec::parse(&wrong, "m.toml").unwrap_err().to_string();
        assert!(error.starts_with("m.toml:") && error.contains("alpha is 0.5"), "{error}");
        let wrong = text.replace("sizes = 10", "sizes = 1000000000000");
        let error = Spec::parse(&wrong, "m.toml").unwrap_err().to_string();
        assert!(error.contains("sizes: expected at most the patterns, 2000"), "{error}");
        let wrong = text.replace("betas = [0.1", "betas = [-0.1");
        let error = Spec::parse(&wrong, "m.toml").unwrap_err().to_string();
        assert!(error.contains("betas") && error.contains("-0.1"), "{error}");
    }
}
