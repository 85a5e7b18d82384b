//! What the Python package `uhop` is made of: the library for arrays that are there already.
//!
//! The Python half (`python/uhop`) turns whatever it is given into NumPy arrays in C order and of a
//! type that is known here; this half checks the numbers, releases the interpreter and computes.
//! Docs for users are in that half and in `docs/python.md`.

mod arrays;
mod batches;
mod damage;
mod error;
mod fit;
mod gradient;
mod memory;
mod separations;
mod watched;

use pyo3::prelude::*;

/// The compiled half of the package `uhop`; use what `uhop` exports.
#[pymodule(name = "_native", gil_used = false)]
mod native {
    #[pymodule_export]
    use crate::damage::{Corruption, digits};
    #[pymodule_export]
    use crate::error::{Busy, Diverged, FileError, InvalidInput, MalformedFile};
    #[pymodule_export]
    use crate::gradient::retrieve_vjp;
    #[pymodule_export]
    use crate::memory::Memory;
    #[pymodule_export]
    use crate::separations::{Separation, entmax_rows, entmax_rows_vjp, softmax1, softmax1_vjp};
}
