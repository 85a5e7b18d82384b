//! A folder of images being written: beside its place, so that all appear or none.

use std::collections::hash_map::RandomState;
use std::fs::{self, OpenOptions};
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

use super::names::Names;
use super::{ArgumentProblem, Colour, Shape, decode};
use crate::row_sink::Sink;
use crate::{Error, Matrix, Result};

/// A hidden folder, removed when dropped before its rename.
pub(super) struct Folder {
    /// Where it will be; links have been followed.
    target: PathBuf,
    temporary: PathBuf,
    shape: Shape,
    names: Names,
    n_written: usize,
}

impl Folder {
    /// Checks everything that shows before the first image.
    pub(super) fn create(
        path: &Path,
        dim: usize,
        shape: Shape,
        names: Option<&[String]>,
        n_rows: Option<usize>,
    ) -> Result<Self> {
        let argument = |problem| Error::argument(problem).at(path);
        check(dim, shape).map_err(argument)?;
        let names = match names {
            Some(names) => Names::given(names, n_rows).map_err(argument)?,
            None => Names::counted(n_rows),
        };
        let (target, is_empty) = place(path).map_err(|error| Error::write(error).at(path))?;
        if !is_empty {
            return Err(argument(ArgumentProblem::NotEmpty));
        }
        let temporary = create_beside(&target).map_err(|error| Error::write(error).at(path))?;
        Ok(Self { target, temporary, shape, names, n_written: 0 })
    }
}

impl Sink for Folder {
    fn write(&mut self, batch: &Matrix) -> Result<()> {
        check_values(batch, self.n_written).map_err(Error::argument)?;
        for row in 0..batch.n_rows() {
            let name = self.names.name(self.n_written).map_err(Error::argument)?;
            let pixels = pixels(batch, row);
            let write = || -> io::Result<()> {
                let bytes = encode(&pixels, self.shape)?;
                // Never through a link that appeared meanwhile.
                let path = self.temporary.join(&name);
                OpenOptions::new().write(true).create_new(true).open(path)?.write_all(&bytes)
            };
            write().map_err(|error| Error::write(error).at(self.target.join(&name)))?;
            self.n_written += 1;
        }
        Ok(())
    }

    fn commit(self: Box<Self>, n_rows: usize) -> Result<()> {
        self.names.check_count(n_rows).map_err(Error::argument)?;
        // An empty folder makes way; one that has been filled meanwhile does not.
        match fs::remove_dir(&self.target) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => fs::rename(&self.temporary, &self.target),
        }
        .map_err(Error::write)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // After the rename it is not there. Otherwise the failure that led here is the one worth
        // reporting.
        let _ = fs::remove_dir_all(&self.temporary);
    }
}

/// Where the folder will be, and whether nothing stands in its way. Makes the folders above it.
fn place(path: &Path) -> io::Result<(PathBuf, bool)> {
    match fs::canonicalize(path) {
        Ok(target) => {
            let is_empty = fs::read_dir(&target)?.next().is_none();
            Ok((target, is_empty))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let no_name =
                || io::Error::new(io::ErrorKind::InvalidInput, "the path names no folder");
            let name = path.file_name().ok_or_else(no_name)?;
            let above = match path.parent() {
                Some(above) if above != Path::new("") => above,
                _ => Path::new("."),
            };
            fs::create_dir_all(above)?;
            Ok((fs::canonicalize(above)?.join(name), true))
        }
        Err(error) => Err(error),
    }
}

fn create_beside(target: &Path) -> io::Result<PathBuf> {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    // The standard library seeds this from the system's randomness.
    let number = RandomState::new().build_hasher().finish();
    let temporary = target.with_file_name(format!(".{name}.{number:016x}.tmp"));
    fs::create_dir(&temporary)?;
    Ok(temporary)
}

/// Errors unless rows of `dim` values are images of this shape.
pub(crate) fn check(dim: usize, shape: Shape) -> Result<(), ArgumentProblem> {
    let Shape { width, height, colour } = shape;
    if [width, height].iter().any(|side| !(1..=decode::MAX_SIDE).contains(side)) {
        return Err(ArgumentProblem::Size { width, height });
    }
    if shape.dim() != Some(dim) {
        let n_values = colour.n_values();
        return Err(ArgumentProblem::Dim { width, height, n_values, dim });
    }
    Ok(())
}

/// The largest number that is written as 1. What is recalled or damaged may lie somewhat above 1; numbers from 0
/// to 255 would all become white.
const BRIGHTEST: f64 = 2.0;

/// Errors for NaN and for numbers that are not of images; `first_row` is the number of the first row among all.
pub(crate) fn check_values(matrix: &Matrix, first_row: usize) -> Result<(), ArgumentProblem> {
    match matrix {
        Matrix::F32(rows) => {
            check_each(rows.iter().map(|&value| f64::from(value)), matrix.dim(), first_row)
        }
        Matrix::F64(rows) => check_each(rows.iter().copied(), matrix.dim(), first_row),
    }
}

fn check_each(
    values: impl Iterator<Item = f64>,
    dim: usize,
    first_row: usize,
) -> Result<(), ArgumentProblem> {
    let place = |i: usize| (first_row + i / dim, i % dim);
    let mut brightest = (0, 0.0);
    for (i, value) in values.enumerate() {
        if value.is_nan() {
            let (row, column) = place(i);
            return Err(ArgumentProblem::NotANumber { row, column });
        }
        if value > brightest.1 {
            brightest = (i, value);
        }
    }
    let (i, value) = brightest;
    if value <= BRIGHTEST {
        return Ok(());
    }
    let (row, column) = place(i);
    Err(ArgumentProblem::TooBright { row, column, value })
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
