//! `.npy` files, numpy's format for one array.
//!
//! Read: floats of 16, 32 and 64 bits, integers and booleans, in either byte order, in C or Fortran order,
//! format versions 1 to 3. Up to 16 bits they are f32, exactly; integers of 32 and 64 bits are f64, those
//! beyond 2⁵³ the nearest. Nothing is scaled. The first dimension counts the rows and the others are
//! flattened: rank 1 is one row, rank 3 of shape `[n, h, w]` is `[n, h * w]`. Written: f32 or f64 of shape
//! `[n_rows, dim]`, little-endian, C order, version 1.
//!
//! # What is rejected
//!
//! A file is accepted only when its header and its data agree to the byte: [`Error::is_format`]
//! holds for other first bytes, an unknown version, a header that is damaged or longer than 65,535
//! bytes, another element type, rank 0, a dimension of size zero, data that end early and bytes
//! after the data. Values are not looked at: NaN and infinities pass (see [`Matrix`]).
//!
//! # Memory
//!
//! The size of a file is compared with its header before memory is taken. A stream has no known
//! size; memory grows as data arrive, never because a header asks for it. The values take 4 times
//! the size of a file of bytes, twice that of one of 16 bits or of integers of 32, and once that of any
//! other; twice that in Fortran order, three times from a stream. [`RowReader`] holds one batch, with room
//! to grow: three times its values.
//! [`Rows`](crate::Rows) too, except in Fortran order.
//!
//! # Source
//!
//! The numpy documentation, "numpy.lib.format"
//! (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>).
//!
//! # Example
//!
//! ```
//! use ndarray::array;
//! use uhop_data::{Matrix, npy};
//!
//! let matrix = Matrix::from(array![[1.0_f32, 2.0], [3.0, 4.0]]);
//! let mut bytes = Vec::new();
//! npy::write_to(&mut bytes, &matrix)?;
//! assert_eq!(bytes.len(), 128 + 16);
//! assert_eq!(npy::parse(&bytes[..])?, matrix);
//! # Ok::<(), uhop_data::Error>(())
//! ```
//!
//! [`Error::is_format`]: crate::Error::is_format

mod header;
mod problem;
mod rows;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use crate::array::{self, Layout, Unread};
use crate::bytes::read_full;
use crate::row_sink::Sink;
use crate::rows::{Source, Whole};
use crate::{Element, Error, Matrix, OutputFile, Result, output};
use header::Header;
pub(crate) use header::encode;
pub(crate) use problem::Problem;
pub(crate) use rows::NpySink;
pub use rows::{RowReader, RowWriter};

pub(crate) type Failure = crate::bytes::Failure<Problem>;

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// Reads an `.npy` file.
///
/// # Errors
///
/// [`is_io`](Error::is_io) when the file cannot be opened or read, [`is_format`](Error::is_format)
/// when it is not a complete `.npy` file of numbers (see
/// [what is rejected](self#what-is-rejected)).
///
/// # Example
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("patterns.npy");
/// let matrix = uhop_data::Matrix::from(ndarray::array![[0.5_f64]]);
/// uhop_data::npy::write(&path, &matrix)?;
/// assert_eq!(uhop_data::npy::read(&path)?, matrix);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read(path: impl AsRef<Path>) -> Result<Matrix> {
    let path = path.as_ref();
    let (mut file, n_bytes) = open(path).map_err(|error| Error::io(error).at(path))?;
    read_array(&mut file, n_bytes).map_err(|failure| Error::from(failure).at(path))
}

/// Reads an `.npy` file from a byte slice or any other reader, up to its end.
///
/// The reader need not be buffered: reads are made in large blocks.
///
/// # Errors
///
/// [`is_io`](Error::is_io) when the reader itself fails, [`is_format`](Error::is_format) as
/// [`read`].
///
/// # Example
///
/// ```
/// assert!(uhop_data::npy::parse(&b"\x93NUMPY"[..]).unwrap_err().is_format());
/// ```
pub fn parse<R: Read>(mut reader: R) -> Result<Matrix> {
    read_array(&mut reader, None).map_err(Error::from)
}

/// Writes an `.npy` file; an older file of that name is replaced only when the new one is complete.
///
/// # Errors
///
/// [`is_io`](Error::is_io) when the file cannot be written,
/// [`is_invalid_argument`](Error::is_invalid_argument) when the matrix has no rows or no columns.
///
/// # Example
///
/// See [`read`].
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// let nothing = uhop_data::Matrix::F32(ndarray::Array2::zeros((0, 3)));
/// let error = uhop_data::npy::write(directory.path().join("a.npy"), &nothing).unwrap_err();
/// assert!(error.is_invalid_argument());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write(path: impl AsRef<Path>, matrix: &Matrix) -> Result<()> {
    output::write_file(path.as_ref(), |file| write_to(file, matrix))
}

