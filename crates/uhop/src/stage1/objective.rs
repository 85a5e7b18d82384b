//! What a run of Stage I descends: the loss over all pairs, or over those of batches.

use ndarray::Array2;

use super::batches::Draws;
use super::loss::{SeparationLoss, check_shapes};
use super::{HeldOut, Params};
use crate::error::Result;
use crate::feature_map::LinearMap;
use crate::patterns::Patterns;
use crate::scalar::Scalar;

/// Steps from one look at the held-out pairs to the next.
const STEPS_BETWEEN: usize = 20;

pub(super) enum Objective<'a, T> {
    AllPairs { loss: SeparationLoss, patterns: &'a Patterns<T> },
    Batches { draws: Box<Draws<'a, T>>, held_out: Vec<HeldOut> },
}

impl<'a, T: Scalar> Objective<'a, T> {
    pub(super) fn new(
        patterns: &'a Patterns<T>,
        map: &LinearMap<T>,
        params: &Params,
    ) -> Result<Self> {
        check_shapes(map, patterns)?;
        let loss = params.loss;
        Ok(match params.batches {
            None => Self::AllPairs { loss, patterns },
            Some(batches) => {
                let draws = Box::new(Draws::new(batches, loss, patterns)?);
                Self::Batches { draws, held_out: Vec::new() }
            }
        })
    }

    /// The loss and the direction of the next step, after `step` steps.
    pub(super) fn at(&mut self, map: &LinearMap<T>, step: usize) -> Result<(f64, Array2<T>)> {
        match self {
            Self::AllPairs { loss, patterns } => loss.value_and_gradient(map, patterns),
            Self::Batches { draws, held_out } => {
                if step.is_multiple_of(STEPS_BETWEEN) {
                    held_out.push(HeldOut { step, loss: draws.held_out_loss(map)? });
                }
                draws.value_and_gradient(map)
            }
        }
    }

    /// The loss that tells how far the run is, `loss` being that of the last step.
    pub(super) fn telling(&self, loss: f64) -> f64 {
        match self {
            Self::AllPairs { .. } => loss,
            Self::Batches { held_out, .. } => held_out.last().map_or(loss, |last| last.loss),
        }
    }

    /// Whether the telling loss has just changed by at most `tolerance`; `losses` are those of all
    /// steps so far.
    pub(super) fn has_converged(&self, losses: &[f64], tolerance: Option<f64>) -> bool {
        let change = match self {
            Self::AllPairs { .. } => match losses {
                [.., before, last] => last - before,
                _ => return false,
            },
            Self::Batches { held_out, .. } => match held_out.as_slice() {
                [.., before, last] if last.step + 1 == losses.len() => last.loss - before.loss,
                _ => return false,
            },
        };
        tolerance.is_some_and(|tolerance| change.abs() <= tolerance)
    }

    /// The losses of the held-out pairs, the last one of `map`, after `steps` steps.
    pub(super) fn into_held_out(self, map: &LinearMap<T>, steps: usize) -> Result<Vec<HeldOut>> {
        let Self::Batches { draws, mut held_out } = self else {
            return Ok(Vec::new());
        };
        if held_out.last().is_none_or(|last| last.step < steps) {
            held_out.push(HeldOut { step: steps, loss: draws.held_out_loss(map)? });
        }
        Ok(held_out)
    }
}
