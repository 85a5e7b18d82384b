//! Which numbers of the queries were observed, read beside them.

use std::path::{Path, PathBuf};

use ndarray::Array2;
use uhop_data::Rows;

use crate::args::ReadArgs;
use crate::failure::Failure;
use crate::input;

/// A file of rows that are as many as the queries, or one for all of them.
pub(crate) struct Observed {
    path: PathBuf,
    rows: Rows,
    one_for_all: Option<Array2<bool>>,
    n_read: usize,
}

impl Observed {
    /// Opens the file, for queries of `dim` numbers that come from another.
    pub(crate) fn open(path: &Path, args: &ReadArgs, dim: usize) -> Result<Self, Failure> {
        let rows = input::open(path, args)?.rows;
        if rows.dim() != dim {
            return Err(Failure::user(format!(
                "{}: expected rows of {dim} numbers, as the queries have, found {}",
                path.display(),
                rows.dim()
            )));
        }
        let mut observed = Self { path: path.to_owned(), rows, one_for_all: None, n_read: 0 };
        if observed.rows.n_rows() == Some(1) {
            observed.one_for_all = observed.read(1)?;
        }
        Ok(observed)
    }

    /// What was observed of the next `n` queries: a row for each, or one.
    pub(crate) fn next(&mut self, n: usize) -> Result<Array2<bool>, Failure> {
        if let Some(one) = &self.one_for_all {
            return Ok(one.clone());
        }
        let first = self.n_read;
        let batch = self.read(n)?.unwrap_or_else(|| Array2::default((0, self.rows.dim())));
        if batch.nrows() == n {
            return Ok(batch);
        }
        // A batch is shorter than asked for only where the file ends.
        if first == 0 && batch.nrows() == 1 {
            self.one_for_all = Some(batch.clone());
            return Ok(batch);
        }
        Err(self.of_another_length())
    }

    /// Whether all rows were of queries.
    pub(crate) fn end(mut self) -> Result<(), Failure> {
        match self.one_for_all.is_none() && self.read(1)?.is_some() {
            true => Err(self.of_another_length()),
            false => Ok(()),
        }
    }

    fn of_another_length(&self) -> Failure {
        Failure::user(format!(
            "{}: expected one row for each query, or one for all, found another number of them",
            self.path.display()
        ))
    }

    fn read(&mut self, n: usize) -> Result<Option<Array2<bool>>, Failure> {
        let Some(batch) = self.rows.next_batch(n)? else { return Ok(None) };
        let batch = batch.into_f64();
        if let Some(((row, column), value)) =
            batch.indexed_iter().find(|(_, value)| !matches!(**value, 0.0 | 1.0))
        {
            return Err(Failure::user(format!(
                "{}: entry [{}, {column}] is {value}; give 1 for what was observed and 0 for the rest",
                self.path.display(),
                self.n_read + row
            )));
        }
        self.n_read += batch.nrows();
        Ok(Some(batch.mapv(|value| value == 1.0)))
    }
}
