//! The readout x⁺ = pᵀV: the values weighted and summed.

use ndarray::{Array2, ArrayView2};

use crate::error::{Error, Result};
use crate::patterns::check_rows;
use crate::product::product;
use crate::scalar::Scalar;

/// The readout of every row of weights, `[n_queries, n_patterns]` · `[n_patterns, dim_out]` →
/// `[n_queries, dim_out]`.
///
/// Linear in the weights. For weights on the simplex the result is a convex combination of values.
///
/// ```
/// use ndarray::array;
///
/// let values = array![[2.0, 0.0], [0.0, 4.0]];
/// assert_eq!(uhop::readout(array![[0.5, 0.5]].view(), values.view())?, array![[1.0, 2.0]]);
/// # Ok::<(), uhop::Error>(())
/// ```
///
/// # Errors
/// [`is_shape_mismatch`](Error::is_shape_mismatch) unless there are as many weights as values;
/// [`is_empty`](Error::is_empty), [`is_non_finite`](Error::is_non_finite).
pub fn readout<T: Scalar>(
    weights: ArrayView2<'_, T>,
    values: ArrayView2<'_, T>,
) -> Result<Array2<T>> {
    if weights.ncols() != values.nrows() {
        return Err(Error::shape(
            "readout",
            ("the weights", weights.shape()),
            ("the values", values.shape()),
            "there must be one value (row) for each weight (column)",
        ));
    }
    check_rows("readout", "the weights", weights)?;
    check_rows("readout", "the values", values)?;
    Ok(readout_of_checked(weights, values))
}

pub(crate) fn readout_of_checked<T: Scalar>(
    weights: ArrayView2<'_, T>,
    values: ArrayView2<'_, T>,
) -> Array2<T> {
    product(weights, values)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn weights_and_values_must_match() {
        let error = readout(array![[1.0, 0.0]].view(), array![[1.0]].view()).unwrap_err();
        assert!(error.is_shape_mismatch());
        assert!(error.to_string().contains("[1, 2]") && error.to_string().contains("[1, 1]"));
    }
}
