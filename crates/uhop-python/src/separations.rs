//! Separations for arrays: rows in parallel, scores of −∞ left out.

use ndarray::parallel::prelude::*;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut1, Axis, Zip};
use numpy::PyReadonlyArray1;
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use uhop::Scalar;

use crate::arrays::{Matrix, Number, detached, matrix, rows};
use crate::error::Result;

/// Rows that a thread works on together.
const CHUNK: usize = 32;

/// What is called, and with what.
type Recipe<'py> = (Bound<'py, PyAny>, (Bound<'py, PyAny>,));

/// How scores become weights: non-negative, summing to 1, larger for larger scores.
#[pyclass(frozen, eq, module = "uhop")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Separation(uhop::Separation);

impl From<uhop::Separation> for Separation {
    fn from(separation: uhop::Separation) -> Self {
        Self(separation)
    }
}

impl Separation {
    pub(crate) fn rust(&self) -> uhop::Separation {
        self.0
    }
}

#[pymethods]
impl Separation {
    /// α-entmax for `alpha` of at least 1: softmax at 1, sparsemax at 2.
    #[staticmethod]
    fn entmax(alpha: f64) -> Result<Self> {
        Ok(Self(uhop::Separation::entmax(alpha)?))
    }

    /// γ-normmax for `gamma` above 1.
    #[staticmethod]
    fn normmax(gamma: f64) -> Result<Self> {
        Ok(Self(uhop::Separation::normmax(gamma)?))
    }

    /// Softmax over the `k` largest scores.
    #[staticmethod]
    fn top_k(k: usize) -> Result<Self> {
        Ok(Self(uhop::Separation::top_k(k)?))
    }

    /// The normalised rectified polynomial of this degree.
    #[staticmethod]
    fn polynomial(degree: u32) -> Result<Self> {
        Ok(Self(uhop::Separation::polynomial(degree)?))
    }

    /// α for a member of the α-entmax family.
    #[getter]
    fn alpha(&self) -> Option<f64> {
        self.0.alpha()
    }

    /// γ of γ-normmax.
    #[getter]
    fn gamma(&self) -> Option<f64> {
        self.0.gamma()
    }

    /// How many scores a top-k softmax takes.
    #[getter]
    fn k(&self) -> Option<usize> {
        self.0.k()
    }

    /// The degree of a polynomial.
    #[getter]
    fn degree(&self) -> Option<u32> {
        self.0.degree()
    }

    /// How far below the best score weights become 0, if they do.
    #[getter]
    fn margin(&self) -> Option<f64> {
        self.0.margin()
    }

    fn __repr__(&self) -> String {
        format!("Separation({})", self.0)
    }

    /// The constructor of the family and its number, for copies and pickles.
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Recipe<'py>> {
        let (family, number) = if let Some(alpha) = self.0.alpha() {
            ("entmax", alpha.into_bound_py_any(py)?)
        } else if let Some(gamma) = self.0.gamma() {
            ("normmax", gamma.into_bound_py_any(py)?)
        } else if let Some(k) = self.0.k() {
            ("top_k", k.into_bound_py_any(py)?)
        } else {
            ("polynomial", self.0.degree().into_bound_py_any(py)?)
        };
        Ok((py.get_type::<Self>().getattr(family)?, (number,)))
    }

    /// The weights of every row of scores.
    #[pyo3(signature = (scores: "numpy.ndarray", threads) -> "numpy.ndarray")]
    fn _weights<'py>(
        &self,
        py: Python<'py>,
        scores: &Bound<'py, PyAny>,
        threads: Option<usize>,
    ) -> Result<Bound<'py, PyAny>> {
        weights(py, &Family::One(self.0), scores, threads)
    }

    /// The vector-Jacobian product of every row.
    #[pyo3(signature = (scores: "numpy.ndarray", cotangent: "numpy.ndarray", threads) -> "numpy.ndarray")]
    fn _vjp<'py>(
        &self,
        py: Python<'py>,
        scores: &Bound<'py, PyAny>,
        cotangent: &Bound<'py, PyAny>,
        threads: Option<usize>,
    ) -> Result<Bound<'py, PyAny>> {
        vjp(py, &Family::One(self.0), (scores, cotangent), threads)
    }
}

