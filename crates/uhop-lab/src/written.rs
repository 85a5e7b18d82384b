//! What an experiment leaves in its folder.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::report::{self, Document};
use crate::rows::{Record, write_csv, write_parquet};

/// What was found, and the files that hold it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Written<F> {
    /// What was found.
    pub found: Vec<F>,
    /// Tasks that it was measured by; one where it was measured in one go.
    pub tasks: usize,
    /// Of these, finished by an earlier run.
    pub resumed: usize,
    /// Rows written.
    pub n_rows: usize,
    /// Path of rows.csv.
    pub csv: PathBuf,
    /// Path of rows.parquet.
    pub parquet: PathBuf,
    /// Path of report.html.
    pub report: PathBuf,
}

/// What was measured, by this run or an earlier one.
pub(crate) struct Measured<F> {
    pub(crate) found: Vec<F>,
    /// Tasks that it was measured by.
    pub(crate) tasks: usize,
    /// Of these, finished by an earlier run.
    pub(crate) resumed: usize,
}

impl<F> Measured<F> {
    /// What was measured in one go.
    pub(crate) fn in_one_go(found: Vec<F>) -> Self {
        Self { found, tasks: 1, resumed: 0 }
    }
}

const CSV: &str = "rows.csv";
const PARQUET: &str = "rows.parquet";

/// The files that a finished run leaves beside its rows.jsonl and its pictures.
///
/// ```
/// assert!(uhop_lab::RESULTS.contains(&"report.html"));
/// ```
pub const RESULTS: [&str; 3] = [CSV, PARQUET, report::PAGE];

/// A folder for results. It is there before anything is measured, so that no result is lost to one that
/// cannot be made.
pub(crate) struct Folder<'a>(&'a Path);

impl<'a> Folder<'a> {
    /// Makes the folder if it is missing.
    pub(crate) fn make(path: &'a Path) -> Result<Self> {
        if path.is_file() {
            return Err(Error::folder(path, "is a file; choose a folder for the results"));
        }
        fs::create_dir_all(path).map_err(|error| Error::write(path, error))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0
    }

    /// Whether any results are written there already.
    pub(crate) fn has_results(&self) -> bool {
        RESULTS.iter().any(|name| self.0.join(name).exists())
    }

    /// Writes rows.csv and rows.parquet, and returns their paths.
    pub(crate) fn write_rows<R: Record>(&self, rows: &[R]) -> Result<(PathBuf, PathBuf)> {
        let (csv, parquet) = (self.0.join(CSV), self.0.join(PARQUET));
        write_csv(&csv, rows)?;
        write_parquet(&parquet, rows)?;
        Ok((csv, parquet))
    }

    /// Writes rows and report.
    pub(crate) fn write<R: Record>(&self, rows: &[R], document: &Document) -> Result<Files> {
        let (csv, parquet) = self.write_rows(rows)?;
        let report = report::write(document, self.0)?;
        Ok(Files { n_rows: rows.len(), csv, parquet, report })
    }
}

/// The files that were written, without what they hold.
pub(crate) struct Files {
    n_rows: usize,
    csv: PathBuf,
    parquet: PathBuf,
    report: PathBuf,
}

impl Files {
    /// These files, and what was measured.
    pub(crate) fn of<F>(self, measured: Measured<F>) -> Written<F> {
        let Self { n_rows, csv, parquet, report } = self;
        let Measured { found, tasks, resumed } = measured;
        Written { found, tasks, resumed, n_rows, csv, parquet, report }
    }
}
