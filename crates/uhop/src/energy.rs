//! The energy E_K that the update descends, its value and gradient.
//!
//! E(x) = ½K(x,x) − β⁻¹ Ψ*(βK(Ξ,x)), where Ψ*(z) = max over the simplex of ⟨p,z⟩ − Ψ(p) is the convex
//! conjugate of what the separation regularises by: the negative Tsallis entropy Ψ_α for α-entmax, at
//! α = 1 log Σ exp(z_i), and ‖p‖_γ − 1 for γ-normmax.

use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::error::{Error, Result};
use crate::memory::Memory;
use crate::pairs::squared_norms;
use crate::patterns::check_states;
use crate::product::product;
use crate::readout::readout_of_checked;
use crate::scalar::Scalar;
use crate::separation::Kind;
use crate::similarity::Similarity;

/// States whose scores are held at once.
const BLOCK: usize = 256;

impl<T: Scalar> Memory<T> {
    /// The energy of every state, `[n_queries, dim]` → `[n_queries]`.
    ///
    /// E(x) = ½K(x,x) − β⁻¹ Ψ*(βK(Ξ,x)), Ψ the negative Tsallis entropy Ψ_α for α-entmax (Wu, Hu, Hsiao,
    /// Liu 2024; the factor β⁻¹ is what makes the update its exact concave-convex step) and ‖p‖_γ − 1 for
    /// γ-normmax (Santos, Niculae, McNamee, Martins 2024). One update never raises it (thm. 2.1 of the
    /// former), for every β > 0 and W: −β⁻¹Ψ* is concave and touched from above by its tangent at x, and
    /// x⁺ = Ξᵀp minimises ½K(x,x) plus that tangent. With W of full column rank the states where
    /// it stops changing are exactly the fixed points of the update.
    ///
    /// | similarity | K(x,x) | scores in Ψ* |
    /// |---|---|---|
    /// | dot | ‖x‖² | ⟨ξ,x⟩ |
    /// | kernel | ‖Wx‖² | ⟨Wξ,Wx⟩ |
    /// | euclidean | 0, as the scores hold −½‖x‖² already | −½‖ξ−x‖² |
    ///
    /// The proof needs K symmetric and positive semi-definite, K(u,v) = ⟨Φu,Φv⟩ with one Φ: two maps have no
    /// energy.
    ///
    /// Computed in `f64` from scores in `T`, so that it carries their rounding: about dim·ε·‖ξ‖‖x‖,
    /// ε = 1e-7 for `f32`.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::{Memory, Model, Patterns};
    ///
    /// let patterns = Patterns::new(array![[1.0, 0.0], [0.0, 1.0]])?;
    /// let memory = Memory::new(patterns, Model::dense(1.0)?)?;
    /// let energy = memory.energy(array![[0.0, 0.0]].view())?;
    /// assert!((energy[0] + 2.0_f64.ln()).abs() < 1e-15); // 0 − log(exp 0 + exp 0)
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_unsupported`](Error::is_unsupported) for cosine, manhattan, asymmetric or channel similarity and for
    /// separations other than α-entmax and normmax, whose update descends no energy of this form;
    /// [`is_non_finite`](Error::is_non_finite) when it overflows; otherwise as
    /// [`scores`](Self::scores).
    pub fn energy(&self, states: ArrayView2<'_, T>) -> Result<Array1<f64>> {
        check_states("energy", "the states", states, self.patterns().view())?;
        self.energy_of_checked(states)
    }

    pub(crate) fn energy_of_checked(&self, states: ArrayView2<'_, T>) -> Result<Array1<f64>> {
        let regularizer = self.regularizer()?;
        let quadratic = match self.model().similarity() {
            Similarity::Dot => squared_norms(states),
            Similarity::Kernel(map) => squared_norms(map.features(states).view()),
            Similarity::Euclidean => Array1::zeros(states.nrows()),
            other => return Err(no_energy(other.name())),
        };
        let mut energy = quadratic;
        let mut row = Vec::with_capacity(self.patterns().n_patterns());
        let states = self.keys().prepare(states)?;
        for (block, energy) in energy.axis_chunks_iter_mut(Axis(0), BLOCK).enumerate() {
            let start = block * BLOCK;
            let scores = self.keys().scores_of_rows(&states, start..start + energy.len())?;
            for (energy, scores) in energy.into_iter().zip(scores.outer_iter()) {
                self.model().beta_scores(scores, &mut row)?;
                let conjugate = self.conjugate(&mut row, regularizer);
                *energy = 0.5 * *energy - conjugate / self.model().beta();
                if !energy.is_finite() {
                    let what = "the energy of a state".to_owned();
                    return Err(Error::overflow("energy", what, "f64"));
                }
            }
        }
        Ok(energy)
    }

    /// The gradient of [`energy`](Self::energy) at every state, `[n_queries, dim]` → the same.
    ///
    /// ∇E(x) = WᵀW(x − Ξᵀp), W = I for dot and euclidean: it vanishes at the fixed points of the
    /// update, and only there when W has full column rank.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::{Memory, Model, Patterns};
    ///
    /// let patterns = Patterns::new(array![[2.0, 0.0], [0.0, 2.0]])?;
    /// let memory = Memory::new(patterns, Model::sparse(1.0)?)?;
    /// assert_eq!(memory.energy_gradient(array![[2.0, 0.0]].view())?, array![[0.0, 0.0]]);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`energy`](Self::energy).
    pub fn energy_gradient(&self, states: ArrayView2<'_, T>) -> Result<Array2<T>> {
        check_states("energy gradient", "the states", states, self.patterns().view())?;
        self.regularizer()?;
        let weights = self.weights_of_checked(states)?.weights;
        let readout = readout_of_checked(weights.view(), self.patterns().view());
        let step = &states - &readout;
        match self.model().similarity() {
            Similarity::Dot | Similarity::Euclidean => Ok(step),
            Similarity::Kernel(map) => Ok(product(map.features(step.view()).view(), map.weight())),
            other => Err(no_energy(other.name())),
        }
    }

    fn regularizer(&self) -> Result<Regularizer> {
        let separation = self.model().separation();
        match (separation.kind(), separation.alpha()) {
            (_, Some(alpha)) => Ok(Regularizer::Tsallis { alpha }),
            (Kind::Normmax { gamma }, None) => Ok(Regularizer::Norm { gamma }),
            _ => Err(no_energy(&separation.to_string())),
        }
    }

    /// Ψ*(z) = ⟨p,z⟩ − Ψ(p) at the maximiser p, the weights; overwrites z.
    fn conjugate(&self, z: &mut [f64], regularizer: Regularizer) -> f64 {
        // Relative to the best score: Ψ*(z + c) = Ψ*(z) + c.
        let best = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let shifted: Vec<f64> = z.iter().map(|z| z - best).collect();
        self.model().separation().weights_in_place(z);
        let carried = z.iter().zip(&shifted).filter(|(p, _)| **p > 0.0);
        best + carried.map(|(p, z)| p * z).sum::<f64>() - regularizer.at(z)
    }
}

/// Ψ of a separation.
#[derive(Clone, Copy)]
enum Regularizer {
    /// (Σp^α − 1)/(α(α−1)), Σ p ln p at α = 1.
    Tsallis { alpha: f64 },
    /// ‖p‖_γ − 1.
    Norm { gamma: f64 },
}

impl Regularizer {
    fn at(self, weights: &[f64]) -> f64 {
        let carried = weights.iter().copied().filter(|&p| p > 0.0);
        match self {
            Self::Tsallis { alpha } => carried.map(|p| negative_entropy(p, alpha)).sum(),
            Self::Norm { gamma } => {
                carried.map(|p| p.powf(gamma)).sum::<f64>().powf(1.0 / gamma) - 1.0
            }
        }
    }
}

/// One term of Ψ_α on the simplex: p (p^(α−1) − 1) / (α(α−1)), p ln p at α = 1; Σ p = 1 turns
/// (Σ p^α − 1) into the sum of p^α − p, which does not cancel as α → 1.
fn negative_entropy(p: f64, alpha: f64) -> f64 {
    if alpha == 1.0 {
        p * p.ln()
    } else {
        p * ((alpha - 1.0) * p.ln()).exp_m1() / (alpha * (alpha - 1.0))
    }
}

fn no_energy(part: &str) -> Error {
    let reason = format!(
        "a memory with {part} has none that its update descends; \
         use dot, euclidean or kernel with entmax or normmax"
    );
    Error::unsupported("energy", reason)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::feature_map::{AsymmetricMap, LinearMap};
    use crate::model::Model;
    use crate::patterns::Patterns;
    use crate::separation::Separation;

    #[test]
    fn memories_without_an_energy_say_so() {
        let patterns = Patterns::new(array![[1.0, 0.0], [0.0, 1.0]]).unwrap();
        let dense = || Model::dense(1.0).unwrap();
        let identity = || LinearMap::identity(2).unwrap();
        let one_map = || AsymmetricMap::new(identity(), identity()).unwrap();
        for model in [
            dense().with_similarity(Similarity::Cosine),
            dense().with_similarity(Similarity::Manhattan),
            // Of one map too: that it is a kernel is for the caller to say, with `Kernel`.
            dense().with_similarity(Similarity::Asymmetric(one_map())),
            Model::polynomial(3).unwrap(),
            Model::new(Similarity::Dot, Separation::top_k(1).unwrap(), 1.0).unwrap(),
        ] {
            let memory = Memory::new(patterns.clone(), model).unwrap();
            let states = array![[0.5, 0.5]];
            assert!(memory.energy(states.view()).unwrap_err().is_unsupported());
            assert!(memory.energy_gradient(states.view()).unwrap_err().is_unsupported());
        }
    }
}
