//! The error of reports: what cannot be drawn, or could not be written.

use std::path::PathBuf;

use super::model;

/// Result of a fallible operation of this module.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What cannot be drawn, or could not be written.
///
/// The message is one line: which part of the report, what was expected and what was found.
///
/// # Example
///
/// ```
/// let error = uhop_lab::report::Document::new(" ", "What was measured.").unwrap_err();
/// assert_eq!(error.to_string(), "document: its title is empty; give it one");
/// assert!(!error.is_io());
/// ```
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Kind>);

/// Boxed in [`Error`] so that a `Result` stays small.
#[derive(Debug, thiserror::Error)]
enum Kind {
    #[error(transparent)]
    Model(model::Problem),
    #[error("{}: cannot make the folder: {source}", .path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("{}: cannot write: {source}", .path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Output(uhop_data::Error),
    #[error("{name}: cannot be drawn: {what}")]
    Draw { name: String, what: String },
}

impl Error {
    /// True when the system could not make the folder or write a file; the document itself is fine.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_lab::report::{Axis, Scale};
    ///
    /// assert!(!Axis::new("", Scale::Linear).unwrap_err().is_io());
    /// ```
    pub fn is_io(&self) -> bool {
        matches!(&*self.0, Kind::Folder { .. } | Kind::File { .. } | Kind::Output(_))
    }

    pub(super) fn folder(path: &std::path::Path, source: std::io::Error) -> Self {
        Self(Box::new(Kind::Folder { path: path.to_owned(), source }))
    }

    pub(super) fn file(path: &std::path::Path, source: std::io::Error) -> Self {
        Self(Box::new(Kind::File { path: path.to_owned(), source }))
    }

    pub(super) fn draw(name: &str, what: impl ToString) -> Self {
        Self(Box::new(Kind::Draw { name: name.to_owned(), what: what.to_string() }))
    }
}

impl From<model::Problem> for Error {
    fn from(problem: model::Problem) -> Self {
        Self(Box::new(Kind::Model(problem)))
    }
}

impl From<uhop_data::Error> for Error {
    fn from(error: uhop_data::Error) -> Self {
        Self(Box::new(Kind::Output(error)))
    }
}
