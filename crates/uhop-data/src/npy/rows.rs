//! Reading and writing rows in batches, so that memory holds a batch and not the array.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::Problem;
use super::header::{self, ENCODED_LENGTH};
use crate::array::{self, Layout, Unread};
use crate::matrix;
use crate::output::{self, Seekable};
use crate::row_sink::Sink;
use crate::rows::Source;
use crate::{Element, Error, Matrix, OutputFile, Result};

/// Reads an `.npy` file in C order batch by batch.
///
/// Memory holds one batch; it grows as data arrive, never because the header asks for it.
///
/// # Example
///
/// ```
/// use uhop_data::{Matrix, npy};
///
/// let mut bytes = Vec::new();
/// npy::write_to(&mut bytes, &Matrix::from(ndarray::array![[1.0_f32], [2.0], [3.0]]))?;
///
/// let mut reader = npy::RowReader::new(&bytes[..])?;
/// assert_eq!((reader.n_rows(), reader.dim()), (3, 1));
/// let mut n_rows = vec![];
/// while let Some(batch) = reader.next_batch(2)? {
///     n_rows.push(batch.n_rows());
/// }
/// assert_eq!(n_rows, [2, 1]);
/// # Ok::<(), uhop_data::Error>(())
/// ```
#[derive(Debug)]
pub struct RowReader<R> {
    reader: R,
    unread: Unread,
    path: Option<PathBuf>,
}

impl RowReader<File> {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    ///
    /// Those of [`read`](super::read), and [`is_format`](Error::is_format) for an array in Fortran
    /// order. When the file is a regular one, this includes data that end early or go on.
    ///
    /// # Example
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("queries.npy");
    /// uhop_data::npy::write(&path, &ndarray::array![[1.0_f32, 2.0]].into())?;
    /// assert_eq!(uhop_data::npy::RowReader::open(&path)?.dim(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        super::open(path)
            .map_err(Error::io)
            .and_then(|(file, n_bytes)| Self::start(file, n_bytes, Some(path.to_owned())))
            .map_err(|error| error.at(path))
    }
}

impl<R: Read> RowReader<R> {
    /// Reads the header from a stream.
    ///
    /// # Errors
    ///
    /// Those of [`parse`](super::parse), and [`is_format`](Error::is_format) for an array in Fortran
    /// order.
    ///
    /// # Example
    ///
    /// ```
    /// assert!(uhop_data::npy::RowReader::new(&b"text"[..]).unwrap_err().is_format());
    /// ```
    pub fn new(reader: R) -> Result<Self> {
        Self::start(reader, None, None)
    }

    /// Number of rows of the whole array.
    ///
    /// # Example
    ///
    /// See [`RowReader`].
    pub fn n_rows(&self) -> usize {
        self.unread.layout.n_rows
    }

    /// Number of values in each row.
    ///
    /// # Example
    ///
    /// See [`RowReader`].
    pub fn dim(&self) -> usize {
        self.unread.layout.dim
    }

    /// The precision of the batches.
    ///
    /// # Example
    ///
    /// ```
    /// let mut bytes = Vec::new();
    /// uhop_data::npy::write_to(&mut bytes, &ndarray::array![[1.0_f64]].into())?;
    /// let reader = uhop_data::npy::RowReader::new(&bytes[..])?;
    /// assert_eq!(reader.element(), uhop_data::Element::F64);
    /// # Ok::<(), uhop_data::Error>(())
    /// ```
    pub fn element(&self) -> Element {
        self.unread.layout.element()
    }

    /// Reads the next rows, at most `max_rows` (0 counts as 1), or nothing after the last ones.
    ///
    /// # Errors
    ///
    /// [`is_io`](Error::is_io) when the reader fails, [`is_format`](Error::is_format) when the data
    /// end early, or go on after the last row. Either ends the reading: later calls return nothing.
    ///
    /// # Example
    ///
    /// See [`RowReader`].
    pub fn next_batch(&mut self, max_rows: usize) -> Result<Option<Matrix>> {
        super::next_rows(&mut self.unread, &mut self.reader, max_rows).map_err(|failure| {
            let error = Error::from(failure);
            match &self.path {
                Some(path) => error.at(path),
                None => error,
            }
        })
    }

    fn start(mut reader: R, n_bytes: Option<u64>, path: Option<PathBuf>) -> Result<Self> {
        let layout = super::layout(&mut reader, n_bytes)?;
        if !layout.is_row_major() {
            return Err(Error::format(Problem::NotRowMajor { layout }));
        }
        Ok(Self { path, ..Self::of_rows(reader, layout) })
    }

    /// Reads the rows that follow a header.
    pub(super) fn of_rows(reader: R, layout: Layout) -> Self {
        Self { reader, unread: Unread::new(layout), path: None }
    }
}

