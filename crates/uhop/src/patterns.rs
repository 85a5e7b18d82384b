//! Rows of finite numbers: checked once here, trusted everywhere after.

use std::fmt;
use std::sync::Arc;

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

use crate::error::{Error, Result};
use crate::scalar::Scalar;
use crate::simd;

/// Stored patterns Ξ, `[n_patterns, dim]`: one pattern a row, finite, at least one row and one
/// column.
///
/// The only way in is a constructor that checks, so that no later stage checks again. Cloning is
/// cheap: the entries are shared.
///
/// ```
/// use ndarray::array;
/// use uhop::Patterns;
///
/// let patterns = Patterns::new(array![[1.0_f32, 0.0, 0.0], [0.0, 1.0, 0.0]])?;
/// assert_eq!((patterns.n_patterns(), patterns.dim()), (2, 3));
/// assert_eq!(patterns.row(1), array![0.0, 1.0, 0.0]);
/// # Ok::<(), uhop::Error>(())
/// ```
#[derive(Clone)]
pub struct Patterns<T> {
    /// Row-major; of this many entries or more, always the same.
    entries: Entries<T>,
    n_patterns: usize,
    dim: usize,
}

/// Numbers that are shared, whoever owns them: a vector, or a file mapped into memory.
pub(crate) type Entries<T> = Arc<dyn AsRef<[T]> + Send + Sync>;

impl<T: Scalar> Patterns<T> {
    /// Checks `rows`, `[n_patterns, dim]`, and keeps them in row-major order (copying only if they
    /// are not).
    ///
    /// # Errors
    /// [`is_empty`](Error::is_empty) for no rows or no columns,
    /// [`is_non_finite`](Error::is_non_finite) for a NaN or an infinity.
    pub fn new(rows: Array2<T>) -> Result<Self> {
        check_rows("patterns", "the patterns", rows.view())?;
        let (n_patterns, dim) = rows.dim();
        let rows =
            if rows.is_standard_layout() { rows } else { rows.as_standard_layout().to_owned() };
        let entries = match rows.into_raw_vec_and_offset() {
            (entries, None | Some(0)) => entries,
            // A part of a larger array, which is not kept alive for it.
            (entries, Some(offset)) => entries[offset..offset + n_patterns * dim].to_vec(),
        };
        Ok(Self { entries: Arc::new(entries), n_patterns, dim })
    }

    /// Entries that are elsewhere, row-major, as many as `n_patterns` × `dim` and always the same;
    /// whether they are finite is not looked at.
    pub(crate) fn from_shared(entries: Entries<T>, n_patterns: usize, dim: usize) -> Result<Self> {
        debug_assert_eq!(Some((*entries).as_ref().len()), n_patterns.checked_mul(dim));
        let patterns = Self { entries, n_patterns, dim };
        check_not_empty("patterns", "the patterns", &[n_patterns, dim])?;
        Ok(patterns)
    }

    /// That every entry is finite, as [`new`](Self::new) checks.
    pub(crate) fn check_finite(&self) -> Result<()> {
        check_finite("patterns", "the patterns", self.view())
    }

    /// The number of stored patterns, at least 1.
    pub fn n_patterns(&self) -> usize {
        self.n_patterns
    }

