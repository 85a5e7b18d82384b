//! `.safetensors` files: named tensors behind a JSON header.
//!
//! One tensor is read, by name or because it is the only one: F16, BF16, F32, F64, integers or BOOL,
//! unscaled. Types of up to 16 bits are f32, exactly; integers of 32 and 64 bits are f64. The first
//! dimension counts the rows and the others are flattened; rank 1 is one row. Written is one tensor
//! named `patterns`, F32 or F64, of shape `[n_rows, dim]`.
//!
//! # What is rejected
//!
//! [`Error::is_format`] holds for a header that is not the JSON of the format or is longer than
//! 16 MiB (the format allows 100 MB), tensors that overlap or leave gaps, a file that is longer or
//! shorter than its header declares, another element type, rank 0 and a dimension of size zero.
//! Values are not looked at: NaN and infinities pass (see [`Matrix`]).
//!
//! # Memory
//!
//! The header is read only when it fits in the file; parsed, it may take 64 times its size. Of the
//! data only the one tensor is read, after the size of the file has been compared with the header:
//! 4 times its size for types of 8 bits, twice for 16 bits and integers of 32, once for others.
//!
//! # Source
//!
//! The `safetensors` documentation, "Format" (<https://github.com/huggingface/safetensors#format>).
//!
//! # Example
//!
//! ```
//! use std::io::Cursor;
//! use uhop_data::{Matrix, safetensors};
//!
//! let matrix = Matrix::from(ndarray::array![[1.0_f32, 2.0]]);
//! let mut bytes = Vec::new();
//! safetensors::write_to(&mut bytes, &matrix)?;
//! assert_eq!(safetensors::parse(Cursor::new(&bytes), Some("patterns"))?, matrix);
//! assert_eq!(safetensors::parse(Cursor::new(&bytes), None)?, matrix);
//! # Ok::<(), uhop_data::Error>(())
//! ```
//!
//! [`Error::is_format`]: crate::Error::is_format

mod problem;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use ::safetensors::Dtype;
use ::safetensors::tensor::{Metadata, TensorInfo};

use crate::array::{self, Layout, Stored, Unread};
use crate::bytes::read_full;
use crate::output::Seekable;
use crate::row_sink::Sink;
use crate::rows::Source;
use crate::{Element, Error, Matrix, OutputFile, Result, matrix, output};
pub(crate) use problem::Problem;

/// Name of the tensor written.
const WRITTEN: &str = "patterns";

const MAX_HEADER: u64 = 1 << 24;

/// Bytes before the values of every file written: room for any shape, and a multiple of 64.
const ENCODED_LENGTH: usize = 128;

/// Bytes of the length of the header, which stands first.
const N_LENGTH: u64 = 8;

/// Reads one tensor of a `.safetensors` file: the one of this name, or the only one.
///
/// # Errors
///
/// [`is_io`](Error::is_io) when the file cannot be opened or read, [`is_format`](Error::is_format)
/// when it is not a complete `.safetensors` file with that tensor (see
/// [what is rejected](self#what-is-rejected)), or when no name is given and there are several.
///
/// # Example
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("patterns.safetensors");
/// uhop_data::safetensors::write(&path, &ndarray::array![[1.0_f32]].into())?;
/// assert_eq!(uhop_data::safetensors::read(&path, None)?.dim(), 1);
/// let error = uhop_data::safetensors::read(&path, Some("values")).unwrap_err();
/// assert!(error.to_string().contains(r#"no tensor "values", found "patterns""#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read(path: impl AsRef<Path>, tensor: Option<&str>) -> Result<Matrix> {
    let path = path.as_ref();
    File::open(path)
        .map_err(Error::io)
        .and_then(|file| parse(file, tensor))
        .map_err(|error| error.at(path))
}

/// Reads one tensor from a reader that can seek, as [`read`].
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
/// assert!(uhop_data::safetensors::parse(Cursor::new("{}"), None).unwrap_err().is_format());
/// ```
pub fn parse<R: Read + Seek>(mut reader: R, tensor: Option<&str>) -> Result<Matrix> {
    let layout = find(&mut reader, tensor)?;
    layout.read(&mut reader, true).map_err(shrunk)
}

