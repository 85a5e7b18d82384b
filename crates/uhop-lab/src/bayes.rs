//! The best possible recall: the posterior mean under the exact likelihood of the corruption.

use std::collections::HashMap;

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::spec::CorruptionKind;

/// What is known about how queries came about: every stored pattern is as likely as any other, and
/// the corruption is this one.
///
/// The posterior mean Σ_μ P(ξ_μ | x) ξ_μ has the smallest expected squared error of all functions of
/// the query x and the memory, so that no model's mean error is below it but by chance.
///
/// | corruption | P(x \| ξ), up to a factor |
/// |---|---|
/// | half mask, survivors doubled | 2^−(numbers of ξ that are not 0), if every number of x is 0 or twice that of ξ |
/// | Gaussian, std σ, folded and clamped | Π_j φ((x_j−ξ_j)/σ) + φ((x_j+ξ_j)/σ); for x_j = 1 the probability Q((1−ξ_j)/σ) + Q((1+ξ_j)/σ) |
/// | Gaussian of norm r | 1 if ‖x−ξ‖ = r up to the rounding of x |
/// | Gaussian of norm r, folded and clamped | as of σ = r/√dim |
/// | lower half occluded | 1 if the upper halves are equal |
/// | mask, a share p of 0s | Π_j 1−p if x_j = ξ_j, and p more if x_j = 0 |
/// | salt and pepper, a share p | Π_j 1−p if x_j = ξ_j, and p/2 more if x_j is 0 or 1 |
///
/// φ and Q are those of the standard normal distribution. All are exact, for patterns with values in
/// \[0, 1\], but that of folded noise of a given norm, the numbers of which are taken for independent.
///
/// ```
/// use ndarray::array;
/// use uhop_lab::{Likelihood, CorruptionKind};
///
/// let patterns = array![[0.5, 0.0, 0.5], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]];
/// let queries = array![[1.0, 0.0, 0.0]]; // 0.5 doubled: the first or the second pattern
/// let mask = Likelihood::new(CorruptionKind::HalfMask, 0.5, (1, 3));
/// assert_eq!(mask.posterior(patterns.view(), queries.view())?, array![[0.5, 0.5, 0.0]]);
/// # Ok::<(), uhop_lab::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Likelihood(Kind);

/// Noise below it rounds away from every `f32`, and is as none: further down σ² is 0 in `f64` too.
const LEAST_STD: f64 = 1e-50;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    HalfMask,
    Folded { std: f64 },
    Sphere { radius: f64 },
    Occluded { n_visible: usize },
    Mask { share: f64 },
    SaltAndPepper { share: f64 },
}

impl Kind {
    fn folded(std: f64) -> Self {
        Self::Folded { std: if std < LEAST_STD { 0.0 } else { std } }
    }
}

impl Likelihood {
    /// The likelihood of a corruption at a level, for images `[height, width]`, `width` counting
    /// every number of a line.
    pub fn new(kind: CorruptionKind, level: f64, (height, width): (usize, usize)) -> Self {
        Self(match kind {
            CorruptionKind::HalfMask => Kind::HalfMask,
            CorruptionKind::GaussianStd => Kind::folded(level),
            CorruptionKind::FoldedNorm => Kind::folded(level / ((height * width) as f64).sqrt()),
            CorruptionKind::GaussianNorm => Kind::Sphere { radius: level },
            CorruptionKind::OccludedHalf => {
                Kind::Occluded { n_visible: (height - height / 2) * width }
            }
            CorruptionKind::Mask => Kind::Mask { share: level },
            CorruptionKind::SaltAndPepper => Kind::SaltAndPepper { share: level },
        })
    }

