//! Parquet files: one column of rows or of images. Read only.
//!
//! Read is a column of lists of float or double (lists, large lists and fixed-size lists, which are
//! the same in the file), one row a list, or a column of images as Hugging Face stores them: a struct
//! of `bytes`, a PNG or JPEG file, and `path`, which is not looked at. Images become rows as those of
//! an [`image_folder`] do. The column is chosen by its name, or is the only one of these. Pages may be
//! plain or compressed by snappy, gzip or zstd. The labels beside, a column of integers, are read by
//! [`read_labels`], with the names of the classes.
//!
//! # What is rejected
//!
//! [`Error::is_format`] holds for a file without such a column or with several when none is named,
//! numbers in columns of their own, lists of different lengths, nulls, a file without rows, images
//! that [`image_folder`] rejects, other compressions and encodings than those most writers use
//! (plain, dictionary, byte stream split), an encrypted file, and whatever contradicts itself. Values
//! are not looked at: NaN and infinities pass (see [`Matrix`]).
//!
//! # Memory
//!
//! The footer is read when it has at most 16 MiB; parsed, it may take 512 times its size. Rows may
//! take 64 MiB and 4,096 times the size of the file, and so may the values of a row group; this is
//! compared before they are read. A page may take 16 MiB and 1,032 times its size in the file, ten
//! times that for a dictionary of images, and a window of 128 MiB while zstd inflates it.
//!
//! [`RowReader`] holds a page and a batch: lists twice, with 4 bytes more for each value, images with
//! 16 encoded ones and the pages they are in. [`read`] holds all rows beside a batch of 1,024. One
//! image takes what it takes in an [`image_folder`].
//!
//! # Time
//!
//! The decoder of the footer reads a known field by its number, whatever its type, and passes over
//! booleans in an unknown list without a byte for each. Such lists are refused where the check meets
//! them; a forged footer whose types contradict their numbers can hide one from it and keep the
//! decoder busy for seconds, in bounded memory.
//!
//! # Panics
//!
//! None. Those of the decoder on damaged files become errors; see [`is_decoding`].
//!
//! # Source
//!
//! The Apache Parquet documentation, "File Format" (<https://parquet.apache.org/docs/file-format/>).
//!
//! [`Error::is_format`]: crate::Error::is_format

mod columns;
mod compact;
mod contain;
mod footer;
mod header;
mod labels;
mod pages;
mod problem;
mod records;
mod rows;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::ParquetMetaData;
use ndarray::Array2;

use crate::image_folder::{self, Shape};
use crate::{Element, Error, Matrix, ReadOptions, Result};
use columns::Leaf;
pub use contain::is_decoding;
pub use labels::{Labels, parse_labels, read_labels};
pub(crate) use problem::Problem;
use records::Source;
use rows::{Form, Rows};

/// Rows that [`read`] takes at a time.
const BATCH: usize = 1024;

/// What rows may take: this many bytes and this many times the size of the file.
const MAX_SMALL: u64 = 1 << 26;
const MAX_RATIO: u64 = 4096;

