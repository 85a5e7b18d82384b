//! Loops over long rows, compiled for the vector instructions that the processor turns out to have.
//!
//! They are plain loops, which the compiler vectorises: one copy for each instruction set, chosen at
//! run time. No copy contracts or reorders an operation, so that all give the same bits.

use crate::scalar::Scalar;

/// Entries handled together: a few vectors of the widest kind.
const LANES: usize = 64;

/// Σ w and Σ w ln w of the weights of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct WeightSums {
    pub(crate) total: f64,
    pub(crate) total_logs: f64,
}

/// Runs `work`, and what is inlined into it, with the best instructions there are.
macro_rules! dispatched {
    ($work:expr) => {
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || $work,
        )
    };
}

/// The largest and the smallest value; nothing when one is not finite, or there are none.
pub(crate) fn extremes<T: Scalar>(values: &[T]) -> Option<(T, T)> {
    dispatched!(portable::extremes(values))
}

/// Whether no value is infinite or NaN.
pub(crate) fn are_finite<T: Scalar>(values: &[T]) -> bool {
    dispatched!(portable::are_finite(values))
}

/// Replaces the scores of a row by the weights w = exp(β(s − best)), for `best` ≥ s.
///
/// With u = ε/2, β(s − best) is rounded to t, off by at most u|t|, and its exponential by two ulps,
/// 4u: a weight is off by (4 + |t|)u of itself, and by less than 5u of the best weight, which is 1.
/// A weight below the smallest normal number is 0: products of such numbers are slow.
/// Sums are made in [`LANES`] lanes, then in `f64`, each sum of n entries off by another n/64 + 1
/// times u.
pub(crate) fn exponentials<T: Scalar>(scores: &mut [T], best: T, beta: f64) -> WeightSums {
    dispatched!(portable::exponentials(scores, best, beta))
}

/// Replaces the products ⟨u, v_j⟩ of a row by the exponents −t‖u − v_j‖², given `norm` |u|² and
/// `norms` |v_j|², and returns the largest; nothing when a product is not finite.
///
/// What rounding would make a negative distance is 0.
pub(crate) fn distance_exponents<T: Scalar>(
    products: &mut [T],
    norm: T,
    norms: &[T],
    t: T,
) -> Option<T> {
    dispatched!(portable::distance_exponents(products, norm, norms, t))
}

/// Replaces the exponents of a row by w = exp(e − largest), adds w and w·e to their entries of
/// `sums` and `products`, and returns Σ w and Σ w·e. Where e is −∞, both are 0.
pub(crate) fn relative_exponentials<T: Scalar>(
    exponents: &mut [T],
    largest: T,
    (sums, products): (&mut [f64], &mut [f64]),
) -> (f64, f64) {
    dispatched!(portable::relative_exponentials(exponents, largest, (sums, products)))
}

/// Replaces a row by exp(x − largest), for `largest` ≥ x.
///
/// The difference is rounded, off by at most u|x − largest|, and its exponential by two ulps.
pub(crate) fn shifted_exponentials(row: &mut [f64], largest: f64) {
    dispatched!(portable::shifted_exponentials(row, largest))
}

/// Σ x_i with the error of every addition kept and added at the end: off by about one rounding,
/// however many terms.
pub(crate) fn sum(terms: &[f64]) -> f64 {
    dispatched!(portable::compensated_sum(terms))
}

/// The least of what the squared distances ‖u − v_j‖² can be, given the products ⟨u, v_j⟩, `norm` |u|² and
/// `norms` |v_j|²: (|u|² + |v_j|²)(1 − `error`) − 2⟨u, v_j⟩. Nothing when a product is not finite.
pub(crate) fn least_distance<T: Scalar>(
    products: &[T],
    norm: f64,
    norms: &[f64],
    error: f64,
) -> Option<f64> {
    dispatched!(portable::least_distance(products, norm, norms, error))
}

/// Adds (f₀c₀ + f₁c₁) + (f₂c₂ + f₃c₃) to a row, for numbers f and rows c.
pub(crate) fn add_multiples<T: Scalar>(row: &mut [T], factors: [T; 4], rows: [&[T]; 4]) {
    dispatched!(portable::add_multiples(row, factors, rows));
}

