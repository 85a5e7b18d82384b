//! The two number types a memory can hold.

/// `f32` or `f64`: the type of the stored patterns.
///
/// Sealed: the dense products exist for these two. Matrices are kept and
/// multiplied in this type; everything that is summed along a row of scores (separations, losses,
/// energies, metrics) is computed in `f64` and rounded once.
pub trait Scalar: sealed::Sealed + ndarray::NdFloat {
    /// The name in error messages: `"f32"` or `"f64"`.
    const NAME: &'static str;

    /// Rounds an `f64` to this type.
    fn narrow(value: f64) -> Self;

    /// Widens to `f64`, without loss.
    fn widen(self) -> f64;
}

impl Scalar for f32 {
    const NAME: &'static str = "f32";

    #[inline(always)]
    fn narrow(value: f64) -> Self {
        value as f32
    }

    #[inline(always)]
    fn widen(self) -> f64 {
        f64::from(self)
    }
}

impl Scalar for f64 {
    const NAME: &'static str = "f64";

    #[inline(always)]
    fn narrow(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn widen(self) -> f64 {
        self
    }
}

impl sealed::Sealed for f32 {
    const LEAST_EXPONENT: Self = -87.336_54;

    /// Without branches, so that loops over it become vector instructions.
    ///
    /// x = n ln 2 + r with |r| ≤ ½ ln 2, and the polynomial of Cephes (Moshier) for exp(r).
    #[inline(always)]
    fn exp_of_non_positive(self) -> Self {
        // Adding it rounds to an integer, which then stands in the last bits.
        const ROUNDER: f32 = 12_582_912.0; // 1.5 · 2²³
        // ln 2 in two parts: the product of the first and n is exact.
        const LN_2_HIGH: f32 = 0.693_359_4;
        const LN_2_LOW: f32 = -2.121_944_4e-4;
        let x = if self > Self::LEAST_EXPONENT { self } else { Self::LEAST_EXPONENT };
        let shifted = x * std::f32::consts::LOG2_E + ROUNDER;
        let n = shifted - ROUNDER;
        let r = x - n * LN_2_HIGH - n * LN_2_LOW;
        let mut tail = 1.987_569_2e-4;
        for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_6e-1, 0.5] {
            tail = tail * r + coefficient;
        }
        let mantissa = tail * (r * r) + r + 1.0;
        let exponent = shifted.to_bits().wrapping_sub(ROUNDER.to_bits()) << 23;
        let power = f32::from_bits(mantissa.to_bits().wrapping_add(exponent));
        if self < Self::LEAST_EXPONENT { 0.0 } else { power }
    }
}

impl sealed::Sealed for f64 {
    const LEAST_EXPONENT: Self = -708.396_418_532_264_1;

    #[inline(always)]
    fn exp_of_non_positive(self) -> Self {
        let (mantissa, n) = exponential(self.max(Self::LEAST_EXPONENT));
        if self < Self::LEAST_EXPONENT { 0.0 } else { times_power_of_two(mantissa, n) }
    }
}

/// exp(x) for x ≤ 0, to two ulps, where numbers are not normal too. Not for NaN, which is lost.
#[inline(always)]
pub(crate) fn gradual_exponential(x: f64) -> f64 {
    // Less than half of the smallest number.
    const NOTHING: f64 = -746.0;
    // Keeps 2ⁿ a normal number. The last product is exact, or rounds once.
    const RAISE: u64 = 1000;
    const LOWER: f64 = times_power_of_two(1.0, RAISE.wrapping_neg());
    let (mantissa, n) = exponential(x.max(NOTHING));
    times_power_of_two(mantissa, n.wrapping_add(RAISE)) * LOWER
}

/// exp(x) = m·2ⁿ for |n| below 2²¹, with m from 1/√2 to √2; n by the last bits of a `u64`.
///
/// Without branches, so that loops over it become vector instructions: x = n ln 2 + r with |r| ≤ ½ ln 2,
/// and the Taylor polynomial of exp(r) of degree 13, whose remainder is below |r|¹⁴/14! · e^|r| ≤ 6e-18.
#[inline(always)]
fn exponential(x: f64) -> (f64, u64) {
    // Adding it rounds to an integer, which then stands in the last bits.
    const ROUNDER: f64 = 6_755_399_441_055_744.0; // 1.5 · 2⁵²
    // ln 2 in two parts: the product of n and the first, which has 32 bits, is exact.
    const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    let shifted = x * std::f64::consts::LOG2_E + ROUNDER;
    let n = shifted - ROUNDER;
    let r = x - n * LN_2_HIGH - n * LN_2_LOW;
    let mut tail = INVERSE_FACTORIALS[13];
    for k in (2..13).rev() {
        tail = tail * r + INVERSE_FACTORIALS[k];
    }
    (tail * (r * r) + r + 1.0, shifted.to_bits().wrapping_sub(ROUNDER.to_bits()))
}

/// m·2ⁿ by its bits; the result has to be a normal number.
#[inline(always)]
const fn times_power_of_two(mantissa: f64, n: u64) -> f64 {
    f64::from_bits(mantissa.to_bits().wrapping_add(n << 52))
}

/// 1/k!; the factorials are exact.
const INVERSE_FACTORIALS: [f64; 14] = {
    let mut inverses = [1.0; 14];
    let (mut k, mut factorial) = (1, 1.0);
    while k < inverses.len() {
        factorial *= k as f64;
        inverses[k] = 1.0 / factorial;
        k += 1;
    }
    inverses
};

/// The rounded sum and what rounding took from it, exactly (Knuth's two-sum).
#[inline(always)]
pub(crate) fn add_exactly(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let rest = sum - a;
    (sum, (a - (sum - rest)) + (b - rest))
}

mod sealed {
    /// What the outside need not know: the bridge to the matrix-product crate, and an exponential.
    pub trait Sealed: faer::traits::RealField {
        /// The logarithm of the smallest normal number, rounded up.
        const LEAST_EXPONENT: Self;

        /// exp(x) for x ≤ 0, to two ulps; 0 for x below `LEAST_EXPONENT`. Not for NaN, which is lost.
        fn exp_of_non_positive(self) -> Self;
    }
}
