//! Stage I of U-Hop: learning the feature map Φ(u) = Wu that drives stored patterns apart.
//!
//! ```
//! use std::ops::ControlFlow;
//!
//! use ndarray::array;
//! use uhop::stage1::{Optimizer, Params, SeparationLoss, learn};
//! use uhop::{LinearMap, Patterns};
//!
//! let patterns = Patterns::new(array![[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])?;
//! let params = Params::new(SeparationLoss::average(), Optimizer::adam(0.05)?, 200)?;
//! let start = LinearMap::orthogonal(3, 3, 0)?;
//! let report = learn(&patterns, start, &params, |_| ControlFlow::Continue(()))?;
//! // Three unit features are farthest apart at 120 degrees: ‖φ(u) − φ(v)‖² = 3, L = −2·3.
//! assert!(report.losses[0] > -2.0);
//! assert!(report.losses[report.steps] < -5.9);
//! # Ok::<(), uhop::Error>(())
//! ```

mod average;
mod batches;
mod copies;
mod denoising;
mod descent;
mod draws;
mod loss;
mod optimizer;
mod pair_products;
mod pairwise;
mod span;
mod tiles;
mod whitening;
mod whole;

use std::ops::ControlFlow;

pub(crate) use average::Features;
pub use batches::Batches;
use batches::{Batched, Entries};
pub use copies::{Copies, Judgement};
pub use denoising::{Denoising, Start, denoise, distances};
use draws::Draws;
pub(crate) use loss::Over;
pub use loss::SeparationLoss;
use loss::check_shapes;
pub use optimizer::Optimizer;
pub(crate) use optimizer::{Kind as OptimizerKind, Schedule};
use pairwise::Pairwise;
use span::{Shifts, Span};
pub use whitening::{ChosenRidge, RIDGES, Whitening, choose_ridge, whiten};
use whole::Whole;

use crate::error::{Error, Result, positive};
use crate::feature_map::LinearMap;
use crate::patterns::Patterns;
use crate::scalar::Scalar;

/// What to minimise, how, and for how long.
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    loss: SeparationLoss,
    optimizer: Optimizer,
    max_steps: usize,
    tolerance: Option<f64>,
    batches: Option<Batches>,
    normalize_rows: bool,
}

