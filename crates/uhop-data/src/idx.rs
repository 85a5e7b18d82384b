//! IDX files, the format of MNIST: plain or gzip-compressed.
//!
//! An IDX file is a header and one array, all big-endian:
//!
//! | bytes | content |
//! | --- | --- |
//! | 2 | zero |
//! | 1 | element type: `08` u8, `09` i8, `0b` i16, `0c` i32, `0d` f32, `0e` f64 |
//! | 1 | rank, the number of dimensions |
//! | 4 × rank | the sizes of the dimensions, u32, slowest first |
//! | rest | the values, last dimension fastest |
//!
//! Gzip is recognised by its first bytes (`1f 8b`), whatever the name of the file.
//!
//! Written are rows as f32 or f64 of shape `[n_rows, dim]`, and grey images whose [`Shape`] is given
//! as u8 of shape `[n_patterns, height, width]`, as MNIST is; compressed when the name ends in `.gz`.
//!
//! # What is rejected
//!
//! A file is accepted only when its header and its data agree to the byte. These are errors for
//! which [`Error::is_format`] holds: other first bytes, an unknown element type, a rank outside
//! 1 to 4, a dimension of size zero (no patterns can come out of it), a header or data that end
//! early, bytes after the data, sizes whose product cannot be addressed, and a gzip stream that is
//! damaged, cut short or followed by something else.
//!
//! # Memory
//!
//! Memory is taken as data arrive, never because a header asks for it, and a gzip stream is
//! decompressed only as far as its header declares, plus one byte. All in all memory stays below 6
//! times the size of a plain file: 2 for bytes with room to grow, and 4 as f32. Gzip can pack 1,032
//! bytes into one, so that a compressed file can take 6,192 times its size: look at the size before
//! reading a file from a source you do not trust.
//!
//! # Source
//!
//! LeCun, Cortes and Burges, "The MNIST database of handwritten digits", section "The IDX file
//! format" (<http://yann.lecun.com/exdb/mnist/>). The format puts no limit on the rank; this reader
//! does.
//!
//! # Example: images from bytes
//!
//! ```
//! use uhop_data::idx;
//!
//! // Two images of 1 x 2 pixels.
//! let bytes = [0, 0, 0x08, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 255, 51, 102];
//! let images = idx::parse(&bytes[..])?.into_images()?;
//! assert_eq!(images.patterns(), ndarray::array![[0.0, 1.0], [0.2, 0.4]]);
//! # Ok::<(), uhop_data::Error>(())
//! ```
//!
//! [`Error::is_format`]: crate::Error::is_format

mod header;
mod problem;
mod stream;
mod values;
mod writing;

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use ndarray::Array2;

use crate::image_folder::{Colour, Shape};
use crate::row_sink::Sink;
use crate::rows::Source;
use crate::{Element, Error, Images, Matrix, Result};
use header::{ElementType, Header};
pub(crate) use problem::Problem;
use stream::Stream;
pub use values::Values;
pub(crate) use writing::ArgumentProblem;
use writing::Plan;

/// The array of an IDX file: its shape and its values.
///
/// The number of values is the product of the sizes in the shape, and none of them is zero.
///
/// # Example
///
/// ```
/// use uhop_data::idx::{self, Values};
///
/// // Three 16-bit integers.
/// let bytes = [0, 0, 0x0b, 1, 0, 0, 0, 3, 0, 1, 1, 0, 0xff, 0xff];
/// let idx = idx::parse(&bytes[..])?;
/// assert_eq!(idx.shape(), [3]);
/// assert_eq!(idx.values(), &Values::I16(vec![1, 256, -1]));
/// # Ok::<(), uhop_data::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Idx {
    shape: Vec<usize>,
    values: Values,
}

