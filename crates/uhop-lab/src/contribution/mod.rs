//! Energy contribution: what the target and the other memories each give to the energy of a query.
//!
//! ```
//! use std::num::NonZeroUsize;
//! use std::ops::ControlFlow;
//!
//! use uhop_lab::contribution::{Run, Spec};
//! use uhop_lab::{DataSet, Specification as _};
//!
//! let mut spec = Spec::shipped()?.quick();
//! (spec.seeds, spec.n_patterns) = (1, vec![50]);
//! # let folder = tempfile::tempdir().unwrap();
//! # let out = folder.path();
//! let run = Run { spec: &spec, data: &DataSet::sample(), out, jobs: NonZeroUsize::MIN };
//! let written = run.run("uhop experiment run contribution", &|_| ControlFlow::Continue(()))?;
//! let rows = &written.found;
//! // The dense model's energy with the target alone is 0, but for rounding.
//! assert_eq!(rows[0].contender, "dense");
//! assert!(rows[0].energy_target.abs() < 1e-9 && rows[0].energy_all < -0.1);
//! # Ok::<(), uhop_lab::Error>(())
//! ```

mod document;
mod spec;
mod summary;

use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Instant;

use ndarray::{Array2, ArrayView2, s};
use parquet::basic::Repetition;
use serde::{Deserialize, Serialize};
use uhop::{Memory, Model, Patterns, Separation, Similarity};
use uhop_data::datasets::Dataset;

use crate::data::DataSet;
use crate::error::{Error, Result};
use crate::journal::Header;
use crate::learned::{Learned, Maps, Recipe};
use crate::rows::{Column, OPTIONAL, REQUIRED, Record};
use crate::run::SetId;
use crate::seeds::{Use, seed_of};
use crate::spec::{CorruptionKind, Protocol};
use crate::tasks::{GoOn, Observer, Tasks};
use crate::written::{Folder, Written};
pub use document::document;
pub use spec::{Quick, Spec};
pub use summary::{Cell, Line, lines, shown};

/// The name of the experiment.
pub const NAME: &str = "contribution";

/// What to run, on what, and where its files go.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// The experiment.
    pub spec: &'a Spec,
    /// What memories are drawn from.
    pub data: &'a DataSet,
    /// The folder for rows.csv, rows.parquet, rows.jsonl, report.html and the pictures, made if missing.
    pub out: &'a Path,
    /// Memory sets worked on at once.
    pub jobs: NonZeroUsize,
}

/// The energies of one memory's queries under one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Row {
    /// Where the images come from.
    pub provenance: String,
    /// Patterns stored.
    pub n_patterns: u64,
    /// Queries asked.
    pub n_queries: u64,
    /// Seed of the memory set, its queries and the start of Stage I.
    pub seed: u64,
    /// Name of the model.
    pub contender: String,
    /// Steps of Stage I, where there is one.
    pub stage1_steps: Option<u64>,
    /// The loss after them.
    pub stage1_loss: Option<f64>,
    /// β.
    pub beta: f64,
    /// E(target), mean over the queries.
    pub energy_target: f64,
    /// E(all), mean over the queries.
    pub energy_all: f64,
    /// E(target) − E(all), mean over the queries.
    pub difference: f64,
    /// E(target)/E(all), mean over the queries where E(all) is not near 0, if there are any.
    pub ratio: Option<f64>,
    /// The share of queries that the ratio is of.
    pub ratio_share: f64,
    /// Time it took, Stage I included. The only column that differs between runs.
    pub seconds: f64,
}

