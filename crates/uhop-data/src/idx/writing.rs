//! Rows to the bytes of an IDX file.

use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::header::ElementType;
use crate::image_folder::{self, Colour, Shape};
use crate::output::{Seekable, patch};
use crate::row_sink::Sink;
use crate::{Element, Error, Matrix, OutputFile, Result};

/// Every matrix and shape that an IDX file does not hold.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArgumentProblem {
    #[error(
        "writing an IDX file: expected grey images, found RGB; read them in grey, or name a folder"
    )]
    Colour,
    #[error(
        "writing an IDX file: expected sizes below 2^32, found the shape {shape:?}; \
         name a file that ends in .npy"
    )]
    TooLarge { shape: Vec<usize> },
}

/// What the rows of a file become: an element type and the shape of each.
pub(super) struct Plan {
    element: ElementType,
    row: Vec<usize>,
}

impl Plan {
    /// Images as u8 of rank 3, rows without a shape in their precision and rank 2.
    pub(super) fn new(element: Element, dim: usize, images: Option<Shape>) -> Result<Self> {
        let (element, row) = match (images, element) {
            (None, Element::F32) => (ElementType::F32, vec![dim]),
            (None, Element::F64) => (ElementType::F64, vec![dim]),
            (Some(Shape { colour: Colour::Rgb, .. }), _) => {
                return Err(Error::argument(ArgumentProblem::Colour));
            }
            (Some(shape), _) => {
                image_folder::check(dim, shape).map_err(Error::argument)?;
                (ElementType::U8, vec![shape.height as usize, shape.width as usize])
            }
        };
        let plan = Self { element, row };
        plan.header(1).map(|_| plan)
    }

    /// The header of a file of so many rows.
    pub(super) fn header(&self, n_rows: usize) -> Result<Vec<u8>> {
        let shape = [&[n_rows], &self.row[..]].concat();
        let mut header = vec![0, 0, self.element.code(), shape.len() as u8];
        for &size in &shape {
            let Ok(size) = u32::try_from(size) else {
                return Err(Error::argument(ArgumentProblem::TooLarge { shape }));
            };
            header.extend(size.to_be_bytes());
        }
        Ok(header)
    }

    /// Writes some rows; `first_row` is the number of the first of them.
    pub(super) fn write(
        &self,
        writer: &mut dyn Write,
        matrix: &Matrix,
        first_row: usize,
    ) -> Result<()> {
        if self.element == ElementType::U8 {
            image_folder::check_values(matrix, first_row).map_err(Error::argument)?;
        }
        for row in 0..matrix.n_rows() {
            let bytes = match (self.element, matrix) {
                (ElementType::U8, _) => image_folder::pixels(matrix, row),
                (_, Matrix::F32(rows)) => {
                    rows.row(row).iter().flat_map(|value| value.to_be_bytes()).collect()
                }
                (_, Matrix::F64(rows)) => {
                    rows.row(row).iter().flat_map(|value| value.to_be_bytes()).collect()
                }
            };
            writer.write_all(&bytes).map_err(Error::write)?;
        }
        Ok(())
    }
}

/// Whether the name asks for a compressed file.
fn is_packed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"))
}

/// A file being written: the number of rows, which stands first, is filled in at the end.
pub(super) struct IdxSink {
    plan: Plan,
    file: BufWriter<Target>,
    n_written: usize,
}

/// Where the bytes go until the file is complete.
enum Target {
    Plain(Seekable),
    /// A compressed number cannot be filled in: the whole is compressed at the end.
    Packed {
        spool: File,
        file: OutputFile,
    },
}

impl IdxSink {
    pub(super) fn create(path: &Path, plan: Plan) -> Result<Self> {
        let file = OutputFile::create(path)?;
        let target = if is_packed(path) {
            tempfile::tempfile().map(|spool| Target::Packed { spool, file })
        } else {
            Seekable::file(file).map(Target::Plain)
        };
        let mut file = BufWriter::with_capacity(1 << 16, target.map_err(Error::write)?);
        file.write_all(&plan.header(0)?).map_err(Error::write)?;
        Ok(Self { plan, file, n_written: 0 })
    }
}

impl Sink for IdxSink {
    fn write(&mut self, batch: &Matrix) -> Result<()> {
        self.plan.write(&mut self.file, batch, self.n_written)?;
        self.n_written += batch.n_rows();
        Ok(())
    }

    fn commit(self: Box<Self>, n_rows: usize) -> Result<()> {
        let header = self.plan.header(n_rows)?;
        let unbuffered = |error: io::IntoInnerError<_>| Error::write(error.into_error());
        match self.file.into_inner().map_err(unbuffered)? {
            Target::Plain(mut file) => {
                patch(&mut file, 0, &header).map_err(Error::write)?;
                file.commit()
            }
            Target::Packed { mut spool, file } => {
                let packed = patch(&mut spool, 0, &header).and_then(|()| {
                    spool.rewind()?;
                    let mut encoder = GzEncoder::new(file, Compression::default());
                    io::copy(&mut spool, &mut encoder)?;
                    encoder.finish()
                });
                packed.map_err(Error::write)?.commit()
            }
        }
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Packed { spool, .. } => spool.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Packed { spool, .. } => spool.flush(),
        }
    }
}

/// Rows of a matrix in memory, after its header.
pub(super) fn write_to<W: Write>(writer: W, matrix: &Matrix, images: Option<Shape>) -> Result<()> {
    matrix.check_not_empty().map_err(Error::argument)?;
    let plan = Plan::new(matrix.element(), matrix.dim(), images)?;
    let mut writer = BufWriter::new(writer);
    writer.write_all(&plan.header(matrix.n_rows())?).map_err(Error::write)?;
    plan.write(&mut writer, matrix, 0)?;
    writer.flush().map_err(Error::write)
}