/// α-entmax with an α for each row.
#[pyfunction]
#[pyo3(signature = (scores: "numpy.ndarray", alphas: "numpy.ndarray", threads) -> "numpy.ndarray")]
pub(crate) fn entmax_rows<'py>(
    py: Python<'py>,
    scores: &Bound<'py, PyAny>,
    alphas: PyReadonlyArray1<'py, f64>,
    threads: Option<usize>,
) -> Result<Bound<'py, PyAny>> {
    weights(py, &Family::alphas(alphas.as_array())?, scores, threads)
}

/// The vector-Jacobian product of α-entmax with an α for each row.
#[pyfunction]
#[pyo3(signature = (scores: "numpy.ndarray", cotangent: "numpy.ndarray", alphas: "numpy.ndarray", threads) -> "numpy.ndarray")]
pub(crate) fn entmax_rows_vjp<'py>(
    py: Python<'py>,
    scores: &Bound<'py, PyAny>,
    cotangent: &Bound<'py, PyAny>,
    alphas: PyReadonlyArray1<'py, f64>,
    threads: Option<usize>,
) -> Result<Bound<'py, PyAny>> {
    vjp(py, &Family::alphas(alphas.as_array())?, (scores, cotangent), threads)
}

/// exp(z) / (1 + Σ exp(z)) of every row.
#[pyfunction]
#[pyo3(signature = (scores: "numpy.ndarray", threads) -> "numpy.ndarray")]
pub(crate) fn softmax1<'py>(
    py: Python<'py>,
    scores: &Bound<'py, PyAny>,
    threads: Option<usize>,
) -> Result<Bound<'py, PyAny>> {
    weights(py, &Family::Softmax1, scores, threads)
}

/// The vector-Jacobian product of softmax-1.
#[pyfunction]
#[pyo3(signature = (scores: "numpy.ndarray", cotangent: "numpy.ndarray", threads) -> "numpy.ndarray")]
pub(crate) fn softmax1_vjp<'py>(
    py: Python<'py>,
    scores: &Bound<'py, PyAny>,
    cotangent: &Bound<'py, PyAny>,
    threads: Option<usize>,
) -> Result<Bound<'py, PyAny>> {
    vjp(py, &Family::Softmax1, (scores, cotangent), threads)
}

/// The separation of each row.
enum Family {
    One(uhop::Separation),
    Each(Vec<uhop::Separation>),
    /// Softmax with a score of 0 more, whose weight is left out (Hu et al. 2024, OutEffHop).
    Softmax1,
}

impl Family {
    fn alphas(alphas: ArrayView1<'_, f64>) -> Result<Self> {
        let each: uhop::Result<_> = alphas.iter().map(|&a| uhop::Separation::entmax(a)).collect();
        Ok(Self::Each(each?))
    }

    fn of_row(&self, row: usize) -> uhop::Separation {
        match self {
            Self::One(separation) => *separation,
            Self::Each(each) => each[row],
            Self::Softmax1 => uhop::Separation::softmax(),
        }
    }
}

fn weights<'py>(
    py: Python<'py>,
    family: &Family,
    scores: &Bound<'py, PyAny>,
    threads: Option<usize>,
) -> Result<Bound<'py, PyAny>> {
    match Matrix::of(scores)? {
        Matrix::F32(scores) => {
            let scores = scores.as_array();
            Ok(matrix(py, detached(py, threads, || weights_of(family, scores))?))
        }
        Matrix::F64(scores) => {
            let scores = scores.as_array();
            Ok(matrix(py, detached(py, threads, || weights_of(family, scores))?))
        }
    }
}

fn vjp<'py>(
    py: Python<'py>,
    family: &Family,
    (scores, cotangent): (&Bound<'py, PyAny>, &Bound<'py, PyAny>),
    threads: Option<usize>,
) -> Result<Bound<'py, PyAny>> {
    match Matrix::of(scores)? {
        Matrix::F32(scores) => {
            let cotangent = rows(cotangent)?;
            let pair = (scores.as_array(), cotangent.as_array());
            Ok(matrix(py, detached(py, threads, || vjp_of(family, pair))?))
        }
        Matrix::F64(scores) => {
            let cotangent = rows(cotangent)?;
            let pair = (scores.as_array(), cotangent.as_array());
            Ok(matrix(py, detached(py, threads, || vjp_of(family, pair))?))
        }
    }
}

