//! What one pass over the scores at stored patterns tells, and the β that it suggests.

use ndarray::Array1;

use crate::error::{Error, Result};
use crate::memory::Memory;
use crate::pairs::{ClosestPair, Pair};
use crate::scalar::Scalar;
use crate::separation::{Kind, perplexity};
use crate::theory::{is_certified, radius_of, separation_of};

/// Separations, perplexities and the closest pair of some or all stored patterns,
/// from one pass over their scores; see [`Memory::survey`].
///
/// Everything is about the chosen patterns, each against all the others.
#[derive(Debug, Clone)]
pub struct Survey<'a, T> {
    memory: &'a Memory<T>,
    separations: Array1<f64>,
    perplexities: Array1<f64>,
    closest_pair: Option<Pair>,
}

impl<T: Scalar> Memory<T> {
    /// Surveys the `chosen` stored patterns, given by index. `observe` hears now and then how many
    /// are done.
    ///
    /// For n patterns this costs n·`n_patterns`·`dim_features` multiplications for the scores, and as
    /// many again for the closest pair (half of that when all are chosen).
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::{Memory, Model, Patterns};
    ///
    /// let patterns = Patterns::new(array![[2.0, 0.0], [1.0, 1.0], [0.0, 3.0]])?;
    /// let memory = Memory::new(patterns, Model::sparse(1.0)?)?;
    /// let survey = memory.survey(&[0, 1, 2], |_| {})?;
    /// assert_eq!(survey.separations(), &array![2.0, -1.0, 6.0]);
    /// assert_eq!(survey.certificates(), Some(array![true, false, true]));
    /// // Both patterns that any β can certify, Δ = 2 and 6, are certified from β = 1/2 on.
    /// assert_eq!(survey.beta_for(1.0, 0.01)?, Some(0.5));
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`separations_of`](Self::separations_of), and [`is_non_finite`](Error::is_non_finite) when
    /// β times a score overflows.
    pub fn survey(
        &self,
        chosen: &[usize],
        mut observe: impl FnMut(usize),
    ) -> Result<Survey<'_, T>> {
        let search = ClosestPair::new(self.features_of_patterns());
        let mut closest_pair: Option<Pair> = None;
        let of_row = |row: &mut Vec<f64>, own: usize, scores: ndarray::ArrayView1<'_, T>| {
            let separation = separation_of(own, scores);
            self.model().beta_scores(scores, row)?;
            self.model().separation().weights_in_place(row);
            Ok((separation, perplexity(row)))
        };
        let rows = self.map_scores(chosen, of_row, |part| {
            let done = part.end;
            let pairs = [closest_pair, search.of(chosen, part)];
            closest_pair = pairs.into_iter().flatten().reduce(Pair::closer);
            observe(done);
        })?;
        let (separations, perplexities): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        Ok(Survey {
            memory: self,
            separations: separations.into(),
            perplexities: perplexities.into(),
            closest_pair,
        })
    }
}

