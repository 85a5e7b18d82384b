//! Records of one column to rows of a matrix.

use ::parquet::data_type::{ByteArrayType, DataType, DoubleType, FloatType};
use ndarray::Array2;

use super::columns::{Content, Leaf};
use super::problem::Column;
use super::records::{Batch, Records, Source};
use super::{Failure, damaged};
use crate::image_folder::{self, Decoded, Shape};
use crate::{Element, Matrix};

/// Images decoded at a time: their bytes are held together.
const IMAGES: usize = 16;

/// A column that is being read.
pub(super) enum Rows {
    F32(Records<FloatType>),
    F64(Records<DoubleType>),
    Images { records: Records<ByteArrayType>, options: image_folder::ReadOptions, has_jpeg: bool },
}

/// What every row is like, by the first one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    pub(super) dim: usize,
    pub(super) element: Element,
    pub(super) images: Option<Shape>,
}

impl Rows {
    pub(super) fn new(source: Source, leaf: Leaf, images: &image_folder::ReadOptions) -> Self {
        match leaf.content {
            Content::Lists(Element::F32) => Self::F32(Records::new(source)),
            Content::Lists(Element::F64) => Self::F64(Records::new(source)),
            Content::Images => {
                Self::Images { records: Records::new(source), options: *images, has_jpeg: false }
            }
        }
    }

    /// Reads the first row, or nothing when there is none.
    pub(super) fn form(&mut self) -> Result<Option<Form>, Failure> {
        let (dim, element, images) = match self {
            Self::F32(records) => (first(records)?, Element::F32, None),
            Self::F64(records) => (first(records)?, Element::F64, None),
            Self::Images { records, options, .. } => {
                let Some(batch) = records.next(1)? else { return Ok(None) };
                let image = decode(&batch, 0, options)?;
                let (width, height) = image.size;
                let shape = Shape { width, height, colour: options.colour };
                (Some(image.values.len()), Element::F32, Some(shape))
            }
        };
        Ok(dim.map(|dim| Form { dim, element, images }))
    }

    /// The next rows, at most `max_rows` unless that is 0, or nothing after the last ones.
    pub(super) fn next(&mut self, form: &Form, max_rows: usize) -> Result<Option<Matrix>, Failure> {
        let matrix = match self {
            Self::F32(records) => lists(records, form.dim, max_rows)?.map(Matrix::F32),
            Self::F64(records) => lists(records, form.dim, max_rows)?.map(Matrix::F64),
            Self::Images { records, options, has_jpeg } => {
                let mut values = Vec::new();
                let mut n_rows = 0;
                while n_rows < max_rows {
                    let Some(batch) = records.next(IMAGES.min(max_rows - n_rows))? else { break };
                    for i in 0..batch.n_rows {
                        let image = decode(&batch, i, options)?;
                        check_size(batch.first + i, image.size, form.images)?;
                        *has_jpeg |= image.is_jpeg;
                        values.extend(image.values);
                    }
                    n_rows += batch.n_rows;
                }
                matrix(form.dim, values).map(Matrix::F32)
            }
        };
        Ok(matrix)
    }

    /// Whether an image among those read is a JPEG file.
    pub(super) fn has_jpeg(&self) -> bool {
        matches!(self, Self::Images { has_jpeg: true, .. })
    }
}

/// Number of values of the first list.
fn first<T: DataType>(records: &mut Records<T>) -> Result<Option<usize>, Failure> {
    Ok(records.next(1)?.map(|batch| batch.values.len()))
}

fn lists<T: DataType>(
    records: &mut Records<T>,
    dim: usize,
    max_rows: usize,
) -> Result<Option<Array2<T::T>>, Failure> {
    let mut values = Vec::new();
    let mut n_rows = 0;
    while n_rows < max_rows {
        let Some(batch) = records.next(max_rows - n_rows)? else { break };
        check_lengths(&batch, dim)?;
        values.extend_from_slice(batch.values);
        n_rows += batch.n_rows;
    }
    Ok(matrix(dim, values))
}

/// Errors unless each list has `dim` values.
fn check_lengths<T>(batch: &Batch<'_, T>, dim: usize) -> Result<(), Failure> {
    let levels = batch.repetition;
    let starts = levels.iter().enumerate().filter(|&(_, &level)| level == 0);
    let mut bounds = starts.map(|(position, _)| position).chain([levels.len()]);
    if bounds.next() != Some(0) || batch.values.len() != levels.len() {
        return Err(damaged("a row has no start"));
    }
    let mut start = 0;
    for (row, end) in bounds.enumerate() {
        if end - start != dim {
            let row = batch.first + row;
            return Err(Column::Ragged { row, found: end - start, expected: dim }.into());
        }
        start = end;
    }
    match start == batch.n_rows * dim {
        true => Ok(()),
        false => Err(damaged("a row has no start")),
    }
}

/// The image in a row of a batch.
fn decode(
    batch: &Batch<'_, ::parquet::data_type::ByteArray>,
    i: usize,
    options: &image_folder::ReadOptions,
) -> Result<Decoded, Failure> {
    let row = batch.first + i;
    let Some(bytes) = batch.values.get(i) else { return Err(Column::Null { row }.into()) };
    image_folder::decode(bytes.data(), options)
        .map_err(|problem| Column::Image { row, problem }.into())
}

fn check_size(row: usize, found: (u32, u32), shape: Option<Shape>) -> Result<(), Failure> {
    match shape.map(|shape| (shape.width, shape.height)) {
        Some(expected) if expected != found => {
            let first = "in row 0".to_owned();
            let problem = image_folder::Problem::OtherSize { expected, found, first };
            Err(Column::Image { row, problem }.into())
        }
        _ => Ok(()),
    }
}

/// Rows of `dim` values each, unless there are none.
fn matrix<T>(dim: usize, values: Vec<T>) -> Option<Array2<T>> {
    let n_rows = values.len() / dim;
    (n_rows > 0).then(|| {
        Array2::from_shape_vec((n_rows, dim), values)
            .expect("every row has been checked to have dim")
    })
}
