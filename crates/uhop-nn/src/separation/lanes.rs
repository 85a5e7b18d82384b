//! Weights of many short rows of `f32` scores and their gradients, by vector instructions.
//!
//! Plain loops over chunks of [`LANES`] entries, which the compiler makes vector instructions of, one
//! copy for each instruction set, chosen at run time once for a block of rows. A row is padded
//! with −∞ to whole chunks. Sums are made in lanes; a sum of n entries is off by n/16 + 16 roundings
//! at most.

use super::Family;

const LANES: usize = 16;

type Chunk<T = f32> = [T; LANES];

/// Replaces scores by weights, rows of `length` entries each; false, with nothing done, when there is
/// no loop for this family.
pub(super) fn weights(rows: &mut [f32], length: usize, family: Family) -> bool {
    pulp::Arch::new().dispatch(Weights { rows, length, family })
}

/// Replaces the cotangents of weights by those of scores, likewise.
pub(super) fn vjp(weights: &[f32], cotangents: &mut [f32], length: usize, family: Family) -> bool {
    pulp::Arch::new().dispatch(Gradients { weights, cotangents, length, family })
}

/// A block of rows. A type of its own, because a closure is not always inlined where the instructions
/// are.
struct Weights<'a> {
    rows: &'a mut [f32],
    length: usize,
    family: Family,
}

impl pulp::WithSimd for Weights<'_> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> bool {
        let Self { rows, length, family } = self;
        match family {
            Family::Softmax => each(rows, length, softmax),
            Family::SoftmaxOne => each(rows, length, softmax_one),
            Family::Entmax(2.0) => each(rows, length, sparsemax),
            Family::Entmax(1.5) => each(rows, length, entmax15),
            Family::Entmax(alpha) if (LEAST_ALPHA..2.0).contains(&alpha) => {
                entmax_of_rows(rows, length, alpha);
            }
            _ => return false,
        }
        true
    }
}

/// A block of rows and their cotangents.
struct Gradients<'a> {
    weights: &'a [f32],
    cotangents: &'a mut [f32],
    length: usize,
    family: Family,
}

impl pulp::WithSimd for Gradients<'_> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> bool {
        let Self { weights, cotangents, length, family } = self;
        match family {
            Family::Softmax | Family::SoftmaxOne | Family::TopK(_) => {
                each_pair(weights, cotangents, length, softmax_vjp);
            }
            Family::Entmax(2.0) => each_pair(
                weights,
                cotangents,
                length,
                #[inline(always)]
                |p, g| slopes_vjp(p, g, on_support),
            ),
            Family::Entmax(1.5) => each_pair(
                weights,
                cotangents,
                length,
                #[inline(always)]
                |p, g| slopes_vjp(p, g, f32::sqrt),
            ),
            Family::Entmax(alpha) if alpha < 2.0 => {
                let power = 2.0 - alpha;
                each_pair(
                    weights,
                    cotangents,
                    length,
                    #[inline(always)]
                    |p, g| {
                        slopes_vjp(
                            p,
                            g,
                            #[inline(always)]
                            |p| (exp(power * ln(f64::from(p))) as f32) * on_support(p),
                        );
                    },
                );
            }
            _ => return false,
        }
        true
    }
}

/// Below it τ, near −1 whatever the scores, has lost the digits of the weights.
const LEAST_ALPHA: f64 = 1.001;

/// Steps of Newton's method; it ends by itself long before.
const MOST_STEPS: usize = 100;

#[inline(always)]
fn each(rows: &mut [f32], length: usize, mut weights_of: impl FnMut(&mut [Chunk])) {
    let mut padded = vec![[f32::NEG_INFINITY; LANES]; length.div_ceil(LANES)];
    for row in rows.chunks_exact_mut(length) {
        padded.as_flattened_mut()[..length].copy_from_slice(row);
        weights_of(&mut padded);
        row.copy_from_slice(&padded.as_flattened()[..length]);
        padded.as_flattened_mut()[length..].fill(f32::NEG_INFINITY);
    }
}

