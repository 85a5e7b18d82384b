//! How many patterns theory promises: the capacity of random patterns on a sphere, and how far apart
//! points on a sphere can be.

use crate::error::{Error, Result, positive};

/// A lower bound on the number of random patterns that a memory stores, n = √p·c^((d−1)/4).
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Capacity {
    /// c, by which the bound grows with the dimension.
    pub base: f64,
    /// ln n, as n itself soon exceeds every number type; below ln 2 nothing is promised.
    pub ln_n_patterns: f64,
}

/// The capacity of the dense modern Hopfield model for random patterns on a sphere.
///
/// Patterns drawn uniformly from the sphere of radius K√(d−1), d = `dim` and K = `radius_factor`, are
/// stored with probability 1 − p, p = `failure`, as long as there are at most
///
/// ```text
/// n = √p·c^((d−1)/4),  c = b/W₀(exp(a + ln b)),  a = 2(1 + ln(2βK²p(d−1)))/(d−1),  b = 2K²β/5,
/// ```
///
/// W₀ the upper branch of Lambert's W (Ramsauer et al. 2021). It is proved where c ≥ (2/√p)^(4/(d−1)), which
/// is where it promises two patterns or more.
///
/// ```
/// use uhop::capacity::dense_capacity;
///
/// // The two examples of the paper.
/// assert!(dense_capacity(1.0, 3.0, 20, 0.001)?.base >= 3.1546);
/// assert!(dense_capacity(1.0, 1.0, 75, 0.001)?.base >= 1.3718);
/// # Ok::<(), uhop::Error>(())
/// ```
///
/// # Errors
/// [`is_out_of_domain`](Error::is_out_of_domain) unless β and K are finite and above 0, d is at least 2
/// and 0 < p ≤ 1.
pub fn dense_capacity(beta: f64, radius_factor: f64, dim: usize, failure: f64) -> Result<Capacity> {
    let operation = "capacity";
    positive(operation, "beta", beta)?;
    positive(operation, "radius_factor", radius_factor)?;
    if dim < 2 {
        return Err(Error::domain(operation, "dim", dim, "at least 2"));
    }
    if !(failure > 0.0 && failure <= 1.0) {
        return Err(Error::domain(operation, "failure", failure, "above 0 and at most 1"));
    }
    let freedom = (dim - 1) as f64;
    // Logarithms throughout: K² may overflow.
    let ln_radius = radius_factor.ln();
    let ln_b = 2.0_f64.ln() - 5.0_f64.ln() + 2.0 * ln_radius + beta.ln();
    let ln_inner = 2.0_f64.ln() + beta.ln() + 2.0 * ln_radius + failure.ln() + freedom.ln();
    let a = 2.0 / freedom * (1.0 + ln_inner);
    // With w = W₀(exp(x)): ln c = ln b − ln w, and w + ln w = x.
    let ln_base = ln_b - ln_lambert_of_exp(a + ln_b);
    let ln_n_patterns = 0.5 * failure.ln() + freedom / 4.0 * ln_base;
    Ok(Capacity { base: ln_base.exp(), ln_n_patterns })
}

/// y = ln W₀(exp(x)), the root of exp(y) + y = x.
///
/// The left side is convex and its slope at least 1, so Newton's method from the right of the root falls to
/// it; max(x, ln x) bounds it from above, as exp(y) > 0 and, for y ≥ 0, as y ≥ 0.
fn ln_lambert_of_exp(x: f64) -> f64 {
    let mut y = if x > 1.0 { x.ln() } else { x };
    loop {
        let next = y - (y.exp() + y - x) / (y.exp() + 1.0);
        if next >= y || next.is_nan() {
            return y;
        }
        y = next;
    }
}

/// Bounds on the separation of spherical codes, 1 − cos of the smallest angle between two points.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct CodeSeparation {
    /// The best arrangement has at least this separation.
    pub at_least: f64,
    /// No arrangement has more than this.
    pub at_most: f64,
}