impl Record for Row {
    const COLUMNS: &'static [(Column<Self>, Repetition)] = {
        use Column::{Count, Number, Text};
        &[
            (Text("provenance", |row| &row.provenance), REQUIRED),
            (Count("n_patterns", |row| Some(row.n_patterns)), REQUIRED),
            (Count("n_queries", |row| Some(row.n_queries)), REQUIRED),
            (Count("seed", |row| Some(row.seed)), REQUIRED),
            (Text("contender", |row| &row.contender), REQUIRED),
            (Count("stage1_steps", |row| row.stage1_steps), OPTIONAL),
            (Number("stage1_loss", |row| row.stage1_loss), OPTIONAL),
            (Number("beta", |row| Some(row.beta)), REQUIRED),
            (Number("energy_target", |row| Some(row.energy_target)), REQUIRED),
            (Number("energy_all", |row| Some(row.energy_all)), REQUIRED),
            (Number("difference", |row| Some(row.difference)), REQUIRED),
            (Number("ratio", |row| row.ratio), OPTIONAL),
            (Number("ratio_share", |row| Some(row.ratio_share)), REQUIRED),
            (Number("seconds", |row| Some(row.seconds)), REQUIRED),
        ]
    };
}

/// E(all) below this share of ½K(x,x) is near 0: what is left of two terms that cancel.
const NEAR_ZERO: f64 = 0.01;

/// The energies of one query.
#[derive(Debug, Clone, Copy)]
struct Energies {
    target: f64,
    all: f64,
    /// ½K(x,x).
    quadratic: f64,
}

/// MNIST from a folder, as the recall experiments take it.
///
/// # Errors
/// [`is_input`](Error::is_input) when it is not there or cannot be read.
pub fn find(folder: &Path, spec: &Spec) -> Result<DataSet> {
    let largest = spec.n_patterns.iter().copied().max().unwrap_or(0);
    Ok(DataSet::load(folder, Dataset::Mnist, largest)?)
}

impl Run<'_> {
    /// Measures whatever the folder does not hold yet, and writes rows and report; `command` stands in the
    /// report.
    ///
    /// Goes on from what an earlier run has finished, as [`Run::run`](crate::Run::run) does. The rows are in
    /// the order of the specification: patterns stored, seed, model, steps.
    ///
    /// # Errors
    /// As [`Run::run`](crate::Run::run); [`is_input`](Error::is_input) when there are fewer images than
    /// patterns to store.
    pub fn run(&self, command: &str, observer: Observer<'_>) -> Result<Written<Row>> {
        let folder = Folder::make(self.out)?;
        let Self { spec, data, .. } = *self;
        let any_seeds = Spec { seeds: 0, ..spec.clone() };
        let header = Header::new(&spec.name, &any_seeds, vec![data.id()]);
        let dataset = data.name();
        let of_size = |&n_patterns: &usize| {
            let seeds = 0..spec.seeds as u64;
            seeds.map(move |seed| SetId { dataset: dataset.to_owned(), n_patterns, seed })
        };
        let all = spec.n_patterns.iter().flat_map(of_size).collect();
        let tasks = Tasks { folder: &folder, header, all, jobs: self.jobs };
        let measured = tasks.measure(|set, go_on| memory_set(spec, data, set, go_on), observer)?;
        let report = document(spec, data.provenance(), &measured.found, command)?;
        Ok(folder.write(&measured.found, &report)?.of(measured))
    }
}