#[inline(always)]
fn each_pair(
    weights: &[f32],
    cotangents: &mut [f32],
    length: usize,
    vjp_of: impl Fn(&mut [Chunk], &mut [Chunk]),
) {
    let mut p = vec![[0.0; LANES]; length.div_ceil(LANES)];
    let mut g = p.clone();
    for (row, cotangent) in weights.chunks_exact(length).zip(cotangents.chunks_exact_mut(length)) {
        p.as_flattened_mut()[..length].copy_from_slice(row);
        g.as_flattened_mut()[..length].copy_from_slice(cotangent);
        vjp_of(&mut p, &mut g);
        cotangent.copy_from_slice(&g.as_flattened()[..length]);
    }
}

/// What is known of a row before its weights are computed.
enum Best {
    /// Its best score.
    Finite(f32),
    /// Nothing is left: every score is −∞.
    Nothing,
    /// A score is NaN or +∞, and so is every weight NaN.
    Invalid,
}

#[inline(always)]
fn best(row: &[Chunk]) -> Best {
    let (mut best, mut invalid) = ([f32::NEG_INFINITY; LANES], [0.0_f32; LANES]);
    for chunk in row {
        for lane in 0..LANES {
            let z = chunk[lane];
            best[lane] = if z > best[lane] { z } else { best[lane] };
            // 0 for what is below +∞, 1 for the rest and for NaN.
            invalid[lane] += if z < f32::INFINITY { 0.0 } else { 1.0 };
        }
    }
    let best = best.into_iter().fold(f32::NEG_INFINITY, f32::max);
    if sum(&invalid) > 0.0 {
        Best::Invalid
    } else if best == f32::NEG_INFINITY {
        Best::Nothing
    } else {
        Best::Finite(best)
    }
}

/// The best score; without a finite one, the weights are written and there is nothing left to do.
#[inline(always)]
fn best_or_done(row: &mut [Chunk]) -> Option<f32> {
    let all = match best(row) {
        Best::Finite(best) => return Some(best),
        Best::Nothing => 0.0,
        Best::Invalid => f32::NAN,
    };
    row.fill([all; LANES]);
    None
}

#[inline(always)]
fn softmax(row: &mut [Chunk]) {
    let Some(best) = best_or_done(row) else { return };
    let total = exponentials(row, best);
    scale(row, 1.0 / total);
}

#[inline(always)]
fn softmax_one(row: &mut [Chunk]) {
    let Some(best) = best_or_done(row) else { return };
    let best = best.max(0.0);
    let total = exponentials(row, best) + (-best).exp();
    scale(row, 1.0 / total);
}

#[inline(always)]
fn exponentials(row: &mut [Chunk], best: f32) -> f32 {
    row.as_flattened_mut().iter_mut().for_each(|z| *z = exp_f32(*z - best));
    sum_of(row)
}

#[inline(always)]
fn sum_of(row: &[Chunk]) -> f32 {
    let mut totals = [0.0; LANES];
    for chunk in row {
        for lane in 0..LANES {
            totals[lane] += chunk[lane];
        }
    }
    sum(&totals)
}

#[inline(always)]
fn scale(row: &mut [Chunk], factor: f32) {
    row.as_flattened_mut().iter_mut().for_each(|p| *p *= factor);
}

