//! Every argument a corruption refuses.

use std::ops::Range;

use super::Corruption;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error("Gaussian noise: expected a finite std of at least 0, found {found}")]
    Std { found: f64 },
    #[error("Gaussian noise: expected a norm from 0 to 1.7e38, found {found}")]
    Norm { found: f64 },
    #[error("{corruption}: expected a share above 0 and below 1, found {found}")]
    Share { corruption: &'static str, found: f64 },
    #[error(
        "occluded region: expected a part of the {height} rows and {width} columns, found the rows \
         {lines:?} and columns {columns:?}"
    )]
    Region { height: usize, width: usize, lines: Range<usize>, columns: Range<usize> },
    #[error(
        "occluded half: expected images of at least 2 rows and 1 column, and of a size this \
         machine can address, found {height} x {width}"
    )]
    ImageSize { height: usize, width: usize },
    #[error(
        "{corruption}: expected at least one pattern of at least one value, \
         found the shape [{n_patterns}, {dim}]"
    )]
    Empty { corruption: Corruption, n_patterns: usize, dim: usize },
    #[error(
        "{corruption}: expected patterns of shape [n_patterns, {}], found [{n_patterns}, {dim}]; \
         give the height and width of the images",
        height * width
    )]
    Dim { corruption: Corruption, height: usize, width: usize, n_patterns: usize, dim: usize },
    #[error(
        "{corruption}: expected finite values, found {value} in pattern {row} at position {column}; \
         remove or replace such values"
    )]
    NonFinite { corruption: Corruption, row: usize, column: usize, value: f32 },
    #[error(
        "{corruption}: the value {value:e} of pattern {row} at position {column} overflows, expected at \
         most {limit:e}; scale the patterns first"
    )]
    Overflow { corruption: Corruption, row: usize, column: usize, value: f32, limit: f32 },
}
