//! Stage I over all pairs of patterns, every entry of W moved.

use ndarray::{Array2, ArrayView2};

use super::descent::Descent;
use super::loss::SeparationLoss;
use super::optimizer::State;
use super::{HeldOut, Params};
use crate::error::Result;
use crate::feature_map::LinearMap;
use crate::neighbours::Neighbours;
use crate::patterns::Patterns;
use crate::scalar::Scalar;

/// W under way, every entry of it.
pub(super) struct Weight<T> {
    pub(super) map: LinearMap<T>,
    optimizer: State<T>,
    /// Along which the next step goes.
    pub(super) gradient: Array2<T>,
}

impl<T: Scalar> Weight<T> {
    pub(super) fn new(start: LinearMap<T>, params: &Params) -> Self {
        let optimizer = params.optimizer.start(start.weight().dim());
        Self { map: start, optimizer, gradient: Array2::zeros((0, 0)) }
    }

    pub(super) fn stepped(self, step: usize) -> Result<Self> {
        let Self { map, mut optimizer, gradient } = self;
        let map = map.stepped(|weight| optimizer.step(weight, &gradient), step)?;
        Ok(Self { map, optimizer, gradient })
    }
}

pub(super) struct Whole<'a, T> {
    loss: SeparationLoss,
    patterns: &'a Patterns<T>,
    neighbours: Neighbours<T>,
    weight: Weight<T>,
}

impl<'a, T: Scalar> Whole<'a, T> {
    pub(super) fn new(patterns: &'a Patterns<T>, start: LinearMap<T>, params: &Params) -> Self {
        let (loss, neighbours) = (params.loss, Neighbours::new());
        Self { loss, patterns, neighbours, weight: Weight::new(start, params) }
    }
}

impl<T: Scalar> Descent for Whole<'_, T> {
    type Map = LinearMap<T>;

    fn loss(&mut self, _step: usize) -> Result<f64> {
        let closest = |rows: ArrayView2<'_, T>| self.neighbours.closest_pair(rows);
        let map = &self.weight.map;
        let (loss, gradient) = self.loss.value_and_gradient_by(map, self.patterns, closest)?;
        self.weight.gradient = gradient;
        Ok(loss)
    }

    fn advance(self, step: usize) -> Result<Self> {
        Ok(Self { weight: self.weight.stepped(step)?, ..self })
    }

    fn finish(self, _steps: usize) -> Result<(LinearMap<T>, Vec<HeldOut>)> {
        Ok((self.weight.map, Vec::new()))
    }
}