    /// The probability of each pattern given each query, `[n_queries, n_patterns]`.
    ///
    /// # Errors
    /// [`is_input`](Error::is_input) when a query could have come from none of the patterns, or a
    /// pattern has a value outside \[0, 1\].
    pub fn posterior(
        &self,
        patterns: ArrayView2<'_, f32>,
        queries: ArrayView2<'_, f32>,
    ) -> Result<Array2<f32>> {
        if let Some(x) = patterns.iter().find(|x| !(0.0..=1.0).contains(*x)) {
            let problem = format!("expected values from 0 to 1, found {x}");
            return Err(Error::data("the patterns", problem));
        }
        let folded = match self.0 {
            Kind::Folded { std } if std > 0.0 => Some(Folded::new(patterns, std)),
            _ => None,
        };
        let mut posterior = Array2::zeros((queries.nrows(), patterns.nrows()));
        let blocks = posterior.axis_chunks_iter_mut(Axis(0), BLOCK).into_par_iter();
        let blocks = blocks.zip(queries.axis_chunks_iter(Axis(0), BLOCK)).enumerate();
        blocks.try_for_each(|(block, (mut weights, queries))| {
            let logs = match &folded {
                Some(folded) => folded.logs(queries),
                None => Array2::from_shape_fn(weights.dim(), |(i, mu)| {
                    self.log(patterns.row(mu), queries.row(i))
                }),
            };
            for (i, (mut weights, logs)) in
                weights.outer_iter_mut().zip(logs.outer_iter()).enumerate()
            {
                let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                if largest == f64::NEG_INFINITY {
                    let problem = "it comes from none of the patterns by this corruption";
                    return Err(Error::data(format!("query {}", block * BLOCK + i), problem));
                }
                let total: f64 = logs.iter().map(|log| (log - largest).exp()).sum();
                for (weight, log) in weights.iter_mut().zip(logs) {
                    *weight = ((log - largest).exp() / total) as f32;
                }
            }
            Ok(())
        })?;
        Ok(posterior)
    }

    /// ln P(query | pattern) up to a number that is the same for all patterns.
    fn log(&self, pattern: ArrayView1<'_, f32>, query: ArrayView1<'_, f32>) -> f64 {
        let possible = |yes: bool| if yes { 0.0 } else { f64::NEG_INFINITY };
        match self.0 {
            Kind::HalfMask => {
                // Doubling is exact.
                let pairs = || query.iter().zip(pattern);
                if pairs().all(|(&q, &x)| q == 0.0 || q == 2.0 * x) {
                    let n_lit = pattern.iter().filter(|&&x| x != 0.0).count();
                    -(n_lit as f64) * std::f64::consts::LN_2
                } else {
                    f64::NEG_INFINITY
                }
            }
            // Without noise: where there is some, `Folded` has been asked.
            Kind::Folded { .. } => possible(query == pattern),
            Kind::Sphere { radius } => {
                let squares = query.iter().zip(pattern);
                let distance = squares.map(|(&q, &x)| (f64::from(q) - f64::from(x)).powi(2));
                // Every number of the query was rounded to f32: by half an epsilon of it, or half of the
                // smallest number.
                let length = query.iter().map(|&q| f64::from(q).powi(2)).sum::<f64>().sqrt();
                let smallest = f64::from(f32::from_bits(1)) * (query.len() as f64).sqrt();
                let rounding = f64::from(f32::EPSILON) * (length + radius) + smallest;
                possible((distance.sum::<f64>().sqrt() - radius).abs() <= rounding)
            }
            Kind::Occluded { n_visible } => {
                possible(query.iter().zip(pattern).take(n_visible).all(|(q, x)| q == x))
            }
            Kind::Mask { share } => replaced(query, pattern, share, |q| q == 0.0, 1.0),
            Kind::SaltAndPepper { share } => {
                replaced(query, pattern, share, |q| q == 0.0 || q == 1.0, 0.5)
            }
        }
    }
}

/// ln P(query | pattern) where a `share` of the numbers is replaced, each of the `values` as often.
fn replaced(
    query: ArrayView1<'_, f32>,
    pattern: ArrayView1<'_, f32>,
    share: f64,
    values: impl Fn(f32) -> bool,
    of_value: f64,
) -> f64 {
    // Where the two are the same and not one of the values, are one, differ and are one; else impossible.
    let (mut kept, mut either, mut lost) = (0, 0, 0);
    for (&q, &x) in query.iter().zip(pattern) {
        match (q == x, values(q)) {
            (true, false) => kept += 1,
            (true, true) => either += 1,
            (false, true) => lost += 1,
            (false, false) => return f64::NEG_INFINITY,
        }
    }
    let (p_kept, p_lost) = (1.0 - share, share * of_value);
    [(kept, p_kept), (either, p_kept + p_lost), (lost, p_lost)]
        .map(|(n, p)| f64::from(n) * p.ln())
        .iter()
        .sum()
}