/// Bounds on how far apart `n_patterns` points on the unit sphere of ℝᵈ, d = `dim`, can be, as the
/// separation 1 − cos θ of the closest two.
///
/// ```text
/// ½·(√π/n · Γ((d+1)/2)/Γ(d/2+1))^(2/(d−1)) ≤ max min (1 − cos θ) ≤ 2·(2√π/n · Γ((d+1)/2)/Γ(d/2))^(1/(d−1))
/// ```
///
/// by covering and packing the sphere with caps, as the released code of U-Hop+ states them (Hu, Wu, Liu
/// 2024). They are loose: of 12 points in three dimensions, the corners of an icosahedron, the separation
/// is .553.
///
/// ```
/// use uhop::capacity::code_separation;
///
/// let bounds = code_separation(12, 3)?;
/// assert!((bounds.at_least - 0.056).abs() < 5e-4 && (bounds.at_most - 1.155).abs() < 5e-4);
/// # Ok::<(), uhop::Error>(())
/// ```
///
/// # Errors
/// [`is_out_of_domain`](Error::is_out_of_domain) for fewer than two points or dimensions.
pub fn code_separation(n_patterns: usize, dim: usize) -> Result<CodeSeparation> {
    let operation = "spherical code";
    for (what, value) in [("n_patterns", n_patterns), ("dim", dim)] {
        if value < 2 {
            return Err(Error::domain(operation, what, value, "at least 2"));
        }
    }
    let (n, freedom) = (n_patterns as f64, (dim - 1) as f64);
    let root_pi = std::f64::consts::PI.sqrt();
    // ρ(d) = Γ((d+1)/2)/Γ(d/2), from ρ(1) = 1/√π by ρ(d)·ρ(d+1) = d/2.
    let ratio = (1..dim).fold(1.0 / root_pi, |ratio, d| d as f64 / 2.0 / ratio);
    let next = dim as f64 / 2.0 / ratio;
    let at_least = 0.5 * (root_pi / n / next).powf(2.0 / freedom);
    let at_most = 2.0 * (2.0 * root_pi / n * ratio).powf(1.0 / freedom);
    // Antipodes are 2 apart, more is not to be had.
    Ok(CodeSeparation { at_least, at_most: at_most.min(2.0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// exp(y) + y is off by an ulp of each part, and its slope is at least 1.
    #[test]
    fn lambert_solves_its_equation() {
        for x in [-700.0, -30.0, -1.0, 0.0, 0.5, 1.0, 1.0000001, 2.0, 10.0, 1e3, 1e10, 1e300] {
            let y = ln_lambert_of_exp(x);
            let error = (y.exp() + y - x).abs();
            // y is off by an ulp of itself, and exp(y) by y ulps of it.
            let bound = 4.0 * f64::EPSILON * (1.0 + x.abs()) * (1.0 + y.abs());
            assert!(error <= bound, "{x} {y} {error:e}");
        }
    }

    /// The constants printed in the paper, rounded down in their last digit.
    #[test]
    fn capacities_are_those_of_the_paper() {
        let digits = |base: f64| (base * 1e4).floor() / 1e4;
        let first = dense_capacity(1.0, 3.0, 20, 0.001).unwrap();
        let second = dense_capacity(1.0, 1.0, 75, 0.001).unwrap();
        assert_eq!((digits(first.base), digits(second.base)), (3.1546, 1.3718));
        let expected = 0.5 * 0.001_f64.ln() + 19.0 / 4.0 * first.base.ln();
        assert!((first.ln_n_patterns - expected).abs() < 1e-12);
    }

    #[test]
    fn more_freedom_stores_more() {
        let ln_n = |beta, k, dim, p| dense_capacity(beta, k, dim, p).unwrap().ln_n_patterns;
        assert!(ln_n(1.0, 3.0, 40, 0.001) > ln_n(1.0, 3.0, 20, 0.001));
        assert!(ln_n(2.0, 3.0, 20, 0.001) > ln_n(1.0, 3.0, 20, 0.001));
        assert!(ln_n(1.0, 4.0, 20, 0.001) > ln_n(1.0, 3.0, 20, 0.001));
        assert!(ln_n(1e300, 1e300, 20, 0.001).is_finite());
    }

    /// Evaluated elsewhere, for points whose best separation is known: tetrahedron, icosahedron and
    /// 130 points 18.51 degrees apart.
    #[test]
    fn known_codes_lie_within_the_bounds() {
        for (n, at_least, known, at_most) in [
            (4, 0.167, 4.0 / 3.0, 2.0),
            (12, 0.056, 1.0 - 1.0 / 5.0_f64.sqrt(), 1.155),
            (130, 0.0051, 1.0 - 18.51_f64.to_radians().cos(), 0.351),
        ] {
            let bounds = code_separation(n, 3).unwrap();
            assert!((bounds.at_least / at_least - 1.0).abs() < 1e-2, "{n} {bounds:?}");
            assert!((bounds.at_most / at_most - 1.0).abs() < 1e-2, "{n} {bounds:?}");
            assert!(bounds.at_least < known && known < bounds.at_most, "{n} {bounds:?}");
        }
        // Of n points on a circle the neighbours are 2π/n apart; the simplex is the best of d + 1.
        for n in 2..50 {
            let known = 1.0 - (2.0 * std::f64::consts::PI / n as f64).cos();
            let bounds = code_separation(n, 2).unwrap();
            assert!(bounds.at_least < known && known <= bounds.at_most, "{n} {bounds:?}");
        }
        for dim in 2..50 {
            let known = 1.0 + 1.0 / dim as f64;
            let bounds = code_separation(dim + 1, dim).unwrap();
            assert!(bounds.at_least < known && known <= bounds.at_most, "{dim} {bounds:?}");
        }
    }

    #[test]
    fn parameters_outside_their_domain_are_errors() {
        for (beta, k, dim, p) in [
            (0.0, 1.0, 9, 0.1),
            (1.0, f64::NAN, 9, 0.1),
            (1.0, 1.0, 1, 0.1),
            (1.0, 1.0, 9, 0.0),
            (1.0, 1.0, 9, 1.5),
        ] {
            assert!(dense_capacity(beta, k, dim, p).unwrap_err().is_out_of_domain());
        }
        assert!(code_separation(1, 3).unwrap_err().is_out_of_domain());
        assert!(code_separation(4, 1).unwrap_err().is_out_of_domain());
    }
}
