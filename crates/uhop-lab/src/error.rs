//! The one error type of the crate.

use std::io;
use std::path::{Path, PathBuf};

use crate::{report, spec};

/// Result of a fallible operation of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an experiment could not be read or run; the message is one line.
///
/// Opaque, so that messages and causes can improve without breaking callers; the `is_*` predicates
/// say what kind of failure it is.
///
/// ```
/// let error = uhop_lab::Spec::shipped("no-such").unwrap_err();
/// assert!(error.is_input() && !error.is_stopped());
/// assert!(error.to_string().starts_with("no experiment is called no-such"));
/// ```
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Kind>);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Kind {
    #[error(transparent)]
    Spec(#[from] spec::Problem),
    #[error("{}: cannot read: {source}", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: cannot write: {source}", .path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{}: {problem}", .path.display())]
    Folder { path: PathBuf, problem: String },
    #[error("{what}: {source}")]
    Memory { what: String, source: uhop::Error },
    #[error("{what}: {source}")]
    Training { what: String, source: uhop_nn::train::Error },
    #[error("{what}: {problem}")]
    Data { what: String, problem: String },
    #[error(transparent)]
    File(#[from] uhop_data::Error),
    #[error(transparent)]
    Report(#[from] report::Error),
    #[error("stopped with {done} of {all} tasks finished")]
    Stopped { done: usize, all: usize },
}

impl Error {
    /// True when what was given cannot be used: a specification, data, or a folder.
    ///
    /// ```
    /// assert!(uhop_lab::Spec::shipped("").unwrap_err().is_input());
    /// ```
    pub fn is_input(&self) -> bool {
        !self.is_stopped()
    }

    /// True when the observer asked to stop; what was finished is kept.
    ///
    /// ```
    /// assert!(!uhop_lab::Spec::shipped("").unwrap_err().is_stopped());
    /// ```
    pub fn is_stopped(&self) -> bool {
        matches!(&*self.0, Kind::Stopped { .. })
    }

    pub(crate) fn new(kind: Kind) -> Self {
        Self(Box::new(kind))
    }

    pub(crate) fn read(path: &Path, source: io::Error) -> Self {
        Self::new(Kind::Read { path: path.to_owned(), source })
    }

    pub(crate) fn write(path: &Path, source: io::Error) -> Self {
        Self::new(Kind::Write { path: path.to_owned(), source })
    }

    pub(crate) fn folder(path: &Path, problem: impl Into<String>) -> Self {
        Self::new(Kind::Folder { path: path.to_owned(), problem: problem.into() })
    }

    pub(crate) fn data(what: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::new(Kind::Data { what: what.into(), problem: problem.into() })
    }

    pub(crate) fn stopped(done: usize, all: usize) -> Self {
        Self::new(Kind::Stopped { done, all })
    }

    pub(crate) fn training(what: impl Into<String>, source: uhop_nn::train::Error) -> Self {
        Self::new(Kind::Training { what: what.into(), source })
    }

    pub(crate) fn memory(what: impl Into<String>, source: uhop::Error) -> Self {
        Self::new(Kind::Memory { what: what.into(), source })
    }
}

impl From<spec::Problem> for Error {
    fn from(problem: spec::Problem) -> Self {
        Self::new(problem.into())
    }
}

impl From<report::Error> for Error {
    fn from(error: report::Error) -> Self {
        Self::new(error.into())
    }
}

impl From<uhop_data::Error> for Error {
    fn from(error: uhop_data::Error) -> Self {
        Self::new(error.into())
    }
}