/// How many queries are looked up at once: what is known of a number of a pattern lies together for all of them.
const BLOCK: usize = 8;

/// Patterns under folded noise. Images have few values, so that each value of a column is looked at once,
/// whichever patterns have it.
struct Folded {
    lit: Vec<Lit>,
    /// For each pattern the places in `lit` of its numbers that are not 0.
    of_patterns: Vec<Vec<usize>>,
}

impl Folded {
    fn new(patterns: ArrayView2<'_, f32>, std: f64) -> Self {
        let black = log_mass_at_one(0.0, std);
        let mut lit = Vec::new();
        let mut of_patterns = vec![Vec::new(); patterns.nrows()];
        for (j, column) in patterns.axis_iter(Axis(1)).enumerate() {
            let mut places = HashMap::new();
            for (places_of, &x) in of_patterns.iter_mut().zip(column) {
                if x == 0.0 {
                    continue;
                }
                let place = places.entry(x.to_bits()).or_insert_with(|| {
                    lit.push(Lit::new(j, f64::from(x), std, black));
                    lit.len() - 1
                });
                places_of.push(*place);
            }
        }
        Self { lit, of_patterns }
    }

    /// ln P(query | pattern) of each of at most a block of queries and each pattern, up to a number that is the
    /// same for all patterns.
    fn logs(&self, queries: ArrayView2<'_, f32>) -> Array2<f64> {
        let of_lit = |lit: &Lit| {
            let mut logs = [0.0; BLOCK];
            for (log, &q) in logs.iter_mut().zip(queries.column(lit.j)) {
                *log = lit.log(f64::from(q));
            }
            logs
        };
        let logs: Vec<[f64; BLOCK]> = self.lit.iter().map(of_lit).collect();
        let mut sums = Array2::zeros((queries.nrows(), self.of_patterns.len()));
        for (mut sums, places) in sums.axis_iter_mut(Axis(1)).zip(&self.of_patterns) {
            let mut totals = [0.0; BLOCK];
            for &place in places {
                for (total, log) in totals.iter_mut().zip(&logs[place]) {
                    *total += log;
                }
            }
            sums.iter_mut().zip(totals).for_each(|(sum, total)| *sum = total);
        }
        sums
    }
}

/// The likelihood of one number x > 0 of a pattern under folded noise, relative to x = 0: whatever
/// is 0 contributes nothing, which is most of a digit.
struct Lit {
    j: usize,
    /// x/σ²
    mean: f64,
    /// x²/2σ²
    loss: f64,
    /// At a query of 1.
    at_one: f64,
}

impl Lit {
    /// A number of column `j`, for the mass at 1 of a number that is 0.
    fn new(j: usize, x: f64, std: f64, black: f64) -> Self {
        let at_one = log_mass_at_one(x, std) - black;
        Self { j, mean: x / (std * std), loss: x * x / (2.0 * std * std), at_one }
    }

    /// ln \[φ((q−x)/σ) + φ((q+x)/σ)\] − ln 2φ(q/σ) = ln cosh(qx/σ²) − x²/2σ², for q < 1.
    fn log(&self, q: f64) -> f64 {
        if q >= 1.0 {
            return self.at_one;
        }
        let t = self.mean * q;
        t + (-2.0 * t).exp().ln_1p() - std::f64::consts::LN_2 - self.loss
    }
}

/// ln \[Q((1−x)/σ) + Q((1+x)/σ)\]: the probability that |x+n| is at least 1, for x in \[0, 1\].
fn log_mass_at_one(x: f64, std: f64) -> f64 {
    let scale = std * std::f64::consts::SQRT_2;
    // Q(z) = erfc(z/√2)/2.
    let (near, far) = (log_erfc((1.0 - x) / scale), log_erfc((1.0 + x) / scale));
    near + (far - near).exp().ln_1p() - std::f64::consts::LN_2
}

