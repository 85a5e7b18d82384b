//! Stage I in the span of the patterns: the run of [`Whole`](super::whole::Whole), cheaper where there
//! are few patterns.
//!
//! ∂L/∂W = (∂L/∂F)ᵀΞ lies in the span of the patterns, and so does all that gradient descent adds to W:
//! W = W₀ + SᵀΞ with S of shape `[n_patterns, dim_features]`, which moves by S ← S − γ ∂L/∂F. The features
//! are F = ΞWᵀ = F₀ + (ΞΞᵀ)S. A step thus costs n_patterns²·dim_features for the features and nothing for
//! the gradient, where W itself costs n_patterns·dim·dim_features for each. Adam, which divides every
//! entry of W by its own scale, leaves the span.
//!
//! The features stay in a span of their own as well: ∂L/∂F is a combination of features, so that every row
//! of F and of S is one of rows of F₀ = ZQᵀ, Q with orthonormal columns. Features of Z, of length
//! n_patterns, have the inner products of those of F₀, and a step costs n_patterns³.
//!
//! A step on a batch sees and moves its rows of F and S alone, and costs as much less.

use ndarray::{Array2, ArrayView2, Axis};

use super::descent::Descent;
use super::loss::{Over, SeparationLoss, Slope, squares_fit};
use super::optimizer::Optimizer;
use super::{HeldOut, Params};
use crate::error::{Error, Result};
use crate::feature_map::{LinearMap, orthonormal};
use crate::neighbours::Neighbours;
use crate::patterns::Patterns;
use crate::product::product;
use crate::scalar::Scalar;

/// W = W₀ + SᵀΞ under way.
pub(super) struct Shifts<'a, T> {
    optimizer: Optimizer,
    patterns: &'a Patterns<T>,
    /// W₀
    start: LinearMap<T>,
    /// Q, if features and shifts are in its coordinates.
    frame: Option<Array2<T>>,
    /// F₀, or Z = F₀Q
    start_features: Array2<T>,
    /// ΞΞᵀ
    gram: Array2<T>,
    /// S, or SQ
    shifts: Array2<T>,
}

impl<'a, T: Scalar> Shifts<'a, T> {
    /// Whether they are cheaper than moving all of W, and as exact: ΞΞᵀ holds the squares of the patterns, which
    /// may leave the numbers of `T` where the patterns themselves do not.
    pub(super) fn suit(patterns: &Patterns<T>, start: &LinearMap<T>, params: &Params) -> bool {
        params.optimizer.is_descent()
            && patterns.n_patterns() <= patterns.dim()
            && pay_for_batches(patterns, start, params)
            && squares_fit(patterns.view())
    }

    pub(super) fn new(patterns: &'a Patterns<T>, start: LinearMap<T>, params: &Params) -> Self {
        let rows = patterns.view();
        let features = start.features(rows);
        let frame = frame_pays(&features, params).then(|| frame(features.view()));
        let start_features = match &frame {
            Some(frame) => product(features.view(), frame.view()),
            None => features,
        };
        Self {
            optimizer: params.optimizer,
            gram: product(rows, rows.t()),
            shifts: Array2::zeros(start_features.raw_dim()),
            start_features,
            frame,
            patterns,
            start,
        }
    }

    #[cfg(test)]
    pub(super) fn is_framed(&self) -> bool {
        self.frame.is_some()
    }

    /// F
    fn features(&self) -> Array2<T> {
        let mut features = product(self.gram.view(), self.shifts.view());
        features += &self.start_features;
        features
    }

    /// These rows of F.
    pub(super) fn features_of(&self, rows: &[usize]) -> Array2<T> {
        let gram = self.gram.select(Axis(0), rows);
        let mut features = product(gram.view(), self.shifts.view());
        for (mut features, &row) in features.rows_mut().into_iter().zip(rows) {
            features += &self.start_features.row(row);
        }
        features
    }

    /// Step `step` along these rows of ∂L/∂F, the others of which are 0.
    pub(super) fn stepped_at(
        self,
        rows: impl IntoIterator<Item = usize>,
        slope: &Array2<T>,
        step: usize,
    ) -> Result<Self> {
        let rate = T::narrow(-self.optimizer.rate(step - 1));
        let mut shifts = self.shifts;
        for (row, slope) in rows.into_iter().zip(slope.rows()) {
            let mut shift = shifts.row_mut(row);
            shift.scaled_add(rate, &slope);
            if !shift.iter().all(|x| x.is_finite()) {
                return Err(Error::diverged(step, "W"));
            }
        }
        Ok(Self { shifts, ..self })
    }