/// The largest of x_j·s_j·`scale` − d_j, for rows s and d; −∞ of none.
pub(crate) fn largest_difference<T: Scalar>(row: &[T], scale: T, (s, d): (&[T], &[T])) -> T {
    dispatched!(portable::largest_difference(row, scale, (s, d)))
}

/// Divides a row by its norm, which it returns; a row of zeros stays as it is.
///
/// Entries are scaled by a power of two first, without rounding, which keeps squares from overflowing
/// or vanishing.
pub(crate) fn normalize<T: Scalar>(row: &mut [T]) -> f64 {
    dispatched!(portable::normalize(row))
}

/// The loops themselves, as they run where there is nothing to dispatch to.
mod portable {
    use crate::scalar::{Scalar, add_exactly, gradual_exponential};
    use crate::simd::{LANES, WeightSums};

    #[inline(always)]
    pub(super) fn extremes<T: Scalar>(values: &[T]) -> Option<(T, T)> {
        let first = *values.first()?;
        let (mut largest, mut smallest) = ([first; LANES], [first; LANES]);
        // 0·x is 0, or NaN for what is not finite.
        let mut zero = [T::zero(); LANES];
        let (chunks, rest) = values.as_chunks::<LANES>();
        let mut last = [first; LANES];
        last[..rest.len()].copy_from_slice(rest);
        for chunk in chunks.iter().chain([&last]) {
            for lane in 0..LANES {
                let x = chunk[lane];
                largest[lane] = if x > largest[lane] { x } else { largest[lane] };
                smallest[lane] = if x < smallest[lane] { x } else { smallest[lane] };
                zero[lane] += x * T::zero();
            }
        }
        let largest = largest.into_iter().fold(first, |a, b| if b > a { b } else { a });
        let smallest = smallest.into_iter().fold(first, |a, b| if b < a { b } else { a });
        zero.iter().all(|&x| x == T::zero()).then_some((largest, smallest))
    }

    #[inline(always)]
    pub(super) fn are_finite<T: Scalar>(values: &[T]) -> bool {
        // 0·x is 0, or NaN for what is not finite.
        let mut zero = [T::zero(); LANES];
        let (chunks, rest) = values.as_chunks::<LANES>();
        for chunk in chunks {
            for lane in 0..LANES {
                zero[lane] += chunk[lane] * T::zero();
            }
        }
        zero.iter().all(|&x| x == T::zero()) && rest.iter().all(|x| x.is_finite())
    }

    #[inline(always)]
    pub(super) fn least_distance<T: Scalar>(
        products: &[T],
        norm: f64,
        norms: &[f64],
        error: f64,
    ) -> Option<f64> {
        let least_of = |product: T, other: f64| {
            let size = norm + other;
            size - error * size - 2.0 * product.widen()
        };
        let mut least = [f64::INFINITY; LANES];
        // 0·x is 0, or NaN for what is not finite.
        let mut zero = [T::zero(); LANES];
        let (chunks, rest) = products.as_chunks::<LANES>();
        let (norm_chunks, norm_rest) = norms.as_chunks::<LANES>();
        for (chunk, others) in chunks.iter().zip(norm_chunks) {
            for lane in 0..LANES {
                zero[lane] += chunk[lane] * T::zero();
                let l = least_of(chunk[lane], others[lane]);
                least[lane] = if l < least[lane] { l } else { least[lane] };
            }
        }
        for (lane, (&x, &other)) in rest.iter().zip(norm_rest).enumerate() {
            zero[lane] += x * T::zero();
            let l = least_of(x, other);
            least[lane] = if l < least[lane] { l } else { least[lane] };
        }
        // In halves, which are vector operations too.
        let mut width = LANES;
        while width > 1 {
            width /= 2;
            for lane in 0..width {
                let other = least[lane + width];
                least[lane] = if other < least[lane] { other } else { least[lane] };
                zero[lane] += zero[lane + width];
            }
        }
        (zero[0] == T::zero()).then_some(least[0])
    }

    #[inline(always)]
    pub(super) fn add_multiples<T: Scalar>(row: &mut [T], factors: [T; 4], rows: [&[T]; 4]) {
        let [f, g, h, k] = factors;
        let rows = rows.map(|other| &other[..row.len()]);
        for (j, x) in row.iter_mut().enumerate() {
            *x += (f * rows[0][j] + g * rows[1][j]) + (h * rows[2][j] + k * rows[3][j]);
        }
    }