/// The rows of one memory set.
fn memory_set(
    spec: &Spec,
    data: &DataSet,
    &SetId { n_patterns, seed, .. }: &SetId,
    go_on: GoOn<'_>,
) -> Result<Vec<Row>> {
    let keep_going = || go_on(0.0);
    let failed = |error| Error::memory(format!("the energy of {n_patterns} patterns"), error);
    let patterns = data.draw(n_patterns, seed_of(seed, Use::Memory))?;
    let half_mask = CorruptionKind::HalfMask.at(0.5, data.lines())?;
    let asked = patterns.view().slice_move(s![..n_patterns.min(spec.n_queries), ..]);
    let queries = half_mask.apply(asked, seed_of(seed, Use::Queries))?;
    // Algorithm 1.
    let (defects, without) = (Vec::new(), Vec::new());
    let protocol = Protocol { name: "paper".to_owned(), defects, without, tuned: None };
    let mut maps = Maps::new(&patterns, &spec.stage1, seed, &keep_going);
    let mut rows = Vec::new();
    for &contender in &spec.contenders {
        let Some(parts) = contender.parts() else { continue };
        let all_steps = spec.stage1.steps.as_slice();
        for &steps in &all_steps[..contender.loss().map_or(1, |_| all_steps.len())] {
            if !keep_going() {
                return Err(Error::stopped(0, 0));
            }
            let learned = match contender.loss() {
                None => None,
                Some(loss) => Some(maps.get(Recipe::new(loss, &protocol, steps))?),
            };
            let begun = Instant::now();
            let energies =
                energies_of(learned.as_deref(), &patterns, &queries, parts.separation, spec.beta)
                    .map_err(failed)?;
            let own = begun.elapsed().as_secs_f64();
            let (ratio, ratio_share) = ratio(&energies);
            rows.push(Row {
                provenance: data.provenance().to_owned(),
                n_patterns: n_patterns as u64,
                n_queries: queries.nrows() as u64,
                seed,
                contender: contender.to_string(),
                stage1_steps: learned.as_ref().map(|_| steps as u64),
                stage1_loss: learned.as_ref().map(|learned| learned.loss),
                beta: spec.beta,
                energy_target: mean(&energies, |e| e.target),
                energy_all: mean(&energies, |e| e.all),
                difference: mean(&energies, |e| e.target - e.all),
                ratio,
                ratio_share,
                seconds: own + learned.map_or(0.0, |learned| learned.seconds),
            });
        }
    }
    Ok(rows)
}

/// The energies of the queries, of which the i-th is of the i-th pattern.
///
/// K(u,v) = ⟨Wu,Wv⟩: E_K is the energy of dot products between features. In `f64` from there on, as the
/// difference of two energies can be far smaller than the rounding of either in `f32`.
fn energies_of(
    learned: Option<&Learned>,
    patterns: &Patterns<f32>,
    queries: &Array2<f32>,
    separation: Separation,
    beta: f64,
) -> uhop::Result<Vec<Energies>> {
    let map = learned.map(|learned| learned.map.clone().normalize_rows());
    let features = |rows: ArrayView2<'_, f32>| -> uhop::Result<Array2<f64>> {
        let mapped = map.as_ref().map(|map| map.apply(rows)).transpose()?;
        Ok(mapped.as_ref().map_or(rows, |mapped| mapped.view()).mapv(f64::from))
    };
    let patterns = Patterns::new(features(patterns.view())?)?;
    energies(&patterns, &features(queries.view())?, separation, beta)
}

fn energies(
    patterns: &Patterns<f64>,
    queries: &Array2<f64>,
    separation: Separation,
    beta: f64,
) -> uhop::Result<Vec<Energies>> {
    let model = Model::new(Similarity::Dot, separation, beta)?;
    let all = Memory::new(patterns.clone(), model.clone())?.energy(queries.view())?;
    let of = |(i, &all): (usize, &f64)| {
        let pattern = patterns.view().slice_move(s![i..=i, ..]).to_owned();
        let query = queries.slice(s![i..=i, ..]);
        let target = Memory::new(Patterns::new(pattern)?, model.clone())?.energy(query)?[0];
        let quadratic = 0.5 * query.iter().map(|x| x * x).sum::<f64>();
        Ok(Energies { target, all, quadratic })
    };
    all.iter().enumerate().map(of).collect()
}

fn mean(energies: &[Energies], value: impl Fn(&Energies) -> f64) -> f64 {
    energies.iter().map(value).sum::<f64>() / energies.len() as f64
}

