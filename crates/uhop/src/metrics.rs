//! How good a recall is: error, recall rate, cosine, support size, entropy.

use std::ops::RangeInclusive;

use ndarray::{Array1, ArrayView1, ArrayView2, Zip};

use crate::error::{Error, Result};
use crate::patterns::check_rows;
use crate::scalar::Scalar;

/// The sum of squared errors of every query, `[n_queries, dim]` twice → `[n_queries]`:
/// Σ_j (target_j − retrieved_j)², in squared units of the patterns.
///
/// With `range` both are first clamped to it, as the released U-Hop scripts do with \[0, 1\].
///
/// ```
/// use ndarray::array;
/// use uhop::metrics::sum_squared_error;
///
/// let (target, retrieved) = (array![[1.0, 0.0]], array![[3.0, 1.0]]);
/// assert_eq!(sum_squared_error(target.view(), retrieved.view(), None)?, array![5.0]);
/// let clamped = sum_squared_error(target.view(), retrieved.view(), Some(0.0..=1.0))?;
/// assert_eq!(clamped, array![1.0]);
/// # Ok::<(), uhop::Error>(())
/// ```
///
/// # Errors
/// [`is_shape_mismatch`](Error::is_shape_mismatch) unless the shapes are equal;
/// [`is_empty`](Error::is_empty), [`is_non_finite`](Error::is_non_finite);
/// [`is_out_of_domain`](Error::is_out_of_domain) for a range that is empty or NaN.
pub fn sum_squared_error<T: Scalar>(
    target: ArrayView2<'_, T>,
    retrieved: ArrayView2<'_, T>,
    range: Option<RangeInclusive<f64>>,
) -> Result<Array1<f64>> {
    check_pair("sum of squared errors", target, retrieved)?;
    let (low, high) = match range {
        Some(range) if range.start() <= range.end() => (*range.start(), *range.end()),
        Some(range) => {
            let value = format!("{range:?}");
            return Err(Error::domain("sum of squared errors", "range", value, "low to high"));
        }
        None => (f64::NEG_INFINITY, f64::INFINITY),
    };
    let clamp = |value: T| value.widen().clamp(low, high);
    Ok(Zip::from(target.rows()).and(retrieved.rows()).map_collect(|target, retrieved| {
        target.iter().zip(retrieved).map(|(&a, &b)| (clamp(a) - clamp(b)).powi(2)).sum()
    }))
}

/// The share of `errors` that are at most `threshold`, between 0 and 1.
///
/// ```
/// use ndarray::array;
/// use uhop::metrics::recall_rate;
///
/// assert_eq!(recall_rate(array![0.0, 1.0, 3.0, 80.0].view(), 1.0)?, 0.5);
/// # Ok::<(), uhop::Error>(())
/// ```
///
/// # Errors
/// [`is_empty`](Error::is_empty) without errors to count, [`is_non_finite`](Error::is_non_finite);
/// [`is_out_of_domain`](Error::is_out_of_domain) for a threshold below 0 or NaN.
pub fn recall_rate(errors: ArrayView1<'_, f64>, threshold: f64) -> Result<f64> {
    if errors.is_empty() {
        let need = "at least one error is needed";
        return Err(Error::empty("recall rate", "the errors", errors.shape(), need));
    }
    if threshold.is_nan() || threshold < 0.0 {
        return Err(Error::domain("recall rate", "threshold", threshold, "at least 0"));
    }
    if let Some(i) = errors.iter().position(|error| !error.is_finite()) {
        return Err(Error::non_finite("recall rate", "the errors", &[i], errors[i]));
    }
    let recalled = errors.iter().filter(|&&error| error <= threshold).count();
    Ok(recalled as f64 / errors.len() as f64)
}

/// The cosine of target and retrieved for every query, `[n_queries, dim]` twice → `[n_queries]`;
/// 0 when either is zero.
///
/// ```
/// use ndarray::array;
/// use uhop::metrics::cosine;
///
/// let (target, retrieved) = (array![[1.0, 0.0], [1.0, 1.0]], array![[0.0, 2.0], [3.0, 3.0]]);
/// let cosine = cosine(target.view(), retrieved.view())?;
/// assert_eq!(cosine[0], 0.0);
/// assert!((cosine[1] - 1.0).abs() < 4.0 * f64::EPSILON);
/// # Ok::<(), uhop::Error>(())
/// ```
///
/// # Errors
/// [`is_shape_mismatch`](Error::is_shape_mismatch) unless the shapes are equal;
/// [`is_empty`](Error::is_empty), [`is_non_finite`](Error::is_non_finite).
pub fn cosine<T: Scalar>(
    target: ArrayView2<'_, T>,
    retrieved: ArrayView2<'_, T>,
) -> Result<Array1<f64>> {
    check_pair("cosine", target, retrieved)?;
    Ok(Zip::from(target.rows()).and(retrieved.rows()).map_collect(|target, retrieved| {
        // Each relative to its largest entry, so that no square overflows or vanishes.
        let largest = |row: ArrayView1<'_, T>| {
            row.fold(0.0, |largest: f64, x| largest.max(x.widen().abs())).max(f64::MIN_POSITIVE)
        };
        let (a, b) = (largest(target), largest(retrieved));
        let sum = |terms: &dyn Fn(f64, f64) -> f64| -> f64 {
            let pairs = target.iter().zip(retrieved);
            pairs.map(|(x, y)| terms(x.widen() / a, y.widen() / b)).sum()
        };
        let norms = sum(&|x, _| x * x).sqrt() * sum(&|_, y| y * y).sqrt();
        if norms > 0.0 { sum(&|x, y| x * y) / norms } else { 0.0 }
    }))
}