impl Params {
    /// At most `max_steps` steps of `optimizer` on `loss`, then the rows of W normalised, as
    /// Algorithm 1 of U-Hop says.
    ///
    /// ```
    /// use uhop::stage1::{Optimizer, Params, SeparationLoss};
    ///
    /// let (loss, optimizer) = (SeparationLoss::max(), Optimizer::gradient_descent(10.0)?);
    /// assert!(Params::new(loss, optimizer, 100).is_ok());
    /// assert!(Params::new(loss, optimizer, 0).unwrap_err().is_out_of_domain());
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_out_of_domain`](Error::is_out_of_domain) for 0 steps.
    pub fn new(loss: SeparationLoss, optimizer: Optimizer, max_steps: usize) -> Result<Self> {
        if max_steps == 0 {
            return Err(Error::domain("stage1", "max_steps", max_steps, "at least 1"));
        }
        Ok(Self {
            loss,
            optimizer,
            max_steps,
            tolerance: None,
            batches: None,
            normalize_rows: true,
        })
    }

    /// Also stops when one step changes the loss by at most `tolerance`. The max loss jumps
    /// whenever the closest pair changes, so that a small change there is no sign of an end. With
    /// [batches](Self::with_batches) it is the loss of the held-out pairs, from one look at it to the
    /// next, that must change so little.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    ///
    /// use ndarray::array;
    /// use uhop::stage1::{Optimizer, Params, SeparationLoss, StopReason, learn};
    /// use uhop::{LinearMap, Patterns};
    ///
    /// let patterns = Patterns::new(array![[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])?;
    /// let params = Params::new(SeparationLoss::average(), Optimizer::gradient_descent(0.1)?, 2000)?;
    /// let params = params.with_tolerance(1e-6)?;
    /// let report = learn(&patterns, LinearMap::identity(3)?, &params, |_| ControlFlow::Continue(()))?;
    /// assert_eq!(report.stop, StopReason::Converged);
    /// assert!(report.steps < 2000);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_out_of_domain`](Error::is_out_of_domain) unless `tolerance` is finite and above 0.
    pub fn with_tolerance(self, tolerance: f64) -> Result<Self> {
        Ok(Self { tolerance: Some(positive("stage1", "tolerance", tolerance)?), ..self })
    }

    /// The same on batches of the patterns, which cost as much as they are large, not as the memory, where it holds more
    /// than `dim` patterns; of fewer a step costs less still.
    ///
    /// ```
    /// use uhop::stage1::{Batches, Optimizer, Params, SeparationLoss};
    ///
    /// let params = |loss| Params::new(loss, Optimizer::gradient_descent(1.0)?, 1000);
    /// let batches = Batches::new(1024, 0)?;
    /// assert!(params(SeparationLoss::average())?.with_batches(batches).is_ok());
    /// assert!(params(SeparationLoss::max())?.with_batches(batches).unwrap_err().is_unsupported());
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_unsupported`](Error::is_unsupported) for the max loss: the closest pair of a batch is hardly
    /// ever the closest of all, and no batch estimates it without bias.
    pub fn with_batches(self, batches: Batches) -> Result<Self> {
        if self.loss.parts().0 == Over::Max {
            let reason = "the closest pair of a batch is not the closest of all patterns; use the \
                          average loss, or no batches";
            return Err(Error::unsupported("stage1", reason.to_owned()));
        }
        Ok(Self { batches: Some(batches), ..self })
    }

    /// What is minimised.
    pub fn loss(&self) -> SeparationLoss {
        self.loss
    }

    /// How W is moved.
    pub fn optimizer(&self) -> Optimizer {
        self.optimizer
    }

    /// The largest number of steps.
    pub fn max_steps(&self) -> usize {
        self.max_steps
    }

    /// The change of the loss at which it stops, if any.
    pub fn tolerance(&self) -> Option<f64> {
        self.tolerance
    }

    /// The batches of a step, if it does not see all pairs.
    pub fn batches(&self) -> Option<Batches> {
        self.batches
    }

    /// Whether the rows of W are normalised at the end.
    pub fn normalizes_rows(&self) -> bool {
        self.normalize_rows
    }

    /// Leaves out Algorithm 1's last step: W stays as learned, as in the released retrieval code.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    ///
    /// use ndarray::array;
    /// use uhop::stage1::{Optimizer, Params, SeparationLoss, learn};
    /// use uhop::{LinearMap, Patterns};
    ///
    /// let patterns = Patterns::new(array![[1.0, 0.0], [0.8, 0.6]])?;
    /// let params = Params::new(SeparationLoss::max(), Optimizer::gradient_descent(0.1)?, 5)?;
    /// let run = |params| learn(&patterns, LinearMap::identity(2)?, &params, |_| ControlFlow::Continue(()));
    /// let (normalized, kept) = (run(params.clone())?, run(params.keep_rows())?);
    /// assert_eq!(normalized.losses, kept.losses);
    /// assert_eq!(normalized.map, kept.map.normalize_rows());
    /// # Ok::<(), uhop::Error>(())
    /// ```
    pub fn keep_rows(self) -> Self {
        Self { normalize_rows: false, ..self }
    }
}

/// What [`learn`] did, `M` being [`LinearMap`], or [`denoise`], `M` being
/// [`AsymmetricMap`](crate::AsymmetricMap).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Report<M> {
    /// The learned map.
    pub map: M,
    /// The loss before the first step and after each: `steps + 1` values, all before any
    /// normalisation of rows. With batches each is the estimate L_b of another batch, in denoising that of
    /// other queries.
    pub losses: Vec<f64>,
    /// The loss of the held-out pairs before the first step, every 20 steps and after the last;
    /// none without batches.
    pub held_out: Vec<HeldOut>,
    /// Steps made.
    pub steps: usize,
    /// Why it stopped.
    pub stop: StopReason,
}

/// The loss of the held-out pairs.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct HeldOut {
    /// Steps made when it was measured.
    pub step: usize,
    /// log mean exp(−t‖φ(u) − φ(v)‖²) over the held-out pairs.
    pub loss: f64,
}