    /// The number of entries of a pattern, at least 1.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// All patterns, `[n_patterns, dim]`, row-major.
    pub fn view(&self) -> ArrayView2<'_, T> {
        self.rows()
    }

    /// Pattern `index`, `[dim]`.
    ///
    /// # Panics
    /// When `index` is not below [`n_patterns`](Self::n_patterns).
    pub fn row(&self, index: usize) -> ArrayView1<'_, T> {
        self.view().index_axis_move(Axis(0), index)
    }

    /// The first `n_patterns` patterns, sharing their entries. The released U-Hop retrieval
    /// scripts train Stage I on the first half of the memory.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::Patterns;
    ///
    /// let patterns = Patterns::new(array![[1.0_f64], [2.0], [3.0]])?;
    /// assert_eq!(patterns.first(2)?.view(), array![[1.0], [2.0]]);
    /// assert!(patterns.first(4).unwrap_err().is_out_of_domain());
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_out_of_domain`](Error::is_out_of_domain) unless `1 <= n_patterns <= self.n_patterns()`.
    pub fn first(&self, n_patterns: usize) -> Result<Self> {
        if n_patterns == 0 || n_patterns > self.n_patterns() {
            let domain = format!("from 1 to {}, the patterns stored", self.n_patterns());
            return Err(Error::domain("patterns", "n_patterns", n_patterns, domain));
        }
        Ok(Self { n_patterns, ..self.clone() })
    }
}

impl<T> Patterns<T> {
    fn rows(&self) -> ArrayView2<'_, T> {
        let entries = &(*self.entries).as_ref()[..self.n_patterns * self.dim];
        ArrayView2::from_shape((self.n_patterns, self.dim), entries)
            .expect("as many entries as the shape has")
    }
}

/// Equal shapes and equal entries, wherever they are kept.
impl<T: PartialEq> PartialEq for Patterns<T> {
    fn eq(&self, other: &Self) -> bool {
        self.rows() == other.rows()
    }
}

impl<T: fmt::Debug> fmt::Debug for Patterns<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Patterns").field(&self.rows()).finish()
    }
}

/// Finite, at least one row and one column.
pub(crate) fn check_rows<T: Scalar>(
    operation: &'static str,
    what: &'static str,
    rows: ArrayView2<'_, T>,
) -> Result<()> {
    check_not_empty(operation, what, rows.shape())?;
    check_finite(operation, what, rows)
}

fn check_not_empty(operation: &'static str, what: &'static str, shape: &[usize]) -> Result<()> {
    if shape.contains(&0) {
        let need = "at least one row and one column are needed";
        return Err(Error::empty(operation, what, shape, need));
    }
    Ok(())
}

fn check_finite<T: Scalar>(
    operation: &'static str,
    what: &'static str,
    rows: ArrayView2<'_, T>,
) -> Result<()> {
    match first_not_finite(rows) {
        None => Ok(()),
        Some(index) => Err(Error::non_finite(operation, what, &index, rows[index].widen())),
    }
}

/// The index of the first entry that is not finite, row by row. Rows that are slices are judged whole.
pub(crate) fn first_not_finite<T: Scalar>(rows: ArrayView2<'_, T>) -> Option<[usize; 2]> {
    let is_finite = |row: ArrayView1<'_, T>| match row.to_slice() {
        Some(row) => simd::are_finite(row),
        None => row.iter().all(|value| value.is_finite()),
    };
    let (i, row) = rows.outer_iter().enumerate().find(|&(_, row)| !is_finite(row))?;
    row.iter().position(|value| !value.is_finite()).map(|j| [i, j])
}

/// States or queries `[n_queries, dim]` that fit `patterns`.
pub(crate) fn check_states<T: Scalar>(
    operation: &'static str,
    what: &'static str,
    states: ArrayView2<'_, T>,
    patterns: ArrayView2<'_, T>,
) -> Result<()> {
    check_rows(operation, what, states)?;
    if states.ncols() != patterns.ncols() {
        return Err(Error::shape(
            operation,
            (what, states.shape()),
            ("the memory", patterns.shape()),
            "both need the same dim (columns)",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    #[test]
    fn empty_and_non_finite_rows_are_errors() {
        for shape in [(0, 3), (3, 0), (0, 0)] {
            let error = Patterns::new(Array2::<f32>::zeros(shape)).unwrap_err();
            assert!(error.is_empty(), "{error}");
        }
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let error = Patterns::new(array![[0.0, 1.0], [bad, 2.0]]).unwrap_err();
            assert!(error.is_non_finite());
            assert!(error.to_string().contains("[1, 0]"), "{error}");
        }
    }

    #[test]
    fn other_layouts_hold_the_same_rows() {
        let columns = array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]].reversed_axes();
        assert!(!columns.is_standard_layout());
        let patterns = Patterns::new(columns.clone()).unwrap();
        assert!(patterns.view().is_standard_layout());
        assert_eq!(patterns.view(), columns);
    }
}
