//! A folder of PNG and JPEG images as rows.
//!
//! Read are the files of the folder itself that end in `.png`, `.jpg` or `.jpeg`, in the order of
//! their names; everything else in it is left alone, as are hidden files. An image is one row with
//! values in `[0, 1]`, 0 for black and 1 for full intensity: pixels from left to right and from top
//! to bottom, in RGB with the three values of a pixel beside each other. The orientation that a
//! camera noted is applied, transparency is dropped. Greyscale is the luma of the sRGB primaries.
//!
//! # What is rejected
//!
//! [`Error::is_format`] holds for a folder without images, a damaged image, one that is neither PNG
//! nor JPEG whatever its name says, images of different sizes when no size is asked for, and one of
//! more pixels than allowed: 16,384 on a side, 2^26 in all, and 8,256 for each byte of its file,
//! which is the most that a PNG can hold.
//!
//! # Memory
//!
//! One file, its pixels as decoded (up to 8 bytes each, 2^29 bytes in all) and as floats (12 bytes
//! each), the names, and the rows: 4 or 12 bytes for each pixel of the size asked for, or of the images.
//! For one image as it is these are 32 bytes a pixel, and so at most 264,192 times the size of its file.
//! Resizing takes 16 bytes for each pixel of the width of the image times the height asked for.
//!
//! # Example
//!
//! ```
//! use uhop_data::image_folder::{self, Colour, ReadOptions, Shape};
//!
//! # let directory = tempfile::tempdir()?;
//! # let folder = directory.path().join("retrieved");
//! // Two grey images of 1 x 2 pixels.
//! let matrix = ndarray::array![[0.0_f32, 1.0], [0.2, 0.4]].into();
//! let shape = Shape { width: 2, height: 1, colour: Colour::Grey };
//! image_folder::write(&folder, &matrix, shape, None)?;
//!
//! let options = ReadOptions { colour: Colour::Grey, ..ReadOptions::default() };
//! let images = image_folder::read(&folder, &options)?;
//! assert_eq!(images.shape(), shape);
//! assert_eq!(images.names(), ["000000.png", "000001.png"]);
//! assert_eq!(images.into_matrix(), matrix);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Error::is_format`]: crate::Error::is_format

mod decode;
mod names;
mod problem;
mod reading;
mod suspect;
mod writing;

use std::io;
use std::path::Path;

use ndarray::{Array2, ArrayView2};

use crate::row_sink::Sink;
use crate::rows::Source;
use crate::{Error, Matrix, Result};
pub(crate) use decode::{Decoded, decode};
pub(crate) use problem::{ArgumentProblem, Problem};
pub(crate) use reading::check_size;
pub(crate) use writing::{check, check_values, pixels};

/// What a pixel is made of.
///
/// # Example
///
/// ```
/// use uhop_data::image_folder::Colour;
///
/// assert_eq!((Colour::Grey.n_values(), Colour::Rgb.n_values()), (1, 3));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Colour {
    /// One value, the luma.
    Grey,
    /// Red, green and blue.
    #[default]
    Rgb,
}

/// Size and colour of every image: a row has `height * width * n_values` values.
///
/// # Example
///
/// ```
/// use uhop_data::image_folder::{Colour, Shape};
///
/// let shape = Shape { width: 32, height: 32, colour: Colour::Rgb };
/// assert_eq!(shape.dim(), Some(3072));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Pixels in a line.
    pub width: u32,
    /// Lines.
    pub height: u32,
    /// Values in a pixel.
    pub colour: Colour,
}

/// How images become rows.
///
/// # Example
///
/// ```
/// use uhop_data::image_folder::{Colour, ReadOptions};
///
/// // As they are, in RGB: all must have one size.
/// let options = ReadOptions::default();
/// assert_eq!((options.size, options.colour), (None, Colour::Rgb));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadOptions {
    /// Width and height to which images are resized, with a triangle filter (bilinear when growing);
    /// the proportions are not kept. Without it all images must have the same size.
    pub size: Option<(u32, u32)>,
    /// Grey or RGB; colours are converted.
    pub colour: Colour,
}

/// Images of one shape, one per row, with the names of their files.
///
/// # Example
///
/// See the [module](self).
#[derive(Debug, Clone, PartialEq)]
pub struct Folder {
    // Invariants: `rows.ncols() == shape.dim()` and `rows.nrows() == names.len()`, kept by there
    // being no public constructor.
    rows: Array2<f32>,
    shape: Shape,
    names: Vec<String>,
}

impl Colour {
    /// Values in a pixel.
    ///
    /// # Example
    ///
    /// See [`Colour`].
    pub fn n_values(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
        }
    }
}

impl Shape {
    /// Values in a row, or nothing when that cannot be addressed.
    ///
    /// # Example
    ///
    /// See [`Shape`].
    pub fn dim(self) -> Option<usize> {
        let (width, height) =
            (usize::try_from(self.width).ok()?, usize::try_from(self.height).ok()?);
        width.checked_mul(height)?.checked_mul(self.colour.n_values())
    }
}