/// Why Stage I stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopReason {
    /// The loss changed by at most the tolerance.
    Converged,
    /// The last allowed step was made.
    MaxSteps,
    /// The observer asked to stop.
    Observer,
}

/// What the observer of [`learn`] and [`denoise`] sees.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// Steps made so far, from 0.
    pub step: usize,
    /// The largest number of steps.
    pub max_steps: usize,
    /// The loss after these steps; with batches, of the held-out pairs when last measured.
    pub loss: f64,
}

/// Minimises the separation loss of `patterns` over W, from `start`.
///
/// Algorithm 1 of U-Hop, Stage I: N times W ← W − γ∇L(W), then the rows of W normalised (Wu, Hu,
/// Hsiao, Liu 2024). `observer` is told the loss before the first step and after each, and ends the
/// run by [`ControlFlow::Break`]. The result is the same bit for bit for any number of threads.
///
/// A step costs O(n·`dim`·`dim_features` + n²·`dim_features`) for n patterns, and less in gradient descent: on
/// at most `dim` patterns O(n²·min(n, `dim_features`)), as all that it adds to W is a combination of patterns,
/// and of features; by the max loss on a large memory O(n·(`dim` + `dim_features`) + n²), as it adds two patterns,
/// which the inner products of all pairs follow. On other memories, and where there are more than 2²⁶ pairs, few steps of that
/// loss look at all of them: the others look at those that were near not long ago, among which the closest provably is.
/// With batches of b patterns a step costs O(b·`dim`·`dim_features` + b²·`dim_features`), in gradient descent on at most `dim`
/// patterns O(b·n·min(n, `dim_features`)).
///
/// ```
/// use std::ops::ControlFlow;
///
/// use ndarray::array;
/// use uhop::stage1::{Optimizer, Params, SeparationLoss, StopReason, learn};
/// use uhop::{LinearMap, Patterns};
///
/// let patterns = Patterns::new(array![[1.0, 0.0], [0.8, 0.6]])?;
/// let params = Params::new(SeparationLoss::max(), Optimizer::adam(0.05)?, 1000)?;
/// let enough = |progress: uhop::stage1::Progress| {
///     if progress.loss < -7.0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
/// };
/// let report = learn(&patterns, LinearMap::identity(2)?, &params, enough)?;
/// assert_eq!(report.stop, StopReason::Observer);
/// assert!(report.losses[report.steps] < -7.0); // nearly opposite: −t·‖φ(u)−φ(v)‖² is at least −8
/// # Ok::<(), uhop::Error>(())
/// ```
///
/// # Errors
/// As [`SeparationLoss::value_and_gradient`]; [`is_diverged`](Error::is_diverged) when the loss or
/// W leaves the finite numbers, which a smaller rate prevents; with batches
/// [`is_out_of_domain`](Error::is_out_of_domain) for a batch larger than the memory and
/// [`is_empty`](Error::is_empty) for fewer than three patterns.
pub fn learn<T: Scalar>(
    patterns: &Patterns<T>,
    start: LinearMap<T>,
    params: &Params,
    observer: impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<Report<LinearMap<T>>> {
    check_shapes(&start, patterns)?;
    let limits = (params.max_steps, params.tolerance);
    let report = if let Some(batches) = params.batches {
        let draws = Draws::new(batches, [patterns.n_patterns(), patterns.dim()])?;
        if Shifts::suit(patterns, &start, params) {
            let shifts = Shifts::new(patterns, start, params);
            descent::run(Batched::new(draws, params.loss, shifts), limits, observer)
        } else {
            let entries = Entries::new(patterns, start, params);
            descent::run(Batched::new(draws, params.loss, entries), limits, observer)
        }
    } else if Pairwise::suits(patterns, &start, params) {
        descent::run(Pairwise::new(patterns, start, params), limits, observer)
    } else if Shifts::suit(patterns, &start, params) {
        descent::run(Span::new(patterns, start, params), limits, observer)
    } else {
        descent::run(Whole::new(patterns, start, params), limits, observer)
    }?;
    let map = if params.normalize_rows { report.map.normalize_rows() } else { report.map };
    Ok(Report { map, ..report })
}