/// The weights of every row.
fn weights_of<T: Number>(family: &Family, scores: ArrayView2<'_, T>) -> Result<Array2<T>> {
    let mut weights = Array2::zeros(scores.dim());
    weights
        .axis_chunks_iter_mut(Axis(0), CHUNK)
        .into_par_iter()
        .zip(scores.axis_chunks_iter(Axis(0), CHUNK))
        .enumerate()
        .try_for_each(|(chunk, (mut weights, scores))| -> Result<()> {
            let is_whole = scores.iter().all(|z| *z != T::neg_infinity());
            if let (Family::One(separation), true) = (family, is_whole) {
                weights.assign(&separation.weights(scores)?.weights);
                return Ok(());
            }
            for (i, (weights, scores)) in
                weights.outer_iter_mut().zip(scores.outer_iter()).enumerate()
            {
                let row = Row::of(family, chunk * CHUNK + i, scores)?;
                row.weights_into(weights)?;
            }
            Ok(())
        })?;
    Ok(weights)
}

/// The vector-Jacobian product of every row.
fn vjp_of<T: Number>(
    family: &Family,
    (scores, cotangent): (ArrayView2<'_, T>, ArrayView2<'_, T>),
) -> Result<Array2<T>> {
    let mut gradient = Array2::zeros(scores.dim());
    gradient
        .axis_chunks_iter_mut(Axis(0), CHUNK)
        .into_par_iter()
        .zip(scores.axis_chunks_iter(Axis(0), CHUNK))
        .zip(cotangent.axis_chunks_iter(Axis(0), CHUNK))
        .enumerate()
        .try_for_each(|(chunk, ((mut gradient, scores), cotangent))| -> Result<()> {
            let rows = gradient.outer_iter_mut().zip(scores.outer_iter());
            for (i, ((gradient, scores), cotangent)) in rows.zip(cotangent.outer_iter()).enumerate()
            {
                let row = Row::of(family, chunk * CHUNK + i, scores)?;
                row.vjp_into(cotangent, gradient)?;
            }
            Ok(())
        })?;
    Ok(gradient)
}

/// The scores of a row that are not −∞, where they stand, and how they are separated.
struct Row {
    separation: uhop::Separation,
    scores: Vec<f64>,
    places: Vec<usize>,
    /// A score of 0 comes last, which stands nowhere.
    has_zero: bool,
}

impl Row {
    fn of<T: Scalar>(family: &Family, row: usize, scores: ArrayView1<'_, T>) -> Result<Self> {
        let there = scores.iter().enumerate().filter(|(_, z)| **z != T::neg_infinity());
        let (places, mut finite): (Vec<_>, Vec<_>) = there.map(|(i, z)| (i, z.widen())).unzip();
        let has_zero = matches!(family, Family::Softmax1);
        if has_zero {
            finite.push(0.0);
        }
        Ok(Self { separation: family.of_row(row), scores: finite, places, has_zero })
    }

    /// Of a row in which nothing is left, all weights are 0.
    fn weights_into<T: Scalar>(&self, mut weights: ArrayViewMut1<'_, T>) -> Result<()> {
        if self.places.is_empty() {
            return Ok(());
        }
        let found = self.separation.weights(ArrayView1::from(&self.scores))?.weights;
        for (&place, weight) in self.places.iter().zip(found) {
            weights[place] = T::narrow(weight);
        }
        Ok(())
    }

    fn vjp_into<T: Scalar>(
        &self,
        cotangent: ArrayView1<'_, T>,
        mut gradient: ArrayViewMut1<'_, T>,
    ) -> Result<()> {
        if self.places.is_empty() {
            return Ok(());
        }
        let mut given: Array1<f64> = self.places.iter().map(|&i| cotangent[i].widen()).collect();
        if self.has_zero {
            given = given.into_iter().chain([0.0]).collect();
        }
        let found = self.separation.vjp(ArrayView1::from(&self.scores), given.view())?;
        Zip::from(&ArrayView1::from(&self.places))
            .and(found.slice(ndarray::s![..self.places.len()]))
            .for_each(|&place, &g| gradient[place] = T::narrow(g));
        Ok(())
    }
}