/// Why decoding stopped.
pub(crate) enum Failure {
    Read(io::Error),
    Problem(Problem),
    /// In the column that is read.
    Column(problem::Column),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<problem::Column> for Failure {
    fn from(problem: problem::Column) -> Self {
        Self::Column(problem)
    }
}

/// Carries what the pages say about themselves, and the decoder's own words.
impl From<ParquetError> for Failure {
    fn from(error: ParquetError) -> Self {
        match error {
            ParquetError::External(cause) => match cause.downcast::<Problem>() {
                Ok(problem) => (*problem).into(),
                Err(cause) => match cause.downcast::<io::Error>() {
                    Ok(error) => (*error).into(),
                    Err(cause) => damaged(&cause.to_string()),
                },
            },
            error => damaged(&error.to_string()),
        }
    }
}

fn damaged(detail: &str) -> Failure {
    Failure::Problem(Problem::Damaged { detail: detail.to_owned() })
}

/// Reads the rows of a column batch by batch.
///
/// Options are the column ([`member`](ReadOptions::member)) and the size and colour of images.
///
/// # Example
///
/// ```no_run
/// use uhop_data::{ReadOptions, parquet};
///
/// let mut reader = parquet::RowReader::open("train.parquet", &ReadOptions::default())?;
/// let mut n_rows = 0;
/// while let Some(batch) = reader.next_batch(256)? {
///     assert_eq!(batch.dim(), reader.dim());
///     n_rows += batch.n_rows();
/// }
/// assert_eq!(n_rows, reader.n_rows());
/// # Ok::<(), uhop_data::Error>(())
/// ```
pub struct RowReader {
    path: Option<PathBuf>,
    column: String,
    form: Form,
    n_rows: usize,
    has_jpeg: bool,
    /// Nothing after the end or a failure.
    rows: Option<Rows>,
}

impl RowReader {
    /// Opens a file, chooses the column and looks at its first row.
    ///
    /// # Errors
    ///
    /// Those of [`read`].
    ///
    /// # Example
    ///
    /// See [`RowReader`].
    pub fn open(path: impl AsRef<Path>, options: &ReadOptions<'_>) -> Result<Self> {
        let path = path.as_ref();
        let mut reader = File::open(path)
            .map_err(Error::io)
            .and_then(|file| Self::new(file, options))
            .map_err(|error| error.at(path))?;
        reader.path = Some(path.to_owned());
        Ok(reader)
    }

    /// Chooses the column of a file in a reader that can seek, as [`open`](Self::open).
    ///
    /// # Errors
    ///
    /// Those of [`read`].
    ///
    /// # Example
    ///
    /// ```
    /// use std::io::Cursor;
    /// use uhop_data::{ReadOptions, parquet};
    ///
    /// let reader = parquet::RowReader::new(Cursor::new("PAR1"), &ReadOptions::default());
    /// assert!(reader.unwrap_err().is_format());
    /// ```
    pub fn new<R>(reader: R, options: &ReadOptions<'_>) -> Result<Self>
    where
        R: Read + Seek + Send + 'static,
    {
        image_folder::check_size(&options.images).map_err(Error::argument)?;
        let mut column = None;
        start(reader, options, &mut column).map_err(|failure| error(failure, column.as_deref()))
    }

    /// Number of rows of the whole column.
    ///
    /// # Example
    ///
    /// See [`RowReader`].
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Number of values in each row.
    ///
    /// # Example
    ///
    /// See [`RowReader`].
    pub fn dim(&self) -> usize {
        self.form.dim
    }

    /// The precision of the batches: that of the lists, f32 for images.
    ///
    /// # Example
    ///
    /// ```no_run
    /// use uhop_data::{Element, ReadOptions, parquet};
    ///
    /// let reader = parquet::RowReader::open("images.parquet", &ReadOptions::default())?;
    /// assert_eq!(reader.element(), Element::F32);
    /// # Ok::<(), uhop_data::Error>(())
    /// ```
    pub fn element(&self) -> Element {
        self.form.element
    }

    /// Size and colour of the images, if that is what the rows are.
    ///
    /// # Example
    ///
    /// ```no_run
    /// use uhop_data::{ReadOptions, parquet};
    ///
    /// let reader = parquet::RowReader::open("images.parquet", &ReadOptions::default())?;
    /// assert_eq!(reader.images().and_then(|shape| shape.dim()), Some(reader.dim()));
    /// # Ok::<(), uhop_data::Error>(())
    /// ```
    pub fn images(&self) -> Option<Shape> {
        self.form.images
    }

    /// Reads the next rows, at most `max_rows` (0 counts as 1), or nothing after the last ones.
    ///
    /// # Errors
    ///
    /// Those of [`read`]. One ends the reading: later calls return nothing.
    ///
    /// # Example
    ///
    /// See [`RowReader`].
    pub fn next_batch(&mut self, max_rows: usize) -> Result<Option<Matrix>> {
        let Some(mut rows) = self.rows.take() else { return Ok(None) };
        let batch = rows.next(&self.form, max_rows.max(1)).map_err(|failure| {
            let error = error(failure, Some(&self.column));
            match &self.path {
                Some(path) => error.at(path),
                None => error,
            }
        })?;
        self.has_jpeg = rows.has_jpeg();
        if batch.is_some() {
            self.rows = Some(rows);
        }
        Ok(batch)
    }

    /// True when an image among those read so far is a JPEG file: its pixels are close to those that
    /// were stored, not the same, and differ by a few levels from one decoder to another.
    ///
    /// # Example
    ///
    /// ```no_run
    /// use uhop_data::{ReadOptions, parquet};
    ///
    /// let mut reader = parquet::RowReader::open("train.parquet", &ReadOptions::default())?;
    /// assert!(!reader.has_jpeg());
    /// reader.next_batch(1)?;
    /// println!("{}", if reader.has_jpeg() { "compressed with loss" } else { "as it was" });
    /// # Ok::<(), uhop_data::Error>(())
    /// ```
    pub fn has_jpeg(&self) -> bool {
        self.has_jpeg
    }
}

/// Opens a file to read its rows in batches.
pub(crate) fn open_rows(
    path: &Path,
    options: &ReadOptions<'_>,
) -> Result<Box<dyn crate::rows::Source>> {
    Ok(Box::new(RowReader::open(path, options)?))
}

impl crate::rows::Source for RowReader {
    fn dim(&self) -> usize {
        Self::dim(self)
    }