    /// W after `steps` steps.
    pub(super) fn into_map(self, steps: usize) -> Result<LinearMap<T>> {
        if steps == 0 {
            return Ok(self.start);
        }
        let mut moved = product(self.shifts.t(), self.patterns.view());
        if let Some(frame) = &self.frame {
            moved = product(frame.view(), moved.view());
        }
        self.start.stepped(|weight| *weight += &moved, steps)
    }
}

/// Whether what shifts cost before the first step and after the last, n·dim·(n + 2·dim_features) multiplications, is less
/// than what they save: of the 2·dim·dim_features for each pattern of a batch, all but n·dim_features. A step on all
/// patterns is worth it at once.
fn pay_for_batches<T: Scalar>(
    patterns: &Patterns<T>,
    start: &LinearMap<T>,
    params: &Params,
) -> bool {
    let Some(batches) = params.batches else { return true };
    let sizes = [patterns.n_patterns(), patterns.dim(), start.dim_features()];
    let [n, dim, dim_features] = sizes.map(|size| size as f64);
    let seen = params.max_steps as f64 * batches.size() as f64;
    n * dim * (n + 2.0 * dim_features) < seen * dim_features * (2.0 * dim - n)
}

/// Whether a frame of the features is worth making, and as exact: a step of the average loss on b of n patterns, which
/// may be all, saves b(n + 4b)(dim_features − n) multiplications by it, and it takes as long as some 8n²·dim_features
/// of them; it is to save five times as many. The max loss has fewer to save, and which pair is the closest may turn on
/// the last bit.
fn frame_pays<T: Scalar>(features: &Array2<T>, params: &Params) -> bool {
    let (n, dim_features) = features.dim();
    let [n, dim_features, size] =
        [n, dim_features, params.batches.map_or(n, |b| b.size())].map(|size| size as f64);
    params.loss.parts().0 == Over::Average
        && params.max_steps as f64 * size * (n + 4.0 * size) * (dim_features - n)
            >= 40.0 * n * n * dim_features
        && squares_fit(features.view())
}

/// Q: orthonormal columns, `[dim_features, n_patterns]`, that span the rows of the features.
fn frame<T: Scalar>(features: ArrayView2<'_, T>) -> Array2<T> {
    orthonormal(features.t().mapv(T::widen).view()).mapv(T::narrow)
}

/// Stage I over all pairs of few patterns.
pub(super) struct Span<'a, T> {
    loss: SeparationLoss,
    shifts: Shifts<'a, T>,
    neighbours: Neighbours<T>,
    /// ∂L/∂F at the last loss.
    slope: Option<Slope<T>>,
}

impl<'a, T: Scalar> Span<'a, T> {
    pub(super) fn new(patterns: &'a Patterns<T>, start: LinearMap<T>, params: &Params) -> Self {
        let shifts = Shifts::new(patterns, start, params);
        Self { loss: params.loss, shifts, neighbours: Neighbours::new(), slope: None }
    }
}

impl<T: Scalar> Descent for Span<'_, T> {
    type Map = LinearMap<T>;

    fn loss(&mut self, _step: usize) -> Result<f64> {
        let closest = |rows: ArrayView2<'_, T>| self.neighbours.closest_pair(rows);
        let (loss, slope) = self.loss.at_features(self.shifts.features(), closest)?;
        self.slope = Some(slope);
        Ok(loss)
    }

    fn advance(mut self, step: usize) -> Result<Self> {
        let shifts = match self.slope.take() {
            None => self.shifts,
            Some(Slope::Every(slope)) => self.shifts.stepped_at(0..slope.nrows(), &slope, step)?,
            Some(Slope::Of(rows, slope)) => self.shifts.stepped_at(rows, &slope, step)?,
        };
        Ok(Self { shifts, ..self })
    }

    fn finish(self, steps: usize) -> Result<(LinearMap<T>, Vec<HeldOut>)> {
        Ok((self.shifts.into_map(steps)?, Vec::new()))
    }
}