/// Newton's method for Σ \[d − τ\]₊ = 1 from τ = −1, d the distances below the best.
///
/// The sum falls with τ and is convex, so that from the left τ only grows; it ends exactly, once the
/// support stays as it is.
#[inline(always)]
fn sparsemax(row: &mut [Chunk]) {
    let Some(best) = best_or_done(row) else { return };
    let mut tau = -1.0_f32;
    for _ in 0..MOST_STEPS {
        let (mut sums, mut counts) = ([0.0_f32; LANES], [0.0_f32; LANES]);
        for chunk in row.iter() {
            for lane in 0..LANES {
                let d = chunk[lane] - best;
                let inside = d > tau;
                sums[lane] += if inside { d } else { 0.0 };
                counts[lane] += if inside { 1.0 } else { 0.0 };
            }
        }
        let next = (sum(&sums) - 1.0) / sum(&counts);
        if next <= tau || next.is_nan() {
            break;
        }
        tau = next;
    }
    for z in row.as_flattened_mut() {
        let p = *z - best - tau;
        *z = if p > 0.0 { p } else { 0.0 };
    }
}

/// Newton's method for Σ \[x − τ\]₊² = 1 from τ = −1, x half the distances below the best.
///
/// As in [`sparsemax`] τ only grows, now without end: it ends when rounding stops it.
#[inline(always)]
fn entmax15(row: &mut [Chunk]) {
    let Some(best) = best_or_done(row) else { return };
    row.as_flattened_mut().iter_mut().for_each(|z| *z = 0.5 * (*z - best));
    let mut tau = -1.0_f32;
    for _ in 0..MOST_STEPS {
        let (mut sums, mut squares) = ([0.0_f32; LANES], [0.0_f32; LANES]);
        for chunk in row.iter() {
            let mut above = *chunk;
            for x in &mut above {
                *x = (*x - tau).max(0.0);
            }
            for lane in 0..LANES {
                sums[lane] += above[lane];
                squares[lane] += above[lane] * above[lane];
            }
        }
        let step = 0.5 * (sum(&squares) - 1.0) / sum(&sums);
        let next = tau + step;
        if next <= tau || next.is_nan() {
            break;
        }
        tau = next;
        // The next error is at most k/2 times the square of this one, k the size of the support.
        if step < 1e-6 {
            break;
        }
    }
    for x in row.as_flattened_mut() {
        let above = (*x - tau).max(0.0);
        *x = above * above;
    }
}

/// Newton's method for Σ \[εd − τ\]₊^(1/ε) = 1 from τ = −1, in `f64`.
///
/// 1/ε ≥ 1, so that the sum is convex and τ only grows.
#[inline(always)]
fn entmax_of_rows(rows: &mut [f32], length: usize, alpha: f64) {
    let epsilon = alpha - 1.0;
    let inverse = 1.0 / epsilon;
    let n_chunks = length.div_ceil(LANES);
    let mut scaled = vec![[f64::NEG_INFINITY; LANES]; n_chunks];
    let mut powers = vec![[0.0_f64; LANES]; n_chunks];
    let mut slopes = powers.clone();
    each(
        rows,
        length,
        #[inline(always)]
        |row| {
            let Some(best) = best_or_done(row) else { return };
            let best = f64::from(best);
            for (x, z) in scaled.as_flattened_mut().iter_mut().zip(row.as_flattened()) {
                *x = epsilon * (f64::from(*z) - best);
            }
            let mut tau = -1.0;
            for _ in 0..MOST_STEPS {
                let terms = powers.as_flattened_mut().iter_mut().zip(slopes.as_flattened_mut());
                for (x, (power, slope)) in scaled.as_flattened().iter().zip(terms) {
                    let above = x - tau;
                    let inside = above > f64::MIN_POSITIVE;
                    let above = if inside { above } else { 1.0 };
                    let value = exp(inverse * ln(above));
                    *power = if inside { value } else { 0.0 };
                    *slope = if inside { value / above } else { 0.0 };
                }
                let step = (total_of(&powers) - 1.0) / (inverse * total_of(&slopes));
                let next = tau + step;
                if next <= tau || next.is_nan() {
                    break;
                }
                tau = next;
                if step < 1e-7 * epsilon {
                    break;
                }
            }
            for (x, p) in scaled.as_flattened().iter().zip(row.as_flattened_mut()) {
                let above = x - tau;
                let inside = above > f64::MIN_POSITIVE;
                let value = exp(inverse * ln(if inside { above } else { 1.0 }));
                *p = if inside { value as f32 } else { 0.0 };
            }
        },
    );
}

