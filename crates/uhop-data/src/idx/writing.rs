//! Rows to the bytes of an IDX file.

use std::io::{self, Write};

use super::header::ElementType;
use crate::image_folder::{self, Colour, Shape};
use crate::{Error, Matrix, Result};

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

/// An element type and a shape that fit into a header.
pub(super) struct Plan {
    element: ElementType,
    sizes: Vec<u32>,
}

impl Plan {
    /// Images as u8 of rank 3, rows without a shape in their precision and rank 2.
    pub(super) fn new(matrix: &Matrix, images: Option<Shape>) -> Result<Self> {
        matrix.check_not_empty().map_err(Error::argument)?;
        let (element, shape) = match (images, matrix) {
            (None, Matrix::F32(_)) => (ElementType::F32, vec![matrix.n_rows(), matrix.dim()]),
            (None, Matrix::F64(_)) => (ElementType::F64, vec![matrix.n_rows(), matrix.dim()]),
            (Some(Shape { colour: Colour::Rgb, .. }), _) => {
                return Err(Error::argument(ArgumentProblem::Colour));
            }
            (Some(shape), _) => {
                image_folder::check(matrix, shape).map_err(Error::argument)?;
                let sides = [shape.height, shape.width].map(|side| side as usize);
                (ElementType::U8, [&[matrix.n_rows()], &sides[..]].concat())
            }
        };
        let sizes = shape.iter().map(|&size| u32::try_from(size).ok()).collect::<Option<_>>();
        match sizes {
            Some(sizes) => Ok(Self { element, sizes }),
            None => Err(Error::argument(ArgumentProblem::TooLarge { shape })),
        }
    }

    /// Writes the header and the rows, one by one.
    pub(super) fn write(&self, writer: &mut dyn Write, matrix: &Matrix) -> io::Result<()> {
        let rank = self.sizes.len() as u8;
        writer.write_all(&[0, 0, self.element.code(), rank])?;
        for size in &self.sizes {
            writer.write_all(&size.to_be_bytes())?;
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
            writer.write_all(&bytes)?;
        }
        Ok(())
    }
}
