//! Which similarity recalls best under a corruption: tried on corrupted copies of the stored patterns.

use std::ops::ControlFlow;

use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::channel::Channel;
use crate::dynamics::Dynamics;
use crate::error::Result;
use crate::memory::Memory;
use crate::metrics::sum_squared_error;
use crate::model::Model;
use crate::patterns::Patterns;
use crate::scalar::Scalar;
use crate::similarity::Similarity;
use crate::stage1::{
    ChosenRidge, Copies, Denoising, Optimizer, RIDGES, Start, choose_ridge, denoise,
};

/// Far beyond what any error falls for: 2¹² times the first β.
const MOST_DOUBLINGS: usize = 12;
/// How denoising learns.
const STEPS: usize = 100;
const RATE: f64 = 0.1;

/// The model that [`choose`] chose, and what it chose from.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Choice<T> {
    /// Softmax of the best similarity, at its β.
    pub model: Model<T>,
    /// Everything tried: the chosen one, then the others by their errors; of equal ones the simpler first.
    pub tried: Vec<Tried>,
}

/// One similarity that [`choose`] tried.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Tried {
    /// What it is.
    pub what: Candidate,
    /// The β with the smallest error on the first copies; 1 for the likelihood of the corruption.
    pub beta: f64,
    /// Σ (recalled − stored)² of a copy, mean over copies from which β was not tuned.
    pub error: f64,
}

/// What [`choose`] tries, the simplest first.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Candidate {
    /// ⟨ξ,x⟩
    Dot,
    /// ⟨ξ,x⟩ / (‖ξ‖‖x‖)
    Cosine,
    /// −½‖ξ−x‖²
    Euclidean,
    /// −‖ξ−x‖₁
    Manhattan,
    /// ⟨Wξ,Wx⟩ with W by ridge whitening.
    Whitened {
        /// λ, the one of [`RIDGES`] by which the sources of the copies have the largest weights.
        ridge: f64,
    },
    /// ln P(x | ξ) of the corruption.
    Channel,
    /// ⟨W_key ξ,W_query x⟩ + b, learned by denoising.
    Denoised {
        /// Steps of learning.
        steps: usize,
    },
}

impl Candidate {
    /// `"dot"`, `"cosine"`, `"euclidean"`, `"manhattan"`, `"whitened"`, `"channel"`, `"denoised"`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dot => "dot",
            Self::Cosine => "cosine",
            Self::Euclidean => "euclidean",
            Self::Manhattan => "manhattan",
            Self::Whitened { .. } => "whitened",
            Self::Channel => "channel",
            Self::Denoised { .. } => "denoised",
        }
    }
}