/// Reads a plain or gzip-compressed IDX file.
///
/// # Errors
///
/// [`is_io`](Error::is_io) when the file cannot be opened or read, [`is_format`](Error::is_format)
/// when it is not a complete IDX file (see [what is rejected](self#what-is-rejected)).
///
/// # Example
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("labels");
/// std::fs::write(&path, [0, 0, 0x08, 1, 0, 0, 0, 2, 7, 2])?;
/// assert_eq!(uhop_data::idx::read(&path)?.shape(), [2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read(path: impl AsRef<Path>) -> Result<Idx> {
    let path = path.as_ref();
    File::open(path).map_err(Error::io).and_then(parse).map_err(|error| error.at(path))
}

/// Reads a file of greyscale images: u8 of shape `[n_patterns, height, width]`.
///
/// The same as [`read`] and [`Idx::into_images`], with the path in every error.
///
/// # Errors
///
/// Those of [`read`] and [`Idx::into_images`].
///
/// # Example
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("images");
/// std::fs::write(&path, [0, 0, 0x08, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 255])?;
/// let images = uhop_data::idx::read_images(&path)?;
/// assert_eq!(images.patterns(), ndarray::array![[0.0, 1.0]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_images(path: impl AsRef<Path>) -> Result<Images> {
    let path = path.as_ref();
    read(path)?.into_images().map_err(|error| error.at(path))
}

/// Reads a file of labels: u8 of shape `[n_patterns]`.
///
/// The same as [`read`] and [`Idx::into_labels`], with the path in every error.
///
/// # Errors
///
/// Those of [`read`] and [`Idx::into_labels`].
///
/// # Example
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("labels");
/// std::fs::write(&path, [0, 0, 0x08, 1, 0, 0, 0, 2, 7, 2])?;
/// assert_eq!(uhop_data::idx::read_labels(&path)?, [7, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_labels(path: impl AsRef<Path>) -> Result<Vec<u8>> {
    let path = path.as_ref();
    read(path)?.into_labels().map_err(|error| error.at(path))
}

/// Reads a plain or gzip-compressed IDX file from a byte slice or any other reader.
///
/// The reader is used up to its end. It need not be buffered: reads are made in large blocks.
///
/// # Errors
///
/// [`is_io`](Error::is_io) when the reader itself fails, [`is_format`](Error::is_format) when the
/// bytes are not a complete IDX file (see [what is rejected](self#what-is-rejected)).
///
/// # Example: a header that claims more than there is
///
/// ```
/// let bytes = [0, 0, 0x08, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3];
/// let error = uhop_data::idx::parse(&bytes[..]).unwrap_err();
/// assert!(error.is_format());
/// assert!(error.to_string().contains("found 3"));
/// ```
pub fn parse<R: Read>(reader: R) -> Result<Idx> {
    let mut rows = RowReader::new(reader)?;
    let n_rows = rows.header.shape[0];
    rows.read(n_rows)
}

/// Opens a file to read its rows in batches.
pub(crate) fn open_rows(path: &Path) -> Result<Box<dyn Source>> {
    let reader = RowReader::new(File::open(path).map_err(Error::io)?)?;
    let Header { shape, element, .. } = &reader.header;
    if shape.len() == 1 {
        let (shape, element) = (shape.clone(), *element);
        return Err(Error::format(Problem::NotPatterns { shape, element }));
    }
    Ok(Box::new(reader))
}

/// A stream open at one of the entries of the first dimension.
struct RowReader<R> {
    stream: Stream<R>,
    header: Header,
    n_left: usize,
}

impl<R: Read> RowReader<R> {
    fn new(reader: R) -> Result<Self> {
        let mut stream = Stream::new(reader).map_err(Error::io)?;
        let header = Header::read(&mut stream).map_err(|failure| stream.error(failure))?;
        Ok(Self { n_left: header.shape[0], header, stream })
    }

