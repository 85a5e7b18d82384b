//! The images of a folder, one after the other.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ndarray::Array2;

use super::decode::{Decoded, MAX_SIDE, decode};
use super::{ArgumentProblem, Problem, ReadOptions, Shape};
use crate::rows::Source;
use crate::{Element, Error, Matrix, Result};

/// A folder, open at one of its images.
pub(super) struct Reader {
    folder: PathBuf,
    options: ReadOptions,
    files: std::vec::IntoIter<OsString>,
    names: Vec<String>,
    shape: Shape,
    dim: usize,
    /// The first image, which tells the size of all, until it is given out.
    first: Option<Vec<f32>>,
}

impl Reader {
    /// Finds the images and reads the first one.
    pub(super) fn open(folder: &Path, options: &ReadOptions) -> Result<Self> {
        check_size(options).map_err(Error::argument)?;
        let files = image_names(folder).map_err(|error| Error::io(error).at(folder))?;
        let names = files.iter().map(|name| name.to_string_lossy().into_owned()).collect();
        let mut files = files.into_iter();
        let Some(first) = files.next() else {
            return Err(Error::format(Problem::NoImages).at(folder));
        };
        let image = image(&folder.join(first), options)?;
        let (width, height) = image.size;
        Ok(Self {
            folder: folder.to_owned(),
            options: *options,
            files,
            names,
            shape: Shape { width, height, colour: options.colour },
            dim: image.values.len(),
            first: Some(image.values),
        })
    }

    pub(super) fn dim(&self) -> usize {
        self.dim
    }

    pub(super) fn shape(&self) -> Shape {
        self.shape
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn into_names(self) -> Vec<String> {
        self.names
    }

    /// The values of the next image, or nothing after the last one.
    pub(super) fn next_image(&mut self) -> Result<Option<Vec<f32>>> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let Some(file) = self.files.next() else { return Ok(None) };
        let path = self.folder.join(file);
        let image = image(&path, &self.options)?;
        let expected = (self.shape.width, self.shape.height);
        if image.size != expected {
            let (found, first) = (image.size, self.names[0].clone());
            return Err(Error::format(Problem::OtherSize { expected, found, first }).at(&path));
        }
        Ok(Some(image.values))
    }
}

impl Source for Reader {
    fn dim(&self) -> usize {
        self.dim
    }

    fn element(&self) -> Element {
        Element::F32
    }

    fn n_rows(&self) -> Option<usize> {
        Some(self.names.len())
    }

    fn images(&self) -> Option<Shape> {
        Some(self.shape)
    }

    fn names(&self) -> Option<&[String]> {
        Some(&self.names)
    }

    fn next_batch(&mut self, max_rows: usize) -> Result<Option<Matrix>> {
        let (mut n_rows, mut values) = (0, Vec::new());
        while n_rows < max_rows
            && let Some(image) = self.next_image()?
        {
            values.extend(image);
            n_rows += 1;
        }
        let rows = Array2::from_shape_vec((n_rows, self.dim), values);
        Ok((n_rows > 0).then(|| Matrix::F32(rows.expect("every image has the same size"))))
    }
}

/// Errors when the size asked for is not one of images.
pub(crate) fn check_size(options: &ReadOptions) -> Result<(), ArgumentProblem> {
    match options.size {
        Some((width, height))
            if [width, height].iter().any(|side| !(1..=MAX_SIDE).contains(side)) =>
        {
            Err(ArgumentProblem::Size { width, height })
        }
        _ => Ok(()),
    }
}

fn image(path: &Path, options: &ReadOptions) -> Result<Decoded> {
    let bytes = fs::read(path).map_err(|error| Error::io(error).at(path))?;
    decode(&bytes, options).map_err(|problem| Error::format(problem).at(path))
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
