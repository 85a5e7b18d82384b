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
//! each), and the rows: 4 or 12 bytes for each pixel of the size asked for, or of the images. For one
//! image as it is these are 32 bytes a pixel, and so at most 264,192 times the size of its file.
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
mod suspect;

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use ndarray::{Array2, ArrayView2};

use crate::{Error, Matrix, Result};
pub(crate) use decode::decode;
pub(crate) use problem::{ArgumentProblem, Problem};

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
    check_size(options).map_err(Error::argument)?;
    let names = image_names(folder).map_err(|error| Error::io(error).at(folder))?;
    let mut values = Vec::new();
    let mut size = options.size;
    for name in &names {
        let path = folder.join(name);
        let bytes = fs::read(&path).map_err(|error| Error::io(error).at(&path))?;
        let image = decode(&bytes, options).map_err(|problem| Error::format(problem).at(&path))?;
        drop(bytes);
        let expected = *size.get_or_insert(image.size);
        if image.size != expected {
            let first = names[0].to_string_lossy().into_owned();
            let problem = Problem::OtherSize { expected, found: image.size, first };
            return Err(Error::format(problem).at(&path));
        }
        if values.is_empty() {
            // One image is a fair guess of the others; the product cannot overflow addresses by
            // itself, and a refusal shows below as growth that fails.
            let _ = values.try_reserve_exact(image.values.len().saturating_mul(names.len()));
        }
        if values.try_reserve(image.values.len()).is_err() {
            return Err(Error::io(io::ErrorKind::OutOfMemory.into()).at(folder));
        }
        values.extend(image.values);
    }
    let Some((width, height)) = size.filter(|_| !names.is_empty()) else {
        return Err(Error::format(Problem::NoImages).at(folder));
    };
    let dim = values.len() / names.len();
    let rows = Array2::from_shape_vec((names.len(), dim), values);
    Ok(Folder {
        rows: rows.expect("every image has the same size"),
        shape: Shape { width, height, colour: options.colour },
        names: names.iter().map(|name| name.to_string_lossy().into_owned()).collect(),
    })
}

/// Writes each row as a PNG file of 8 bits per value: values are limited to `[0, 1]`, scaled by 255
/// and rounded.
///
/// The folder must be empty or not there yet, so that nothing is replaced and nothing old is taken
/// for a result. Files are named `000000.png` and so on in the order of the rows, or as `names` say,
/// one per row; `.png` is added to a name that has no such ending. Rows written before a failure
/// stay.
///
/// # Errors
///
/// [`is_io`](Error::is_io) when the folder or a file cannot be written,
/// [`is_invalid_argument`](Error::is_invalid_argument), before anything is written, when
///
/// - the matrix has no rows, its `dim` is not that of the shape, or it holds NaN;
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
    let names = check(matrix, shape)
        .and_then(|()| match names {
            Some(names) => names::given(names, matrix.n_rows()),
            None => Ok(names::counted(matrix.n_rows())),
        })
        .map_err(|problem| Error::argument(problem).at(folder))?;
    fs::create_dir_all(folder)
        .and_then(|()| fs::read_dir(folder))
        .map_err(|error| Error::write(error).at(folder))
        .and_then(|mut entries| match entries.next() {
            None => Ok(()),
            Some(_) => Err(Error::argument(ArgumentProblem::NotEmpty).at(folder)),
        })?;
    for (row, name) in names.iter().enumerate() {
        let pixels = pixels(matrix, row);
        let path = folder.join(name);
        let write = || -> io::Result<()> {
            let bytes = encode(&pixels, shape)?;
            // Never through a link that appeared meanwhile.
            let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
            file.write_all(&bytes)
        };
        write().map_err(|error| Error::write(error).at(&path))?;
    }
    Ok(())
}

/// Errors when the size asked for is not one of images.
pub(crate) fn check_size(options: &ReadOptions) -> Result<(), ArgumentProblem> {
    match options.size {
        Some((width, height))
            if [width, height].iter().any(|side| !(1..=decode::MAX_SIDE).contains(side)) =>
        {
            Err(ArgumentProblem::Size { width, height })
        }
        _ => Ok(()),
    }
}

/// The names of the images, in order.
fn image_names(folder: &Path) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        // Not through `DirEntry`: a link to an image is an image. A dangling one is an error later.
        let is_file = fs::metadata(entry.path()).map_or(true, |metadata| metadata.is_file());
        if is_image_name(&name) && is_file {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn is_image_name(name: &OsString) -> bool {
    let is_hidden = name.as_encoded_bytes().starts_with(b".");
    let extension = Path::new(name).extension();
    !is_hidden
        && extension.is_some_and(|extension| {
            ["png", "jpg", "jpeg"].iter().any(|known| extension.eq_ignore_ascii_case(known))
        })
}

/// Errors unless the rows are images of this shape, without NaN.
pub(crate) fn check(matrix: &Matrix, shape: Shape) -> Result<(), ArgumentProblem> {
    let Shape { width, height, colour } = shape;
    if [width, height].iter().any(|side| !(1..=decode::MAX_SIDE).contains(side)) {
        return Err(ArgumentProblem::Size { width, height });
    }
    if shape.dim() != Some(matrix.dim()) {
        let (n_values, n_rows, dim) = (colour.n_values(), matrix.n_rows(), matrix.dim());
        return Err(ArgumentProblem::Dim { width, height, n_values, n_rows, dim });
    }
    let position = match matrix {
        Matrix::F32(rows) => rows.iter().position(|value| value.is_nan()),
        Matrix::F64(rows) => rows.iter().position(|value| value.is_nan()),
    };
    match position {
        None => Ok(()),
        Some(i) => {
            Err(ArgumentProblem::NotANumber { row: i / matrix.dim(), column: i % matrix.dim() })
        }
    }
}

/// The values of a row limited to `[0, 1]`, scaled by 255 and rounded.
pub(crate) fn pixels(matrix: &Matrix, row: usize) -> Vec<u8> {
    // The conversion of floats saturates; that of f32 to f64 is exact.
    let byte = |value: f64| (value * 255.0).round() as u8;
    match matrix {
        Matrix::F32(rows) => rows.row(row).iter().map(|&value| byte(f64::from(value))).collect(),
        Matrix::F64(rows) => rows.row(row).iter().map(|&value| byte(value)).collect(),
    }
}

fn encode(pixels: &[u8], shape: Shape) -> io::Result<Vec<u8>> {
    let colour = match shape.colour {
        Colour::Grey => ExtendedColorType::L8,
        Colour::Rgb => ExtendedColorType::Rgb8,
    };
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes)
        .write_image(pixels, shape.width, shape.height, colour)
        .map_err(io::Error::other)?;
    Ok(bytes)
}
