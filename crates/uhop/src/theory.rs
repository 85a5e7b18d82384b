//! What the theory promises about a stored memory: separation, radius, error bound, certificate.

use ndarray::{Array1, ArrayView2, Axis};

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
            for scores in self.scores_of_checked(states)?.outer_iter() {
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

    /// Half the Euclidean distance of the closest two stored patterns, or of their features for a
    /// kernel: R = ½ min ‖ξ_μ − ξ_ν‖, R_Φ = ½ min ‖Φξ_μ − Φξ_ν‖ (Wu, Hu, Hsiao, Liu
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
        closest_pair(self.features_of_patterns())
            .map_or(f64::INFINITY, |pair| 0.5 * pair.squared_distance.sqrt())
    }

    /// For every stored pattern an upper bound of the retrieval error ‖T(x) − ξ_μ‖ of one step
    /// from any state x with ‖Φx − Φξ_μ‖ ≤ `distance`, `[n_patterns]`.
    ///
    /// 2·m·(M−1)·exp(−β(Δ_μ − 2·m_Φ·`distance`)), m and m_Φ the largest norms of the patterns and
    /// of their features. With `distance` the [`radius`](Self::radius) and patterns normalised
    /// (m = m_Φ = 1) these are the two bounds of Wu, Hu, Hsiao, Liu 2024: with a kernel
    /// the one of U-Hop, with the dot product that of the plain memory. They hold for every α ≥ 1,
    /// as 1 − p_μ ≤ (M−1)·exp(−gap) does. A value above 2m says nothing. Computed from
    /// scores in `T`: it holds up to their rounding.
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
    /// [`is_unsupported`](Error::is_unsupported) unless the similarity is dot or kernel and the
    /// separation of the entmax family; [`is_out_of_domain`](Error::is_out_of_domain) unless
    /// `distance` is finite and at least 0 (for a single pattern, whose radius is infinite: at least 0).
    pub fn error_bounds(&self, distance: f64) -> Result<Array1<f64>> {
        let similarity = self.model().similarity();
        if !matches!(similarity, Similarity::Dot | Similarity::Kernel(_)) {
            let reason = format!(
                "the bound is proved for dot and kernel similarity, not for {}",
                similarity.name()
            );
            return Err(Error::unsupported("error bounds", reason));
        }
        let separation = self.model().separation();
        if separation.alpha().is_none() {
            let reason = format!("the bound is proved for the entmax family, not for {separation}");
            return Err(Error::unsupported("error bounds", reason));
        }
        if self.patterns().n_patterns() == 1 && distance >= 0.0 {
            return Ok(Array1::zeros(1));
        }
        if !distance.is_finite() || distance < 0.0 {
            let domain = "finite and at least 0";
            return Err(Error::domain("error bounds", "distance", distance, domain));
        }
        let others = (self.patterns().n_patterns() - 1) as f64;
        let norm = largest_norm(self.patterns().view());
        let feature_norm = largest_norm(self.features_of_patterns());
        let beta = self.model().beta();
        Ok(self.separations()?.mapv(|separation| {
            2.0 * norm * others * (-beta * (separation - 2.0 * feature_norm * distance)).exp()
        }))
    }

    /// Which stored patterns are certified to be recalled exactly: `[n_patterns]`, or `None` when
    /// the separation has no such certificate (α = 1, or outside the entmax family).
    ///
    /// β·Δ_μ ≥ 1/(α−1) is necessary and sufficient for α-entmax to be one-hot at the query
    /// x = ξ_μ, so that ξ_μ is a fixed point of the update reached in one step (Wu, Hu, Hsiao, Liu
    /// 2024, thm. 2.2, in the form that the margin of α-entmax gives). Valid for every similarity, up
    /// to the rounding of β·Δ_μ. A pattern without a certificate may still come back, as one stored
    /// twice does with two weights of ½.
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
}

fn largest_norm<T: Scalar>(rows: ArrayView2<'_, T>) -> f64 {
    squared_norms(rows).fold(0.0, |largest: f64, &norm| largest.max(norm)).sqrt()
}