    #[inline(always)]
    pub(super) fn largest_difference<T: Scalar>(row: &[T], scale: T, (s, d): (&[T], &[T])) -> T {
        let mut largest = [T::neg_infinity(); LANES];
        let (chunks, rest) = row.as_chunks::<LANES>();
        let (s_chunks, s_rest) = s.as_chunks::<LANES>();
        let (d_chunks, d_rest) = d.as_chunks::<LANES>();
        for ((chunk, s), d) in chunks.iter().zip(s_chunks).zip(d_chunks) {
            for lane in 0..LANES {
                let x = chunk[lane] * s[lane] * scale - d[lane];
                largest[lane] = if x > largest[lane] { x } else { largest[lane] };
            }
        }
        for (lane, ((&x, &s), &d)) in rest.iter().zip(s_rest).zip(d_rest).enumerate() {
            let x = x * s * scale - d;
            largest[lane] = if x > largest[lane] { x } else { largest[lane] };
        }
        largest.into_iter().fold(T::neg_infinity(), |a, b| if b > a { b } else { a })
    }

    #[inline(always)]
    pub(super) fn normalize<T: Scalar>(row: &mut [T]) -> f64 {
        let larger = |a: T, b: T| if b.abs() > a { b.abs() } else { a };
        let mut lanes = [T::zero(); LANES];
        let (chunks, rest) = row.as_chunks::<LANES>();
        for chunk in chunks {
            for lane in 0..LANES {
                lanes[lane] = larger(lanes[lane], chunk[lane]);
            }
        }
        let largest = rest.iter().chain(&lanes).fold(T::zero(), |a, &b| larger(a, b)).widen();
        if largest == 0.0 {
            return 0.0;
        }
        let factor = power_of_two_near(1.0 / largest);
        let mut squares = [0.0; LANES];
        let (chunks, rest) = row.as_chunks::<LANES>();
        for chunk in chunks {
            for lane in 0..LANES {
                let x = chunk[lane].widen() * factor;
                squares[lane] += x * x;
            }
        }
        for (square, x) in squares.iter_mut().zip(rest) {
            let x = x.widen() * factor;
            *square += x * x;
        }
        let norm = squares.iter().sum::<f64>().sqrt();
        for x in row {
            *x = T::narrow(x.widen() * factor / norm);
        }
        norm / factor
    }

    /// The number without its fraction, neither 0 nor infinite.
    #[inline(always)]
    fn power_of_two_near(number: f64) -> f64 {
        const EXPONENT: u64 = 0x7ff << 52;
        f64::from_bits(number.clamp(f64::MIN_POSITIVE, f64::MAX).to_bits() & EXPONENT)
    }

    #[inline(always)]
    pub(super) fn exponentials<T: Scalar>(scores: &mut [T], best: T, beta: f64) -> WeightSums {
        let best = best.widen();
        let (mut totals, mut totals_logs) = ([T::zero(); LANES], [T::zero(); LANES]);
        let (chunks, rest) = scores.as_chunks_mut::<LANES>();
        // Weighs nothing.
        let mut last = [T::neg_infinity(); LANES];
        last[..rest.len()].copy_from_slice(rest);
        for chunk in chunks.iter_mut().chain([&mut last]) {
            let mut logs = [T::zero(); LANES];
            for (score, log) in chunk.iter_mut().zip(&mut logs) {
                let exponent = T::narrow(beta * (score.widen() - best));
                let weight = exponent.exp_of_non_positive();
                *score = weight;
                // −∞ times 0 is no number.
                let finite =
                    if exponent > T::LEAST_EXPONENT { exponent } else { T::LEAST_EXPONENT };
                *log = weight * finite;
            }
            for lane in 0..LANES {
                totals[lane] += chunk[lane];
                totals_logs[lane] += logs[lane];
            }
        }
        rest.copy_from_slice(&last[..rest.len()]);
        WeightSums { total: sum(&totals), total_logs: sum(&totals_logs) }
    }

