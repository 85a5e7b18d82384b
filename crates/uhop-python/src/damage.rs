//! Corruptions: of queries, and of the copies by which a memory learns.

use pyo3::prelude::*;
use uhop::{Channel, Patterns, Scalar};
use uhop_data::{Damage, sample};

use crate::arrays::{detached, matrix, row, rows};
use crate::error::Result;

/// A way in which queries are corrupted. Values are meant to lie between 0 and 1.
#[pyclass(frozen, eq, module = "uhop")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Corruption(uhop_data::Corruption);

#[pymethods]
impl Corruption {
    /// Each number is set to 0 with probability 1/2 and doubled otherwise, as published.
    #[staticmethod]
    fn half_mask() -> Self {
        Self(uhop_data::Corruption::half_mask())
    }

    /// Each number is set to 0 with this probability.
    #[staticmethod]
    fn mask(share: f64) -> Result<Self> {
        Ok(Self(uhop_data::Corruption::mask(share)?))
    }

    /// Each number is set to 0 or 1 with this probability, either as likely.
    #[staticmethod]
    fn salt_and_pepper(share: f64) -> Result<Self> {
        Ok(Self(uhop_data::Corruption::salt_and_pepper(share)?))
    }

    /// Gaussian noise of this standard deviation is added; results below 0 change sign, those above 1
    /// become 1.
    #[staticmethod]
    fn gaussian_noise(std: f64) -> Result<Self> {
        Ok(Self(uhop_data::Corruption::gaussian_noise(std)?))
    }

    /// Gaussian noise of this Euclidean norm is added to each row.
    #[staticmethod]
    fn noise_of_norm(norm: f64) -> Result<Self> {
        Ok(Self(uhop_data::Corruption::noise_of_norm(norm)?))
    }

    /// Gaussian noise of this Euclidean norm is added to each row; results below 0 change sign, those
    /// above 1 become 1.
    #[staticmethod]
    fn folded_noise_of_norm(norm: f64) -> Result<Self> {
        Ok(Self(uhop_data::Corruption::folded_noise_of_norm(norm)?))
    }

    /// The lower half of each image of this height and width is set to 0.
    #[staticmethod]
    fn occluded_half(height: usize, width: usize) -> Result<Self> {
        Ok(Self(uhop_data::Corruption::occluded_half(height, width)?))
    }

    /// A rectangle of each image of this height and width is set to 0: the lines and columns from the first number up to
    /// the second.
    #[staticmethod]
    fn occluded_region(
        height: usize,
        width: usize,
        lines: (usize, usize),
        columns: (usize, usize),
    ) -> Result<Self> {
        let (lines, columns) = (lines.0..lines.1, columns.0..columns.1);
        Ok(Self(uhop_data::Corruption::occluded_region((height, width), lines, columns)?))
    }

    /// Corrupted copies of the rows of a `float32` matrix.
    #[pyo3(signature = (patterns: "numpy.ndarray", seed=0) -> "numpy.ndarray")]
    fn _apply<'py>(
        &self,
        py: Python<'py>,
        patterns: &Bound<'py, PyAny>,
        seed: u64,
    ) -> Result<Bound<'py, PyAny>> {
        let patterns = rows::<f32>(patterns)?;
        let view = patterns.as_array();
        let copies = detached(py, None, || Ok(self.0.apply(view, seed)?))?;
        Ok(matrix(py, copies))
    }

    fn __repr__(&self) -> String {
        format!("Corruption({})", self.0)
    }
}

impl Corruption {
    /// Its likelihood, for patterns of this length.
    pub(crate) fn channel(&self, dim: usize) -> Result<Channel> {
        Ok(self.0.channel(dim)?)
    }

    /// As learning needs it; the usual mix where it is not known.
    pub(crate) fn damage<T: Scalar>(
        known: Option<&Self>,
        patterns: &Patterns<T>,
    ) -> Result<Damage> {
        Ok(match known {
            Some(Self(corruption)) => Damage::known(*corruption, patterns)?,
            None => Damage::unknown(patterns)?,
        })
    }
}

/// The first 1,000 test images of MNIST, `[1000, 784]` with values from 0 to 1, and the digits they show.
#[pyfunction]
#[pyo3(signature = () -> "tuple[numpy.ndarray, numpy.ndarray]")]
pub(crate) fn digits(py: Python<'_>) -> (Bound<'_, PyAny>, Bound<'_, PyAny>) {
    let (images, labels) = sample::digits().into_parts();
    (matrix(py, images.into_patterns()), row(py, labels.into()))
}