/// The similarity, with its λ and β, that recalls corrupted copies of `patterns` with the smallest mean error.
///
/// `corrupt` makes queries of rows `[n, dim]`, of the same shape, from a seed. It is called for at most 1,024
/// copies twice: λ is the one that tells the first copies apart best ([`Copies::judge`]), β that one or, where
/// the error goes on falling, 2, 4, 8, … times it; the errors are those of the second copies. Where a `channel`
/// is given, it is tried as well; where none is, what 100 steps of [`denoise`] learn. The recall is that of one
/// step by softmax.
///
/// A channel that is a likelihood is tried at β = 1, the posterior mean, than which nothing has a smaller
/// expected error. It is chosen unless the error of another is smaller by more than three standard errors of
/// the difference: where nearly all copies are recalled by both, chance alone decides between them. A
/// [calibrated](Channel::calibrated) one is tried as the others are.
///
/// The time is that of some forty products of the copies with the patterns, of an eigendecomposition of
/// min(`n_patterns`, `dim`)³, of a W and the features of all patterns for each of thirteen λ, `dim`²·`n_patterns`
/// multiplications and more, and of the steps.
///
/// ```
/// use ndarray::array;
/// use uhop::{Candidate, Patterns, choose};
///
/// // Two directions, each once long and once short: products find the long ones only, angles neither.
/// let patterns = Patterns::new(array![[1.0, 0.0], [4.0, 0.0], [0.0, 1.0], [0.0, 4.0]])?;
/// let choice = choose(&patterns, None, 0, |rows, _seed| rows.mapv(|x| x + 0.1))?;
/// assert_ne!(choice.tried[0].what, Candidate::Dot);
/// assert_ne!(choice.tried[0].what, Candidate::Cosine);
/// assert!(choice.tried[0].error < 1e-12);
/// # Ok::<(), uhop::Error>(())
/// ```
///
/// # Errors
/// [`is_shape_mismatch`](crate::Error::is_shape_mismatch) or [`is_non_finite`](crate::Error::is_non_finite) for what
/// `corrupt` returns, or for a channel of another `dim`; [`is_non_finite`](crate::Error::is_non_finite) also where a
/// score of any that is tried overflows.
pub fn choose<T: Scalar>(
    patterns: &Patterns<T>,
    channel: Option<Channel>,
    seed: u64,
    mut corrupt: impl FnMut(ArrayView2<'_, T>, u64) -> Array2<T>,
) -> Result<Choice<T>> {
    let copies = Copies::draw(patterns, seed, &mut corrupt)?;
    let held_out = Copies::draw(patterns, seed.wrapping_add(1), &mut corrupt)?;
    let mut candidates = vec![
        (Candidate::Dot, Similarity::Dot),
        (Candidate::Cosine, Similarity::Cosine),
        (Candidate::Euclidean, Similarity::Euclidean),
        (Candidate::Manhattan, Similarity::Manhattan),
    ];
    // Patterns that are all 0 have no directions to whiten, and nothing to learn from.
    let has_directions = patterns.view().iter().any(|x| *x != T::zero());
    let chosen = has_directions.then(|| choose_ridge(patterns, &RIDGES, &copies)).transpose()?;
    if let Some(ChosenRidge { ridge, map, .. }) = &chosen {
        candidates.push((Candidate::Whitened { ridge: *ridge }, Similarity::Kernel(map.clone())));
    }
    match (channel, chosen) {
        (Some(channel), _) => candidates.push((Candidate::Channel, Similarity::Channel(channel))),
        (None, Some(chosen)) => {
            let start = Start::better(patterns, &copies, chosen)?.map;
            let params = Denoising::new(Optimizer::adam(RATE)?, STEPS, seed.wrapping_add(2))?;
            let learned =
                denoise(patterns, start, &params, &mut corrupt, |_| ControlFlow::Continue(()))?;
            let denoised = Candidate::Denoised { steps: learned.steps };
            candidates.push((denoised, Similarity::Asymmetric(learned.map)));
        }
        (None, None) => {}
    }

    let mut tried: Vec<Tested<T>> = Vec::with_capacity(candidates.len());
    for (what, similarity) in candidates {
        tried.push(test(patterns, what, similarity, (&copies, &held_out))?);
    }
    // Stable: of equal errors the simpler comes first.
    tried.sort_by(|a, b| a.tried.error.total_cmp(&b.tried.error));
    if let Some(i) = tried.iter().position(|tested| is_likelihood(tested.model.similarity()))
        && !is_worse(&tried[i].errors, &tried[0].errors)
    {
        tried[..=i].rotate_right(1);
    }
    let model = tried[0].model.clone();
    Ok(Choice { model, tried: tried.into_iter().map(|tested| tested.tried).collect() })
}

/// One similarity, its model, and the error of each copy of the second draw.
struct Tested<T> {
    tried: Tried,
    model: Model<T>,
    errors: Array1<f64>,
}

fn is_likelihood<T: Scalar>(similarity: &Similarity<T>) -> bool {
    matches!(similarity, Similarity::Channel(channel) if channel.is_likelihood())
}

fn test<T: Scalar>(
    patterns: &Patterns<T>,
    what: Candidate,
    similarity: Similarity<T>,
    (copies, held_out): (&Copies<T>, &Copies<T>),
) -> Result<Tested<T>> {
    let memory = if is_likelihood(&similarity) {
        Memory::new(patterns.clone(), Model::dense(1.0)?.with_similarity(similarity))?
    } else {
        let beta = copies.judge(patterns, &similarity)?.beta;
        let model = Model::dense(beta)?.with_similarity(similarity);
        sharpened(Memory::new(patterns.clone(), model)?, copies)?
    };
    let errors = errors_of(&memory, held_out)?;
    let (beta, error) = (memory.model().beta(), mean(&errors));
    Ok(Tested { tried: Tried { what, beta, error }, model: memory.model().clone(), errors })
}

/// Whether the mean of `errors` is larger than that of `others`, of the same copies, by more than chance.
fn is_worse(errors: &Array1<f64>, others: &Array1<f64>) -> bool {
    const STANDARD_ERRORS: f64 = 3.0;
    let differences = errors - others;
    let deviation = differences.std(0.0);
    mean(&differences) > STANDARD_ERRORS * deviation / (differences.len() as f64).sqrt()
}

fn mean(values: &Array1<f64>) -> f64 {
    values.mean().unwrap_or(0.0)
}

/// The memory with β doubled for as long as its error falls. The weights of the sources alone do not say where to
/// stop: where all are recalled, they are nearly 1 long before the error is nothing.
fn sharpened<T: Scalar>(mut memory: Memory<T>, copies: &Copies<T>) -> Result<Memory<T>> {
    let mut error = mean(&errors_of(&memory, copies)?);
    for _ in 0..MOST_DOUBLINGS {
        let model = memory.model().clone();
        let sharper = Model::dense(2.0 * model.beta())?.with_similarity(model.similarity().clone());
        memory = memory.with_model(sharper)?;
        let its_error = mean(&errors_of(&memory, copies)?);
        if its_error >= error {
            return memory.with_model(model);
        }
        error = its_error;
    }
    Ok(memory)
}

/// The errors of the recall of copies.
fn errors_of<T: Scalar>(memory: &Memory<T>, copies: &Copies<T>) -> Result<Array1<f64>> {
    let recalled = memory.retrieve(copies.queries(), &Dynamics::one_step())?.retrieved;
    let sources = memory.patterns().view().select(Axis(0), copies.sources());
    sum_squared_error(sources.view(), recalled.view(), None)
}
