//! What the theory promises about a stored memory: separation, radius, error bound, certificate.

use ndarray::{Array1, ArrayView2, Axis, CowArray, Ix2};

use crate::error::{Error, Result};
use crate::memory::Memory;
use crate::pairs::{closest_pair, squared_norms};
use crate::product::TILE;
use crate::scalar::Scalar;
use crate::similarity::Similarity;

impl<T: Scalar> Memory<T> {
    /// The separation of every stored pattern, `[n_patterns]`:
    /// Δ_μ = s(ξ_μ, ξ_μ) − max over ν ≠ μ of s(ξ_ν, ξ_μ).
    ///
    /// With the dot product this is Δ_μ of Ramsauer et al. 2021, with a kernel Δ^Φ_μ of
    /// Wu, Hu, Hsiao, Liu 2024. It is negative when another pattern scores higher at
    /// ξ_μ than ξ_μ itself, and infinite when there is no other pattern.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::{LinearMap, Memory, Model, Patterns};
    ///
    /// let patterns = Patterns::new(array![[2.0, 0.0], [1.0, 1.0]])?;
    /// let dense = Memory::new(patterns.clone(), Model::dense(1.0)?)?;
    /// assert_eq!(dense.separations()?, array![2.0, 0.0]);
    /// let map = LinearMap::new(array![[1.0, -1.0], [1.0, 1.0]])?;
    /// let uhop = Memory::new(patterns, Model::dense(1.0)?.with_feature_map(map))?;
    /// assert_eq!(uhop.separations()?, array![4.0, 0.0]);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_non_finite`](Error::is_non_finite) when a score overflows.
    pub fn separations(&self) -> Result<Array1<f64>> {
        let mut separations = Vec::with_capacity(self.patterns().n_patterns());
        // By tiles, so that the scores of all pairs are never held at once.
        for states in self.patterns().view().axis_chunks_iter(Axis(0), 4 * TILE) {
            for scores in self.scores(states)?.outer_iter() {
                let own = separations.len();
                let best_other = scores
                    .iter()
                    .enumerate()
                    .filter(|(other, _)| *other != own)
                    .map(|(_, score)| score.widen())
                    .fold(f64::NEG_INFINITY, f64::max);
                separations.push(scores[own].widen() - best_other);
            }
        }
        Ok(Array1::from_vec(separations))
    }

    /// Half the distance of the closest two stored patterns, in the space where the model compares
    /// them: R = ½ min ‖ξ_μ − ξ_ν‖, or R_Φ = ½ min ‖Φξ_μ − Φξ_ν‖ for a kernel (Wu, Hu, Hsiao, Liu
    /// 2024). Infinite for a single pattern.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::{Memory, Model, Patterns};
    ///
    /// let patterns = Patterns::new(array![[3.0, 0.0], [0.0, 4.0], [9.0, 9.0]])?;
    /// assert_eq!(Memory::new(patterns, Model::dense(1.0)?)?.radius(), 2.5);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    pub fn radius(&self) -> f64 {
        let features = self.features_of_patterns();
        closest_pair(features.view())
            .map_or(f64::INFINITY, |pair| 0.5 * pair.squared_distance.sqrt())
    }

    /// For every stored pattern the largest retrieval error ‖T(x) − ξ_μ‖ that one step can make
    /// from any state x with ‖Φx − Φξ_μ‖ ≤ `distance`, `[n_patterns]`.
    ///
    /// 2·m·(M−1)·exp(−β(Δ_μ − 2·m_Φ·`distance`)), m and m_Φ the largest norms of the patterns and
    /// of their features. With `distance` the [`radius`](Self::radius) and patterns normalised
    /// (m = m_Φ = 1) these are the two bounds of Wu, Hu, Hsiao, Liu 2024: with a kernel
    /// the one of U-Hop, with the dot product that of the plain memory. They hold for every α ≥ 1,
    /// as 1 − p_μ ≤ (M−1)·exp(−gap) does. A value above 2m says nothing.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::{Memory, Model, Patterns};
    ///
    /// let patterns = Patterns::new(array![[1.0, 0.0], [0.0, 1.0]])?;
    /// let memory = Memory::new(patterns, Model::dense(10.0)?)?;
    /// let bound = memory.error_bounds(0.1)?[0];
    /// assert!((bound - 2.0 * (-10.0_f64 * (1.0 - 0.2)).exp()).abs() < 1e-15);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_unsupported`](Error::is_unsupported) unless the similarity is dot or kernel;
    /// [`is_out_of_domain`](Error::is_out_of_domain) for a distance below 0 or NaN.
    pub fn error_bounds(&self, distance: f64) -> Result<Array1<f64>> {
        let similarity = self.model().similarity();
        if !matches!(similarity, Similarity::Dot | Similarity::Kernel(_)) {
            let reason = format!(
                "the bound is proved for dot and kernel similarity, not for {}",
                similarity.name()
            );
            return Err(Error::unsupported("error bounds", reason));
        }
        if distance.is_nan() || distance < 0.0 {
            return Err(Error::domain("error bounds", "distance", distance, "at least 0"));
        }
        let others = (self.patterns().n_patterns() - 1) as f64;
        if others == 0.0 {
            return Ok(Array1::zeros(1));
        }
        let norm = largest_norm(self.patterns().view());
        let feature_norm = largest_norm(self.features_of_patterns().view());
        let beta = self.model().beta();
        Ok(self.separations()?.mapv(|separation| {
            2.0 * norm * others * (-beta * (separation - 2.0 * feature_norm * distance)).exp()
        }))
    }

    /// Which stored patterns are recalled exactly: `[n_patterns]`, or `None` when the separation
    /// never gives exact recall (α = 1, or outside the entmax family).
    ///
    /// β·Δ_μ ≥ 1/(α−1) is necessary and sufficient for α-entmax to be one-hot at the query
    /// x = ξ_μ, so that ξ_μ is a fixed point of the update reached in one step (Wu, Hu, Hsiao, Liu
    /// 2024, thm. 2.2, in the form that the margin of α-entmax gives). Valid for every similarity.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::{Memory, Model, Patterns};
    ///
    /// let patterns = Patterns::new(array![[2.0, 0.0], [1.0, 1.0]])?; // Δ = 2, 0
    /// let sparse = Memory::new(patterns.clone(), Model::sparse(0.5)?)?;
    /// assert_eq!(sparse.certificates()?, Some(array![true, false]));
    /// assert_eq!(Memory::new(patterns, Model::dense(0.5)?)?.certificates()?, None);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`separations`](Self::separations).
    pub fn certificates(&self) -> Result<Option<Array1<bool>>> {
        let Some(alpha) = self.model().separation().alpha().filter(|&alpha| alpha > 1.0) else {
            return Ok(None);
        };
        let needed = 1.0 / (alpha - 1.0);
        let beta = self.model().beta();
        Ok(Some(self.separations()?.mapv(|separation| beta * separation >= needed)))
    }

    /// Where the model compares patterns: Φ(Ξ) for a kernel, Ξ itself otherwise.
    fn features_of_patterns(&self) -> CowArray<'_, T, Ix2> {
        match self.model().similarity() {
            Similarity::Kernel(map) => map.features(self.patterns().view()).into(),
            _ => self.patterns().view().into(),
        }
    }
}

fn largest_norm<T: Scalar>(rows: ArrayView2<'_, T>) -> f64 {
    squared_norms(rows).fold(0.0, |largest: f64, &norm| largest.max(norm)).sqrt()
}
