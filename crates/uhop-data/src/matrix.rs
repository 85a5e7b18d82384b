//! Rows of f32 or f64: what every reader returns and every writer takes.

use std::fmt;

use ndarray::Array2;

/// A matrix `[n_rows, dim]` of patterns, queries or values, in the precision of its file.
///
/// Readers of this crate return at least one row and one column, in row-major order. NaN and
/// infinities pass through: patterns are checked once, where the memory is made, with the same
/// message for every kind of file.
///
/// # Example
///
/// ```
/// use ndarray::array;
/// use uhop_data::Matrix;
///
/// let matrix = Matrix::from(array![[1.0_f32, 2.0, 3.0]]);
/// assert_eq!((matrix.n_rows(), matrix.dim()), (1, 3));
/// assert_eq!(matrix.into_f64(), array![[1.0, 2.0, 3.0]]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Matrix {
    /// Single precision.
    F32(Array2<f32>),
    /// Double precision.
    F64(Array2<f64>),
}

/// The precision of a [`Matrix`].
///
/// # Example
///
/// ```
/// use uhop_data::Element;
///
/// assert_eq!(Element::F32.to_string(), "f32");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// Single precision.
    F32,
    /// Double precision.
    F64,
}

impl Matrix {
    /// Number of rows.
    ///
    /// # Example
    ///
    /// ```
    /// assert_eq!(uhop_data::Matrix::F32(ndarray::Array2::zeros((2, 3))).n_rows(), 2);
    /// ```
    pub fn n_rows(&self) -> usize {
        match self {
            Self::F32(rows) => rows.nrows(),
            Self::F64(rows) => rows.nrows(),
        }
    }

    /// Number of values in each row.
    ///
    /// # Example
    ///
    /// ```
    /// assert_eq!(uhop_data::Matrix::F32(ndarray::Array2::zeros((2, 3))).dim(), 3);
    /// ```
    pub fn dim(&self) -> usize {
        match self {
            Self::F32(rows) => rows.ncols(),
            Self::F64(rows) => rows.ncols(),
        }
    }

    /// The precision of the values.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_data::{Element, Matrix};
    ///
    /// assert_eq!(Matrix::F64(ndarray::Array2::zeros((2, 3))).element(), Element::F64);
    /// ```
    pub fn element(&self) -> Element {
        match self {
            Self::F32(_) => Element::F32,
            Self::F64(_) => Element::F64,
        }
    }

    /// The rows in single precision: f64 is rounded to nearest, beyond the range of f32 to an
    /// infinity. Without a copy when the values are f32 already.
    ///
    /// # Example
    ///
    /// ```
    /// let matrix = uhop_data::Matrix::from(ndarray::array![[0.1_f64, 1e300]]);
    /// assert_eq!(matrix.into_f32(), ndarray::array![[0.1, f32::INFINITY]]);
    /// ```
    pub fn into_f32(self) -> Array2<f32> {
        match self {
            Self::F32(rows) => rows,
            Self::F64(rows) => rows.mapv(|value| value as f32),
        }
    }

    /// The rows in double precision, exactly. Without a copy when the values are f64 already.
    ///
    /// # Example
    ///
    /// ```
    /// let matrix = uhop_data::Matrix::from(ndarray::array![[0.1_f32]]);
    /// assert_eq!(matrix.into_f64(), ndarray::array![[f64::from(0.1_f32)]]);
    /// ```
    pub fn into_f64(self) -> Array2<f64> {
        match self {
            Self::F32(rows) => rows.mapv(f64::from),
            Self::F64(rows) => rows,
        }
    }

    /// Errors when the rows are not of this element and `dim`.
    pub(crate) fn check_batch(&self, element: Element, dim: usize) -> Result<(), Problem> {
        if (self.element(), self.dim()) == (element, dim) {
            return Ok(());
        }
        let (found_element, found_rows, found_dim) = (self.element(), self.n_rows(), self.dim());
        Err(Problem::Batch { element, dim, found_element, found_rows, found_dim })
    }

    /// Errors when there is nothing to write: the readers refuse such a file.
    pub(crate) fn check_not_empty(&self) -> Result<(), Problem> {
        match (self.n_rows(), self.dim()) {
            (n_rows, dim) if n_rows == 0 || dim == 0 => Err(Problem::Empty { n_rows, dim }),
            _ => Ok(()),
        }
    }
}

impl From<Array2<f32>> for Matrix {
    fn from(rows: Array2<f32>) -> Self {
        Self::F32(rows)
    }
}

impl From<Array2<f64>> for Matrix {
    fn from(rows: Array2<f64>) -> Self {
        Self::F64(rows)
    }
}

impl Element {
    /// Bytes per value.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
        })
    }
}

/// Every matrix a writer refuses.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error("nothing to write: expected at least one row and one column, found [{n_rows}, {dim}]")]
    Empty { n_rows: usize, dim: usize },
    #[error(
        "writing rows: expected batches of {element} of shape [n, {dim}], \
         found {found_element} of shape [{found_rows}, {found_dim}]"
    )]
    Batch {
        element: Element,
        dim: usize,
        found_element: Element,
        found_rows: usize,
        found_dim: usize,
    },
    #[error(
        "name of a member: expected 1 to 255 bytes without slashes and control characters, \
         found {found}"
    )]
    Member { found: String },
    #[error("writing rows: expected {expected} rows in all, found {found}")]
    RowCount { expected: usize, found: usize },
    #[error(
        "writing rows: [{n_rows}, {dim}] take more bytes than this machine can address; write less"
    )]
    TooLarge { n_rows: usize, dim: usize },
    #[error("writing rows: an earlier batch was refused or failed; start the file again")]
    Stopped,
}
