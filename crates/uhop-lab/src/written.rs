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

/// Writes rows and report into a folder, made if missing.
pub(crate) fn write<R: Record, F>(
    folder: &Path,
    rows: &[R],
    found: Vec<F>,
    document: &Document,
) -> Result<Written<F>> {
    fs::create_dir_all(folder).map_err(|error| Error::write(folder, error))?;
    let (csv, parquet) = (folder.join("rows.csv"), folder.join("rows.parquet"));
    write_csv(&csv, rows)?;
    write_parquet(&parquet, rows)?;
    let report = report::write(document, folder)?;
    Ok(Written { found, n_rows: rows.len(), csv, parquet, report })
}
