//! The run itself: a loss looked at, and W moved, until there is a reason to stop.

use std::ops::ControlFlow;

use super::{HeldOut, Progress, Report, StopReason};
use crate::error::{Error, Result};

/// Where a run is, and how it goes on.
pub(super) trait Descent: Sized {
    /// What is learned.
    type Map;

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

    /// The map after `steps` steps, and the losses of held-out pairs.
    fn finish(self, steps: usize) -> Result<(Self::Map, Vec<HeldOut>)>;
}

/// At most `max_steps` steps, and none after one that changes the loss by no more than `tolerance`.
pub(super) fn run<D: Descent>(
    mut descent: D,
    (max_steps, tolerance): (usize, Option<f64>),
    mut observer: impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<Report<D::Map>> {
    let mut losses = Vec::with_capacity(max_steps.min(1 << 20) + 1);
    let stop = loop {
        let step = losses.len();
        let loss = descent.loss(step).map_err(|error| blamed(error, step))?;
        losses.push(loss);
        let progress = Progress { step, max_steps, loss: descent.telling(loss) };
        if observer(progress).is_break() {
            break StopReason::Observer;
        }
        let change = descent.change(&losses).map(f64::abs);
        if change.zip(tolerance).is_some_and(|(change, tolerance)| change <= tolerance) {
            break StopReason::Converged;
        }
        if step == max_steps {
            break StopReason::MaxSteps;
        }
        descent = descent.advance(step + 1)?;
    };
    let steps = losses.len() - 1;
    let (map, held_out) = descent.finish(steps).map_err(|error| blamed(error, steps))?;
    Ok(Report { map, steps, losses, held_out, stop })
}

/// An overflow before the first step is the data's, after it the rate's.
fn blamed(error: Error, step: usize) -> Error {
    if step > 0 && error.is_overflow() { Error::diverged(step, "the loss") } else { error }
}
