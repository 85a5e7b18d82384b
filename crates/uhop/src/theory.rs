//! What the theory promises about a stored memory: separation, closest pair, error bound, certificate.

use std::ops::Range;

use ndarray::{Array1, ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::memory::Memory;
use crate::pairs::{Pair, closest_pair, squared_norms};
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
        let every: Vec<usize> = (0..self.patterns().n_patterns()).collect();
        self.separations_of(&every, |_| {})
    }

    /// The separation of some stored patterns, `[chosen.len()]`: each against all the others, as
    /// [`separations`](Self::separations). `observe` hears now and then how many are done.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::{Memory, Model, Patterns};
    ///
    /// let patterns = Patterns::new(array![[2.0, 0.0], [1.0, 1.0], [0.0, 3.0]])?;
    /// let memory = Memory::new(patterns, Model::dense(1.0)?)?;
    /// let mut done = 0;
    /// assert_eq!(memory.separations_of(&[0, 2], |n| done = n)?, array![2.0, 6.0]);
    /// assert_eq!(done, 2);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`separations`](Self::separations);
    /// [`is_out_of_domain`](Error::is_out_of_domain) unless `chosen` ascends, holds no pattern twice
    /// and none that is not there.
    pub fn separations_of(
        &self,
        chosen: &[usize],
        mut observe: impl FnMut(usize),
    ) -> Result<Array1<f64>> {
        let of_row = |_: &mut Vec<f64>, own: usize, scores: ArrayView1<'_, T>| {
            Ok(separation_of(own, scores))
        };
        let separations = self.map_scores(chosen, of_row, |part| observe(part.end))?;
        Ok(Array1::from_vec(separations))
    }

    /// `of_row` of the scores at each chosen pattern. By parts of `chosen`, so that the scores of
    /// all pairs are never held at once; `after_part` hears of each.
    pub(crate) fn map_scores<R: Send>(
        &self,
        chosen: &[usize],
        of_row: impl Fn(&mut Vec<f64>, usize, ArrayView1<'_, T>) -> Result<R> + Sync,
        mut after_part: impl FnMut(Range<usize>),
    ) -> Result<Vec<R>> {
        let n_patterns = self.patterns().n_patterns();
        for (place, &index) in chosen.iter().enumerate() {
            if index >= n_patterns || place > 0 && index <= chosen[place - 1] {
                let value = format!("{index}, at place {place}");
                let domain = format!("above the one before it and below {n_patterns}");
                return Err(Error::domain("separations", "a chosen pattern", value, domain));
            }
        }
        let mut results = Vec::with_capacity(chosen.len());
        for part in chosen.chunks(4 * TILE) {
            let states = self.patterns().view().select(Axis(0), part);
            let scores = self.scores_of_checked(states.view())?;
            let of_part: Vec<Result<R>> = part
                .par_iter()
                .zip(scores.axis_iter(Axis(0)))
                .map_init(Vec::new, |row, (&own, scores)| of_row(row, own, scores))
                .collect();
            for result in of_part {
                results.push(result?);
            }
            after_part(results.len() - part.len()..results.len());
        }
        Ok(results)
    }

    /// The closest two stored patterns and their Euclidean distance, or that of their features for a
    /// kernel; `None` for a single pattern. Of equally close pairs the first.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::{Memory, Model, Patterns};
    ///
    /// let patterns = Patterns::new(array![[3.0, 0.0], [9.0, 9.0], [0.0, 4.0]])?;
    /// let pair = Memory::new(patterns, Model::dense(1.0)?)?.closest_pair().unwrap();
    /// assert_eq!((pair.first, pair.second, pair.distance()), (0, 2, 5.0));
    /// # Ok::<(), uhop::Error>(())
    /// ```
    pub fn closest_pair(&self) -> Option<Pair> {
        closest_pair(self.features_of_patterns())
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
        radius_of(self.closest_pair())
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
        self.check_error_bounds(distance)?;
        Ok(self.error_bounds_from(&self.separations()?, distance))
    }

    /// 2m, m the largest norm of a stored pattern: no recalled pattern is further than this from a
    /// stored one, as both lie in the ball of radius m. An [error bound](Self::error_bounds) says
    /// something where it is smaller.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::{Memory, Model, Patterns};
    ///
    /// let patterns = Patterns::new(array![[3.0, 4.0], [0.0, 1.0]])?;
    /// assert_eq!(Memory::new(patterns, Model::dense(1.0)?)?.trivial_error_bound(), 10.0);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    pub fn trivial_error_bound(&self) -> f64 {
        2.0 * largest_norm(self.patterns().view())
    }

    /// Whether there is an error bound, and for this distance.
    pub(crate) fn check_error_bounds(&self, distance: f64) -> Result<()> {
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
            return Ok(());
        }
        if !distance.is_finite() || distance < 0.0 {
            let domain = "finite and at least 0";
            return Err(Error::domain("error bounds", "distance", distance, domain));
        }
        Ok(())
    }

    /// The error bounds of patterns with these separations.
    pub(crate) fn error_bounds_from(
        &self,
        separations: &Array1<f64>,
        distance: f64,
    ) -> Array1<f64> {
        let others = (self.patterns().n_patterns() - 1) as f64;
        if others == 0.0 {
            return Array1::zeros(separations.len());
        }
        let size = self.trivial_error_bound();
        let feature_norm = largest_norm(self.features_of_patterns());
        let beta = self.model().beta();
        separations.mapv(|separation| {
            size * others * (-beta * (separation - 2.0 * feature_norm * distance)).exp()
        })
    }

    /// Which stored patterns are certified to be recalled exactly: `[n_patterns]`, or `None` when
    /// the separation has no such certificate, as its weights never reach 0.
    ///
    /// β·Δ_μ ≥ m with the separation's [margin](crate::Separation::margin) m, 1/(α−1) for α-entmax, is
    /// necessary and sufficient for it to be one-hot at the query x = ξ_μ, so that ξ_μ is a fixed point
    /// of the update reached in one step (Wu, Hu, Hsiao, Liu 2024, thm. 2.2, in the form that the margin of
    /// α-entmax gives; Santos, Niculae, McNamee, Martins 2024). Valid for every similarity, up
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
        match self.model().separation().margin() {
            None => Ok(None),
            Some(margin) => Ok(Some(self.certificates_from(&self.separations()?, margin))),
        }
    }

    /// Which patterns with these separations are certified.
    pub(crate) fn certificates_from(&self, separations: &Array1<f64>, margin: f64) -> Array1<bool> {
        separations.mapv(|separation| is_certified(self.model().beta(), separation, margin))
    }
}

/// β·Δ ≥ m.
pub(crate) fn is_certified(beta: f64, separation: f64, margin: f64) -> bool {
    beta * separation >= margin
}

/// Half the distance of the closest pair; infinite when there is none.
pub(crate) fn radius_of(pair: Option<Pair>) -> f64 {
    pair.map_or(f64::INFINITY, |pair| 0.5 * pair.distance())
}

/// The score of pattern `own` less the best score of another.
pub(crate) fn separation_of<T: Scalar>(own: usize, scores: ArrayView1<'_, T>) -> f64 {
    let best_other = scores
        .iter()
        .enumerate()
        .filter(|(other, _)| *other != own)
        .map(|(_, score)| score.widen())
        .fold(f64::NEG_INFINITY, f64::max);
    scores[own].widen() - best_other
}

fn largest_norm<T: Scalar>(rows: ArrayView2<'_, T>) -> f64 {
    squared_norms(rows).fold(0.0, |largest: f64, &norm| largest.max(norm)).sqrt()
}