impl<T: Scalar> Survey<'_, T> {
    /// The separations Δ_μ, `[chosen.len()]`, as [`Memory::separations`].
    pub fn separations(&self) -> &Array1<f64> {
        &self.separations
    }

    /// The perplexity at each chosen pattern, `[chosen.len()]`: exp(−Σ p_ν ln p_ν), p the weights at
    /// x = ξ_μ, the effective number of patterns that share the weight.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::{Memory, Model, Patterns};
    ///
    /// let patterns = Patterns::new(array![[1.0, 0.0], [1.0, 0.0], [-9.0, 0.0]])?; // one stored twice
    /// let memory = Memory::new(patterns, Model::sparse(1.0)?)?;
    /// let perplexities = memory.survey(&[0, 2], |_| {})?.perplexities().clone();
    /// assert!((perplexities - array![2.0, 1.0]).iter().all(|difference| difference.abs() < 1e-15));
    /// # Ok::<(), uhop::Error>(())
    /// ```
    pub fn perplexities(&self) -> &Array1<f64> {
        &self.perplexities
    }

    /// The closest two patterns of which at least one was chosen, as [`Memory::closest_pair`].
    pub fn closest_pair(&self) -> Option<Pair> {
        self.closest_pair
    }

    /// Half the distance of the [closest pair](Self::closest_pair): [`Memory::radius`] when every
    /// pattern was chosen, at least that otherwise.
    pub fn radius(&self) -> f64 {
        radius_of(self.closest_pair)
    }

    /// The error bounds of the chosen patterns, `[chosen.len()]`, as [`Memory::error_bounds`].
    ///
    /// # Errors
    /// As [`Memory::error_bounds`].
    pub fn error_bounds(&self, distance: f64) -> Result<Array1<f64>> {
        self.memory.check_error_bounds(distance)?;
        Ok(self.memory.error_bounds_from(&self.separations, distance))
    }

    /// Which of the chosen patterns are certified, `[chosen.len()]`, as [`Memory::certificates`].
    pub fn certificates(&self) -> Option<Array1<bool>> {
        let margin = self.memory.model().separation().margin()?;
        Some(self.memory.certificates_from(&self.separations, margin))
    }

    /// The smallest β for which `share` of the chosen patterns with Δ > 0 keep a promise, Δ the
    /// smallest separation of the best `share` of them:
    ///
    /// - a separation with a margin m (1/(α−1) for α-entmax, α > 1; 1 for normmax): each has a
    ///   certificate, β = m/Δ, necessary and sufficient;
    /// - softmax, and top-k with k for M: each has weight p_μ ≥ 1 − `epsilon` at x = ξ_μ,
    ///   β = ln((M−1)(1−ε)/ε)/Δ.
    ///
    /// The second is 1 − p_μ = S/(1+S), S = Σ over ν ≠ μ of exp(−β(s_μ − s_ν)) ≤ (M−1)exp(−βΔ): no
    /// smaller β follows from Δ alone, and none will do when all the others score alike. A pattern
    /// with Δ ≤ 0 is out of reach of every β: the weight of another is at least its own.
    ///
    /// `None` when no Δ is above 0, or β would overflow; 0 when every β > 0 will do. Computed from
    /// scores in `T`: it holds up to their rounding.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::{Memory, Model, Patterns};
    ///
    /// let patterns = Patterns::new(array![[1.0_f64, 0.0], [0.0, 2.0]])?; // Δ = 1, 4
    /// let memory = Memory::new(patterns, Model::dense(1.0)?)?;
    /// let beta = memory.survey(&[0, 1], |_| {})?.beta_for(1.0, 0.01)?.unwrap();
    /// assert!((beta - 99.0_f64.ln()).abs() < 1e-12);
    /// let colder = memory.with_model(Model::dense(beta)?)?;
    /// let weight = colder.weights(array![[1.0, 0.0]].view())?.weights[[0, 0]];
    /// assert!((weight - 0.99).abs() < 1e-12);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_out_of_domain`](Error::is_out_of_domain) unless 0 < `share` ≤ 1 and 0 < `epsilon` < 1;
    /// [`is_unsupported`](Error::is_unsupported) for the polynomial, which no β changes.
    pub fn beta_for(&self, share: f64, epsilon: f64) -> Result<Option<f64>> {
        let operation = "suggested beta";
        if !(share > 0.0 && share <= 1.0) {
            return Err(Error::domain(operation, "share", share, "above 0 and at most 1"));
        }
        if !(epsilon > 0.0 && epsilon < 1.0) {
            return Err(Error::domain(operation, "epsilon", epsilon, "between 0 and 1"));
        }
        let separation = self.memory.model().separation();
        let margin = separation.margin();
        let n_weights = match separation.kind() {
            Kind::Polynomial { .. } => {
                let reason = format!("beta changes nothing for a {separation}");
                return Err(Error::unsupported(operation, reason));
            }
            Kind::TopK { k } => k,
            _ => self.memory.patterns().n_patterns(),
        };
        let mut reachable: Vec<f64> =
            self.separations.iter().copied().filter(|&separation| separation > 0.0).collect();
        reachable.sort_by(|a, b| b.total_cmp(a));
        // A product that is rounded up is no pattern more: 0.07 · 100 is 7.000…1.
        let count = (share * reachable.len() as f64 * (1.0 - 2.0 * f64::EPSILON)).ceil() as usize;
        let Some(&separation) = reachable.get(count.saturating_sub(1)) else { return Ok(None) };
        let beta = match margin {
            Some(margin) => least_certifying(separation, margin),
            None => {
                let odds = (n_weights - 1) as f64 * ((1.0 - epsilon) / epsilon);
                odds.ln().max(0.0) / separation
            }
        };
        Ok(Some(beta).filter(|beta| beta.is_finite()))
    }
}

/// The smallest β with a certificate for this separation above 0, after rounding.
fn least_certifying(separation: f64, margin: f64) -> f64 {
    if separation == f64::INFINITY {
        return 0.0;
    }
    let mut beta = margin / separation;
    while beta.is_finite() && !is_certified(beta, separation, margin) {
        beta = beta.next_up();
    }
    beta
}