    fn element(&self) -> Element {
        Self::element(self)
    }

    fn n_rows(&self) -> Option<usize> {
        Some(Self::n_rows(self))
    }

    fn images(&self) -> Option<Shape> {
        Self::images(self)
    }

    fn next_batch(&mut self, max_rows: usize) -> Result<Option<Matrix>> {
        Self::next_batch(self, max_rows)
    }
}

impl std::fmt::Debug for RowReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { path, column, form, n_rows, .. } = self;
        f.debug_struct("RowReader")
            .field("path", path)
            .field("column", column)
            .field("form", form)
            .field("n_rows", n_rows)
            .finish_non_exhaustive()
    }
}

/// Reads all rows of a column, and the shape of its images if that is what they are.
///
/// # Errors
///
/// [`is_io`](Error::is_io) when the file cannot be opened or read, [`is_format`](Error::is_format)
/// when it is not a complete Parquet file with that column (see
/// [what is rejected](self#what-is-rejected)), [`is_ambiguous`](Error::is_ambiguous) when no column is
/// named and there are several, [`is_invalid_argument`](Error::is_invalid_argument) when the size of
/// images asked for has a side of 0 or above 16,384.
///
/// # Example
///
/// ```
/// let error = uhop_data::parquet::read("no/such.parquet", &Default::default()).unwrap_err();
/// assert!(error.is_io());
/// ```
pub fn read(path: impl AsRef<Path>, options: &ReadOptions<'_>) -> Result<(Matrix, Option<Shape>)> {
    let path = path.as_ref();
    all(RowReader::open(path, options)?).map_err(|error| error.at(path))
}