impl<R: Read + Send> Source for RowReader<R> {
    fn dim(&self) -> usize {
        self.dim()
    }

    fn element(&self) -> Element {
        self.element()
    }

    fn n_rows(&self) -> Option<usize> {
        Some(self.n_rows())
    }

    fn next_batch(&mut self, max_rows: usize) -> Result<Option<Matrix>> {
        self.next_batch(max_rows)
    }
}

/// Writes an `.npy` file batch by batch: f32 or f64 in C order.
///
/// The number of rows is known at the start ([`new`](Self::new), for any writer), or counted and
/// filled in at the end ([`growing`](Self::growing), for a writer that can seek).
/// [`create`](RowWriter::create) does the latter with a file.
///
/// # Example
///
/// ```
/// use ndarray::array;
/// use uhop_data::{Element, Matrix, npy};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("retrieved.npy");
/// let mut writer = npy::RowWriter::create(&path, Element::F32, 2)?;
/// writer.write(&array![[1.0_f32, 2.0], [3.0, 4.0]].into())?;
/// writer.write(&array![[5.0_f32, 6.0]].into())?;
/// writer.commit()?;
/// let expected = array![[1.0_f32, 2.0], [3.0, 4.0], [5.0, 6.0]];
/// assert_eq!(npy::read(&path)?, Matrix::from(expected));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RowWriter<W> {
    writer: W,
    element: Element,
    dim: usize,
    n_written: usize,
    count: Count<W>,
    path: Option<PathBuf>,
}

/// How the header comes to the number of rows.
#[derive(Debug)]
enum Count<W> {
    Known(usize),
    /// Replaces the header that starts at this position.
    Patched(u64, fn(&mut W, u64, &[u8]) -> io::Result<()>),
}

impl RowWriter<OutputFile> {
    /// Starts a file, which appears under its name with [`commit`](Self::commit).
    ///
    /// # Errors
    ///
    /// [`is_io`](Error::is_io) when the file cannot be created,
    /// [`is_invalid_argument`](Error::is_invalid_argument) when `dim` is 0.
    ///
    /// # Example
    ///
    /// See [`RowWriter`].
    pub fn create(path: impl AsRef<Path>, element: Element, dim: usize) -> Result<Self> {
        let path = path.as_ref();
        let file = OutputFile::create(path)?;
        let mut writer = Self::growing(file, element, dim).map_err(|error| error.at(path))?;
        writer.path = Some(path.to_owned());
        Ok(writer)
    }

    /// Completes the header and gives the file its name.
    ///
    /// # Errors
    ///
    /// Those of [`finish`](Self::finish); an older file of that name is then untouched.
    ///
    /// # Example
    ///
    /// See [`RowWriter`].
    pub fn commit(self) -> Result<()> {
        self.finish()?.commit()
    }
}

impl<W: Write> RowWriter<W> {
    /// Writes the header for `n_rows` rows of `dim` values.
    ///
    /// # Errors
    ///
    /// [`is_io`](Error::is_io) when the writer fails,
    /// [`is_invalid_argument`](Error::is_invalid_argument) when `n_rows` or `dim` is 0.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_data::{Element, npy};
    ///
    /// let mut bytes = Vec::new();
    /// let mut writer = npy::RowWriter::new(&mut bytes, Element::F64, 1, 2)?;
    /// writer.write(&ndarray::array![[1.0_f64, 2.0]].into())?;
    /// writer.finish()?;
    /// assert_eq!(npy::parse(&bytes[..])?.dim(), 2);
    /// # Ok::<(), uhop_data::Error>(())
    /// ```
    pub fn new(writer: W, element: Element, n_rows: usize, dim: usize) -> Result<Self> {
        if n_rows == 0 || dim == 0 {
            return Err(Error::argument(matrix::Problem::Empty { n_rows, dim }));
        }
        Self::start(writer, element, n_rows, dim, Count::Known(n_rows))
    }

    /// Writes a header whose number of rows is filled in by [`finish`](Self::finish).
    ///
    /// # Errors
    ///
    /// [`is_io`](Error::is_io) when the writer fails or cannot seek,
    /// [`is_invalid_argument`](Error::is_invalid_argument) when `dim` is 0.
    ///
    /// # Example
    ///
    /// ```
    /// use std::io::Cursor;
    /// use uhop_data::{Element, npy};
    ///
    /// let mut writer = npy::RowWriter::growing(Cursor::new(vec![]), Element::F64, 1)?;
    /// writer.write(&ndarray::array![[1.0_f64], [2.0]].into())?;
    /// let bytes = writer.finish()?.into_inner();
    /// assert_eq!(npy::parse(&bytes[..])?.n_rows(), 2);
    /// # Ok::<(), uhop_data::Error>(())
    /// ```
    pub fn growing(mut writer: W, element: Element, dim: usize) -> Result<Self>
    where
        W: Seek,
    {
        if dim == 0 {
            return Err(Error::argument(matrix::Problem::Empty { n_rows: 1, dim }));
        }
        let start = writer.stream_position().map_err(Error::write)?;
        Self::start(writer, element, 0, dim, Count::Patched(start, output::patch))
    }

