//! The kinds of files, told apart by their names, and one way to read and write them all.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use crate::{
    Element, Error, Matrix, Result, RowSink, Rows, bytes, csv, idx, image_folder, matrix, npy, npz,
    parquet, safetensors,
};

/// A kind of file that holds a [`Matrix`].
///
/// # Example
///
/// ```
/// use uhop_data::{Kind, Matrix, ReadOptions, WriteOptions};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("patterns.csv");
/// let kind = Kind::of(&path)?;
/// assert_eq!(kind, Kind::Csv);
/// let matrix = Matrix::from(ndarray::array![[1.0, 2.0]]);
/// kind.write(&path, &matrix, &WriteOptions::default())?;
/// assert_eq!(kind.read(&path, &ReadOptions::default())?, matrix);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// [`npy`]: `.npy`.
    Npy,
    /// [`npz`]: `.npz`.
    Npz,
    /// [`safetensors`]: `.safetensors`.
    Safetensors,
    /// [`csv`]: `.csv`.
    Csv,
    /// [`idx`]: `.idx` or names like `t10k-images-idx3-ubyte`, each also with `.gz`.
    Idx,
    /// [`parquet`], read only: `.parquet`.
    Parquet,
    /// [`image_folder`]: a folder, or a path that ends in a slash.
    Images,
}

/// What to read of a file that holds more than one matrix, and how to read images.
///
/// Options that do not concern the kind of file are ignored.
///
/// # Example
///
/// ```
/// let options = uhop_data::ReadOptions { member: Some("patterns"), ..Default::default() };
/// assert_eq!(options.images.size, None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadOptions<'a> {
    /// The member of an `.npz` file, the tensor of a `.safetensors` file or the column of a
    /// `.parquet` file; the only one when not given.
    pub member: Option<&'a str>,
    /// Size and colour of images, in a folder or in a `.parquet` file.
    pub images: image_folder::ReadOptions,
}

/// How to write images, and how much there is to write.
///
/// Options that do not concern the kind of file are ignored.
///
/// # Example
///
/// ```
/// assert_eq!(uhop_data::WriteOptions::default().names, None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WriteOptions<'a> {
    /// Size and colour of images, without which a folder cannot be written and an IDX file holds
    /// rows of floats.
    pub images: Option<image_folder::Shape>,
    /// Names of images, one per row; numbers when not given.
    pub names: Option<&'a [String]>,
    /// The number of rows, where it is known before they are written in batches: `.npy` then goes
    /// through a pipe as the rows come, and images get as many digits as they need.
    pub n_rows: Option<usize>,
}

/// Every file name and every way of writing that is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error(
        "unknown kind of file: expected a name that ends in .npy, .npz, .safetensors, .csv, .idx, \
         .idx.gz, -ubyte, -ubyte.gz or .parquet, or a folder of images, with a / at the end if it is \
         new; rename it"
    )]
    Path,
    #[error("unknown kind of file {found}: expected {}", Names)]
    Name { found: String },
    #[error(
        "parquet files are read, not written: expected another kind; name a file that ends in .npy"
    )]
    ParquetOutput,
    #[error("writing images: expected their size and colour, found none; give them")]
    NoShape,
}

/// The names of all kinds.
struct Names;

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, kind) in Kind::ALL.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{kind}")?;
        }
        Ok(())
    }
}

impl Kind {
    /// All kinds.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_data::Kind;
    ///
    /// for kind in Kind::ALL {
    ///     assert_eq!(kind.to_string().parse::<Kind>()?, kind);
    /// }
    /// # Ok::<(), uhop_data::Error>(())
    /// ```
    pub const ALL: [Self; 7] = [
        Self::Npy,
        Self::Npz,
        Self::Safetensors,
        Self::Csv,
        Self::Idx,
        Self::Parquet,
        Self::Images,
    ];