/// How many weights of every query exceed `threshold`, `[n_queries, n_patterns]` → `[n_queries]`.
///
/// At threshold 0 this is the support size. Softmax has full support; metastable states are
/// counted there with a small threshold, often 0.01.
///
/// ```
/// use ndarray::array;
/// use uhop::metrics::support_size;
///
/// let weights = array![[0.9, 0.1, 0.0], [0.6, 0.395, 0.005]];
/// assert_eq!(support_size(weights.view(), 0.0)?, array![2, 3]);
/// assert_eq!(support_size(weights.view(), 0.01)?, array![2, 2]);
/// # Ok::<(), uhop::Error>(())
/// ```
///
/// # Errors
/// [`is_out_of_domain`](Error::is_out_of_domain) for a threshold below 0 or NaN;
/// [`is_empty`](Error::is_empty), [`is_non_finite`](Error::is_non_finite) for such weights.
pub fn support_size<T: Scalar>(
    weights: ArrayView2<'_, T>,
    threshold: f64,
) -> Result<Array1<usize>> {
    if threshold.is_nan() || threshold < 0.0 {
        return Err(Error::domain("support size", "threshold", threshold, "at least 0"));
    }
    check_rows("support size", "the weights", weights)?;
    let above = |p: &&T| p.widen() > threshold;
    Ok(weights.rows().into_iter().map(|row| row.iter().filter(above).count()).collect())
}

/// The Shannon entropy −Σ p_i ln p_i of the weights of every query, in nats,
/// `[n_queries, n_patterns]` → `[n_queries]`: 0 when one-hot, ln(n_patterns) when uniform.
///
/// ```
/// use ndarray::array;
/// use uhop::metrics::entropy;
///
/// let entropy = entropy(array![[1.0, 0.0], [0.5, 0.5]].view())?;
/// assert_eq!(entropy[0], 0.0);
/// assert!((entropy[1] - 2.0_f64.ln()).abs() < f64::EPSILON);
/// # Ok::<(), uhop::Error>(())
/// ```
///
/// # Errors
/// [`is_empty`](Error::is_empty) or [`is_non_finite`](Error::is_non_finite) for such weights.
pub fn entropy<T: Scalar>(weights: ArrayView2<'_, T>) -> Result<Array1<f64>> {
    check_rows("entropy", "the weights", weights)?;
    let term = |p: &T| {
        let p = p.widen();
        if p > 0.0 { -p * p.ln() } else { 0.0 }
    };
    Ok(weights.rows().into_iter().map(|row| row.iter().map(term).sum()).collect())
}

fn check_pair<T: Scalar>(
    operation: &'static str,
    target: ArrayView2<'_, T>,
    retrieved: ArrayView2<'_, T>,
) -> Result<()> {
    if target.dim() == retrieved.dim() {
        check_rows(operation, "the targets", target)?;
        return check_rows(operation, "the retrieved", retrieved);
    }
    Err(Error::shape(
        operation,
        ("the targets", target.shape()),
        ("the retrieved", retrieved.shape()),
        "both need the same shape",
    ))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn shapes_and_thresholds_are_checked() {
        let (one, two) = (array![[1.0]], array![[1.0, 2.0]]);
        assert!(sum_squared_error(one.view(), two.view(), None).unwrap_err().is_shape_mismatch());
        assert!(cosine(one.view(), two.view()).unwrap_err().is_shape_mismatch());
        let nan = sum_squared_error(one.view(), one.view(), Some(f64::NAN..=1.0));
        assert!(nan.unwrap_err().is_out_of_domain());
        let reversed = sum_squared_error(one.view(), one.view(), Some(1.0..=0.0));
        assert!(reversed.unwrap_err().is_out_of_domain());
        assert!(recall_rate(array![].view(), 1.0).unwrap_err().is_empty());
        for bad in [-1.0, f64::NAN] {
            assert!(recall_rate(array![1.0].view(), bad).unwrap_err().is_out_of_domain());
            assert!(support_size(one.view(), bad).unwrap_err().is_out_of_domain());
        }
    }

    #[test]
    fn numbers_that_are_not_finite_are_errors() {
        let (nan, one) = (array![[f64::NAN]], array![[1.0]]);
        assert!(sum_squared_error(nan.view(), one.view(), None).unwrap_err().is_non_finite());
        assert!(cosine(one.view(), nan.view()).unwrap_err().is_non_finite());
        assert!(recall_rate(array![f64::INFINITY].view(), 1.0).unwrap_err().is_non_finite());
        assert!(support_size(nan.view(), 0.0).unwrap_err().is_non_finite());
        assert!(entropy(nan.view()).unwrap_err().is_non_finite());
    }

    #[test]
    fn cosines_of_extreme_vectors_are_exact() {
        for scale in [1e-300, 1e-90, 1e160, 1e300] {
            let row = array![[3.0 * scale, 4.0 * scale]];
            let cosine = cosine(row.view(), array![[4.0, 3.0]].view()).unwrap()[0];
            assert!((cosine - 0.96).abs() < 8.0 * f64::EPSILON, "{scale} {cosine}");
        }
    }

    #[test]
    fn zero_vectors_have_cosine_zero() {
        let cosine = cosine(array![[0.0_f32, 0.0]].view(), array![[1.0, 2.0]].view()).unwrap();
        assert_eq!(cosine, array![0.0]);
    }
}