/// Where erfc is about to vanish in f64.
const TAIL: f64 = 25.0;

/// ln erfc(t) for t ≥ 0, also where erfc(t) itself is 0 in f64.
fn log_erfc(t: f64) -> f64 {
    if t <= TAIL {
        return libm::erfc(t).ln();
    }
    // erfc(t) = exp(−t²)/(t√π) · (1 − 1/2t² + 3/4t⁴ − 15/8t⁶ + …); beyond TAIL the first term left
    // out is below 105/16·TAIL⁻⁸ < 1e-10.
    let u = 1.0 / (2.0 * t * t);
    let series = -u + 3.0 * u * u - 15.0 * u * u * u;
    -t * t - (t * std::f64::consts::PI.sqrt()).ln() + series.ln_1p()
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use proptest::prelude::*;
    use uhop_data::Corruption;

    use super::*;

    #[test]
    fn the_tail_goes_on_where_erfc_ends() {
        for t in [24.0, 25.0, 26.0] {
            let exact = libm::erfc(t).ln();
            let u = 1.0 / (2.0 * t * t);
            let series: f64 = 1.0 - u + 3.0 * u * u - 15.0 * u * u * u;
            let tail = -t * t - (t * std::f64::consts::PI.sqrt()).ln() + series.ln();
            assert!((tail - exact).abs() < 1e-9, "{t}");
            assert!((log_erfc(t) - exact).abs() < 1e-9, "{t}");
        }
        assert!(log_erfc(1e6).is_finite());
    }

    /// Densities and masses as the definition has them, multiplied number by number.
    fn slow(std: f64, patterns: &Array2<f32>, query: ArrayView1<'_, f32>) -> Vec<f64> {
        let density = |z: f64| (-z * z / 2.0).exp() / (std::f64::consts::TAU.sqrt() * std);
        let tail = |z: f64| libm::erfc(z / std::f64::consts::SQRT_2) / 2.0;
        let likelihoods: Vec<f64> = patterns
            .outer_iter()
            .map(|pattern| {
                let numbers = pattern.iter().zip(query).map(|(&x, &q)| {
                    let (x, q) = (f64::from(x), f64::from(q));
                    if q < 1.0 {
                        density((q - x) / std) + density((q + x) / std)
                    } else {
                        tail((1.0 - x) / std) + tail((1.0 + x) / std)
                    }
                });
                numbers.product()
            })
            .collect();
        let total: f64 = likelihoods.iter().sum();
        likelihoods.iter().map(|likelihood| likelihood / total).collect()
    }

    proptest! {
        #[test]
        fn folded_noise_has_the_posterior_of_its_definition(
            patterns in proptest::collection::vec(
                prop_oneof![Just(0.0_f32), Just(1.0), 0.0..1.0_f32], 5 * 8),
            std in 0.2..3.0_f64,
            seed: u64,
        ) {
            let patterns = Array2::from_shape_vec((5, 8), patterns).unwrap();
            let queries = Corruption::gaussian_noise(std).unwrap().apply(patterns.view(), seed).unwrap();
            let likelihood = Likelihood::new(CorruptionKind::GaussianStd, std, (2, 4));
            let posterior = likelihood.posterior(patterns.view(), queries.view()).unwrap();
            for (found, query) in posterior.outer_iter().zip(queries.outer_iter()) {
                for (&found, expected) in found.iter().zip(slow(std, &patterns, query)) {
                    // Rounded to f32 once; f64 products of 8 numbers before.
                    prop_assert!((f64::from(found) - expected).abs() < f64::from(f32::EPSILON));
                }
            }
        }

        /// Whatever the corruption, the true pattern is possible and weights are a distribution.
        #[test]
        fn the_true_pattern_is_possible(
            patterns in proptest::collection::vec(prop_oneof![Just(0.0_f32), 0.0..=1.0_f32], 6 * 12),
            level in prop_oneof![Just(0.0), Just(1e-300), Just(1e-155), Just(1e-6), 0.0..4.0_f64],
            seed: u64,
        ) {
            let patterns = Array2::from_shape_vec((6, 12), patterns).unwrap();
            for kind in [
                CorruptionKind::HalfMask,
                CorruptionKind::GaussianStd,
                CorruptionKind::GaussianNorm,
                CorruptionKind::FoldedNorm,
                CorruptionKind::OccludedHalf,
                CorruptionKind::Mask,
                CorruptionKind::SaltAndPepper,
            ] {
                let is_share = matches!(kind, CorruptionKind::Mask | CorruptionKind::SaltAndPepper);
                let level = if is_share { 0.01 + level / 5.0 } else { level };
                let queries =
                    kind.at(level, (3, 4)).unwrap().apply(patterns.view(), seed).unwrap();
                let likelihood = Likelihood::new(kind, level, (3, 4));
                let posterior = likelihood.posterior(patterns.view(), queries.view()).unwrap();
                for (i, weights) in posterior.outer_iter().enumerate() {
                    let total: f64 = weights.iter().map(|&p| f64::from(p)).sum();
                    prop_assert!((total - 1.0).abs() < 6.0 * f64::from(f32::EPSILON), "{kind:?}");
                    let is_folded =
                        matches!(kind, CorruptionKind::GaussianStd | CorruptionKind::FoldedNorm);
                    let can_be_unlikely = is_folded && level > 0.0;
                    prop_assert!(weights[i] > 0.0 || can_be_unlikely, "{kind:?}");
                }
            }
        }
    }

    /// What `f32` does not hold of noise is not held against a pattern.
    #[test]
    fn noise_below_the_smallest_number_is_possible() {
        let black = Array2::zeros((1, 12));
        for level in [1e-300, 1e-46, 1e-45, 1e-40] {
            let kind = CorruptionKind::GaussianNorm;
            let queries = kind.at(level, (3, 4)).unwrap().apply(black.view(), 0).unwrap();
            let likelihood = Likelihood::new(kind, level, (3, 4));
            let posterior = likelihood.posterior(black.view(), queries.view()).unwrap();
            assert_eq!(posterior, array![[1.0]], "{level:e}");
        }
    }

    /// Of a thousand drawn queries each pattern is the true one as often as its weights say.
    #[test]
    fn the_posterior_is_calibrated() {
        let patterns = array![[0.0_f32, 0.0], [0.6, 0.0], [0.6, 0.9]];
        for kind in [
            CorruptionKind::GaussianStd,
            CorruptionKind::HalfMask,
            CorruptionKind::Mask,
            CorruptionKind::SaltAndPepper,
        ] {
            let likelihood = Likelihood::new(kind, 0.8, (1, 2));
            let mut confusion = [[0.0_f64; 3]; 3];
            let n = 3000;
            for seed in 0..n {
                let corruption = kind.at(0.8, (1, 2)).unwrap();
                let queries = corruption.apply(patterns.view(), seed).unwrap();
                let posterior = likelihood.posterior(patterns.view(), queries.view()).unwrap();
                for i in 0..3 {
                    for j in 0..3 {
                        confusion[i][j] += f64::from(posterior[[i, j]]);
                    }
                }
            }
            // E[P(j | x)] over x of pattern i is symmetric in i and j; sums of n numbers in [0, 1]
            // differ from it by at most √n · 0.5 in standard deviation each.
            for i in 0..3 {
                for j in 0..i {
                    let difference = (confusion[i][j] - confusion[j][i]).abs();
                    assert!(difference < 5.0 * (n as f64 / 2.0).sqrt(), "{kind:?} {confusion:?}");
                }
            }
        }
    }

    #[test]
    fn an_impossible_query_is_an_error() {
        let patterns = array![[0.5_f32, 0.25]];
        let mask = Likelihood::new(CorruptionKind::HalfMask, 0.5, (1, 2));
        assert!(mask.posterior(patterns.view(), array![[0.5, 0.0]].view()).is_err());
        let above = array![[1.5_f32, 0.0]];
        assert!(mask.posterior(above.view(), above.view()).is_err());
    }
}
