//! The gradient of one retrieval step, for PyTorch.

use ndarray::{Array2, ArrayView2, Zip};
use pyo3::prelude::*;
use uhop::{Similarity, readout};

use crate::arrays::{Matrix, Number, detached, matrix, patterns, rows};
use crate::error::{Failure, Result};
use crate::separations::Separation;

/// For the patterns, the values, the queries, and β.
type Gradients<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>, f64);

/// The vector-Jacobian product of x⁺ = pᵀV, p = separation(β·Ξx): gradients for the patterns, the values, the
/// queries, and β.
#[pyfunction]
#[pyo3(signature = (patterns: "numpy.ndarray", values: "numpy.ndarray", queries: "numpy.ndarray", cotangent: "numpy.ndarray", separation, beta, threads) -> "tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray, float]")]
#[expect(clippy::too_many_arguments, reason = "one for each array")]
pub(crate) fn retrieve_vjp<'py>(
    py: Python<'py>,
    patterns: &Bound<'py, PyAny>,
    values: &Bound<'py, PyAny>,
    queries: &Bound<'py, PyAny>,
    cotangent: &Bound<'py, PyAny>,
    separation: &Separation,
    beta: f64,
    threads: Option<usize>,
) -> Result<Gradients<'py>> {
    match Matrix::of(patterns)? {
        Matrix::F32(_) => {
            gradients::<f32>(py, [patterns, values, queries, cotangent], separation, beta, threads)
        }
        Matrix::F64(_) => {
            gradients::<f64>(py, [patterns, values, queries, cotangent], separation, beta, threads)
        }
    }
}

fn gradients<'py, T: Number>(
    py: Python<'py>,
    arrays: [&Bound<'py, PyAny>; 4],
    separation: &Separation,
    beta: f64,
    threads: Option<usize>,
) -> Result<Gradients<'py>> {
    let [stored, values, queries, cotangent] = arrays;
    let (stored, values) = (rows::<T>(stored)?, rows::<T>(values)?);
    let (queries, cotangent) = (rows::<T>(queries)?, rows::<T>(cotangent)?);
    let (stored, values) = (stored.as_array(), values.as_array());
    let (queries, cotangent) = (queries.as_array(), cotangent.as_array());
    let separation = separation.rust();
    let found = detached(py, threads, || {
        let keys = Similarity::Dot.bind(&patterns(stored)?)?;
        let scores = keys.scores(queries)?;
        let z = scores.mapv(|s| T::narrow(beta * s.widen()));
        let weights = separation.weights(z.view())?.weights;
        let of_weights = product(cotangent, values.t())?;
        let of_z = separation.vjp(z.view(), of_weights.view())?;
        let of_beta =
            Zip::from(&of_z).and(&scores).fold(0.0, |sum, g, s| sum + g.widen() * s.widen());
        let of_scores = of_z.mapv(|g| T::narrow(beta * g.widen()));
        Ok::<_, Failure>((
            product(of_scores.t(), queries)?,
            product(weights.t(), cotangent)?,
            product(of_scores.view(), stored)?,
            of_beta,
        ))
    })?;
    let (of_patterns, of_values, of_queries, of_beta) = found;
    Ok((matrix(py, of_patterns), matrix(py, of_values), matrix(py, of_queries), of_beta))
}

fn product<T: Number>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>) -> Result<Array2<T>> {
    Ok(readout(a, b)?)
}