/// Jᵀg = p ∘ (g − ⟨p, g⟩).
#[inline(always)]
fn softmax_vjp(p: &mut [Chunk], g: &mut [Chunk]) {
    let mut means = [0.0; LANES];
    for (p, g) in p.iter().zip(g.iter()) {
        for lane in 0..LANES {
            means[lane] += p[lane] * g[lane];
        }
    }
    let mean = sum(&means);
    for (p, g) in p.iter().zip(g) {
        for lane in 0..LANES {
            g[lane] = p[lane] * (g[lane] - mean);
        }
    }
}

/// Jᵀg = s ∘ (g − ⟨s, g⟩/Σs).
#[inline(always)]
fn slopes_vjp(p: &mut [Chunk], g: &mut [Chunk], slope: impl Fn(f32) -> f32) {
    p.as_flattened_mut().iter_mut().for_each(|p| *p = slope(*p));
    let (mut sums, mut totals) = ([0.0; LANES], [0.0; LANES]);
    for (s, g) in p.iter().zip(g.iter()) {
        for lane in 0..LANES {
            sums[lane] += s[lane] * g[lane];
            totals[lane] += s[lane];
        }
    }
    let total = sum(&totals);
    // Nothing was left: every slope is 0.
    let mean = if total > 0.0 { sum(&sums) / total } else { 0.0 };
    for (s, g) in p.iter().zip(g) {
        for lane in 0..LANES {
            g[lane] = s[lane] * (g[lane] - mean);
        }
    }
}

#[inline(always)]
fn on_support(p: f32) -> f32 {
    if p > 0.0 { 1.0 } else { 0.0 }
}

#[inline(always)]
fn sum(lanes: &Chunk) -> f32 {
    lanes.iter().sum()
}

#[inline(always)]
fn total_of(row: &[Chunk<f64>]) -> f64 {
    let mut totals = [0.0; LANES];
    for chunk in row {
        for lane in 0..LANES {
            totals[lane] += chunk[lane];
        }
    }
    totals.iter().sum()
}

/// exp(x) for x ≤ 0, to two ulps; 0 where it is no normal number.
///
/// x = n ln 2 + r with |r| ≤ ½ ln 2, and the polynomial of Cephes (Moshier) for exp(r).
#[inline(always)]
pub(crate) fn exp_f32(x: f32) -> f32 {
    const LEAST: f32 = -87.336_54;
    // Adding it rounds to an integer, which then stands in the last bits.
    const ROUNDER: f32 = 12_582_912.0; // 1.5 · 2²³
    // ln 2 in two parts: the product of the first and n is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let clamped = if x > LEAST { x } else { LEAST };
    let shifted = clamped * std::f32::consts::LOG2_E + ROUNDER;
    let n = shifted - ROUNDER;
    let r = clamped - n * LN_2_HIGH - n * LN_2_LOW;
    let tail = 8.333_452e-3 + r * (1.398_199_9e-3 + r * 1.987_569_2e-4);
    let tail = 0.5 + r * (1.666_666_6e-1 + r * (4.166_579_6e-2 + r * tail));
    let mantissa = tail * (r * r) + r + 1.0;
    let exponent = shifted.to_bits().wrapping_sub(ROUNDER.to_bits()) << 23;
    let power = f32::from_bits(mantissa.to_bits().wrapping_add(exponent));
    if x < LEAST { 0.0 } else { power }
}