/// Checks that the bytes of a reader are a `.safetensors` file: a header, and as much data as it declares.
///
/// Whatever its tensors are: none of them is read, and they need not be matrices.
///
/// # Errors
///
/// [`is_io`](Error::is_io) when the reader fails, [`is_format`](Error::is_format) for a header or a length
/// that is [rejected](self#what-is-rejected).
///
/// # Example
///
/// ```
/// use std::io::Cursor;
///
/// let mut bytes = Vec::new();
/// uhop_data::safetensors::write_to(&mut bytes, &ndarray::array![[1.0_f32]].into())?;
/// assert!(uhop_data::safetensors::check(Cursor::new(&bytes)).is_ok());
/// bytes.pop();
/// assert!(uhop_data::safetensors::check(Cursor::new(&bytes)).unwrap_err().is_format());
/// # Ok::<(), uhop_data::Error>(())
/// ```
pub fn check<R: Read + Seek>(mut reader: R) -> Result<()> {
    header(&mut reader).map(|_| ())
}

/// Opens a file to read the rows of a tensor in batches.
pub(crate) fn open_rows(path: &Path, tensor: Option<&str>) -> Result<Box<dyn Source>> {
    let mut file = File::open(path).map_err(Error::io)?;
    let layout = find(&mut file, tensor)?;
    Ok(Box::new(TensorRows { file, unread: Unread::new(layout) }))
}

/// A file open at a row of its tensor.
struct TensorRows {
    file: File,
    unread: Unread,
}

impl Source for TensorRows {
    fn dim(&self) -> usize {
        self.unread.layout.dim
    }

    fn element(&self) -> Element {
        self.unread.layout.element()
    }

    fn n_rows(&self) -> Option<usize> {
        Some(self.unread.layout.n_rows)
    }

    fn next_batch(&mut self, max_rows: usize) -> Result<Option<Matrix>> {
        self.unread.next(&mut self.file, max_rows).map_err(shrunk)
    }
}

