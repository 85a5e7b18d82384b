//! The measurement: which models, which queries, what is counted.

use std::time::Instant;

use ndarray::{Array2, ArrayView2, Axis, s};
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use uhop::stage1::{Optimizer, Params, SeparationLoss};
use uhop::{Dynamics, LinearMap, Memory, Model, Patterns, Similarity, metrics};
use uhop_data::{Corruption, sample};

use crate::console::Console;
use crate::failure::Failure;
use crate::interrupt;
use crate::learning::{AVERAGE_LOSS_RATE, MAX_LOSS_RATE, separated};

/// A digit counts as recalled when its sum of squared errors is at most this: about one pixel
/// wholly wrong of 784.
pub(super) const RECALL_THRESHOLD: f64 = 1.0;

/// Stage I steps, as in the command that the released code gives for its retrieval runs.
const STAGE1_STEPS: usize = 100;

/// The digits drawn for this seed, and their damaged copies.
pub(super) struct Drawn {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) labels: Vec<u8>,
    pub(super) stored: Array2<f32>,
    pub(super) queries: Array2<f32>,
    pub(super) corruption: Corruption,
}

impl Drawn {
    pub(super) fn new(seed: u64) -> Result<Self, Failure> {
        let digits = sample::digits();
        let images = digits.images();
        let largest = super::MEMORY_SIZES.into_iter().max().unwrap_or_default();
        let mut random = ChaCha8Rng::seed_from_u64(purpose(seed, 0));
        let chosen = index::sample(&mut random, digits.labels().len(), largest).into_vec();
        let stored = images.patterns().select(Axis(0), &chosen);
        let corruption = Corruption::half_mask();
        Ok(Self {
            height: images.height(),
            width: images.width(),
            labels: chosen.iter().map(|&i| digits.labels()[i]).collect(),
            queries: corruption.apply(stored.view(), purpose(seed, 1))?,
            stored,
            corruption,
        })
    }
}

/// A seed of its own for each use, so that no two draw the same numbers.
fn purpose(seed: u64, purpose: u64) -> u64 {
    seed.wrapping_mul(4).wrapping_add(purpose)
}

/// Every model's recall of one memory.
pub(super) struct Recalled {
    pub(super) n_patterns: usize,
    pub(super) dim: usize,
    pub(super) rows: Vec<Row>,
}

/// One model's recall: a row of the table, a column of the picture.
pub(super) struct Row {
    pub(super) model: &'static str,
    /// `None` where β does not exist or changes nothing.
    pub(super) beta: Option<f64>,
    /// Sum of squared errors of each query, both sides clamped to [0, 1].
    pub(super) errors: Vec<f64>,
    pub(super) error: f64,
    pub(super) recall_rate: f64,
    pub(super) support_size: Option<f64>,
    pub(super) perplexity: Option<f64>,
    pub(super) stage1_seconds: Option<f64>,
    pub(super) retrieve_seconds: Option<f64>,
    pub(super) retrieved: Array2<f32>,
}

