//! Stage I over all pairs of patterns, every entry of W moved.

use ndarray::Array2;

use super::descent::Descent;
use super::loss::SeparationLoss;
use super::optimizer::State;
use super::{HeldOut, Params};
use crate::error::Result;
use crate::feature_map::LinearMap;
use crate::patterns::Patterns;
use crate::scalar::Scalar;

pub(super) struct Whole<'a, T> {
    loss: SeparationLoss,
    patterns: &'a Patterns<T>,
    map: LinearMap<T>,
    optimizer: State<T>,
    /// ∂L/∂W at the last loss.
    gradient: Array2<T>,
}

impl<'a, T: Scalar> Whole<'a, T> {
    pub(super) fn new(patterns: &'a Patterns<T>, start: LinearMap<T>, params: &Params) -> Self {
        let optimizer = params.optimizer.start(start.weight().dim());
        let gradient = Array2::zeros((0, 0));
        Self { loss: params.loss, patterns, map: start, optimizer, gradient }
    }
}

impl<T: Scalar> Descent for Whole<'_, T> {
    type Map = LinearMap<T>;

    fn loss(&mut self, _step: usize) -> Result<f64> {
        let (loss, gradient) = self.loss.value_and_gradient(&self.map, self.patterns)?;
        self.gradient = gradient;
        Ok(loss)
    }

    fn advance(self, step: usize) -> Result<Self> {
        let Self { map, mut optimizer, gradient, .. } = self;
        let map = map.stepped(|weight| optimizer.step(weight, &gradient), step)?;
        Ok(Self { map, optimizer, gradient, ..self })
    }

    fn finish(self, _steps: usize) -> Result<(LinearMap<T>, Vec<HeldOut>)> {
        Ok((self.map, Vec::new()))
    }
}
