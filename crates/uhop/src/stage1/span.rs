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

pub(super) struct Span<'a, T> {
    loss: SeparationLoss,
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
    neighbours: Neighbours<T>,
    /// ∂L/∂F at the last loss.
    slope: Option<Slope<T>>,
}

impl<'a, T: Scalar> Span<'a, T> {
    /// Whether it is cheaper than moving all of W, and as exact: ΞΞᵀ holds the squares of the patterns, which
    /// may leave the numbers of `T` where the patterns themselves do not.
    pub(super) fn suits(patterns: &Patterns<T>, params: &Params) -> bool {
        params.optimizer.is_descent()
            && patterns.n_patterns() <= patterns.dim()
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
            loss: params.loss,
            optimizer: params.optimizer,
            gram: product(rows, rows.t()),
            shifts: Array2::zeros(start_features.raw_dim()),
            start_features,
            frame,
            patterns,
            start,
            neighbours: Neighbours::new(),
            slope: None,
        }
    }
}

/// Whether a frame of the features is worth making, and as exact: a step of the average loss saves
/// 5n²(dim_features − n) multiplications by it, and it takes as long as some 8n²·dim_features of them. The max
/// loss has fewer to save, and which pair is the closest may turn on the last bit.
fn frame_pays<T: Scalar>(features: &Array2<T>, params: &Params) -> bool {
    let (n, dim_features) = features.dim();
    params.loss.parts().0 == Over::Average
        && params.max_steps.saturating_mul(dim_features.saturating_sub(n)) >= 8 * dim_features
        && squares_fit(features.view())
}

/// Q: orthonormal columns, `[dim_features, n_patterns]`, that span the rows of the features.
fn frame<T: Scalar>(features: ArrayView2<'_, T>) -> Array2<T> {
    orthonormal(features.t().mapv(T::widen).view()).mapv(T::narrow)
}

impl<T: Scalar> Descent for Span<'_, T> {
    type Map = LinearMap<T>;

    fn loss(&mut self, step: usize) -> Result<f64> {
        let mut features = self.start_features.clone();
        if step > 0 {
            features += &product(self.gram.view(), self.shifts.view());
        }
        let closest = |rows: ArrayView2<'_, T>| self.neighbours.closest_pair(rows);
        let (loss, slope) = self.loss.at_features(features, closest)?;
        self.slope = Some(slope);
        Ok(loss)
    }

    fn advance(mut self, step: usize) -> Result<Self> {
        let rate = T::narrow(-self.optimizer.rate(step - 1));
        match self.slope.take() {
            None => {}
            Some(Slope::Every(slope)) => self.shifts.scaled_add(rate, &slope),
            Some(Slope::Of(rows, slope)) => {
                for (&row, slope) in rows.iter().zip(slope.axis_iter(Axis(0))) {
                    self.shifts.row_mut(row).scaled_add(rate, &slope);
                }
            }
        }
        if self.shifts.iter().all(|shift| shift.is_finite()) {
            Ok(self)
        } else {
            Err(Error::diverged(step, "W"))
        }
    }

    fn finish(self, steps: usize) -> Result<(LinearMap<T>, Vec<HeldOut>)> {
        if steps == 0 {
            return Ok((self.start, Vec::new()));
        }
        let mut moved = product(self.shifts.t(), self.patterns.view());
        if let Some(frame) = &self.frame {
            moved = product(frame.view(), moved.view());
        }
        Ok((self.start.stepped(|weight| *weight += &moved, steps)?, Vec::new()))
    }
}