impl Folder {
    /// The images as rows, shape `[n_images, dim]`.
    ///
    /// # Example
    ///
    /// See the [module](self).
    pub fn rows(&self) -> ArrayView2<'_, f32> {
        self.rows.view()
    }

    /// The images as an owned matrix, without a copy.
    ///
    /// # Example
    ///
    /// See the [module](self).
    pub fn into_matrix(self) -> Matrix {
        Matrix::F32(self.rows)
    }

    /// Size and colour of the images, to write rows back with [`write()`].
    ///
    /// # Example
    ///
    /// See the [module](self).
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The names of the files, one per row, with bytes that are not UTF-8 replaced.
    ///
    /// # Example
    ///
    /// See the [module](self).
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

/// Reads the images of a folder.
///
/// # Errors
///
/// [`is_io`](Error::is_io) when the folder or an image in it cannot be read,
/// [`is_format`](Error::is_format) when an image is not as it should be (see
/// [what is rejected](self#what-is-rejected)), [`is_invalid_argument`](Error::is_invalid_argument)
/// when the size asked for has a side of 0 or above 16,384.
///
/// # Example
///
/// See the [module](self).
pub fn read(folder: impl AsRef<Path>, options: &ReadOptions) -> Result<Folder> {
    let folder = folder.as_ref();
    let mut reader = reading::Reader::open(folder, options)?;
    let n_images = reader.names().len();
    let mut values = Vec::new();
    // The first image is a fair guess of the others; a refusal shows below as growth that fails.
    let _ = values.try_reserve_exact(reader.dim().saturating_mul(n_images));
    while let Some(image) = reader.next_image()? {
        if values.try_reserve(image.len()).is_err() {
            return Err(Error::io(io::ErrorKind::OutOfMemory.into()).at(folder));
        }
        values.extend(image);
    }
    let rows = Array2::from_shape_vec((n_images, reader.dim()), values);
    Ok(Folder {
        rows: rows.expect("every image has the same size"),
        shape: reader.shape(),
        names: reader.into_names(),
    })
}

/// Writes each row as a PNG file of 8 bits per value: values are limited to `[0, 1]`, scaled by 255
/// and rounded. Values above 2 are refused: those of an image from 0 to 255 would all become white.
///
/// The folder must be empty or not there yet, so that nothing is replaced and nothing old is taken
/// for a result. Files are named `000000.png` and so on in the order of the rows, or as `names` say,
/// one per row; `.png` is added to a name that has no such ending. The images are written to a
/// hidden folder beside, which is renamed at the end: all of them appear or none. Folders above it
/// are made when missing.
///
/// # Errors
///
/// [`is_io`](Error::is_io) when the folder or a file cannot be written,
/// [`is_invalid_argument`](Error::is_invalid_argument) when
///
/// - the matrix has no rows, its `dim` is not that of the shape, or it holds NaN or a value above 2;
/// - a side is 0 or above 16,384;
/// - the folder is not empty;
/// - there is not one name per row, two names are equal up to case, or a name could leave the folder
///   or be special to a system: names must have 1 to 200 bytes, must not start with `.`, end with
///   `.` or a space, or have a character among `/ \ : * ? " < > |` or a control character.
///
/// # Example: names from elsewhere
///
/// ```
/// use uhop_data::image_folder::{self, Colour, Shape};
///
/// # let directory = tempfile::tempdir()?;
/// let matrix = ndarray::array![[0.5_f32]].into();
/// let shape = Shape { width: 1, height: 1, colour: Colour::Grey };
/// let names = ["../cat".to_owned()];
/// let folder = directory.path().join("retrieved");
/// let error = image_folder::write(&folder, &matrix, shape, Some(&names)).unwrap_err();
/// assert!(error.is_invalid_argument());
/// assert!(!folder.exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write(
    folder: impl AsRef<Path>,
    matrix: &Matrix,
    shape: Shape,
    names: Option<&[String]>,
) -> Result<()> {
    let folder = folder.as_ref();
    matrix.check_not_empty().map_err(|problem| Error::argument(problem).at(folder))?;
    let (dim, n_rows) = (matrix.dim(), matrix.n_rows());
    let mut sink = Box::new(writing::Folder::create(folder, dim, shape, names, Some(n_rows))?);
    sink.write(matrix).and_then(|()| sink.commit(n_rows)).map_err(|error| error.within(folder))
}

/// Opens a folder to read its images in batches.
pub(crate) fn open_rows(folder: &Path, options: &ReadOptions) -> Result<Box<dyn Source>> {
    Ok(Box::new(reading::Reader::open(folder, options)?))
}

/// Starts a folder to which images are written in batches.
pub(crate) fn create_rows(
    folder: &Path,
    dim: usize,
    shape: Shape,
    names: Option<&[String]>,
    n_rows: Option<usize>,
) -> Result<Box<dyn Sink>> {
    Ok(Box::new(writing::Folder::create(folder, dim, shape, names, n_rows)?))
}
