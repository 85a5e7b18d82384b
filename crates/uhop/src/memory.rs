//! A memory: stored patterns, their values, and the model that recalls them.

use std::sync::Arc;

use ndarray::{Array1, Array2, ArrayView2, Axis};
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::model::Model;
use crate::patterns::{Patterns, check_states};
use crate::scalar::Scalar;
use crate::screen::Screen;
use crate::separation::Weights;
use crate::similarity::Keys;

/// Stored patterns Ξ with a [`Model`] bound to them.
///
/// Auto-association recalls a pattern, hetero-association the value stored with it.
/// [`retrieve`](Self::retrieve) runs the dynamics, [`energy`](Self::energy) observes it.
///
/// ```
/// use ndarray::array;
/// use uhop::{Dynamics, Memory, Model, Patterns};
///
/// let patterns = Patterns::new(array![[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]])?;
/// let memory = Memory::new(patterns, Model::sparse(2.0)?)?;
/// let damaged = array![[1.0, 0.0, 0.0, 0.0]];
/// let recalled = memory.retrieve(damaged.view(), &Dynamics::one_step())?;
/// assert_eq!(recalled.retrieved, array![[1.0, 1.0, 0.0, 0.0]]);
/// assert_eq!(recalled.reports[0].support_size, 1);
/// # Ok::<(), uhop::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Memory<T> {
    patterns: Patterns<T>,
    values: Option<Patterns<T>>,
    model: Model<T>,
    keys: Keys<T>,
    screen: Option<Arc<Screen<T>>>,
}

impl<T: Scalar> Memory<T> {
    /// Stores `patterns` under `model`.
    ///
    /// # Errors
    /// [`is_shape_mismatch`](Error::is_shape_mismatch) when the model's feature map has another
    /// `dim`, [`is_out_of_domain`](Error::is_out_of_domain) when top-k asks for more patterns than
    /// there are, [`is_non_finite`](Error::is_non_finite) when a feature overflows.
    pub fn new(patterns: Patterns<T>, model: Model<T>) -> Result<Self> {
        model.separation().check_length(patterns.n_patterns())?;
        let keys = model.similarity().bind(&patterns)?;
        Ok(Self { patterns, values: None, model, keys, screen: None })
    }

    /// The same memory with a value `[dim_out]` for each pattern: retrieval then returns values
    /// (hetero-association).
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::{Dynamics, Memory, Model, Patterns};
    ///
    /// let patterns = Patterns::new(array![[1.0, 0.0], [0.0, 1.0]])?;
    /// let labels = Patterns::new(array![[7.0], [9.0]])?;
    /// let memory = Memory::new(patterns, Model::sparse(4.0)?)?.with_values(labels)?;
    /// let recalled = memory.retrieve(array![[0.9, 0.2]].view(), &Dynamics::one_step())?;
    /// assert_eq!(recalled.retrieved, array![[7.0]]);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_shape_mismatch`](Error::is_shape_mismatch) unless there are as many values as patterns.
    pub fn with_values(self, values: Patterns<T>) -> Result<Self> {
        if values.n_patterns() != self.patterns.n_patterns() {
            return Err(Error::shape(
                "memory",
                ("the values", values.view().shape()),
                ("the patterns", self.patterns.view().shape()),
                "there must be one value (row) for each pattern (row)",
            ));
        }
        Ok(Self { values: Some(values), ..self })
    }