    /// The kind of a path: [`Images`](Self::Images) for an existing folder, or else what the name
    /// says, in upper or lower case. The content is not looked at.
    ///
    /// # Errors
    ///
    /// [`is_invalid_argument`](Error::is_invalid_argument) for another name, with the known kinds.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_data::Kind;
    ///
    /// assert_eq!(Kind::of("a/patterns.NPY")?, Kind::Npy);
    /// assert_eq!(Kind::of("train-images-idx3-ubyte.gz")?, Kind::Idx);
    /// assert_eq!(Kind::of("no/such/folder/")?, Kind::Images);
    /// assert!(Kind::of("patterns.txt").unwrap_err().to_string().contains(".safetensors"));
    /// # Ok::<(), uhop_data::Error>(())
    /// ```
    pub fn of(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let ends_in_slash = path.as_os_str().as_encoded_bytes().ends_with(b"/")
            || path
                .as_os_str()
                .as_encoded_bytes()
                .ends_with(std::path::MAIN_SEPARATOR_STR.as_bytes());
        if ends_in_slash || path.is_dir() {
            return Ok(Self::Images);
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let unpacked = name.strip_suffix(".gz").unwrap_or(&name);
        if unpacked.ends_with(".idx") || unpacked.ends_with("-ubyte") {
            return Ok(Self::Idx);
        }
        match name.rsplit_once('.') {
            Some((_, "npy")) => Ok(Self::Npy),
            Some((_, "npz")) => Ok(Self::Npz),
            Some((_, "safetensors")) => Ok(Self::Safetensors),
            Some((_, "csv")) => Ok(Self::Csv),
            Some((_, "parquet")) => Ok(Self::Parquet),
            _ => Err(Error::argument(Problem::Path).at(path)),
        }
    }

    /// Reads a file of this kind, whatever its name.
    ///
    /// Images are values in `[0, 1]`, from folders, from Parquet files and from IDX files of bytes with
    /// three dimensions; everything else is unscaled.
    ///
    /// # Errors
    ///
    /// Those of the kind's own `read`.
    ///
    /// # Example
    ///
    /// See [`Kind`].
    pub fn read(self, path: impl AsRef<Path>, options: &ReadOptions<'_>) -> Result<Matrix> {
        let path = path.as_ref();
        match self {
            Self::Npy => npy::read(path),
            Self::Npz => npz::read(path, options.member),
            Self::Safetensors => safetensors::read(path, options.member),
            Self::Csv => csv::read(path),
            Self::Idx => idx::read(path)?.into_matrix().map_err(|error| error.at(path)),
            Self::Parquet => parquet::read(path, options).map(|(matrix, _)| matrix),
            Self::Images => {
                image_folder::read(path, &options.images).map(image_folder::Folder::into_matrix)
            }
        }
    }

    /// Opens a file of this kind, whatever its name, to read its rows in batches.
    ///
    /// All batches together are what [`read`](Self::read) returns.
    ///
    /// # Errors
    ///
    /// Those of the kind's own `read`, as far as they show before the first row: a header, a first
    /// line, a first image. The rest shows in [`Rows::next_batch`].
    ///
    /// # Example
    ///
    /// See [`Rows`].
    pub fn open(self, path: impl AsRef<Path>, options: &ReadOptions<'_>) -> Result<Rows> {
        let path = path.as_ref();
        let source = match self {
            Self::Npy => npy::open_rows(path),
            Self::Npz => npz::open_rows(path, options.member),
            Self::Safetensors => safetensors::open_rows(path, options.member),
            Self::Csv => csv::open_rows(path),
            Self::Idx => idx::open_rows(path),
            Self::Parquet => parquet::open_rows(path, options),
            Self::Images => image_folder::open_rows(path, &options.images),
        };
        Ok(Rows::new(source.map_err(|error| error.within(path))?, path))
    }

    /// Starts a file of this kind, whatever its name, to which rows are written in batches: of
    /// `element` and `dim` values each. Tensors and members are named `patterns`.
    ///
    /// # Errors
    ///
    /// Those of the kind's own `write`, as far as they show before the first row, and
    /// [`is_invalid_argument`](Error::is_invalid_argument) for [`Parquet`](Self::Parquet), which is
    /// read only, and for [`Images`](Self::Images) without a shape.
    ///
    /// # Example
    ///
    /// See [`RowSink`].
    pub fn create(
        self,
        path: impl AsRef<Path>,
        element: Element,
        dim: usize,
        options: &WriteOptions<'_>,
    ) -> Result<RowSink> {
        let path = path.as_ref();
        if dim == 0 {
            return Err(Error::argument(matrix::Problem::Empty { n_rows: 1, dim }).at(path));
        }
        let sink = match self {
            Self::Npy => npy::create_rows(path, element, dim, options.n_rows),
            Self::Npz => npz::create_rows(path, "patterns", element, dim),
            Self::Safetensors => safetensors::create_rows(path, element, dim),
            Self::Csv => csv::create_rows(path),
            Self::Idx => idx::create_rows(path, element, dim, options.images),
            Self::Parquet => Err(Error::argument(Problem::ParquetOutput)),
            Self::Images => match options.images {
                Some(shape) => {
                    image_folder::create_rows(path, dim, shape, options.names, options.n_rows)
                }
                None => Err(Error::argument(Problem::NoShape)),
            },
        };
        Ok(RowSink::new(sink.map_err(|error| error.within(path))?, path, element, dim))
    }

    /// Writes a file of this kind, whatever its name. Tensors and members are named `patterns`.
    ///
    /// # Errors
    ///
    /// Those of the kind's own `write`, and [`is_invalid_argument`](Error::is_invalid_argument) for
    /// [`Parquet`](Self::Parquet), which is read only, and for [`Images`](Self::Images) without a
    /// shape.
    ///
    /// # Example
    ///
    /// See [`Kind`].
    pub fn write(
        self,
        path: impl AsRef<Path>,
        matrix: &Matrix,
        options: &WriteOptions<'_>,
    ) -> Result<()> {
        let path = path.as_ref();
        match self {
            Self::Npy => npy::write(path, matrix),
            Self::Npz => npz::write(path, "patterns", matrix),
            Self::Safetensors => safetensors::write(path, matrix),
            Self::Csv => csv::write(path, matrix),
            Self::Idx => idx::write(path, matrix, options.images),
            Self::Parquet => Err(Error::argument(Problem::ParquetOutput).at(path)),
            Self::Images => match options.images {
                Some(shape) => image_folder::write(path, matrix, shape, options.names),
                None => Err(Error::argument(Problem::NoShape).at(path)),
            },
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Npy => "npy",
            Self::Npz => "npz",
            Self::Safetensors => "safetensors",
            Self::Csv => "csv",
            Self::Idx => "idx",
            Self::Parquet => "parquet",
            Self::Images => "images",
        })
    }
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let kind = Self::ALL.into_iter().find(|kind| kind.to_string() == name);
        kind.ok_or_else(|| Error::argument(Problem::Name { found: bytes::quoted(name) }))
    }
}
