//! Rows read in batches from any kind of file.

use std::io::Read;
use std::path::{Path, PathBuf};

use ndarray::s;

use crate::image_folder::Shape;
use crate::{Element, Matrix, Result, npy};

/// A file of any kind, read in batches of rows: what [`Kind::open`](crate::Kind::open) returns.
///
/// Memory holds one batch. Two things are held as a whole: the matrix of an `.npy` file or member in
/// Fortran order, whose rows do not follow each other, and the names of images.
///
/// # Example
///
/// ```
/// use uhop_data::{Kind, ReadOptions};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("queries.csv");
/// std::fs::write(&path, "1,2\n3,4\n5,6\n")?;
/// let mut rows = Kind::of(&path)?.open(&path, &ReadOptions::default())?;
/// // The end of a CSV file shows only when it is reached.
/// assert_eq!((rows.dim(), rows.n_rows()), (2, None));
/// let mut n_rows = vec![];
/// while let Some(batch) = rows.next_batch(2)? {
///     n_rows.push(batch.n_rows());
/// }
/// assert_eq!(n_rows, [2, 1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Rows {
    source: Box<dyn Source>,
    file: PathBuf,
    has_ended: bool,
}

/// One kind of file, open at its first row. Errors need not name the file.
pub(crate) trait Source: Send {
    fn dim(&self) -> usize;

    fn element(&self) -> Element;

    /// Nothing where only the end tells.
    fn n_rows(&self) -> Option<usize>;

    fn images(&self) -> Option<Shape> {
        None
    }

    fn names(&self) -> Option<&[String]> {
        None
    }

    /// The next rows, at most `max_rows` and at least one, or nothing after the last ones.
    fn next_batch(&mut self, max_rows: usize) -> Result<Option<Matrix>>;
}

impl Rows {
    pub(crate) fn new(source: Box<dyn Source>, file: &Path) -> Self {
        Self { source, file: file.to_owned(), has_ended: false }
    }

    /// The rows of an `.npy` stream, such as stdin. `name` stands for the file in errors.
    ///
    /// # Errors
    ///
    /// Those of [`npy::parse`], as far as the header shows them.
    ///
    /// # Example
    ///
    /// ```
    /// let error = uhop_data::Rows::from_npy(&b"text"[..], "<stdin>").err().unwrap();
    /// assert!(error.to_string().starts_with("<stdin>: not an npy file"));
    /// ```
    pub fn from_npy<R: Read + Send + 'static>(stream: R, name: impl AsRef<Path>) -> Result<Self> {
        let name = name.as_ref();
        let source = npy::rows_of(stream, None).map_err(|error| error.at(name))?;
        Ok(Self::new(source, name))
    }

    /// The rows of a matrix.
    ///
    /// # Example
    ///
    /// ```
    /// let mut rows = uhop_data::Rows::from_matrix(ndarray::array![[1.0_f32], [2.0]].into());
    /// assert_eq!((rows.n_rows(), rows.next_batch(9)?.unwrap().n_rows()), (Some(2), 2));
    /// # Ok::<(), uhop_data::Error>(())
    /// ```
    pub fn from_matrix(matrix: Matrix) -> Self {
        // No error concerns a matrix that is there already.
        Self::new(Box::new(Whole::new(matrix)), Path::new(""))
    }

    /// Number of values in each row.
    ///
    /// # Example
    ///
    /// See [`Rows`].
    pub fn dim(&self) -> usize {
        self.source.dim()
    }

    /// The precision of the batches.
    ///
    /// # Example
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("queries.csv");
    /// use uhop_data::{Element, Kind, ReadOptions};
    ///
    /// std::fs::write(&path, "1,2")?;
    /// let rows = Kind::Csv.open(&path, &ReadOptions::default())?;
    /// assert_eq!(rows.element(), Element::F64);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn element(&self) -> Element {
        self.source.element()
    }

    /// Number of rows of the whole file, or nothing where only the end tells.
    ///
    /// # Example
    ///
    /// See [`Rows`].
    pub fn n_rows(&self) -> Option<usize> {
        self.source.n_rows()
    }

    /// Size and colour of the images, where the rows are images: a folder, or an IDX file of bytes
    /// with three dimensions.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_data::{Kind, ReadOptions};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("a.idx");
    /// std::fs::write(&path, [0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 255])?;
    /// let rows = Kind::Idx.open(&path, &ReadOptions::default())?;
    /// let shape = rows.images().unwrap();
    /// assert_eq!((shape.width, shape.height), (2, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn images(&self) -> Option<Shape> {
        self.source.images()
    }

    /// The names of the rows, where they have some: those of the files of a folder, with bytes that
    /// are not UTF-8 replaced.
    ///
    /// # Example
    ///
    /// ```
    /// # let bytes = { let mut bytes = Vec::new();
    /// # uhop_data::npy::write_to(&mut bytes, &ndarray::array![[1.0_f32]].into())?; bytes };
    /// let rows = uhop_data::Rows::from_npy(std::io::Cursor::new(bytes), "<stdin>")?;
    /// assert_eq!(rows.names(), None);
    /// # Ok::<(), uhop_data::Error>(())
    /// ```
    pub fn names(&self) -> Option<&[String]> {
        self.source.names()
    }

    /// Reads the next rows, at most `max_rows` (0 counts as 1), or nothing after the last ones.
    ///
    /// # Errors
    ///
    /// Those of the kind's own `read`, when the rows that they concern are reached. An error ends the
    /// reading: later calls return nothing.
    ///
    /// # Example
    ///
    /// See [`Rows`].
    pub fn next_batch(&mut self, max_rows: usize) -> Result<Option<Matrix>> {
        if self.has_ended {
            return Ok(None);
        }
        let outcome = self.source.next_batch(max_rows.max(1));
        self.has_ended = !matches!(outcome, Ok(Some(_)));
        outcome.map_err(|error| error.within(&self.file))
    }
}

/// A matrix that could only be read as a whole.
pub(crate) struct Whole {
    matrix: Matrix,
    n_done: usize,
}

impl Whole {
    pub(crate) fn new(matrix: Matrix) -> Self {
        Self { matrix, n_done: 0 }
    }
}

impl Source for Whole {
    fn dim(&self) -> usize {
        self.matrix.dim()
    }

    fn element(&self) -> Element {
        self.matrix.element()
    }

    fn n_rows(&self) -> Option<usize> {
        Some(self.matrix.n_rows())
    }

    fn next_batch(&mut self, max_rows: usize) -> Result<Option<Matrix>> {
        let start = self.n_done;
        let end = self.matrix.n_rows().min(start.saturating_add(max_rows));
        self.n_done = end;
        let batch = match &self.matrix {
            Matrix::F32(rows) => Matrix::F32(rows.slice(s![start..end, ..]).to_owned()),
            Matrix::F64(rows) => Matrix::F64(rows.slice(s![start..end, ..]).to_owned()),
        };
        Ok((start < end).then_some(batch))
    }
}
