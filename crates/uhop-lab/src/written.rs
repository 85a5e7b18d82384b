//! What an experiment that is measured in one go leaves in its folder.

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
    /// Rows written.
    pub n_rows: usize,
    /// Path of rows.csv.
    pub csv: PathBuf,
    /// Path of rows.parquet.
    pub parquet: PathBuf,
    /// Path of report.html.
    pub report: PathBuf,
}

/// A folder for results. It is there before anything is measured, so that no result is lost to one that
/// cannot be made.
pub(crate) struct Folder<'a>(&'a Path);

impl<'a> Folder<'a> {
    /// Makes the folder if it is missing.
    pub(crate) fn make(path: &'a Path) -> Result<Self> {
        fs::create_dir_all(path).map_err(|error| Error::write(path, error))?;
        Ok(Self(path))
    }

    /// Writes rows and report.
    pub(crate) fn write<R: Record>(&self, rows: &[R], document: &Document) -> Result<Files> {
        let (csv, parquet) = (self.0.join("rows.csv"), self.0.join("rows.parquet"));
        write_csv(&csv, rows)?;
        write_parquet(&parquet, rows)?;
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
    /// These files, and what was found.
    pub(crate) fn of<F>(self, found: Vec<F>) -> Written<F> {
        let Self { n_rows, csv, parquet, report } = self;
        Written { found, n_rows, csv, parquet, report }
    }
}
