//! The one error type of the crate.

use std::io;
use std::path::{Path, PathBuf};

use crate::{
    corruption, csv, datasets, idx, image_folder, kind, matrix, npy, npz, parquet, safetensors,
    store,
};

/// Result of a fallible operation of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong while reading or writing a file or corrupting patterns.
///
/// The message is one line: what failed, in which file when there is one, what was expected and
/// what was found. The type is opaque so that messages and causes can improve without breaking
/// callers; the `is_*` predicates say what kind of failure it is. Of [`is_io`](Self::is_io),
/// [`is_format`](Self::is_format), [`is_invalid_argument`](Self::is_invalid_argument) and
/// [`is_busy`](Self::is_busy) exactly one is true.
///
/// For a failed read or write the message ends with the system's own text, and [`source`] returns the
/// [`io::Error`] behind it.
///
/// [`source`]: std::error::Error::source
///
/// # Example
///
/// ```
/// let error = uhop_data::idx::parse(&b"\x89PNG"[..]).unwrap_err();
/// assert!(error.is_format());
/// assert!(error.to_string().starts_with("not an IDX file"));
/// ```
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Kind>);

/// Boxed in [`Error`] so that a `Result` stays small.
#[derive(Debug, thiserror::Error)]
enum Kind {
    #[error("{}cannot read: {source}", Place(.path))]
    Io { path: Option<PathBuf>, source: io::Error },
    #[error("{}cannot write: {source}", Place(.path))]
    Write { path: Option<PathBuf>, source: io::Error },
    #[error("{}{problem}", Place(.path))]
    Format { path: Option<PathBuf>, problem: FormatProblem },
    #[error("{}{problem}", Place(.path))]
    Argument { path: Option<PathBuf>, problem: ArgumentProblem },
    #[error(transparent)]
    Store(store::Problem),
}