/// Reads all rows of a column from a reader that can seek, as [`read`].
///
/// # Errors
///
/// Those of [`read`].
///
/// # Example
///
/// ```
/// use std::io::Cursor;
///
/// let error = uhop_data::parquet::parse(Cursor::new("text"), &Default::default()).unwrap_err();
/// assert!(error.to_string().starts_with("not a complete Parquet file"));
/// ```
pub fn parse<R>(reader: R, options: &ReadOptions<'_>) -> Result<(Matrix, Option<Shape>)>
where
    R: Read + Seek + Send + 'static,
{
    all(RowReader::new(reader, options)?)
}

fn all(mut reader: RowReader) -> Result<(Matrix, Option<Shape>)> {
    let matrix = match reader.element() {
        Element::F32 => Matrix::F32(collect(&mut reader, Matrix::into_f32)?),
        Element::F64 => Matrix::F64(collect(&mut reader, Matrix::into_f64)?),
    };
    Ok((matrix, reader.images()))
}

fn collect<T>(reader: &mut RowReader, values: fn(Matrix) -> Array2<T>) -> Result<Array2<T>> {
    let shape = (reader.n_rows(), reader.dim());
    let mut all = Vec::new();
    // The product has been compared with the size of the file.
    all.try_reserve_exact(shape.0.saturating_mul(shape.1))
        .map_err(|_| Error::io(io::ErrorKind::OutOfMemory.into()))?;
    while let Some(batch) = reader.next_batch(BATCH)? {
        all.extend(values(batch));
    }
    Ok(Array2::from_shape_vec(shape, all).expect("the reader compares the number of rows"))
}

fn error(failure: Failure, column: Option<&str>) -> Error {
    match failure {
        Failure::Read(error) => Error::io(error),
        Failure::Problem(problem) => Error::format(problem),
        Failure::Column(problem) => {
            let name = column.unwrap_or_default().to_owned();
            Error::format(Problem::Column { name, problem })
        }
    }
}

/// A file whose description has been read.
struct Opened {
    file: records::Shared,
    n_file: u64,
    metadata: Arc<ParquetMetaData>,
    n_rows: usize,
}

impl Opened {
    fn new<R: Read + Seek + Send + 'static>(mut file: R) -> Result<Self, Failure> {
        let n_file = file.seek(SeekFrom::End(0))?;
        let metadata = footer::read(&mut file, n_file)?;
        let n_rows = metadata.row_groups().iter().try_fold(0_usize, |sum, group| {
            usize::try_from(group.num_rows()).ok().and_then(|n| sum.checked_add(n))
        });
        let n_rows = n_rows.ok_or_else(|| damaged("it declares too many rows"))?;
        Ok(Self { file: Arc::new(Mutex::new(file)), n_file, metadata: Arc::new(metadata), n_rows })
    }

    /// Bytes that rows may take.
    fn max_bytes(&self) -> u64 {
        self.n_file.saturating_mul(MAX_RATIO).saturating_add(MAX_SMALL)
    }

    /// Errors when rows of this many bytes, or of too many to count, are more than the file may hold.
    fn check_bytes(&self, n_bytes: Option<u64>) -> Result<(), Problem> {
        match n_bytes {
            Some(n_bytes) if n_bytes <= self.max_bytes() => Ok(()),
            _ => Err(Problem::TooLarge { n_file: self.n_file }),
        }
    }

    /// A leaf to read.
    fn source(&self, leaf: usize) -> Source {
        Source {
            file: Arc::clone(&self.file),
            n_file: self.n_file,
            metadata: Arc::clone(&self.metadata),
            leaf,
            max_bytes: self.max_bytes(),
        }
    }
}

fn start<R: Read + Seek + Send + 'static>(
    file: R,
    options: &ReadOptions<'_>,
    chosen: &mut Option<String>,
) -> Result<RowReader, Failure> {
    let opened = Opened::new(file)?;
    let schema = opened.metadata.file_metadata().schema_descr();
    let (column, leaf) = columns::choose(schema, options.member)?;
    *chosen = Some(column.clone());
    let Some(form) = rows(&opened, leaf, options).form()? else {
        return Err(Problem::NoRows.into());
    };
    let n_rows = opened.n_rows;
    let n_bytes = (n_rows as u64)
        .checked_mul(form.dim as u64)
        .and_then(|n| n.checked_mul(form.element.size() as u64));
    opened.check_bytes(n_bytes)?;
    let rows = Some(rows(&opened, leaf, options));
    Ok(RowReader { path: None, column, form, n_rows, has_jpeg: false, rows })
}

fn rows(opened: &Opened, leaf: Leaf, options: &ReadOptions<'_>) -> Rows {
    Rows::new(opened.source(leaf.index), leaf, &options.images)
}
