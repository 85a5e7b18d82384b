//! Several corruptions, one for each row: what queries are when nobody knows how they are damaged.

use std::fmt;

use ndarray::{Array2, ArrayView2};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Corruption, Problem};
use crate::{Error, Result};

/// Streams of a seed from here on choose the corruption of each row; those before make it.
const CHOICES: u64 = 1 << 63;

/// Corruptions of which each row gets one, all as likely.
///
/// Row `i` depends on the seed, on `i` and on pattern `i` only, as that of a [`Corruption`] does.
///
/// # Example
///
/// ```
/// use ndarray::Array2;
/// use uhop_data::{Corruption, CorruptionMix};
///
/// let mix = CorruptionMix::new(vec![Corruption::half_mask(), Corruption::mask(0.5)?])?;
/// let queries = mix.apply(Array2::from_elem((40, 10), 0.25).view(), 0)?;
/// let doubled = queries.rows().into_iter().filter(|row| row.iter().any(|&x| x == 0.5)).count();
/// assert!(doubled > 0 && doubled < 40);
/// # Ok::<(), uhop_data::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CorruptionMix(Vec<Corruption>);

impl CorruptionMix {
    /// A mix of these.
    ///
    /// # Errors
    ///
    /// [`is_invalid_argument`](Error::is_invalid_argument) for none.
    pub fn new(corruptions: Vec<Corruption>) -> Result<Self> {
        if corruptions.is_empty() {
            return Err(Error::argument(Problem::EmptyMix));
        }
        Ok(Self(corruptions))
    }

    /// A mix for `patterns` of which nothing else is known.
    ///
    /// Of values from 0 to 1: half of the entries lost, with and without doubling, folded Gaussian noise of standard
    /// deviation 0.3 and 0.7, salt and pepper on 0.3, and the second half of the row lost (for images of one size, their
    /// lower half). Of others: half of the entries lost, and Gaussian noise of the norm and of half the norm of a
    /// pattern.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_data::CorruptionMix;
    ///
    /// let mix = CorruptionMix::usual(ndarray::array![[3.0, 4.0]].view());
    /// assert_eq!(mix.to_string(), "mask of 0.5, survivors kept; Gaussian noise, norm 2.5; Gaussian noise, norm 5");
    /// ```
    pub fn usual(patterns: ArrayView2<'_, f32>) -> Self {
        let (n_patterns, dim) = patterns.dim();
        let sound = "parameters in their domain";
        if patterns.iter().all(|x| (0.0..=1.0).contains(x)) {
            let mut mix = vec![
                Corruption::half_mask(),
                Corruption::mask(0.5).expect(sound),
                Corruption::gaussian_noise(0.3).expect(sound),
                Corruption::gaussian_noise(0.7).expect(sound),
                Corruption::salt_and_pepper(0.3).expect(sound),
            ];
            // A single entry has no half.
            mix.extend(Corruption::occluded_region((1, dim), 0..1, dim - dim / 2..dim));
            return Self(mix);
        }
        let squares: f64 = patterns.iter().map(|&x| f64::from(x).powi(2)).sum();
        let norm = (squares / n_patterns as f64).sqrt();
        let noise = |norm: f64| Corruption::noise_of_norm(norm).ok();
        let mask = Corruption::mask(0.5).expect(sound);
        Self([Some(mask), noise(norm / 2.0), noise(norm)].into_iter().flatten().collect())
    }

    /// What it is a mix of.
    pub fn corruptions(&self) -> &[Corruption] {
        &self.0
    }

    /// Corrupts each pattern by one of them: queries of the shape of `patterns`, `[n_patterns, dim]`.
    ///
    /// # Errors
    ///
    /// As [`Corruption::apply`] for any of them.
    pub fn apply(&self, patterns: ArrayView2<'_, f32>, seed: u64) -> Result<Array2<f32>> {
        for corruption in &self.0 {
            corruption.check(patterns).map_err(Error::argument)?;
        }
        let mut queries = patterns.as_standard_layout().into_owned();
        for (stream, query) in (0..).zip(queries.rows_mut()) {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(CHOICES + stream);
            let corruption = &self.0[random.random_range(0..self.0.len())];
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(stream);
            corruption.corrupt(query, &mut random);
        }
        Ok(queries)
    }
}

/// What it is a mix of, with semicolons between.
impl fmt::Display for CorruptionMix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, corruption) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{corruption}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every row is the row that one of the corruptions makes, and each makes its share of the rows.
    #[test]
    fn each_row_is_that_of_one_of_them() {
        let patterns = Array2::from_shape_fn((600, 7), |(i, j)| ((i * 7 + j) % 11) as f32 / 11.0);
        let mix = CorruptionMix::usual(patterns.view());
        let queries = mix.apply(patterns.view(), 5).unwrap();
        let alone: Vec<_> = mix.0.iter().map(|c| c.apply(patterns.view(), 5).unwrap()).collect();
        let mut counts = vec![0; alone.len()];
        for (i, query) in queries.outer_iter().enumerate() {
            let made = alone.iter().position(|rows| rows.row(i) == query);
            counts[made.expect("one of them")] += 1;
        }
        // Of 600 draws with probability 1/6, five standard deviations of 9.2. Equal rows count for the first.
        assert!(counts.iter().all(|n| (54..=146).contains(n)), "{counts:?}");
        assert_eq!(queries, mix.apply(patterns.view(), 5).unwrap());
        assert_ne!(queries, mix.apply(patterns.view(), 6).unwrap());
    }

    #[test]
    fn whatever_the_patterns_there_is_a_usual_mix() {
        for patterns in [
            ndarray::array![[0.5]],
            ndarray::array![[0.0, 0.0]],
            ndarray::array![[-3.0, 1e30]],
            ndarray::array![[f32::MAX, 0.0]],
        ] {
            let mix = CorruptionMix::usual(patterns.view());
            assert!(!mix.corruptions().is_empty());
        }
        assert!(CorruptionMix::new(vec![]).unwrap_err().is_invalid_argument());
    }
}