    /// Reads the next `n_rows` entries, and the end with the last of them.
    fn read(&mut self, n_rows: usize) -> Result<Idx> {
        let Self { stream, header, n_left } = self;
        let row = header.n_values / header.shape[0];
        let start = row * (header.shape[0] - *n_left);
        *n_left -= n_rows;
        let is_last = *n_left == 0;
        let mut read = || {
            let values = Values::read(stream, header, start..start + row * n_rows)?;
            // Reaching the end is also what makes the gzip decoder compare its checksum.
            if is_last && stream::read_full(stream, &mut [0])? != 0 {
                return Err(Problem::TrailingData { header: header.clone() }.into());
            }
            Ok(values)
        };
        let values = read().map_err(|failure| self.stream.error(failure))?;
        let mut shape = self.header.shape.clone();
        shape[0] = n_rows;
        Ok(Idx { shape, values })
    }
}

impl<R: Read + Send> Source for RowReader<R> {
    fn dim(&self) -> usize {
        self.header.n_values / self.header.shape[0]
    }

    fn element(&self) -> Element {
        match self.header.element {
            ElementType::I32 | ElementType::F64 => Element::F64,
            _ => Element::F32,
        }
    }

    fn n_rows(&self) -> Option<usize> {
        Some(self.header.shape[0])
    }

    fn images(&self) -> Option<Shape> {
        match (self.header.element, &self.header.shape[..]) {
            (ElementType::U8, &[_, height, width]) => Some(Shape {
                width: u32::try_from(width).ok()?,
                height: u32::try_from(height).ok()?,
                colour: Colour::Grey,
            }),
            _ => None,
        }
    }

    fn next_batch(&mut self, max_rows: usize) -> Result<Option<Matrix>> {
        match self.n_left.min(max_rows) {
            0 => Ok(None),
            n_rows => Ok(Some(self.read(n_rows)?.into_matrix()?)),
        }
    }
}

/// Writes an IDX file, gzip-compressed when its name ends in `.gz`; an older file of that name is
/// replaced only when the new one is complete.
///
/// Without a shape the rows become f32 or f64 of shape `[n_rows, dim]`. With the shape of grey images
/// they become u8 of shape `[n_rows, height, width]`: values are limited to `[0, 1]`, scaled by 255
/// and rounded, and values above 2 are refused, as by [`image_folder::write`](crate::image_folder::write).
///
/// # Errors
///
/// [`is_io`](Error::is_io) when the file cannot be written,
/// [`is_invalid_argument`](Error::is_invalid_argument) when the matrix has no rows or no columns, a
/// size is 2^32 or more, or, with a shape, when it is RGB, a side is 0 or above 16,384, the rows have
/// another `dim` or hold NaN or a value above 2.
///
/// # Example
///
/// ```
/// use uhop_data::idx;
/// use uhop_data::image_folder::{Colour, Shape};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("images.idx.gz");
/// let matrix = ndarray::array![[0.0_f32, 1.0], [0.2, 0.4]].into();
/// let shape = Shape { width: 2, height: 1, colour: Colour::Grey };
/// idx::write(&path, &matrix, Some(shape))?;
/// let images = idx::read(&path)?;
/// assert_eq!(images.image_shape(), Some(shape));
/// assert_eq!(images.into_matrix()?, matrix);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write(path: impl AsRef<Path>, matrix: &Matrix, images: Option<Shape>) -> Result<()> {
    let path = path.as_ref();
    let n_rows = matrix.n_rows();
    matrix
        .check_not_empty()
        .map_err(Error::argument)
        .and_then(|()| create_rows(path, matrix.element(), matrix.dim(), images))
        .and_then(|mut sink| sink.write(matrix).and_then(|()| sink.commit(n_rows)))
        .map_err(|error| error.within(path))
}

/// Writes a matrix as the bytes of a plain IDX file, as [`write()`].
///
/// # Errors
///
/// Those of [`write()`].
///
/// # Example
///
/// ```
/// let mut bytes = Vec::new();
/// uhop_data::idx::write_to(&mut bytes, &ndarray::array![[1.0_f32]].into(), None)?;
/// assert_eq!(bytes, [0, 0, 0x0d, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0x3f, 0x80, 0, 0]);
/// # Ok::<(), uhop_data::Error>(())
/// ```
pub fn write_to<W: Write>(writer: W, matrix: &Matrix, images: Option<Shape>) -> Result<()> {
    writing::write_to(writer, matrix, images)
}