/// exp(x) for x ≤ 0, to a few ulps; 0 where it is no normal number.
///
/// x = n ln 2 + r with |r| ≤ ½ ln 2, and Taylor's polynomial of degree 13, whose rest is below ε.
#[inline(always)]
fn exp(x: f64) -> f64 {
    const LEAST: f64 = -708.0;
    const ROUNDER: f64 = 6_755_399_441_055_744.0; // 1.5 · 2⁵²
    const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    let clamped = if x > LEAST { x } else { LEAST };
    let shifted = clamped * std::f64::consts::LOG2_E + ROUNDER;
    let n = shifted - ROUNDER;
    let r = clamped - n * LN_2_HIGH - n * LN_2_LOW;
    // Written out: a loop in here is not unrolled in time for the rows to become vectors.
    let high = 1.0 / 479_001_600.0 + r * (1.0 / 6_227_020_800.0);
    let high = 1.0 / 3_628_800.0 + r * (1.0 / 39_916_800.0 + r * high);
    let high = 1.0 / 40_320.0 + r * (1.0 / 362_880.0 + r * high);
    let high = 1.0 / 720.0 + r * (1.0 / 5_040.0 + r * high);
    let high = 1.0 / 24.0 + r * (1.0 / 120.0 + r * high);
    let value = 1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * high)));
    let exponent = shifted.to_bits().wrapping_sub(ROUNDER.to_bits()) << 52;
    let power = f64::from_bits(value.to_bits().wrapping_add(exponent));
    if x < LEAST { 0.0 } else { power }
}

/// ln(x) for normal x > 0, to a few ulps of the larger of itself and |x − 1|.
///
/// x = 2ⁿ m with m between √½ and √2, s = (m − 1)/(m + 1), and ln m = 2(s + s³/3 + …) to s²¹, the
/// rest below ε.
#[inline(always)]
fn ln(x: f64) -> f64 {
    const SQRT_HALF_BITS: u64 = 0x3fe6_a09e_667f_3bcd;
    const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    // 2⁵² as bits, with n in the last ones: what is left when it is taken away is n.
    const SHIFT: u64 = 0x4330_0000_0000_0000;
    let offset = x.to_bits().wrapping_sub(SQRT_HALF_BITS).wrapping_add(1023 << 52);
    let n = f64::from_bits(SHIFT | (offset >> 52)) - (4_503_599_627_370_496.0 + 1023.0);
    let mantissa = f64::from_bits((offset & ((1 << 52) - 1)).wrapping_add(SQRT_HALF_BITS));
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let high = 2.0 / 19.0 + square * (2.0 / 21.0);
    let high = 2.0 / 15.0 + square * (2.0 / 17.0 + square * high);
    let high = 2.0 / 11.0 + square * (2.0 / 13.0 + square * high);
    let high = 2.0 / 7.0 + square * (2.0 / 9.0 + square * high);
    let value = 2.0 + square * (2.0 / 3.0 + square * (2.0 / 5.0 + square * high));
    n * LN_2_HIGH + (value * s + n * LN_2_LOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_and_logarithms_are_those_of_std() {
        for i in 0..200_000 {
            let x = -f64::from(i) * 0.003_537;
            let exact = x.exp();
            let bound = 4.0 * f64::EPSILON * exact;
            let vanishes = exact < 1e-307 && exp(x) == 0.0;
            assert!((exp(x) - exact).abs() <= bound || vanishes, "exp({x}): {} {exact}", exp(x));
            let x = x.max(-87.0) as f32;
            let exact = f64::from(x).exp();
            let bound = 2.0 * f64::from(f32::EPSILON) * exact;
            assert!((f64::from(exp_f32(x)) - exact).abs() <= bound, "exp({x})");
            let x = 1e-300 * 1.003_47_f64.powi(i % 200_000);
            if x < 4.0 && x > 0.0 {
                let bound = 4.0 * f64::EPSILON * x.ln().abs().max((x - 1.0).abs());
                assert!((ln(x) - x.ln()).abs() <= bound, "ln({x}): {} {}", ln(x), x.ln());
            }
        }
        assert_eq!((exp(f64::NEG_INFINITY), exp_f32(f32::NEG_INFINITY), ln(1.0)), (0.0, 0.0, 0.0));
    }
}