    /// Appends the rows of a batch, which must have the element and the `dim` of the writer.
    ///
    /// # Errors
    ///
    /// [`is_io`](Error::is_io) when the writer fails,
    /// [`is_invalid_argument`](Error::is_invalid_argument) when the batch has another element or
    /// another `dim`, or there would be more rows than declared.
    ///
    /// # Example
    ///
    /// See [`RowWriter`].
    pub fn write(&mut self, batch: &Matrix) -> Result<()> {
        let outcome = self.write_batch(batch);
        self.named(outcome)
    }

    /// Completes the header and returns the writer, flushed, at the end of the data.
    ///
    /// # Errors
    ///
    /// [`is_io`](Error::is_io) when the writer fails,
    /// [`is_invalid_argument`](Error::is_invalid_argument) when there are no rows, or fewer than
    /// declared.
    ///
    /// # Example
    ///
    /// See [`growing`](Self::growing).
    pub fn finish(mut self) -> Result<W> {
        let outcome = self.complete();
        self.named(outcome)?;
        Ok(self.writer)
    }

    fn start(
        mut writer: W,
        element: Element,
        n_rows: usize,
        dim: usize,
        count: Count<W>,
    ) -> Result<Self> {
        writer.write_all(&header::encode(element, n_rows, dim)).map_err(Error::write)?;
        Ok(Self { writer, element, dim, n_written: 0, count, path: None })
    }

    fn write_batch(&mut self, batch: &Matrix) -> Result<()> {
        batch.check_batch(self.element, self.dim).map_err(Error::argument)?;
        let n_written = self.n_written + batch.n_rows();
        if let Count::Known(expected) = self.count
            && n_written > expected
        {
            return Err(Error::argument(matrix::Problem::RowCount { expected, found: n_written }));
        }
        array::write_values(&mut self.writer, batch).map_err(Error::write)?;
        self.n_written = n_written;
        Ok(())
    }

    fn complete(&mut self) -> Result<()> {
        let (n_rows, dim) = (self.n_written, self.dim);
        match self.count {
            Count::Known(expected) if n_rows != expected => {
                return Err(Error::argument(matrix::Problem::RowCount { expected, found: n_rows }));
            }
            Count::Patched(..) if n_rows == 0 => {
                return Err(Error::argument(matrix::Problem::Empty { n_rows, dim }));
            }
            Count::Known(_) => {}
            Count::Patched(start, patch) => {
                let header: [u8; ENCODED_LENGTH] = header::encode(self.element, n_rows, dim);
                patch(&mut self.writer, start, &header).map_err(Error::write)?;
            }
        }
        self.writer.flush().map_err(Error::write)
    }

    fn named(&self, outcome: Result<()>) -> Result<()> {
        outcome.map_err(|error| match &self.path {
            Some(path) => error.at(path),
            None => error,
        })
    }
}

/// Into a file, a pipe that knows the number of rows, or a spool.
pub(crate) enum NpySink {
    Known(RowWriter<Box<dyn Write + Send>>),
    Growing(RowWriter<Seekable>),
}

impl NpySink {
    /// Writes to a pipe: at once when the number of rows is known, at the end otherwise.
    pub(crate) fn to_pipe(
        target: Box<dyn Write + Send>,
        element: Element,
        dim: usize,
        n_rows: Option<usize>,
    ) -> Result<Self> {
        Ok(match n_rows {
            Some(n_rows) => Self::Known(RowWriter::new(target, element, n_rows, dim)?),
            None => {
                let spool = Seekable::spool(target).map_err(Error::write)?;
                Self::Growing(RowWriter::growing(spool, element, dim)?)
            }
        })
    }

    pub(crate) fn to_file(
        file: OutputFile,
        element: Element,
        dim: usize,
        n_rows: Option<usize>,
    ) -> Result<Self> {
        if file.is_direct() {
            return Self::to_pipe(Box::new(file), element, dim, n_rows);
        }
        Ok(Self::Growing(RowWriter::growing(Seekable::File(file), element, dim)?))
    }
}

impl Sink for NpySink {
    fn write(&mut self, batch: &Matrix) -> Result<()> {
        match self {
            Self::Known(writer) => writer.write(batch),
            Self::Growing(writer) => writer.write(batch),
        }
    }

    fn commit(self: Box<Self>, _n_rows: usize) -> Result<()> {
        match *self {
            Self::Known(writer) => writer.finish().map(|_| ()),
            Self::Growing(writer) => writer.finish()?.commit(),
        }
    }
}
