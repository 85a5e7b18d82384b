//! `uhop inspect`: what a memory file holds, and what the theory promises for it.

mod histogram;
mod report;

use ndarray::Array1;
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use uhop::saved::{AnyMemory, SavedMemory, StoredTensor};
use uhop::{Memory, Model, Similarity, Survey};

use crate::args::InspectArgs;
use crate::choosing;
use crate::console::Console;
use crate::failure::Failure;
use crate::input;

/// Pairs of patterns compared unless `--sample` says otherwise: all of 10,000 patterns.
const PAIRS: usize = 100_000_000;
/// Patterns examined even where that makes more pairs.
const LEAST_SAMPLE: usize = 100;
/// Where no certificate exists, the suggested β gives a pattern all weight at itself but this.
const EPSILON: f64 = 0.01;

pub(crate) fn run(args: &InspectArgs) -> Result<(), Failure> {
    let console = Console::new(args.output_args);
    let found = match input::memory(&args.memory)? {
        AnyMemory::F32(saved) => examine(&saved, args, &console)?,
        AnyMemory::F64(saved) => examine(&saved, args, &console)?,
    };
    if args.output_args.json {
        return console.json(&found.document);
    }
    console.data(&report::text(&found))
}

/// What was found, and what only the text shows.
struct Found {
    document: Document,
    /// In ascending order, under the similarity of the memory.
    separations: Vec<f64>,
    /// In ascending order, of the patterns under the dot product; none when a score overflows.
    dot_separations: Option<Vec<f64>>,
    /// Whether something else than the patterns is recalled.
    has_values: bool,
    /// 2m, above which an error bound says nothing.
    trivial_error_bound: f64,
    /// Why there is no error bound, or no suggested β.
    no_bound: Option<String>,
    no_beta: Option<String>,
}

/// What docs/json.md describes.
#[derive(Serialize)]
struct Document {
    command: &'static str,
    version: &'static str,
    n_patterns: usize,
    dim: usize,
    dim_out: usize,
    scalar: &'static str,
    similarity: &'static str,
    dim_features: Option<usize>,
    has_bias: bool,
    channel: Option<String>,
    separation: String,
    beta: f64,
    effective_beta: Option<f64>,
    temperature: Option<f64>,
    has_ids: bool,
    stage1_loss: Option<&'static str>,
    stage1_steps: Option<usize>,
    last_loss: Option<f64>,
    choice: Option<choosing::Document>,
    n_sampled: usize,
    smallest_separation: Option<f64>,
    median_separation: Option<f64>,
    largest_separation: Option<f64>,
    smallest_dot_separation: Option<f64>,
    median_dot_separation: Option<f64>,
    largest_dot_separation: Option<f64>,
    separable: f64,
    closest_pair: Option<ClosestPair>,
    radius: Option<f64>,
    error_bound: Option<f64>,
    bounded: Option<f64>,
    certified: Option<f64>,
    perplexity: f64,
    suggested_beta: Option<f64>,
    suggested_beta_half: Option<f64>,
}

#[derive(Serialize)]
struct ClosestPair {
    first: usize,
    second: usize,
    first_id: Option<String>,
    second_id: Option<String>,
    distance: Option<f64>,
}

