//! Rows written in batches to any kind of file.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::npy::NpySink;
use crate::{Element, Error, Matrix, Result, matrix};

/// A file of any kind, written in batches of rows: what [`Kind::create`](crate::Kind::create)
/// returns.
///
/// Memory holds one batch. Nothing appears under the name before [`commit`](Self::commit); dropped
/// without it, an older file is untouched and nothing is left behind. A folder of images is written
/// beside its place too, and renamed at the end. Pipes and devices are written directly: those of
/// `.npy` with a known number of rows and of `.csv` as the batches come, others at the end, from a
/// temporary file.
///
/// # Example
///
/// ```
/// use ndarray::array;
/// use uhop_data::{Element, Kind, Matrix, ReadOptions, WriteOptions};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("retrieved.safetensors");
/// let kind = Kind::of(&path)?;
/// let mut sink = kind.create(&path, Element::F32, 2, &WriteOptions::default())?;
/// sink.write(&array![[1.0_f32, 2.0], [3.0, 4.0]].into())?;
/// sink.write(&array![[5.0_f32, 6.0]].into())?;
/// assert!(!path.exists());
/// sink.commit()?;
/// let expected = array![[1.0_f32, 2.0], [3.0, 4.0], [5.0, 6.0]];
/// assert_eq!(kind.read(&path, &ReadOptions::default())?, Matrix::from(expected));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RowSink {
    sink: Box<dyn Sink>,
    file: PathBuf,
    element: Element,
    dim: usize,
    n_rows: usize,
    has_failed: bool,
}

/// One kind of file being written. Errors need not name the file.
pub(crate) trait Sink: Send {
    /// Writes rows of the element and `dim` that the sink was made for.
    fn write(&mut self, batch: &Matrix) -> Result<()>;

    /// Completes the file, which has got `n_rows` rows, at least 1.
    fn commit(self: Box<Self>, n_rows: usize) -> Result<()>;
}

impl RowSink {
    pub(crate) fn new(sink: Box<dyn Sink>, file: &Path, element: Element, dim: usize) -> Self {
        Self { sink, file: file.to_owned(), element, dim, n_rows: 0, has_failed: false }
    }

    /// An `.npy` stream, such as stdout, written as the batches come when the number of rows is
    /// known, and at the end otherwise. `name` stands for the file in errors.
    ///
    /// # Errors
    ///
    /// Those of [`npy::RowWriter::new`](crate::npy::RowWriter::new), and [`is_io`](Error::is_io) when
    /// no temporary file can be made.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_data::{Element, RowSink};
    ///
    /// let mut sink = RowSink::npy(std::io::sink(), "<stdout>", Element::F32, 1, Some(2))?;
    /// sink.write(&ndarray::array![[1.0_f32]].into())?;
    /// let error = sink.commit().unwrap_err();
    /// assert!(error.to_string().contains("expected 2 rows in all, found 1"));
    /// # Ok::<(), uhop_data::Error>(())
    /// ```
    pub fn npy<W: Write + Send + 'static>(
        stream: W,
        name: impl AsRef<Path>,
        element: Element,
        dim: usize,
        n_rows: Option<usize>,
    ) -> Result<Self> {
        let name = name.as_ref();
        let sink = NpySink::to_pipe(Box::new(stream), element, dim, n_rows)
            .map_err(|error| error.at(name))?;
        Ok(Self::new(Box::new(sink), name, element, dim))
    }

    /// Appends the rows of a batch, which must have the element and the `dim` of the sink.
    ///
    /// # Errors
    ///
    /// Those of the kind's own `write`, and [`is_invalid_argument`](Error::is_invalid_argument) when
    /// the batch has another element or another `dim`. An error is final: no later call succeeds.
    ///
    /// # Example
    ///
    /// See [`RowSink`].
    pub fn write(&mut self, batch: &Matrix) -> Result<()> {
        let outcome = if self.has_failed {
            Err(Error::argument(matrix::Problem::Stopped))
        } else {
            batch
                .check_batch(self.element, self.dim)
                .map_err(Error::argument)
                .and_then(|()| self.sink.write(batch))
        };
        self.has_failed = outcome.is_err();
        self.n_rows += batch.n_rows();
        outcome.map_err(|error| error.within(&self.file))
    }

    /// Completes the file and gives it its name.
    ///
    /// # Errors
    ///
    /// Those of the kind's own `write`, and [`is_invalid_argument`](Error::is_invalid_argument) when
    /// there are no rows or a batch had failed. An older file of that name is then untouched.
    ///
    /// # Example
    ///
    /// See [`RowSink`].
    pub fn commit(self) -> Result<()> {
        let Self { sink, file, dim, n_rows, has_failed, .. } = self;
        let outcome = if has_failed {
            Err(Error::argument(matrix::Problem::Stopped))
        } else if n_rows == 0 {
            Err(Error::argument(matrix::Problem::Empty { n_rows, dim }))
        } else {
            sink.commit(n_rows)
        };
        outcome.map_err(|error| error.within(&file))
    }
}