    /// The same patterns and values under another model, without a screen. What scores need is made again only
    /// for another similarity.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::{Memory, Model, Patterns};
    ///
    /// let patterns = Patterns::new(array![[1.0, 0.0], [0.0, 1.0]])?;
    /// let memory = Memory::new(patterns, Model::dense(1.0)?)?.with_model(Model::sparse(3.0)?)?;
    /// assert_eq!(memory.weights(array![[0.9, 0.1]].view())?.weights, array![[1.0, 0.0]]);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_model(self, model: Model<T>) -> Result<Self> {
        if model.similarity() == self.model.similarity() {
            // Only the keys are made of the patterns, and they stay.
            model.separation().check_length(self.patterns.n_patterns())?;
            return Ok(Self { model, screen: None, ..self });
        }
        let Self { patterns, values, .. } = self;
        Ok(Self { values, ..Self::new(patterns, model)? })
    }

    /// The same memory with a compact copy of its patterns, by which retrieval rules out most of them
    /// without reading them.
    ///
    /// The copy bounds the score of every pattern from above, with proof, and only patterns that the
    /// bound leaves in play are scored. For α-entmax with α > 1 and top-k, results are those without
    /// the copy, bit by bit, as long as fewer than a 16th of the patterns are in play; for softmax,
    /// patterns are left out that together weigh less than half a rounding of the whole. Where scores
    /// are too close to rule out most patterns or so large that they could overflow, and for Manhattan
    /// and polynomial memories, which have no bound, retrieval scores all, as it does without.
    ///
    /// It takes about `dim` + 160 bytes a pattern, and as long to make as a few hundred queries take
    /// without. [`with_model`](Self::with_model) drops it.
    ///
    /// ```
    /// use ndarray::Array2;
    /// use uhop::{Dynamics, Memory, Model, Patterns};
    ///
    /// let patterns = Array2::from_shape_fn((600, 16), |(i, j)| ((i * (j + 3)) % 17) as f32);
    /// let queries = patterns.clone() + 0.25;
    /// let memory = Memory::new(Patterns::new(patterns)?, Model::entmax(1.5, 0.1)?)?;
    /// let all = memory.retrieve(queries.view(), &Dynamics::one_step())?;
    /// let screened = memory.screened();
    /// assert_eq!(screened.retrieve(queries.view(), &Dynamics::one_step())?, all);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    pub fn screened(self) -> Self {
        let screen = Screen::new(&self.keys).map(Arc::new);
        Self { screen, ..self }
    }

    pub(crate) fn screen(&self) -> Option<&Screen<T>> {
        self.screen.as_deref()
    }

    /// The stored patterns, `[n_patterns, dim]`.
    pub fn patterns(&self) -> &Patterns<T> {
        &self.patterns
    }

    /// The stored values, `[n_patterns, dim_out]`: the patterns themselves unless
    /// [`with_values`](Self::with_values) gave others.
    pub fn values(&self) -> &Patterns<T> {
        self.values.as_ref().unwrap_or(&self.patterns)
    }

    /// Whether retrieval returns the patterns themselves.
    pub fn is_auto_associative(&self) -> bool {
        self.values.is_none()
    }

    /// The model.
    pub fn model(&self) -> &Model<T> {
        &self.model
    }

    /// The scores of every state, `[n_queries, dim]` → `[n_queries, n_patterns]`, before β.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::{Memory, Model, Patterns, Similarity};
    ///
    /// let patterns = Patterns::new(array![[1.0, 0.0], [0.0, 2.0]])?;
    /// let model = Model::dense(3.0)?.with_similarity(Similarity::Manhattan);
    /// let memory = Memory::new(patterns, model)?;
    /// assert_eq!(memory.scores(array![[1.0, 1.0]].view())?, array![[-1.0, -2.0]]);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_empty`](Error::is_empty), [`is_non_finite`](Error::is_non_finite),
    /// [`is_shape_mismatch`](Error::is_shape_mismatch).
    pub fn scores(&self, states: ArrayView2<'_, T>) -> Result<Array2<T>> {
        self.keys.scores(states)
    }

    /// The weights p = separation(β·scores) of every state, `[n_queries, dim]` →
    /// `[n_queries, n_patterns]`, with the support size of each.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::{Memory, Model, Patterns};
    ///
    /// let patterns = Patterns::new(array![[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])?;
    /// let memory = Memory::new(patterns, Model::sparse(1.0)?)?;
    /// let weights = memory.weights(array![[0.5, 0.5], [2.0, 0.0]].view())?;
    /// assert_eq!(weights.weights, array![[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]);
    /// assert_eq!(weights.support_size, array![2, 1]);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`scores`](Self::scores).
    pub fn weights(&self, states: ArrayView2<'_, T>) -> Result<Weights<T, ndarray::Ix2>> {
        check_states("weights", "the states", states, self.patterns.view())?;
        self.weights_of_checked(states)
    }

    pub(crate) fn keys(&self) -> &Keys<T> {
        &self.keys
    }

    pub(crate) fn scores_of_checked(&self, states: ArrayView2<'_, T>) -> Result<Array2<T>> {
        self.keys.scores_of_checked(states)
    }

    /// Where the model compares patterns: Φ(Ξ) for a kernel, Ξ itself otherwise.
    pub(crate) fn features_of_patterns(&self) -> ArrayView2<'_, T> {
        self.keys.features().unwrap_or_else(|| self.patterns.view())
    }

    pub(crate) fn weights_of_checked(
        &self,
        states: ArrayView2<'_, T>,
    ) -> Result<Weights<T, ndarray::Ix2>> {
        self.weights_of_scores(self.keys.scores_of_checked(states)?)
    }

    /// The weights by the observed entries of some states.
    pub(crate) fn observed_weights(
        &self,
        states: ArrayView2<'_, T>,
        observed: ArrayView2<'_, bool>,
    ) -> Result<Weights<T, ndarray::Ix2>> {
        self.weights_of_scores(self.keys.observed_scores(states, observed)?)
    }

    fn weights_of_scores(&self, mut weights: Array2<T>) -> Result<Weights<T, ndarray::Ix2>> {
        let mut support_size = Array1::zeros(weights.nrows());
        weights
            .axis_iter_mut(Axis(0))
            .into_par_iter()
            .zip(support_size.axis_iter_mut(Axis(0)))
            .try_for_each_init(Vec::new, |row, (weights, mut support_size)| {
                self.model.beta_scores(weights.view(), row)?;
                support_size.fill(self.model.separation().weights_into(row, weights));
                Ok(())
            })?;
        Ok(Weights { weights, support_size })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::separation::Separation;
    use crate::similarity::Similarity;

    #[test]
    fn values_must_match_the_patterns() {
        let patterns = Patterns::new(array![[1.0, 0.0], [0.0, 1.0]]).unwrap();
        let memory = Memory::new(patterns, Model::dense(1.0).unwrap()).unwrap();
        let values = Patterns::new(array![[1.0, 2.0, 3.0]]).unwrap();
        let error = memory.with_values(values).unwrap_err();
        assert!(error.is_shape_mismatch());
        assert!(error.to_string().contains("[1, 3]") && error.to_string().contains("[2, 2]"));
    }

    #[test]
    fn top_k_may_not_exceed_the_patterns() {
        let patterns = Patterns::new(array![[1.0, 0.0], [0.0, 1.0]]).unwrap();
        let three = Separation::top_k(3).unwrap();
        let model = Model::new(Similarity::Dot, three, 1.0).unwrap();
        assert!(Memory::new(patterns, model).unwrap_err().is_out_of_domain());
    }

    /// Whether or not the similarity stays, it is a new memory of that model, with the values there were.
    #[test]
    fn another_model_is_that_of_a_new_memory() {
        let patterns = Patterns::new(array![[1.0, 0.5], [0.0, 2.0], [1.0, 1.0]]).unwrap();
        let values = Patterns::new(array![[1.0], [2.0], [3.0]]).unwrap();
        let dense = |beta| Model::dense(beta).unwrap();
        let memory = Memory::new(patterns.clone(), dense(1.0)).unwrap();
        let memory = memory.with_values(values.clone()).unwrap().screened();
        for model in [dense(3.0), dense(2.0).with_similarity(Similarity::Euclidean)] {
            let changed = memory.clone().with_model(model.clone()).unwrap();
            let new = Memory::new(patterns.clone(), model.clone()).unwrap();
            assert_eq!((changed.model(), changed.values().view()), (&model, values.view()));
            assert!(changed.screen().is_none());
            let states = array![[0.3, 0.4], [2.0, -1.0]];
            let weights = |memory: &Memory<f64>| memory.weights(states.view()).unwrap().weights;
            assert_eq!(weights(&changed), weights(&new));
        }
        let top_4 = Model::new(Similarity::Dot, Separation::top_k(4).unwrap(), 1.0).unwrap();
        assert!(memory.with_model(top_4).unwrap_err().is_out_of_domain());
    }

    #[test]
    fn scores_that_overflow_are_errors() {
        let patterns = Patterns::new(array![[1e30_f32, 0.0]]).unwrap();
        let memory = Memory::new(patterns, Model::dense(1.0).unwrap()).unwrap();
        let error = memory.weights(array![[1e30_f32, 0.0]].view()).unwrap_err();
        assert!(error.is_non_finite() && error.to_string().contains("f32"), "{error}");
    }

    #[test]
    fn beta_that_makes_scores_overflow_is_an_error() {
        let patterns = Patterns::new(array![[10.0], [9.0]]).unwrap();
        for model in [Model::dense(1e308), Model::sparse(1e308), Model::entmax(1.3, 1e308)] {
            let memory = Memory::new(patterns.clone(), model.unwrap()).unwrap();
            let state = array![[10.0]];
            assert!(memory.weights(state.view()).unwrap_err().is_non_finite());
            assert!(memory.energy(state.view()).unwrap_err().is_non_finite());
        }
    }
}