/// The mean ratio of the queries whose E(all) is not near 0, and their share.
fn ratio(energies: &[Energies]) -> (Option<f64>, f64) {
    let far: Vec<Energies> =
        energies.iter().filter(|e| e.all.abs() > NEAR_ZERO * e.quadratic).copied().collect();
    let ratio = (!far.is_empty()).then(|| mean(&far, |e| e.target / e.all));
    (ratio, far.len() as f64 / energies.len() as f64)
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use ndarray::Axis;
    use proptest::prelude::*;
    use uhop::LinearMap;

    use super::*;
    use crate::spec::Specification as _;

    fn small() -> Spec {
        let mut spec = Spec::shipped().unwrap().quick();
        (spec.seeds, spec.n_patterns, spec.stage1.steps) = (1, vec![6], vec![1]);
        spec
    }

    fn written(spec: &Spec, out: &Path) -> Written<Row> {
        let run = Run { spec, data: &DataSet::sample(), out, jobs: NonZeroUsize::MIN };
        run.run("uhop experiment run", &|_| ControlFlow::Continue(())).unwrap()
    }

    fn measured(spec: &Spec) -> Vec<Row> {
        written(spec, tempfile::tempdir().unwrap().path()).found
    }

    /// Rounding of scores with this ε: dim·ε·‖ξ‖‖x‖, once for each of two.
    fn rounding(epsilon: f64, patterns: &Array2<f64>, queries: &Array2<f64>) -> f64 {
        let longest = |rows: &Array2<f64>| {
            rows.axis_iter(Axis(0)).map(|row| row.dot(&row).sqrt()).fold(0.0, f64::max)
        };
        2.0 * patterns.ncols() as f64 * epsilon * longest(patterns) * longest(queries)
    }

    fn rows(n: usize) -> impl Strategy<Value = Array2<f64>> {
        prop::collection::vec(-2.0..2.0, n * 4)
            .prop_map(move |numbers| Array2::from_shape_vec((n, 4), numbers).unwrap())
    }

    proptest! {
        /// Ψ* of more scores is never smaller, and of one score it is the score.
        #[test]
        fn others_never_raise_the_energy(
            (patterns, queries) in (1_usize..6).prop_flat_map(|n| (rows(n), rows(n))),
            alpha in prop::sample::select(vec![1.0, 1.5, 2.0]),
            beta in 0.1_f64..5.0,
        ) {
            // Terms of the order of 1/β are rounded too.
            let tolerance = rounding(f64::EPSILON, &patterns, &queries) + 16.0 * f64::EPSILON / beta;
            let separation = Separation::entmax(alpha).unwrap();
            let patterns = Patterns::new(patterns).unwrap();
            let alone = patterns.n_patterns() == 1;
            for e in energies(&patterns, &queries, separation, beta).unwrap() {
                prop_assert!(e.all <= e.target + tolerance, "{e:?}");
                prop_assert!(!alone || (e.all - e.target).abs() <= tolerance, "{e:?}");
            }
        }

        /// For softmax the difference is the logarithm of the target's weight.
        #[test]
        fn the_difference_of_softmax_is_the_weight_of_the_target(
            patterns in rows(4), queries in rows(4), beta in 0.1_f64..2.0,
        ) {
            let tolerance =
                2.0 * rounding(f64::EPSILON, &patterns, &queries) + 16.0 * f64::EPSILON / beta;
            let patterns = Patterns::new(patterns).unwrap();
            let softmax = Separation::softmax();
            let model = Model::new(Similarity::Dot, softmax, beta).unwrap();
            let memory = Memory::new(patterns.clone(), model).unwrap();
            let weights = memory.weights(queries.view()).unwrap().weights;
            let found = energies(&patterns, &queries, softmax, beta).unwrap();
            for (i, e) in found.iter().enumerate() {
                let expected = -weights[[i, i]].ln() / beta;
                prop_assert!((e.target - e.all - expected).abs() <= tolerance, "{e:?} {expected}");
            }
        }

        /// Dot products between features are the kernel.
        #[test]
        fn the_energy_is_that_of_the_kernel(patterns in rows(3), queries in rows(3), seed: u64) {
            let map = LinearMap::random_normal(4, 4, seed).unwrap();
            let used = map.clone().normalize_rows();
            // Rows of W are of length 1, so that features are at most twice as long as what they are of.
            // ½‖Wx‖² is rounded as a score of x with itself; features are in both, and rounded as scores.
            let epsilon = f64::from(f32::EPSILON);
            let tolerance = 4.0
                * 2.0
                * (rounding(epsilon, &patterns, &queries) + rounding(epsilon, &queries, &queries));
            let single = |rows: &Array2<f64>| rows.mapv(|x| x as f32);
            let (patterns, queries) = (single(&patterns), single(&queries));
            let patterns = Patterns::new(patterns).unwrap();
            let sparsemax = Separation::sparsemax();
            let model = Model::new(Similarity::Kernel(used), sparsemax, 1.0).unwrap();
            let memory = Memory::new(patterns.clone(), model).unwrap();
            let expected = memory.energy(queries.view()).unwrap();
            let learned = Learned { map, loss: 0.0, seconds: 0.0 };
            let found = energies_of(Some(&learned), &patterns, &queries, sparsemax, 1.0).unwrap();
            for (e, expected) in found.iter().zip(expected) {
                prop_assert!((e.all - expected).abs() <= tolerance, "{e:?} {expected}");
            }
        }
    }

    #[test]
    fn rounding_is_shown_as_zero() {
        assert_eq!([-1e-15, 0.0, 4e-10, 1.5].map(shown), ["0", "0", "4e-10", "1.50"]);
    }

    #[test]
    fn a_ratio_is_of_queries_whose_energy_is_not_near_zero() {
        let of = |target, all| Energies { target, all, quadratic: 100.0 };
        assert_eq!(ratio(&[of(-2.0, -4.0), of(1.0, 0.5), of(0.0, 0.0)]), (Some(0.5), 1.0 / 3.0));
        assert_eq!(ratio(&[of(0.0, 0.0)]), (None, 0.0));
    }

    /// ½(2ξ)² − ξ·2ξ = 0 for every number that survives.
    #[test]
    fn the_dense_energy_of_a_half_mask_is_zero_with_the_target_alone() {
        let rows = measured(&small());
        let dense: Vec<&Row> = rows.iter().filter(|row| row.stage1_steps.is_none()).collect();
        assert_eq!(dense.len(), 2);
        let digits = DataSet::sample().draw(6, seed_of(0, Use::Memory)).unwrap();
        let digits = digits.view().mapv(f64::from);
        // No query is longer than twice its pattern; its ½‖x‖² is a score with itself.
        let tolerance = (2.0 + 4.0) * rounding(f64::EPSILON, &digits, &digits);
        assert!(dense.iter().all(|row| row.energy_target.abs() <= tolerance), "{dense:?}");
    }

    #[test]
    fn every_model_and_number_of_steps_is_a_row() {
        let mut spec = small();
        spec.stage1.steps = vec![1, 2];
        let folder = tempfile::tempdir().unwrap();
        let written = written(&spec, folder.path());
        assert_eq!(written.n_rows, 2 + 4 * 2);
        let text = std::fs::read_to_string(&written.csv).unwrap();
        assert_eq!(text.lines().count(), 1 + written.n_rows);
        assert!(written.report.is_file() && written.parquet.is_file());
    }

    #[test]
    fn wrong_specifications_name_their_line() {
        let text = include_str!("../../specs/contribution.toml");
        let wrong = text.replace("\"sparse\",", "\"cosine\",");
        let error = Spec::parse(&wrong, "c.toml").unwrap_err().to_string();
        assert!(error.starts_with("c.toml:") && error.contains("contenders: "), "{error}");
        assert!(error.contains("found cosine"), "{error}");
        for (right, wrong, key) in [
            ("seeds = 5", "seeds = 10001", "seeds"),
            ("seeds = 2", "seeds = 10001", "seeds"),
            ("500, 1000]", "500, 2000000000]", "n_patterns"),
            ("[5, 10, 50]", "[5, 2000000000]", "n_patterns"),
            ("n_queries = 200", "n_queries = 2000000000", "n_queries"),
            ("[1, 10]", "[1, 2000000000]", "steps"),
        ] {
            assert!(text.contains(right), "{right}");
            let error = Spec::parse(&text.replace(right, wrong), "c.toml").unwrap_err().to_string();
            let problem = format!("{key}: expected at most ");
            assert!(error.starts_with("c.toml:") && error.contains(&problem), "{error}");
        }
        let wrong = text.replace("n_patterns = [5, 10, 50, ", "n_patterns = [1, 10, 50, ");
        let error = Spec::parse(&wrong, "c.toml").unwrap_err().to_string();
        assert!(error.contains("at least 2 patterns"), "{error}");
    }
}