/// Stores the first `n_patterns` digits and recalls each from its damaged copy with every model.
pub(super) fn recall(
    digits: &Drawn,
    n_patterns: usize,
    seed: u64,
    console: &Console,
) -> Result<Recalled, Failure> {
    let stored = digits.stored.slice(s![..n_patterns, ..]);
    let queries = digits.queries.slice(s![..n_patterns, ..]);
    let patterns = Patterns::new(stored.to_owned())?;
    let mut rows = vec![Row::query_itself(stored, queries)?];

    let plain: [(&str, bool, Model<f32>); 6] = [
        ("polynomial-10", false, Model::polynomial(10)?),
        ("dense", true, Model::dense(1.0)?),
        ("sparse", true, Model::sparse(1.0)?),
        ("euclidean", true, Model::dense(1.0)?.with_similarity(Similarity::Euclidean)),
        // Cosines lie between −1 and 1: β = 1 would weigh all patterns nearly alike.
        ("cosine", true, Model::dense(100.0)?.with_similarity(Similarity::Cosine)),
        ("manhattan", true, Model::dense(1.0)?.with_similarity(Similarity::Manhattan)),
    ];
    for (name, has_beta, model) in plain {
        rows.push(Row::recall(name, has_beta, model, None, &patterns, queries)?);
    }

    let start = LinearMap::random_normal(patterns.dim(), patterns.dim(), purpose(seed, 2))?;
    let max = Params::new(
        SeparationLoss::max(),
        Optimizer::gradient_descent(MAX_LOSS_RATE)?,
        STAGE1_STEPS,
    )?;
    let average = Params::new(
        SeparationLoss::average(),
        Optimizer::gradient_descent(AVERAGE_LOSS_RATE)?,
        STAGE1_STEPS,
    )?;
    // As published: the max loss sees the first half of the memory.
    let half = patterns.first(n_patterns.div_ceil(2))?;
    let (kept, seconds) = separated("max loss", &half, start.clone(), &max.keep_rows(), console)?;
    let kept = kept.map;
    let normalized = kept.clone().normalize_rows();
    let (averaged, average_seconds) =
        separated("average loss", &patterns, start, &average, console)?;
    let (dense, sparse) = (Model::dense(1.0)?, Model::sparse(1.0)?);
    for (name, model, map, seconds) in [
        ("U-Hop dense", &dense, &normalized, seconds),
        ("U-Hop sparse", &sparse, &normalized, seconds),
        ("U-Hop dense, W as learned", &dense, &kept, seconds),
        ("U-Hop dense, average loss", &dense, &averaged.map, average_seconds),
    ] {
        let model = model.clone().with_feature_map(map.clone());
        rows.push(Row::recall(name, true, model, Some(seconds), &patterns, queries)?);
    }
    Ok(Recalled { n_patterns, dim: patterns.dim(), rows })
}

impl Row {
    fn query_itself(
        stored: ArrayView2<'_, f32>,
        queries: ArrayView2<'_, f32>,
    ) -> Result<Self, Failure> {
        Self::new("corrupted query itself", None, stored, queries.to_owned())
    }

    fn recall(
        name: &'static str,
        has_beta: bool,
        model: Model<f32>,
        stage1_seconds: Option<f64>,
        patterns: &Patterns<f32>,
        queries: ArrayView2<'_, f32>,
    ) -> Result<Self, Failure> {
        let beta = has_beta.then(|| model.beta());
        interrupt::check()?;
        let memory = Memory::new(patterns.clone(), model)?;
        let started = Instant::now();
        let recalled = memory.retrieve(queries, &Dynamics::one_step())?;
        let seconds = started.elapsed().as_secs_f64();
        let n_queries = recalled.reports.len() as f64;
        let support: usize = recalled.reports.iter().map(|report| report.support_size).sum();
        let perplexity: f64 = recalled.reports.iter().map(|report| report.perplexity).sum();
        Ok(Self {
            support_size: Some(support as f64 / n_queries),
            perplexity: Some(perplexity / n_queries),
            stage1_seconds,
            retrieve_seconds: Some(seconds),
            ..Self::new(name, beta, patterns.view(), recalled.retrieved)?
        })
    }

    fn new(
        model: &'static str,
        beta: Option<f64>,
        stored: ArrayView2<'_, f32>,
        retrieved: Array2<f32>,
    ) -> Result<Self, Failure> {
        let errors = metrics::sum_squared_error(stored, retrieved.view(), Some(0.0..=1.0))?;
        Ok(Self {
            model,
            beta,
            error: errors.sum() / errors.len() as f64,
            recall_rate: metrics::recall_rate(errors.view(), RECALL_THRESHOLD)?,
            errors: errors.to_vec(),
            support_size: None,
            perplexity: None,
            stage1_seconds: None,
            retrieve_seconds: None,
            retrieved,
        })
    }
}
