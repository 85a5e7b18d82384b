//! `.csv` files: one row of numbers per line, separated by commas.
//!
//! Every number is read as f64, in any spelling Rust's `f64` parses (`1`, `-0.5`, `1e-3`, `NaN`,
//! `inf`), with spaces around it or quotes. A first line without any number is a header and is
//! skipped, whatever it says; empty lines are skipped too. A line break ends a line in quotes too. Written are numbers only, each in the
//! fewest digits that read back as the same value.
//!
//! # What is rejected
//!
//! [`Error::is_format`] holds for a field that is not a number, with its line and column; for a
//! first line that mixes names and numbers, which is more likely a mistake than a header; for lines
//! of unequal length; and for a file without numbers.
//!
//! # Memory
//!
//! At most 16 times the size of the file, reached by one-digit numbers: 8 bytes for each, room to
//! grow, and one line.
//!
//! # Example
//!
//! ```
//! let matrix = uhop_data::csv::parse("x,y\n1,2\n3,4.5\n".as_bytes())?;
//! assert_eq!(matrix.into_f64(), ndarray::array![[1.0, 2.0], [3.0, 4.5]]);
//!
//! let error = uhop_data::csv::parse("1,2\n3,four\n".as_bytes()).unwrap_err();
//! assert!(error.to_string().starts_with(r#"line 2, column 2: expected a number, found "four""#));
//! # Ok::<(), uhop_data::Error>(())
//! ```
//!
//! [`Error::is_format`]: crate::Error::is_format

mod problem;

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

use ndarray::{Array2, ArrayView2};

use crate::bytes::quoted;
use crate::row_sink::Sink;
use crate::rows::Source;
use crate::{Element, Error, Matrix, OutputFile, Result, output};
pub(crate) use problem::Problem;

/// Some programs put it in front of a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads a CSV file as f64.
///
/// # Errors
///
/// [`is_io`](Error::is_io) when the file cannot be opened or read, [`is_format`](Error::is_format)
/// when it is not a table of numbers (see [what is rejected](self#what-is-rejected)).
///
/// # Example
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("patterns.csv");
/// let matrix = uhop_data::Matrix::from(ndarray::array![[0.1_f64, -2e30]]);
/// uhop_data::csv::write(&path, &matrix)?;
/// assert_eq!(std::fs::read_to_string(&path)?, "0.1,-2e30\n");
/// assert_eq!(uhop_data::csv::read(&path)?, matrix);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read(path: impl AsRef<Path>) -> Result<Matrix> {
    let path = path.as_ref();
    File::open(path).map_err(Error::io).and_then(parse).map_err(|error| error.at(path))
}

/// Reads CSV as f64 from a byte slice or any other reader, which need not be buffered.
///
/// # Errors
///
/// [`is_io`](Error::is_io) when the reader itself fails, [`is_format`](Error::is_format) as
/// [`read`].
///
/// # Example
///
/// See the [module](self).
pub fn parse<R: Read>(reader: R) -> Result<Matrix> {
    let mut reader = RowReader::new(reader)?;
    let mut values = std::mem::take(&mut reader.first);
    let mut n_rows = 1;
    while reader.read_row(&mut values)? {
        n_rows += 1;
    }
    Ok(matrix(n_rows, reader.dim, values))
}

/// Opens a file to read its rows in batches.
pub(crate) fn open_rows(path: &Path) -> Result<Box<dyn Source>> {
    let file = File::open(path).map_err(Error::io)?;
    Ok(Box::new(RowReader::new(file)?))
}

/// Reads line by line.
struct RowReader<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    line_number: u64,
    dim: usize,
    /// The first row, which tells the length of all, until it is given out.
    first: Vec<f64>,
}

impl<R: Read> RowReader<R> {
    /// Reads the header, if there is one, and the first row.
    fn new(reader: R) -> Result<Self> {
        let reader = BufReader::with_capacity(1 << 16, reader);
        let mut rows = Self { reader, line: Vec::new(), line_number: 0, dim: 0, first: Vec::new() };
        let mut is_there = rows.next_line()?;
        if is_there && rows.fields().all(|field| number(field).is_none()) {
            is_there = rows.next_line()?;
        }
        if !is_there {
            return Err(Error::format(Problem::Empty));
        }
        let mut first = Vec::new();
        rows.dim = rows.fields().count();
        rows.numbers(&mut first)?;
        Ok(Self { first, ..rows })
    }

    /// Appends the values of the next row, or says that there is none.
    fn read_row(&mut self, values: &mut Vec<f64>) -> Result<bool> {
        if !self.next_line()? {
            return Ok(false);
        }
        self.numbers(values)?;
        Ok(true)
    }