    #[inline(always)]
    pub(super) fn distance_exponents<T: Scalar>(
        products: &mut [T],
        norm: T,
        norms: &[T],
        t: T,
    ) -> Option<T> {
        let two = T::one() + T::one();
        let exponent = |product: T, other: T| {
            let squared = norm + other - two * product;
            if squared > T::zero() { -t * squared } else { T::zero() }
        };
        let mut largest = [T::neg_infinity(); LANES];
        // 0·x is 0, or NaN for what is not finite.
        let mut zero = [T::zero(); LANES];
        let (chunks, rest) = products.as_chunks_mut::<LANES>();
        let (norm_chunks, norm_rest) = norms.as_chunks::<LANES>();
        for (chunk, others) in chunks.iter_mut().zip(norm_chunks) {
            for lane in 0..LANES {
                let x = chunk[lane];
                zero[lane] += x * T::zero();
                let e = exponent(x, others[lane]);
                largest[lane] = if e > largest[lane] { e } else { largest[lane] };
                chunk[lane] = e;
            }
        }
        for (lane, (x, &other)) in rest.iter_mut().zip(norm_rest).enumerate() {
            zero[lane] += *x * T::zero();
            *x = exponent(*x, other);
            largest[lane] = if *x > largest[lane] { *x } else { largest[lane] };
        }
        let largest = largest.into_iter().fold(T::neg_infinity(), |a, b| if b > a { b } else { a });
        zero.iter().all(|&x| x == T::zero()).then_some(largest)
    }

    #[inline(always)]
    pub(super) fn relative_exponentials<T: Scalar>(
        exponents: &mut [T],
        largest: T,
        (sums, products): (&mut [f64], &mut [f64]),
    ) -> (f64, f64) {
        let (mut totals, mut total_products) = ([0.0; LANES], [0.0; LANES]);
        let term = |e: T| {
            let w = (e - largest).exp_of_non_positive();
            // −∞·0 is no number.
            let e = if e > T::min_value() { e } else { T::min_value() };
            (w, w * e)
        };
        let (chunks, rest) = exponents.as_chunks_mut::<LANES>();
        let (sum_chunks, sum_rest) = sums.as_chunks_mut::<LANES>();
        let (product_chunks, product_rest) = products.as_chunks_mut::<LANES>();
        for (chunk, (sums, products)) in
            chunks.iter_mut().zip(sum_chunks.iter_mut().zip(product_chunks))
        {
            let mut weighed = [T::zero(); LANES];
            for lane in 0..LANES {
                (chunk[lane], weighed[lane]) = term(chunk[lane]);
            }
            for lane in 0..LANES {
                let (w, product) = (chunk[lane].widen(), weighed[lane].widen());
                totals[lane] += w;
                sums[lane] += w;
                total_products[lane] += product;
                products[lane] += product;
            }
        }
        let rest = rest.iter_mut().zip(sum_rest.iter_mut().zip(product_rest)).enumerate();
        for (lane, (x, (sum, product))) in rest {
            let (w, weighed) = term(*x);
            *x = w;
            totals[lane] += w.widen();
            *sum += w.widen();
            total_products[lane] += weighed.widen();
            *product += weighed.widen();
        }
        (totals.iter().sum(), total_products.iter().sum())
    }

    #[inline(always)]
    pub(super) fn shifted_exponentials(row: &mut [f64], largest: f64) {
        for x in row {
            *x = gradual_exponential(*x - largest);
        }
    }

    #[inline(always)]
    pub(super) fn compensated_sum(terms: &[f64]) -> f64 {
        let (mut sums, mut lost) = ([0.0; LANES], [0.0; LANES]);
        let mut add = |lane: usize, term: f64| {
            let next = add_exactly(sums[lane], term);
            sums[lane] = next.0;
            lost[lane] += next.1;
        };
        let (chunks, rest) = terms.as_chunks::<LANES>();
        for chunk in chunks {
            for (lane, &term) in chunk.iter().enumerate() {
                add(lane, term);
            }
        }
        for (lane, &term) in rest.iter().enumerate() {
            add(lane, term);
        }
        let (mut total, mut total_lost) = (0.0, 0.0);
        for lane in 0..LANES {
            let next = add_exactly(total, sums[lane]);
            total = next.0;
            total_lost += next.1 + lost[lane];
        }
        total + total_lost
    }

