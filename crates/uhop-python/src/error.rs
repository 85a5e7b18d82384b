//! The one place where errors become exceptions.

use std::path::Path;

use pyo3::exceptions::{PyArithmeticError, PyOSError, PyValueError};
use pyo3::prelude::*;

pyo3::create_exception!(
    uhop,
    InvalidInput,
    PyValueError,
    "What was given is refused: its shape, a number that is not finite, a parameter out of its domain, or a \
     combination without meaning."
);
pyo3::create_exception!(
    uhop,
    Diverged,
    PyArithmeticError,
    "Stage I left the finite numbers; use a smaller rate."
);
pyo3::create_exception!(
    uhop,
    MalformedFile,
    PyValueError,
    "A file is not a memory, is damaged, or was written by a newer version."
);
pyo3::create_exception!(uhop, FileError, PyOSError, "A file cannot be read or written.");
pyo3::create_exception!(
    uhop,
    Busy,
    PyOSError,
    "Another program changes this memory file, or another thread this memory."
);

/// Why a call did not return.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What the library refuses.
    Library(uhop::Error),
    /// What the files refuse, and which one.
    File(uhop_data::Error),
    /// The library, about the content of a file.
    Content(String, uhop::Error),
    /// Input that is refused here, in one line.
    Input(String),
    /// The memory was changed while it was worked on.
    Changed,
    /// Python: a signal, a callback, a wrong type.
    Python(PyErr),
}

impl Failure {
    /// An error of the library about a file.
    pub(crate) fn at(path: &Path, error: uhop::Error) -> Self {
        Self::Content(path.display().to_string(), error)
    }
}

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

impl From<uhop::Error> for Failure {
    fn from(error: uhop::Error) -> Self {
        Self::Library(error)
    }
}

impl From<uhop_data::Error> for Failure {
    fn from(error: uhop_data::Error) -> Self {
        Self::File(error)
    }
}

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

/// The mapping.
impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Python(error) => error,
            Failure::Input(line) => InvalidInput::new_err(line),
            Failure::Changed => Busy::new_err(
                "fit: the memory was changed by another thread meanwhile; nothing was learned, fit it again",
            ),
            Failure::Library(error) => library(&error, error.to_string()),
            Failure::Content(file, error) => library(&error, format!("{file}: {error}")),
            Failure::File(error) if error.is_busy() => Busy::new_err(error.to_string()),
            Failure::File(error) if error.is_io() => FileError::new_err(error.to_string()),
            Failure::File(error) if error.is_format() => MalformedFile::new_err(error.to_string()),
            Failure::File(error) => InvalidInput::new_err(error.to_string()),
        }
    }
}

fn library(error: &uhop::Error, line: String) -> PyErr {
    if error.is_malformed() {
        MalformedFile::new_err(line)
    } else if error.is_diverged() {
        Diverged::new_err(line)
    } else {
        InvalidInput::new_err(line)
    }
}