    /// Reads the next line that is not empty, or nothing at the end. Lines count from 1.
    fn next_line(&mut self) -> Result<bool> {
        let Self { reader, line, line_number, .. } = self;
        loop {
            line.clear();
            if reader.read_until(b'\n', line).map_err(Error::io)? == 0 {
                return Ok(false);
            }
            *line_number += 1;
            if *line_number == 1 && line.starts_with(BYTE_ORDER_MARK) {
                line.drain(..BYTE_ORDER_MARK.len());
            }
            if !line.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    fn fields(&self) -> impl Iterator<Item = &[u8]> {
        self.line.trim_ascii().split(|&byte| byte == b',')
    }

    /// Appends the values of the line.
    fn numbers(&self, values: &mut Vec<f64>) -> Result<()> {
        let line = self.line_number;
        let mut n_fields = 0;
        for field in self.fields() {
            n_fields += 1;
            let Some(value) = number(field) else {
                let found = quoted(&String::from_utf8_lossy(field.trim_ascii()));
                return Err(Error::format(Problem::NotANumber { line, column: n_fields, found }));
            };
            values.push(value);
        }
        if n_fields != self.dim {
            let problem = Problem::Length { line, expected: self.dim, found: n_fields };
            return Err(Error::format(problem));
        }
        Ok(())
    }
}

impl<R: Read + Send> Source for RowReader<R> {
    fn dim(&self) -> usize {
        self.dim
    }

    fn element(&self) -> Element {
        Element::F64
    }

    fn n_rows(&self) -> Option<usize> {
        None
    }

    fn next_batch(&mut self, max_rows: usize) -> Result<Option<Matrix>> {
        let mut values = std::mem::take(&mut self.first);
        let mut n_rows = usize::from(!values.is_empty());
        while n_rows < max_rows && self.read_row(&mut values)? {
            n_rows += 1;
        }
        Ok((n_rows > 0).then(|| matrix(n_rows, self.dim, values)))
    }
}

fn matrix(n_rows: usize, dim: usize, values: Vec<f64>) -> Matrix {
    let rows = Array2::from_shape_vec((n_rows, dim), values);
    Matrix::F64(rows.expect("every line has dim fields"))
}

/// Writes a CSV file without a header; an older file of that name is replaced only when the new one
/// is complete.
///
/// # Errors
///
/// [`is_io`](Error::is_io) when the file cannot be written,
/// [`is_invalid_argument`](Error::is_invalid_argument) when the matrix has no rows or no columns.
///
/// # Example
///
/// See [`read`].
pub fn write(path: impl AsRef<Path>, matrix: &Matrix) -> Result<()> {
    output::write_file(path.as_ref(), |file| write_to(file, matrix))
}

/// Writes a matrix as lines of numbers, without a header.
///
/// Read back and converted to the precision it had, the matrix is the same.
///
/// # Errors
///
/// Those of [`write()`].
///
/// # Example
///
/// ```
/// let mut text = Vec::new();
/// uhop_data::csv::write_to(&mut text, &ndarray::array![[0.1_f32, 1.0]].into())?;
/// assert_eq!(text, b"0.1,1.0\n");
/// # Ok::<(), uhop_data::Error>(())
/// ```
pub fn write_to<W: Write>(writer: W, matrix: &Matrix) -> Result<()> {
    matrix.check_not_empty().map_err(Error::argument)?;
    let mut writer = BufWriter::with_capacity(1 << 16, writer);
    write_lines(&mut writer, matrix).and_then(|()| writer.flush()).map_err(Error::write)
}

/// Starts a file to which rows are written in batches.
pub(crate) fn create_rows(path: &Path) -> Result<Box<dyn Sink>> {
    let file = OutputFile::create(path)?;
    Ok(Box::new(CsvSink(BufWriter::with_capacity(1 << 16, file))))
}

struct CsvSink(BufWriter<OutputFile>);

impl Sink for CsvSink {
    fn write(&mut self, batch: &Matrix) -> Result<()> {
        write_lines(&mut self.0, batch).map_err(Error::write)
    }

    fn commit(self: Box<Self>, _n_rows: usize) -> Result<()> {
        self.0.into_inner().map_err(|error| Error::write(error.into_error()))?.commit()
    }
}

fn write_lines<W: Write>(writer: &mut W, matrix: &Matrix) -> io::Result<()> {
    match matrix {
        Matrix::F32(rows) => write_rows(writer, rows.view(), write_f32),
        Matrix::F64(rows) => {
            write_rows(writer, rows.view(), |writer, value| write!(writer, "{value:?}"))
        }
    }
}

fn number(field: &[u8]) -> Option<f64> {
    let field = field.trim_ascii();
    let inside = field.strip_prefix(b"\"").and_then(|field| field.strip_suffix(b"\""));
    str::from_utf8(inside.unwrap_or(field).trim_ascii()).ok()?.parse().ok()
}

fn write_rows<T: Copy + fmt::Debug, W: Write>(
    writer: &mut W,
    rows: ArrayView2<'_, T>,
    write_value: impl Fn(&mut W, T) -> io::Result<()>,
) -> io::Result<()> {
    for row in rows.rows() {
        for (i, &value) in row.iter().enumerate() {
            if i > 0 {
                writer.write_all(b",")?;
            }
            write_value(writer, value)?;
        }
        writer.write_all(b"\n")?;
    }
    Ok(())
}

/// The fewest digits of an f32 nearly always survive being read as f64 and rounded to f32; where
/// they do not, all digits of the exact value do.
fn write_f32<W: Write>(writer: &mut W, value: f32) -> io::Result<()> {
    let shortest = format!("{value:?}");
    match shortest.parse::<f64>() {
        Ok(read) if read as f32 == value || value.is_nan() => writer.write_all(shortest.as_bytes()),
        _ => write!(writer, "{:?}", f64::from(value)),
    }
}