    #[inline(always)]
    fn sum<T: Scalar>(lanes: &[T; LANES]) -> f64 {
        lanes.iter().map(|x| x.widen()).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The trait of this constant has no name outside its module.
    fn least_exponent<T: Scalar>() -> T {
        T::LEAST_EXPONENT
    }

    /// Between 0 and far below where the exponential vanishes: each 199th `f32`, and both ends.
    fn exponents() -> impl Iterator<Item = f32> {
        let most = 200.0_f32.to_bits();
        let special = [0.0, least_exponent(), f32::MIN_POSITIVE, 1e-45, f32::MAX, f32::INFINITY];
        (0..most).step_by(199).map(f32::from_bits).chain(special).map(|x| -x.abs())
    }

    /// The dispatched loop and the portable one, on a copy each; the same result and bits.
    fn weights(scores: &[f32], best: f32, beta: f64) -> (Vec<f32>, WeightSums) {
        let (mut fast, mut portable) = (scores.to_vec(), scores.to_vec());
        let sums = exponentials(&mut fast, best, beta);
        assert_eq!(sums, portable::exponentials(&mut portable, best, beta));
        assert_eq!(fast, portable);
        (fast, sums)
    }

    #[test]
    fn exponentials_are_within_two_ulps_and_vanish_below_the_normal_numbers() {
        let exponents: Vec<f32> = exponents().collect();
        let (weights, _) = weights(&exponents, 0.0, 1.0);
        let mut vanish = 0;
        for (&x, &w) in exponents.iter().zip(&weights) {
            let exact = f64::from(x).exp();
            let bound = if exact < f64::from(f32::MIN_POSITIVE) {
                vanish += 1;
                // Just at the border it may be the smallest normal number.
                assert!(w == 0.0 || x >= least_exponent(), "exp({x:e}) = {w:e}");
                f64::from(f32::MIN_POSITIVE)
            } else {
                assert!(w > 0.0, "exp({x:e}) = 0");
                // An ulp of 2ᵉ ≤ exact is ε 2ᵉ ≤ ε exact.
                2.0 * f64::from(f32::EPSILON) * exact
            };
            let error = (f64::from(w) - exact).abs();
            assert!(error <= bound, "exp({x:e}) = {w:e}, not {exact:e}");
        }
        assert!(vanish > 1000);
        assert_eq!(weights[0], 1.0);
    }

    /// Two ulps of ours, and one of the library's.
    #[test]
    fn wide_exponentials_are_within_two_ulps() {
        let least = least_exponent::<f64>();
        // Dense where exponents are common, and down to the subnormal ones.
        let spread = (0..200_000).map(|i| f64::from(i) * 4e-3);
        let tiny = (0..20_000).map(|i| (f64::from(i) * -0.04).exp2());
        let special = [-least, -least.next_up(), -least.next_down(), 5e-324, 1e308, f64::INFINITY];
        let exponents: Vec<f64> = spread.chain(tiny).chain(special).map(|x| -x).collect();
        let mut gradual = exponents.clone();
        shifted_exponentials(&mut gradual, 0.0);
        let mut portable = exponents.clone();
        portable::shifted_exponentials(&mut portable, 0.0);
        assert_eq!(gradual, portable);
        let mut vanishing = exponents.clone();
        exponentials(&mut vanishing, 0.0, 1.0);
        for ((&x, &w), &vanishing) in exponents.iter().zip(&gradual).zip(&vanishing) {
            let exact = x.exp();
            let ulp = exact.next_up() - exact;
            assert!((w - exact).abs() <= 3.0 * ulp, "exp({x:e}) = {w:e}, not {exact:e}");
            assert_eq!(vanishing, if x < least { 0.0 } else { w }, "exp({x:e})");
        }
        assert_eq!((gradual[0], gradual[exponents.len() - 1]), (1.0, 0.0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        /// Whole numbers have an exact sum. What the additions lose is kept up to roundings of itself:
        /// n·u of at most n·u·Σ|x|.
        #[test]
        fn sums_are_rounded_once(
            terms in prop::collection::vec((-9e15_f64..9e15).prop_map(f64::trunc), 0..300),
            returning in any::<bool>(),
        ) {
            let back = terms.iter().take(if returning { terms.len() } else { 0 });
            let terms: Vec<f64> = terms.iter().copied().chain(back.map(|x| 3.0 - x)).collect();
            let exact: i128 = terms.iter().map(|&x| x as i128).sum();
            let found = sum(&terms);
            prop_assert_eq!(found, portable::compensated_sum(&terms));
            let u = f64::EPSILON / 2.0;
            let n = terms.len() as f64;
            let absolute: f64 = terms.iter().map(|x| x.abs()).sum();
            let error = (found as i128 - exact).unsigned_abs() as f64;
            // The last addition, and the cast of what is not a whole number.
            let bound = u * (exact as f64).abs() + (n * u).powi(2) * absolute * 1.01 + 1.0;
            prop_assert!(error <= bound, "{found} is not {exact}");
        }

        #[test]
        fn weights_and_their_sums_are_those_in_f64(
            scores in prop::collection::vec(-30.0_f32..30.0, 0..200),
            beta in prop::sample::select(vec![1e-300, 1e-3, 1.0, 7.0, 1e300]),
            equal in 0_usize..70,
        ) {
            let best = 30.0;
            let scores: Vec<f32> =
                scores.into_iter().chain(std::iter::repeat_n(best, equal)).collect();
            let (found, sums) = weights(&scores, best, beta);
            let (mut total, mut total_logs, mut logs) = (0.0, 0.0, 0.0);
            let u = f64::from(f32::EPSILON) / 2.0;
            for (&score, &found) in scores.iter().zip(&found) {
                let t = beta * (f64::from(score) - f64::from(best));
                let w = t.exp();
                let bound = (4.0 - t) * u * w + f64::from(f32::MIN_POSITIVE);
                prop_assert!((f64::from(found) - w).abs() <= bound || w == 0.0 && found == 0.0);
                total += w;
                if w > 0.0 {
                    total_logs += t * w;
                    // e^t |t| (4 + |t|) and e^t |t|, the errors of t and of the product.
                    logs += w * t.abs() * (7.0 + t.abs());
                }
            }
            let n = scores.len() as f64;
            let in_lane = (n / LANES as f64).ceil() + 1.0;
            // |t| e^t ≤ 1/e for all that are below the best.
            prop_assert!((sums.total - total).abs() <= u * ((in_lane + 5.0) * total + n));
            let bound = u * (in_lane * total_logs.abs() + logs + n);
            prop_assert!((sums.total_logs - total_logs).abs() <= bound);
        }

        #[test]
        fn extremes_are_the_largest_and_the_smallest(
            values in prop::collection::vec(prop::num::f32::NORMAL | prop::num::f32::ZERO, 1..200),
        ) {
            let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let smallest = values.iter().copied().fold(f32::INFINITY, f32::min);
            prop_assert_eq!(extremes(&values), Some((largest, smallest)));
            prop_assert_eq!(portable::extremes(&values), Some((largest, smallest)));
        }

        #[test]
        fn what_is_not_finite_is_found(
            length in 1_usize..200, place in 0.0..1.0,
            bad in prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
        ) {
            let mut values = vec![1.0; length];
            values[(length as f64 * place) as usize] = bad;
            prop_assert_eq!(extremes(&values), None);
            prop_assert_eq!(portable::extremes(&values), None);
            prop_assert!(!are_finite(&values) && !portable::are_finite(&values));
            values[(length as f64 * place) as usize] = f64::MAX;
            prop_assert!(are_finite(&values) && portable::are_finite(&values));
        }
    }

    #[test]
    fn nothing_has_no_extremes_and_weighs_nothing() {
        assert_eq!(extremes::<f64>(&[]), None);
        assert_eq!(weights(&[], 0.0, 1.0).1, WeightSums { total: 0.0, total_logs: 0.0 });
    }

    /// However far apart the scores are, and however steep.
    #[test]
    fn weights_of_huge_scores_are_numbers() {
        for beta in [1e-45, 1.0, 1e308] {
            let (weights, sums) =
                weights(&[f32::MAX, -f32::MAX, f32::MIN_POSITIVE], f32::MAX, beta);
            assert_eq!(weights[0], 1.0);
            assert!(weights[1..].iter().all(|w| (0.0..=1.0).contains(w)));
            assert!(sums.total >= 1.0 && sums.total_logs <= 0.0);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// Sums of multiples and the largest difference are those of the definition, bit by bit.
        #[test]
        fn rows_are_added_and_compared_as_defined(
            entries in prop::collection::vec(prop::array::uniform5(-9.0_f32..9.0), 0..200),
            factors in prop::array::uniform4(-9.0_f32..9.0),
        ) {
            let [x, a, b, c, d] = [0, 1, 2, 3, 4].map(|k| -> Vec<f32> { entries.iter().map(|e| e[k]).collect() });
            let [f, g, h, k] = factors;
            let of = |e: &[f32; 5]| e[0] + ((f * e[1] + g * e[2]) + (h * e[3] + k * e[4]));
            let expected: Vec<f32> = entries.iter().map(of).collect();
            let rows = [&a[..], &b, &c, &d];
            let (mut found, mut portable) = (x.clone(), x.clone());
            add_multiples(&mut found, factors, rows);
            portable::add_multiples(&mut portable, factors, rows);
            prop_assert_eq!(&found, &expected);
            prop_assert_eq!(&portable, &expected);
            let of = |e: &[f32; 5]| e[0] * e[1] * f - e[2];
            let expected = entries.iter().map(of).fold(f32::NEG_INFINITY, f32::max);
            prop_assert_eq!(largest_difference(&x, f, (&a, &b)), expected);
            prop_assert_eq!(portable::largest_difference(&x, f, (&a, &b)), expected);
        }

        /// The least of the definition, bit by bit, and nothing for a product that overflowed.
        #[test]
        fn the_least_distance_is_that_of_the_definition(
            pairs in prop::collection::vec((-9.0_f32..9.0, 0.0..30.0_f64), 1..200),
            norm in 0.0..30.0_f64,
            odd in 0_usize..200,
        ) {
            let mut products: Vec<f32> = pairs.iter().map(|&(product, _)| product).collect();
            let norms: Vec<f64> = pairs.iter().map(|&(_, norm)| norm).collect();
            let of = |(&product, &other): (&f32, &f64)| {
                let size = norm + other;
                size - 1e-3 * size - 2.0 * f64::from(product)
            };
            let expected = products.iter().zip(&norms).map(of).fold(f64::INFINITY, f64::min);
            let found = least_distance(&products, norm, &norms, 1e-3);
            prop_assert_eq!(found, Some(expected));
            prop_assert_eq!(found, portable::least_distance(&products, norm, &norms, 1e-3));
            let at = odd % products.len();
            for bad in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
                products[at] = bad;
                prop_assert_eq!(least_distance(&products, norm, &norms, 1e-3), None);
            }
        }

        /// Sums of n squares, a root, a product and a quotient: (n + 3)·ε of `f64`, and ε/2 of an entry.
        #[test]
        fn normalized_rows_have_length_one(
            entries in prop::collection::vec(-1.0_f32..1.0, 1..200),
            exponent in -148..120_i32,
        ) {
            let entries = entries.into_iter().chain([0.75]);
            let row: Vec<f32> = entries.map(|x| (x * 2.0_f32.powi(exponent / 2))
                * 2.0_f32.powi(exponent - exponent / 2)).collect();
            let exact = row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
            let (mut fast, mut portable) = (row.clone(), row.clone());
            let norm = normalize(&mut fast);
            prop_assert_eq!(norm, portable::normalize(&mut portable));
            prop_assert_eq!(&fast, &portable);
            let wide = (row.len() + 3) as f64 * f64::EPSILON;
            prop_assert!((norm - exact).abs() <= wide * exact);
            let ulp = f64::from(f32::EPSILON);
            for (&x, &unit) in row.iter().zip(&fast) {
                let exact = f64::from(x) / exact;
                let smallest = f64::from(f32::MIN_POSITIVE) * ulp;
                prop_assert!((f64::from(unit) - exact).abs() <= (0.5 * ulp + wide) * exact.abs() + smallest);
            }
            let mut zeros = vec![0.0_f32; row.len()];
            prop_assert_eq!(normalize(&mut zeros), 0.0);
            prop_assert!(zeros.iter().all(|&x| x == 0.0));
        }
    }
}
