//! The files of a split to patterns and labels.

use std::io;
use std::path::{Path, PathBuf};

use ndarray::Array2;

use super::files::{self, Files};
use super::{ArgumentProblem, Coding, Dataset, LabelledImages, Problem, Provenance, Split};
use crate::image_folder::{self, Shape};
use crate::parquet::{self, RowReader};
use crate::{Error, Kind, Matrix, ReadOptions, Result, idx};

/// Images read at a time, which are held twice.
const BATCH: usize = 256;

/// What is being read.
struct Loading {
    dataset: Dataset,
    split: Split,
    n_left: usize,
    n_available: usize,
    has_jpeg: bool,
    values: Vec<f32>,
    labels: Vec<u32>,
    class_names: Option<Vec<String>>,
}

pub(super) fn load(
    dataset: Dataset,
    folder: &Path,
    split: Split,
    limit: Option<usize>,
) -> Result<LabelledImages> {
    if limit == Some(0) {
        return Err(Error::argument(ArgumentProblem::NoImages));
    }
    let mut loading = Loading {
        dataset,
        split,
        n_left: limit.unwrap_or(usize::MAX),
        n_available: 0,
        has_jpeg: false,
        values: vec![],
        labels: vec![],
        class_names: None,
    };
    let files = match files::find(dataset, folder, split)? {
        Files::Idx { images, labels } => {
            loading.idx(&images, &labels)?;
            vec![images, labels]
        }
        Files::Parquet { files, label } => {
            for path in &files {
                loading.parquet(path, label).map_err(|error| error.within(path))?;
            }
            files
        }
    };
    Ok(loading.finish(files))
}

impl Loading {
    fn idx(&mut self, images: &Path, labels: &Path) -> Result<()> {
        let mut rows = Kind::Idx.open(images, &ReadOptions::default())?;
        let n_rows = rows.n_rows().unwrap_or_default();
        let Some(shape) = rows.images() else {
            return Err(Error::format(Problem::NotImages).at(images));
        };
        let n_wanted = self.start(n_rows, shape).map_err(|error| error.at(images))?;
        self.take(n_wanted, |n| rows.next_batch(n)).map_err(|error| error.within(images))?;
        let found = idx::read_labels(labels)?;
        if found.len() != n_rows {
            let problem = Problem::LabelCount { expected: n_rows, found: found.len() };
            return Err(Error::format(problem).at(labels));
        }
        let found = found.into_iter().take(n_wanted).map(u32::from).collect();
        self.label(found).map_err(|error| error.at(labels))
    }

    fn parquet(&mut self, path: &Path, label: &str) -> Result<()> {
        let images = image_folder::ReadOptions { size: None, colour: self.dataset.shape().colour };
        let mut reader = RowReader::open(path, &ReadOptions { member: None, images })?;
        let Some(shape) = reader.images() else { return Err(Error::format(Problem::NotImages)) };
        let n_rows = self.start(reader.n_rows(), shape)?;
        if n_rows == 0 {
            return Ok(());
        }
        self.take(n_rows, |n| reader.next_batch(n))?;
        self.has_jpeg |= reader.has_jpeg();
        let (labels, names) = parquet::read_labels(path, Some(label), n_rows)?.into_parts();
        if let Some(names) = names {
            let found = names.len();
            if found != self.dataset.n_classes() {
                return Err(Error::format(Problem::Classes { dataset: self.dataset, found }));
            }
            self.class_names.get_or_insert(names);
        }
        self.label(labels)
    }

    /// Counts the images of a file, and returns how many of them to read.
    fn start(&mut self, n_rows: usize, shape: Shape) -> Result<usize> {
        let Self { dataset, split, .. } = *self;
        if shape != dataset.shape() {
            let found = (shape.width, shape.height);
            return Err(Error::format(Problem::Size { dataset, found }));
        }
        self.n_available = self.n_available.saturating_add(n_rows);
        if self.n_available > dataset.n_images(split) {
            let found = self.n_available;
            return Err(Error::format(Problem::TooMany { dataset, split, found }));
        }
        let n_rows = n_rows.min(self.n_left);
        self.n_left -= n_rows;
        Ok(n_rows)
    }

    fn take(
        &mut self,
        n_rows: usize,
        mut next: impl FnMut(usize) -> Result<Option<Matrix>>,
    ) -> Result<()> {
        let dim = self.dim();
        // No more than the official data set has, by `start`.
        self.values
            .try_reserve_exact(n_rows * dim)
            .map_err(|_| Error::io(io::ErrorKind::OutOfMemory.into()))?;
        let mut n_done = 0;
        while n_done < n_rows
            && let Some(batch) = next(BATCH.min(n_rows - n_done))?
        {
            n_done += batch.n_rows();
            self.values.extend(batch.into_f32());
        }
        Ok(())
    }

    fn label(&mut self, labels: Vec<u32>) -> Result<()> {
        let dataset = self.dataset;
        let is_wrong = |&label: &u32| label as usize >= dataset.n_classes();
        if let Some(row) = labels.iter().position(is_wrong) {
            let found = labels[row];
            return Err(Error::format(Problem::Label { dataset, row, found }));
        }
        self.labels.extend(labels);
        Ok(())
    }

    fn dim(&self) -> usize {
        self.dataset.shape().dim().expect("images of known data sets are small")
    }

    fn finish(self, files: Vec<PathBuf>) -> LabelledImages {
        let dim = self.dim();
        let Self { dataset, split, n_available, has_jpeg, values, labels, class_names, .. } = self;
        let patterns = Array2::from_shape_vec((labels.len(), dim), values)
            .expect("both readers compare the number of rows");
        let coding = Coding::of(dataset, has_jpeg);
        let provenance = Provenance { dataset, split, coding, n_available, files };
        LabelledImages { patterns, labels, class_names, provenance }
    }
}