/// The bytes are not what they should be: one variant per format.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) enum FormatProblem {
    Csv(#[from] csv::Problem),
    Datasets(#[from] datasets::Problem),
    #[cfg(feature = "hub")]
    Hub(#[from] crate::hub::Problem),
    Idx(#[from] idx::Problem),
    Images(#[from] image_folder::Problem),
    Npy(#[from] npy::Problem),
    Npz(#[from] npz::Problem),
    Parquet(#[from] parquet::Problem),
    Safetensors(#[from] safetensors::Problem),
}

/// An argument is outside its domain: one variant per part of the crate.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) enum ArgumentProblem {
    Corruption(#[from] corruption::Problem),
    Datasets(#[from] datasets::ArgumentProblem),
    #[cfg(feature = "hub")]
    Hub(#[from] crate::hub::ArgumentProblem),
    Idx(#[from] idx::ArgumentProblem),
    Images(#[from] image_folder::ArgumentProblem),
    Kind(#[from] kind::Problem),
    Matrix(#[from] matrix::Problem),
}

impl Error {
    /// True when the system could not open, read or write the file.
    ///
    /// # Example
    ///
    /// ```
    /// let error = uhop_data::idx::read("no/such/file").unwrap_err();
    /// assert!(error.is_io());
    /// assert!(error.to_string().contains("no/such/file"));
    /// ```
    pub fn is_io(&self) -> bool {
        match &*self.0 {
            Kind::Store(problem) => problem.is_io(),
            kind => matches!(kind, Kind::Io { .. } | Kind::Write { .. }),
        }
    }

    /// True when the bytes were read and are not what they should be: damaged, cut short, of another
    /// format, or of another shape or type than asked for.
    ///
    /// # Example
    ///
    /// ```
    /// assert!(uhop_data::idx::parse(&b""[..]).unwrap_err().is_format());
    /// ```
    pub fn is_format(&self) -> bool {
        match &*self.0 {
            Kind::Store(problem) => problem.is_format(),
            kind => matches!(kind, Kind::Format { .. }),
        }
    }

    /// True when an argument of the call lies outside its documented domain.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_data::Corruption;
    ///
    /// assert!(Corruption::gaussian_noise(-1.0).unwrap_err().is_invalid_argument());
    /// ```
    pub fn is_invalid_argument(&self) -> bool {
        match &*self.0 {
            Kind::Store(problem) => problem.is_invalid_argument(),
            kind => matches!(kind, Kind::Argument { .. }),
        }
    }

    /// True when the file holds several matrices, or columns of labels, and none was named: a case of
    /// [`is_format`](Self::is_format) that a name mends.
    ///
    /// # Example
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("rows.npz");
    /// let matrix = uhop_data::Matrix::from(ndarray::array![[1.0]]);
    /// uhop_data::npz::write(&path, "a", &matrix)?;
    /// assert!(uhop_data::npz::read(&path, None).is_ok());
    /// assert!(!uhop_data::npz::read(&path, Some("b")).unwrap_err().is_ambiguous());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_ambiguous(&self) -> bool {
        matches!(
            &*self.0,
            Kind::Format {
                problem: FormatProblem::Npz(npz::Problem::Several { .. })
                    | FormatProblem::Parquet(
                        parquet::Problem::Several { .. } | parquet::Problem::SeveralLabels { .. }
                    )
                    | FormatProblem::Safetensors(safetensors::Problem::Several { .. }),
                ..
            }
        )
    }

    /// True when somebody else is writing to the file or has just replaced it, so that starting again
    /// later can succeed.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_data::store::Writer;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("memory");
    /// let first = Writer::create(&path)?;
    /// assert!(Writer::create(&path).unwrap_err().is_busy());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_busy(&self) -> bool {
        matches!(&*self.0, Kind::Store(problem) if problem.is_busy())
    }

    pub(crate) fn store(problem: store::Problem) -> Self {
        Self(Box::new(Kind::Store(problem)))
    }

    pub(crate) fn io(source: io::Error) -> Self {
        Self(Box::new(Kind::Io { path: None, source }))
    }

    pub(crate) fn write(source: io::Error) -> Self {
        Self(Box::new(Kind::Write { path: None, source }))
    }

    pub(crate) fn format(problem: impl Into<FormatProblem>) -> Self {
        Self(Box::new(Kind::Format { path: None, problem: problem.into() }))
    }

    pub(crate) fn argument(problem: impl Into<ArgumentProblem>) -> Self {
        Self(Box::new(Kind::Argument { path: None, problem: problem.into() }))
    }

    /// Adds the file in which the failure happened, or a name for a stream.
    ///
    /// Functions that take a path have done so; this is for those that take a reader or a writer.
    ///
    /// # Example
    ///
    /// ```
    /// let error = uhop_data::npy::parse(&b"text"[..]).unwrap_err().at("<stdin>");
    /// assert!(error.to_string().starts_with("<stdin>: not an npy file"));
    /// ```
    #[must_use]
    pub fn at(mut self, file: impl AsRef<Path>) -> Self {
        match &mut *self.0 {
            Kind::Io { path, .. }
            | Kind::Write { path, .. }
            | Kind::Format { path, .. }
            | Kind::Argument { path, .. } => *path = Some(file.as_ref().to_owned()),
            // Names its file itself.
            Kind::Store(_) => {}
        }
        self
    }
}

impl Error {
    /// Adds the file unless the failure has named one already, such as an image in a folder.
    pub(crate) fn within(self, file: &Path) -> Self {
        match &*self.0 {
            Kind::Io { path: None, .. }
            | Kind::Write { path: None, .. }
            | Kind::Format { path: None, .. }
            | Kind::Argument { path: None, .. } => self.at(file),
            _ => self,
        }
    }
}

/// `path: ` in front of a message, or nothing when there is no path.
struct Place<'a>(&'a Option<PathBuf>);

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(path) => write!(f, "{}: ", path.display()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn is_a_shareable_error() {
        fn check<T: std::error::Error + Send + Sync + 'static>() {}
        check::<Error>();
    }

    #[test]
    fn a_failed_read_names_the_file_and_keeps_its_cause() {
        let cause = io::Error::new(io::ErrorKind::PermissionDenied, "not yours");
        let error = Error::io(cause).at(Path::new("digits.idx"));
        assert_eq!(error.to_string(), "digits.idx: cannot read: not yours");
        let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
        assert_eq!(source.kind(), io::ErrorKind::PermissionDenied);
    }
}
