//! The run itself: a loss looked at, and W moved, until there is a reason to stop.

use std::ops::ControlFlow;

use super::{HeldOut, Params, Progress, Report, StopReason};
use crate::error::{Error, Result};
use crate::feature_map::LinearMap;
use crate::scalar::Scalar;

/// Where a run is, and how it goes on.
pub(super) trait Descent<T: Scalar>: Sized {
    /// The loss after `step` steps; the next step goes along its gradient.
    fn loss(&mut self, step: usize) -> Result<f64>;

    /// Step `step`, counted from 1, along the gradient of the last loss.
    fn advance(self, step: usize) -> Result<Self>;

    /// The loss that tells how far the run is, `loss` being that of the last step.
    fn telling(&self, loss: f64) -> f64 {
        loss
    }

    /// How much the telling loss has just changed, if it has; `losses` are those of all steps so far.
    fn change(&self, losses: &[f64]) -> Option<f64> {
        match losses {
            [.., before, last] => Some(last - before),
            _ => None,
        }
    }

    /// W after `steps` steps, and the losses of held-out pairs.
    fn finish(self, steps: usize) -> Result<(LinearMap<T>, Vec<HeldOut>)>;
}

pub(super) fn run<T: Scalar>(
    mut descent: impl Descent<T>,
    params: &Params,
    mut observer: impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<Report<T>> {
    let mut losses = Vec::with_capacity(params.max_steps.min(1 << 20) + 1);
    let stop = loop {
        let step = losses.len();
        // An overflow before the first step is the data's, after it the rate's.
        let loss = descent.loss(step).map_err(|error| {
            if step > 0 && error.is_non_finite() {
                Error::diverged(step, "the loss")
            } else {
                error
            }
        })?;
        losses.push(loss);
        let progress = Progress { step, max_steps: params.max_steps, loss: descent.telling(loss) };
        if observer(progress).is_break() {
            break StopReason::Observer;
        }
        let change = descent.change(&losses).map(f64::abs);
        if change.zip(params.tolerance).is_some_and(|(change, tolerance)| change <= tolerance) {
            break StopReason::Converged;
        }
        if step == params.max_steps {
            break StopReason::MaxSteps;
        }
        descent = descent.advance(step + 1)?;
    };
    let steps = losses.len() - 1;
    let (map, held_out) = descent.finish(steps)?;
    let map = if params.normalize_rows { map.normalize_rows() } else { map };
    Ok(Report { map, steps, losses, held_out, stop })
}