/// Writes a matrix as the bytes of an `.npy` file.
///
/// # Errors
///
/// Those of [`write()`].
///
/// # Example
///
/// ```
/// let mut bytes = Vec::new();
/// uhop_data::npy::write_to(&mut bytes, &ndarray::array![[1.0_f64]].into())?;
/// assert!(bytes.starts_with(b"\x93NUMPY\x01\x00"));
/// # Ok::<(), uhop_data::Error>(())
/// ```
pub fn write_to<W: Write>(mut writer: W, matrix: &Matrix) -> Result<()> {
    matrix.check_not_empty().map_err(Error::argument)?;
    writer
        .write_all(&header::encode(matrix.element(), matrix.n_rows(), matrix.dim()))
        .and_then(|()| array::write_values(&mut writer, matrix))
        .and_then(|()| writer.flush())
        .map_err(Error::write)
}

/// Opens a file; its size is known when it is a regular one.
fn open(path: &Path) -> io::Result<(File, Option<u64>)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let n_bytes = metadata.is_file().then_some(metadata.len());
    Ok((file, n_bytes))
}

/// Opens a file to read its rows in batches.
pub(crate) fn open_rows(path: &Path) -> Result<Box<dyn Source>> {
    let (file, n_bytes) = open(path).map_err(Error::io)?;
    rows_of(file, n_bytes)
}

/// Starts a file to which rows are written in batches.
pub(crate) fn create_rows(
    path: &Path,
    element: Element,
    dim: usize,
    n_rows: Option<usize>,
) -> Result<Box<dyn Sink>> {
    Ok(Box::new(NpySink::to_file(OutputFile::create(path)?, element, dim, n_rows)?))
}

/// Reads the rows of a stream in batches, or all at once where they do not follow each other.
pub(crate) fn rows_of<R: Read + Send + 'static>(
    mut stream: R,
    n_bytes: Option<u64>,
) -> Result<Box<dyn Source>> {
    let layout = layout(&mut stream, n_bytes)?;
    if layout.is_row_major() {
        return Ok(Box::new(RowReader::of_rows(stream, layout)));
    }
    let matrix = read_all(&layout, &mut stream, n_bytes.is_some())?;
    Ok(Box::new(Whole::new(matrix)))
}

/// Reads header, values and the end. `n_bytes` is the size of everything, when it is known.
fn read_array(stream: &mut dyn Read, n_bytes: Option<u64>) -> Result<Matrix, Failure> {
    let layout = layout(stream, n_bytes)?;
    read_all(&layout, stream, n_bytes.is_some())
}

/// Reads the header. `n_bytes` is the size of everything, when it is known.
pub(crate) fn layout(stream: &mut dyn Read, n_bytes: Option<u64>) -> Result<Layout, Failure> {
    let header = Header::read(stream)?;
    if let Some(n_bytes) = n_bytes {
        header.check_size(n_bytes)?;
    }
    Ok(header.layout)
}

/// Reads the values after a header and the end; see [`Layout::read`] for `reserve`.
pub(crate) fn read_all(
    layout: &Layout,
    stream: &mut dyn Read,
    reserve: bool,
) -> Result<Matrix, Failure> {
    let matrix = layout.read(stream, reserve).map_err(|failure| problem(layout, failure))?;
    check_end(layout, stream)?;
    Ok(matrix)
}

/// Reads the next rows after a header, and the end with the last of them.
pub(crate) fn next_rows(
    unread: &mut Unread,
    stream: &mut dyn Read,
    max_rows: usize,
) -> Result<Option<Matrix>, Failure> {
    let batch =
        unread.next(stream, max_rows).map_err(|failure| problem(&unread.layout, failure))?;
    if batch.is_some() && unread.is_empty() {
        check_end(&unread.layout, stream)?;
    }
    Ok(batch)
}

/// Errors unless the stream is at its end.
fn check_end(layout: &Layout, stream: &mut dyn Read) -> Result<(), Failure> {
    match read_full(stream, &mut [0])? {
        0 => Ok(()),
        _ => Err(Problem::TrailingData { layout: layout.clone() }.into()),
    }
}

fn problem(layout: &Layout, failure: array::Failure) -> Failure {
    match failure {
        array::Failure::Read(error) => error.into(),
        array::Failure::EndsEarly(found) => {
            Problem::TruncatedData { layout: layout.clone(), found }.into()
        }
    }
}