/// Starts a file to which rows are written in batches.
pub(crate) fn create_rows(
    path: &Path,
    element: Element,
    dim: usize,
    images: Option<Shape>,
) -> Result<Box<dyn Sink>> {
    let plan = Plan::new(element, dim, images)?;
    Ok(Box::new(writing::IdxSink::create(path, plan)?))
}

impl Idx {
    /// Sizes of the dimensions, slowest first: 1 to 4 of them, each at least 1.
    ///
    /// # Example
    ///
    /// ```
    /// let idx = uhop_data::idx::parse(&[0, 0, 0x08, 1, 0, 0, 0, 2, 7, 2][..])?;
    /// assert_eq!(idx.shape(), [2]);
    /// # Ok::<(), uhop_data::Error>(())
    /// ```
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The values, last dimension fastest.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_data::idx::{self, Values};
    ///
    /// let idx = idx::parse(&[0, 0, 0x08, 1, 0, 0, 0, 2, 7, 2][..])?;
    /// assert_eq!(idx.values(), &Values::U8(vec![7, 2]));
    /// # Ok::<(), uhop_data::Error>(())
    /// ```
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// The shape of the images, if this is u8 of shape `[n_patterns, height, width]`.
    ///
    /// # Example
    ///
    /// ```
    /// let bytes = [0, 0, 0x08, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 255, 0];
    /// let shape = uhop_data::idx::parse(&bytes[..])?.image_shape().unwrap();
    /// assert_eq!((shape.width, shape.height), (1, 2));
    /// # Ok::<(), uhop_data::Error>(())
    /// ```
    pub fn image_shape(&self) -> Option<Shape> {
        match (&self.values, self.shape.as_slice()) {
            (Values::U8(_), &[_, height, width]) => {
                let (width, height) = (u32::try_from(width).ok()?, u32::try_from(height).ok()?);
                Some(Shape { width, height, colour: Colour::Grey })
            }
            _ => None,
        }
    }

    /// Greyscale images as patterns: `x = byte / 255`.
    ///
    /// Takes u8 of shape `[n_patterns, height, width]`; the patterns have shape
    /// `[n_patterns, height * width]` and values in `[0, 1]`.
    ///
    /// # Errors
    ///
    /// [`is_format`](Error::is_format) when the values are not u8 or the rank is not 3.
    ///
    /// # Example
    ///
    /// ```
    /// let bytes = [0, 0, 0x08, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 255, 0];
    /// let images = uhop_data::idx::parse(&bytes[..])?.into_images()?;
    /// assert_eq!((images.height(), images.width()), (2, 1));
    /// assert_eq!(images.patterns(), ndarray::array![[1.0, 0.0]]);
    /// # Ok::<(), uhop_data::Error>(())
    /// ```
    pub fn into_images(self) -> Result<Images> {
        match (self.values, self.shape.as_slice()) {
            (Values::U8(pixels), &[n_patterns, height, width]) => {
                let pixels = pixels.into_iter().map(|byte| f32::from(byte) / 255.0).collect();
                let patterns = matrix(n_patterns, height * width, pixels);
                Ok(Images::new(patterns, height, width))
            }
            (values, _) => Err(Error::format(Problem::NotImages {
                shape: self.shape,
                element: values.element_type(),
            })),
        }
    }

    /// Labels, one per pattern.
    ///
    /// Takes u8 of shape `[n_patterns]`. Any byte is a label: how many classes there are is not
    /// recorded in the file.
    ///
    /// # Errors
    ///
    /// [`is_format`](Error::is_format) when the values are not u8 or the rank is not 1.
    ///
    /// # Example
    ///
    /// ```
    /// let idx = uhop_data::idx::parse(&[0, 0, 0x08, 1, 0, 0, 0, 2, 7, 2][..])?;
    /// assert_eq!(idx.into_labels()?, [7, 2]);
    /// # Ok::<(), uhop_data::Error>(())
    /// ```
    pub fn into_labels(self) -> Result<Vec<u8>> {
        match (self.values, self.shape.as_slice()) {
            (Values::U8(labels), [_]) => Ok(labels),
            (values, _) => Err(Error::format(Problem::NotLabels {
                shape: self.shape,
                element: values.element_type(),
            })),
        }
    }