/// The size of the file was right when it was opened.
fn shrunk(failure: array::Failure) -> Error {
    match failure {
        array::Failure::Read(error) => Error::io(error),
        array::Failure::EndsEarly(_) => Error::io(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Checks the header and leaves the reader at the first value of the tensor.
fn find<R: Read + Seek>(reader: &mut R, tensor: Option<&str>) -> Result<Layout> {
    let (metadata, data_start) = header(reader)?;
    let (name, info) = choose(&metadata, tensor).map_err(Error::format)?;
    let layout = layout(info)
        .map_err(|problem| Error::format(Problem::Tensor { name: name.clone(), problem }))?;
    reader.seek(SeekFrom::Start(data_start + info.data_offsets.0 as u64)).map_err(Error::io)?;
    Ok(layout)
}

/// The header, checked against the length of the whole, and where the data behind it begin.
fn header<R: Read + Seek>(reader: &mut R) -> Result<(Metadata, u64)> {
    let n_file = reader.seek(SeekFrom::End(0)).map_err(Error::io)?;
    reader.rewind().map_err(Error::io)?;
    let mut length = [0; N_LENGTH as usize];
    let n_read = read_full(reader, &mut length).map_err(Error::io)?;
    let n_header = u64::from_le_bytes(length);
    if n_read < length.len() || n_header > n_file.saturating_sub(N_LENGTH) {
        return Err(Error::format(Problem::Start { n_file }));
    }
    if n_header > MAX_HEADER {
        return Err(Error::format(Problem::HeaderLength { found: n_header, limit: MAX_HEADER }));
    }
    let mut header = vec![0; usize::try_from(n_header).expect("at most 16 MiB")];
    let n_read = read_full(reader, &mut header).map_err(Error::io)?;
    // Checks that the tensors lie one after the other, each as long as its shape says.
    let metadata: Metadata = serde_json::from_slice(&header[..n_read])
        .map_err(|error| Error::format(Problem::Header { detail: error.to_string() }))?;
    drop(header);

    let data_start = N_LENGTH + n_header;
    let (expected, found) = (metadata.data_len() as u64, n_file - data_start);
    if expected != found {
        return Err(Error::format(Problem::Size { expected, found }));
    }
    Ok((metadata, data_start))
}

/// Writes a `.safetensors` file with the one tensor `patterns`; an older file of that name is
/// replaced only when the new one is complete.
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

/// Writes a matrix as the bytes of a `.safetensors` file with the one tensor `patterns`.
///
/// # Errors
///
/// Those of [`write()`].
///
/// # Example
///
/// See the [module](self).
pub fn write_to<W: Write>(mut writer: W, matrix: &Matrix) -> Result<()> {
    matrix.check_not_empty().map_err(Error::argument)?;
    let header = encode(matrix.element(), matrix.n_rows(), matrix.dim())?;
    writer
        .write_all(&header)
        .and_then(|()| array::write_values(&mut writer, matrix))
        .and_then(|()| writer.flush())
        .map_err(Error::write)
}

/// Starts a file to which rows are written in batches.
pub(crate) fn create_rows(path: &Path, element: Element, dim: usize) -> Result<Box<dyn Sink>> {
    let file = OutputFile::create(path)?;
    let mut target = Seekable::file(file).map_err(Error::write)?;
    // Their number is filled in at the end.
    target.write_all(&encode(element, 0, dim)?).map_err(Error::write)?;
    Ok(Box::new(TensorSink { target, element, dim }))
}

struct TensorSink {
    target: Seekable,
    element: Element,
    dim: usize,
}

impl Sink for TensorSink {
    fn write(&mut self, batch: &Matrix) -> Result<()> {
        array::write_values(&mut self.target, batch).map_err(Error::write)
    }

    fn commit(mut self: Box<Self>, n_rows: usize) -> Result<()> {
        let header = encode(self.element, n_rows, self.dim)?;
        output::patch(&mut self.target, 0, &header).map_err(Error::write)?;
        self.target.commit()
    }
}

/// Everything before the values: of one length whatever the shape, so that it can be replaced.
fn encode(element: Element, n_rows: usize, dim: usize) -> Result<Vec<u8>> {
    let too_large = || Error::argument(matrix::Problem::TooLarge { n_rows, dim });
    let n_bytes = n_rows
        .checked_mul(dim)
        .and_then(|n_values| n_values.checked_mul(element.size()))
        .ok_or_else(too_large)?;
    let dtype = match element {
        Element::F32 => Dtype::F32,
        Element::F64 => Dtype::F64,
    };
    let info = TensorInfo { dtype, shape: vec![n_rows, dim], data_offsets: (0, n_bytes) };
    let metadata = Metadata::new(None, vec![(WRITTEN.to_owned(), info)])
        .expect("one tensor whose offsets are its size");
    let mut bytes = (ENCODED_LENGTH as u64 - N_LENGTH).to_le_bytes().to_vec();
    serde_json::to_writer(&mut bytes, &metadata).expect("strings and integers");
    // The product of the two sizes has 20 digits at most, so that they have 21 together.
    debug_assert!(bytes.len() <= ENCODED_LENGTH);
    // The format allows spaces here, and wants the data aligned.
    bytes.resize(ENCODED_LENGTH, b' ');
    Ok(bytes)
}

/// The tensor of this name, or the only one.
fn choose<'a>(
    metadata: &'a Metadata,
    tensor: Option<&str>,
) -> Result<(String, &'a TensorInfo), Problem> {
    let name = match tensor {
        Some(name) => name.to_owned(),
        None => match &mut metadata.offset_keys()[..] {
            [name] => std::mem::take(name),
            [] => return Err(Problem::Empty),
            _ => return Err(Problem::Several { found: found(metadata) }),
        },
    };
    match metadata.info(&name) {
        Some(info) => Ok((name, info)),
        None => Err(Problem::Missing { name, found: found(metadata) }),
    }
}

fn found(metadata: &Metadata) -> String {
    crate::bytes::names(metadata.offset_keys().iter().map(String::as_str))
}

fn layout(info: &TensorInfo) -> Result<Layout, problem::Tensor> {
    let stored = match info.dtype {
        Dtype::BOOL => Stored::Bool,
        Dtype::I8 => Stored::I8,
        Dtype::U8 => Stored::U8,
        Dtype::I16 => Stored::I16,
        Dtype::U16 => Stored::U16,
        Dtype::I32 => Stored::I32,
        Dtype::U32 => Stored::U32,
        Dtype::I64 => Stored::I64,
        Dtype::U64 => Stored::U64,
        Dtype::F16 => Stored::F16,
        Dtype::BF16 => Stored::Bf16,
        Dtype::F32 => Stored::F32,
        Dtype::F64 => Stored::F64,
        other => return Err(problem::Tensor::Element { found: format!("{other:?}") }),
    };
    let shape: Vec<u64> = info.shape.iter().map(|&size| size as u64).collect();
    Ok(Layout::new(stored, false, false, &shape)?)
}