fn examine<T: StoredTensor>(
    saved: &SavedMemory<T>,
    args: &InspectArgs,
    console: &Console,
) -> Result<Found, Failure> {
    let memory = saved.memory();
    let model = memory.model();
    let n_patterns = memory.patterns().n_patterns();
    let affordable = (PAIRS / n_patterns).max(LEAST_SAMPLE);
    let chosen = sample(n_patterns, args.sample.map_or(affordable, Into::into));
    let is_dot = matches!(model.similarity(), Similarity::Dot);
    let passes = if is_dot { 1 } else { 2 };
    let bar = console.bar(passes * chosen.len(), "comparing patterns");
    let survey = memory.survey(&chosen, |done| bar.set_position(done as u64))?;
    let separations = sorted(survey.separations());
    let dot_separations = if is_dot {
        Some(separations.clone())
    } else {
        let dot = Memory::new(memory.patterns().clone(), Model::dense(1.0)?)?;
        match dot.separations_of(&chosen, |done| bar.set_position((chosen.len() + done) as u64)) {
            Ok(separations) => Some(sorted(&separations)),
            // The memory's own scores are finite; these are beside the point then.
            Err(error) if error.is_non_finite() => None,
            Err(error) => return Err(error.into()),
        }
    };
    bar.finish_and_clear();
    let of_dot = |share| dot_separations.as_ref().and_then(|sorted| quantile(sorted, share));
    let trivial_error_bound = memory.trivial_error_bound();
    let (bounds, no_bound) = reason(survey.error_bounds(survey.radius()));
    let (suggested, no_beta) = reason(suggested(&survey));
    let effective_beta = finite(model.effective_beta());
    let learning = saved.learning();
    let id = |index| saved.ids().and_then(|ids| ids.get(index));
    let document = Document {
        command: "inspect",
        version: env!("CARGO_PKG_VERSION"),
        n_patterns,
        dim: memory.patterns().dim(),
        dim_out: memory.values().dim(),
        scalar: T::NAME,
        similarity: model.similarity().name(),
        dim_features: match model.similarity() {
            Similarity::Kernel(map) => Some(map.dim_features()),
            Similarity::Asymmetric(map) => Some(map.keys().dim_features()),
            _ => None,
        },
        has_bias: matches!(
            model.similarity(),
            Similarity::Asymmetric(map) if map.bias().is_some()
        ),
        channel: match model.similarity() {
            Similarity::Channel(channel) => Some(channel.to_string()),
            _ => None,
        },
        separation: model.separation().to_string(),
        beta: model.beta(),
        effective_beta,
        temperature: effective_beta.and_then(|beta| finite(1.0 / beta)),
        has_ids: saved.ids().is_some(),
        stage1_loss: learning.map(|learning| learning.loss()),
        stage1_steps: learning.map(|learning| learning.losses().len().saturating_sub(1)),
        last_loss: learning.and_then(|learning| {
            let held_out = learning.held_out().last().map(|last| last.loss);
            held_out.or_else(|| learning.losses().last().copied())
        }),
        choice: saved.decision().map(choosing::Document::new),
        n_sampled: chosen.len(),
        smallest_separation: quantile(&separations, 0.0),
        median_separation: quantile(&separations, 0.5),
        largest_separation: quantile(&separations, 1.0),
        smallest_dot_separation: of_dot(0.0),
        median_dot_separation: of_dot(0.5),
        largest_dot_separation: of_dot(1.0),
        separable: share(survey.separations(), |&separation| separation > 0.0),
        closest_pair: survey.closest_pair().map(|pair| ClosestPair {
            first: pair.first,
            second: pair.second,
            first_id: id(pair.first),
            second_id: id(pair.second),
            distance: finite(pair.distance()),
        }),
        radius: finite(survey.radius()),
        error_bound: bounds.as_ref().and_then(|bounds| quantile(&sorted(bounds), 0.5)),
        bounded: bounds.map(|bounds| share(&bounds, |&bound| bound < trivial_error_bound)),
        certified: survey.certificates().map(|all| share(&all, |&certified| certified)),
        perplexity: survey.perplexities().sum() / chosen.len() as f64,
        suggested_beta: suggested.and_then(|(all, _)| all),
        suggested_beta_half: suggested.and_then(|(_, half)| half),
    };
    Ok(Found {
        document,
        separations,
        dot_separations,
        has_values: !memory.is_auto_associative(),
        trivial_error_bound,
        no_bound,
        no_beta,
    })
}

/// All patterns, or this many of them, drawn the same way each time; in ascending order.
fn sample(n_patterns: usize, size: usize) -> Vec<usize> {
    if size >= n_patterns {
        return (0..n_patterns).collect();
    }
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let mut chosen = index::sample(&mut random, n_patterns, size).into_vec();
    chosen.sort_unstable();
    chosen
}

/// The β for all patterns that any β can serve, and for half of them.
fn suggested<T: StoredTensor>(survey: &Survey<'_, T>) -> uhop::Result<(Option<f64>, Option<f64>)> {
    Ok((survey.beta_for(1.0, EPSILON)?, survey.beta_for(0.5, EPSILON)?))
}

/// The value, or why there is none.
fn reason<R>(result: uhop::Result<R>) -> (Option<R>, Option<String>) {
    match result {
        Ok(value) => (Some(value), None),
        Err(error) => (None, Some(error.to_string())),
    }
}

fn sorted(values: &Array1<f64>) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
}

/// The value at this share of a sorted list. JSON has no infinity.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let index = (share * sorted.len() as f64) as usize;
    sorted.get(index.min(sorted.len() - 1)).copied().and_then(finite)
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// The share of the values that `has` it.
fn share<V>(values: &Array1<V>, has: impl Fn(&V) -> bool) -> f64 {
    values.iter().filter(|value| has(value)).count() as f64 / values.len() as f64
}