    /// Rows in the precision that holds the values exactly, f64 for i32 and f64 and f32 otherwise.
    ///
    /// Takes a shape `[n_rows, ...]` of rank 2 to 4; all but the first dimension are flattened. Images,
    /// u8 of rank 3, are scaled to `[0, 1]` as by [`into_images`](Self::into_images), other values
    /// are not. NaN and infinities pass (see [`Matrix`]).
    ///
    /// # Errors
    ///
    /// [`is_format`](Error::is_format) when the rank is 1.
    ///
    /// # Example
    ///
    /// ```
    /// let bytes = [0, 0, 0x09, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0xff, 3];
    /// let matrix = uhop_data::idx::parse(&bytes[..])?.into_matrix()?;
    /// assert_eq!(matrix, ndarray::array![[-1.0_f32, 3.0]].into());
    /// # Ok::<(), uhop_data::Error>(())
    /// ```
    pub fn into_matrix(self) -> Result<Matrix> {
        if let (Values::U8(_), [_, _, _]) = (&self.values, &self.shape[..]) {
            return Ok(Matrix::F32(self.into_images()?.into_patterns()));
        }
        let (n_rows, dim) = self.rows()?;
        Ok(match self.values {
            Values::I32(values) => {
                Matrix::F64(matrix(n_rows, dim, values.into_iter().map(f64::from).collect()))
            }
            Values::F64(values) => Matrix::F64(matrix(n_rows, dim, values)),
            values => Matrix::F32(matrix(n_rows, dim, values.into_f32())),
        })
    }

    /// Patterns of any element type, unscaled: the first dimension counts the patterns, the others
    /// are flattened.
    ///
    /// Takes a shape `[n_patterns, ...]` of rank 2 to 4 and returns `[n_patterns, dim]`, where `dim`
    /// is the product of the other sizes. Values are rounded to the nearest f32, which is exact for
    /// the 8-bit and 16-bit integers.
    ///
    /// # Errors
    ///
    /// [`is_format`](Error::is_format) when the rank is 1, or a value is NaN, infinite or too large
    /// for f32.
    ///
    /// # Example
    ///
    /// ```
    /// let bytes = [0, 0, 0x09, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0xff, 3];
    /// let patterns = uhop_data::idx::parse(&bytes[..])?.into_patterns()?;
    /// assert_eq!(patterns, ndarray::array![[-1.0, 3.0]]);
    /// # Ok::<(), uhop_data::Error>(())
    /// ```
    pub fn into_patterns(self) -> Result<Array2<f32>> {
        let (n_patterns, dim) = self.rows()?;
        let values = self.values.into_f32();
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(matrix(n_patterns, dim, values)),
            Some(position) => {
                let (row, column) = (position / dim, position % dim);
                Err(Error::format(Problem::NonFinite { row, column }))
            }
        }
    }

    /// `[n_rows, dim]`, with all but the first dimension flattened.
    fn rows(&self) -> Result<(usize, usize)> {
        match self.shape.as_slice() {
            [n_rows, sizes @ ..] if !sizes.is_empty() => Ok((*n_rows, sizes.iter().product())),
            _ => Err(Error::format(Problem::NotPatterns {
                shape: self.shape.clone(),
                element: self.values.element_type(),
            })),
        }
    }
}

/// Rows of `dim` values each, of which an [`Idx`] holds exactly `n_patterns`.
fn matrix<T>(n_patterns: usize, dim: usize, values: Vec<T>) -> Array2<T> {
    Array2::from_shape_vec((n_patterns, dim), values)
        .expect("the reader took as many values as the shape declares")
}
