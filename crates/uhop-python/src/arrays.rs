//! NumPy arrays in and out without a copy.

use std::num::NonZeroUsize;
use std::sync::OnceLock;
use std::thread;

use ndarray::{Array1, Array2, ArrayView2};
use numpy::{Element, IntoPyArray, PyReadonlyArray2};
use pyo3::prelude::*;
use uhop::saved::StoredTensor;
use uhop::{Patterns, Threads};

use crate::error::Result;

/// The numbers that a memory can hold, as both sides know them.
pub(crate) trait Number: StoredTensor + Element {}

impl Number for f32 {}
impl Number for f64 {}

/// A matrix of one of the two types.
pub(crate) enum Matrix<'py> {
    F32(PyReadonlyArray2<'py, f32>),
    F64(PyReadonlyArray2<'py, f64>),
}

impl<'py> Matrix<'py> {
    /// Takes a matrix of `float32` or `float64`, which the Python half has made of what it was given.
    pub(crate) fn of(array: &Bound<'py, PyAny>) -> PyResult<Self> {
        match array.extract() {
            Ok(rows) => Ok(Self::F32(rows)),
            Err(_) => Ok(Self::F64(array.extract()?)),
        }
    }
}

/// A matrix of the type that is known.
pub(crate) fn rows<'py, T: Number>(
    array: &Bound<'py, PyAny>,
) -> PyResult<PyReadonlyArray2<'py, T>> {
    array.extract()
}

/// Rows checked as patterns, copied once: what Python changes later does not change a memory.
pub(crate) fn patterns<T: Number>(rows: ArrayView2<'_, T>) -> Result<Patterns<T>> {
    Ok(Patterns::new(rows.to_owned())?)
}

/// A matrix that becomes an array of Python's, without a copy.
pub(crate) fn matrix<T: Element>(py: Python<'_>, rows: Array2<T>) -> Bound<'_, PyAny> {
    rows.into_pyarray(py).into_any()
}

/// A row that becomes an array of Python's, without a copy.
pub(crate) fn row<T: Element>(py: Python<'_>, row: Array1<T>) -> Bound<'_, PyAny> {
    row.into_pyarray(py).into_any()
}

/// Work that runs without the interpreter, by as many threads as asked for.
pub(crate) fn detached<R: Send>(
    py: Python<'_>,
    threads: Option<usize>,
    work: impl FnOnce() -> Result<R> + Send,
) -> Result<R> {
    py.detach(|| on_threads(threads, work))
}

/// Work by as many threads as asked for, or as many as there are.
pub(crate) fn on_threads<R: Send>(
    threads: Option<usize>,
    work: impl FnOnce() -> Result<R> + Send,
) -> Result<R> {
    Pool::of(threads)?.run(work)
}

/// As many threads as asked for, or as many as there are, for one piece of work after the other.
pub(crate) struct Pool(Option<Threads>);

impl Pool {
    pub(crate) fn of(threads: Option<usize>) -> Result<Self> {
        let threads = threads.or_else(threads_of_a_fork);
        Ok(Self(threads.map(Threads::new).transpose()?))
    }

    pub(crate) fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.0 {
            None => work(),
            Some(threads) => threads.install(work),
        }
    }
}

/// In a process that was forked from one that had used the usual threads, how many to start: those of the other process did
/// not come with it, and waiting for them would never end.
fn threads_of_a_fork() -> Option<usize> {
    static USED_BY: OnceLock<u32> = OnceLock::new();
    let process = std::process::id();
    let is_fork = *USED_BY.get_or_init(|| process) != process;
    is_fork.then(|| thread::available_parallelism().map_or(1, NonZeroUsize::get))
}
