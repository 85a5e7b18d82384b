//! The images that memories are drawn from.

use std::collections::HashMap;
use std::error::Error as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::Path;

use ndarray::{Array2, Axis};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};
use uhop::Patterns;
use uhop_data::datasets::{Dataset, LabelledImages, Split};
use uhop_data::sample;

use crate::error::{Error, Result};
use crate::spec::Spec;

/// Images of one size with values in \[0, 1\], and where they come from.
#[derive(Debug, Clone)]
pub struct DataSet {
    name: String,
    provenance: String,
    /// Lines, and numbers of a line.
    shape: (usize, usize),
    channels: usize,
    rows: Array2<f32>,
    fingerprint: String,
}

/// The name of the built-in digits in rows.
pub(crate) const SAMPLE: &str = "mnist-sample";

/// Numbers of all images of a data set, unless its memories need more: 200 MB.
const LARGEST: usize = 50_000_000;

/// Images of `dim` numbers to read for memories of up to `largest` patterns: half as many again, so that memory sets of
/// two seeds differ, and images that are held twice do not use them up.
fn n_read(dim: usize, largest: usize) -> usize {
    let needed = largest.saturating_add(largest.div_ceil(2));
    (LARGEST / dim).max(needed).max(1)
}

impl DataSet {
    /// The built-in digits.
    ///
    /// ```
    /// let digits = uhop_lab::DataSet::sample();
    /// assert_eq!((digits.name(), digits.n_images(), digits.dim()), ("mnist-sample", 1000, 784));
    /// ```
    pub fn sample() -> Self {
        let digits = sample::digits();
        let shape = (digits.images().height(), digits.images().width());
        let provenance = "the first 1,000 test images of MNIST, built in";
        let rows = digits.images().patterns().to_owned();
        Self::new(SAMPLE, provenance, (shape.0, shape.1, 1), rows)
            .expect("the sample is images with values from 0 to 1")
    }

    /// The data sets in a folder that an experiment is for: the training images where they are
    /// there, the test images else. Sets that are not there are left out.
    ///
    /// Of large sets only the first images are read, as many as make 200 MB or half as many again as the
    /// experiment stores; the provenance says so.
    ///
    /// # Errors
    /// [`is_input`](Error::is_input) when none is there, or one cannot be read.
    pub fn find(folder: &Path, spec: &Spec) -> Result<Vec<Self>> {
        let largest = spec.n_patterns.iter().copied().max().unwrap_or(0);
        those_there(&spec.datasets, |dataset| Self::load(folder, dataset, largest))
    }

    /// One data set in a folder, of which up to `largest` images are stored at once.
    pub(crate) fn load(folder: &Path, dataset: Dataset, largest: usize) -> uhop_data::Result<Self> {
        let shape = dataset.shape();
        let (height, width) = (shape.height as usize, shape.width as usize);
        let channels = shape.colour.n_values();
        let limit = n_read(height * width * channels, largest);
        let images = match dataset.load(folder, Split::Train, Some(limit)) {
            Err(error) if is_missing(&error) => {
                // Of the two the error about the training images is the one to report.
                dataset.load(folder, Split::Test, Some(limit)).map_err(|_| error)
            }
            images => images,
        }?;
        let provenance = provenance_of(&images);
        let (rows, _) = images.into_parts();
        Ok(Self::new(dataset.name(), &provenance, (height, width, channels), rows)
            .expect("images of a known set have its shape and values from 0 to 1"))
    }

    /// Images given as rows, `[n_images, height · width · channels]`.
    ///
    /// ```
    /// use ndarray::Array2;
    /// use uhop_lab::DataSet;
    ///
    /// let rows = Array2::from_elem((5, 12), 0.5);
    /// assert!(DataSet::new("grey", "made up", (3, 4, 1), rows.clone()).is_ok());
    /// assert!(DataSet::new("grey", "made up", (3, 5, 1), rows.clone()).is_err());
    /// assert!(DataSet::new("grey", "made up", (3, 4, 1), 3.0 * rows).is_err());
    /// # Ok::<(), uhop_lab::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_input`](Error::is_input) when rows are not of this shape, or a value is outside \[0, 1\].
    pub fn new(
        name: &str,
        provenance: &str,
        (height, width, channels): (usize, usize, usize),
        rows: Array2<f32>,
    ) -> Result<Self> {
        let dim = [height, width, channels].iter().try_fold(1_usize, |dim, n| dim.checked_mul(*n));
        if dim != Some(rows.ncols()) || rows.ncols() == 0 {
            let n = rows.ncols();
            let problem =
                format!("expected images of {height} x {width} x {channels}, found {n} numbers");
            return Err(Error::data(name, problem));
        }
        if let Some((at, x)) = rows.indexed_iter().find(|(_, x)| !(0.0..=1.0).contains(*x)) {
            let problem = format!("image {}: expected values from 0 to 1, found {x}", at.0);
            return Err(Error::data(name, problem));
        }
        let words = format!("{name}\n{provenance}\n{height} {width} {channels}\n");
        let fingerprint = fingerprint(&words, &[&rows]);
        let shape = (height, width * channels);
        let (name, provenance) = (name.to_owned(), provenance.to_owned());
        Ok(Self { name, provenance, shape, channels, rows, fingerprint })
    }

    /// Its name in specifications and rows.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the images come from, and what was done to them.
    pub fn provenance(&self) -> &str {
        &self.provenance
    }

    /// Images there are.
    pub fn n_images(&self) -> usize {
        self.rows.nrows()
    }

    /// Numbers of an image.
    pub fn dim(&self) -> usize {
        self.rows.ncols()
    }

    /// Height, width and channels of an image.
    pub fn image_shape(&self) -> (usize, usize, usize) {
        (self.shape.0, self.shape.1 / self.channels, self.channels)
    }

    /// Lines of an image, and numbers of a line.
    pub(crate) fn lines(&self) -> (usize, usize) {
        self.shape
    }

    /// Its name and a hash of all of it, by which rows know it again.
    pub(crate) fn id(&self) -> (String, String) {
        (self.name.clone(), self.fingerprint.clone())
    }

    /// A memory set: `n_patterns` images by a seed, no two of them alike, as some data sets hold an image twice, which
    /// nothing can tell apart. With the same seed a smaller set is the start of a larger one.
    ///
    /// ```
    /// let digits = uhop_lab::DataSet::sample();
    /// let (few, many) = (digits.draw(10, 3)?, digits.draw(20, 3)?);
    /// assert_eq!(few.view(), many.view().slice(ndarray::s![..10, ..]));
    /// assert!(digits.draw(1001, 3).is_err());
    /// # Ok::<(), uhop_lab::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_input`](Error::is_input) when there are not as many different images, or `n_patterns` is 0.
    pub fn draw(&self, n_patterns: usize, seed: u64) -> Result<Patterns<f32>> {
        if n_patterns > self.n_images() {
            let problem = format!("it has {} images, {n_patterns} are asked for", self.n_images());
            return Err(Error::data(&self.name, problem));
        }
        let mut order: Vec<usize> = (0..self.n_images()).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let mut drawn = Vec::with_capacity(n_patterns);
        let mut alike: HashMap<u64, Vec<usize>> = HashMap::new();
        for image in order {
            if drawn.len() == n_patterns {
                break;
            }
            let alike = alike.entry(self.hash_of(image)).or_default();
            if !alike.iter().any(|&other| self.rows.row(other) == self.rows.row(image)) {
                alike.push(image);
                drawn.push(image);
            }
        }
        if drawn.len() < n_patterns {
            let n_different = drawn.len();
            let problem =
                format!("it has {n_different} different images, {n_patterns} are asked for");
            return Err(Error::data(&self.name, problem));
        }
        Patterns::new(self.rows.select(Axis(0), &drawn))
            .map_err(|error| Error::memory(&self.name, error))
    }

    /// Equal images have the same: -0 is 0.
    fn hash_of(&self, image: usize) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.rows.row(image).iter().for_each(|x| (x + 0.0).to_bits().hash(&mut hasher));
        hasher.finish()
    }
}

/// What `load` makes of those data sets that are there; the first that is not is the error when none is.
pub(crate) fn those_there<T>(
    datasets: &[Dataset],
    load: impl Fn(Dataset) -> uhop_data::Result<T>,
) -> Result<Vec<T>> {
    let (mut found, mut missing) = (Vec::new(), None);
    for &dataset in datasets {
        match load(dataset) {
            Ok(set) => found.push(set),
            Err(error) if is_missing(&error) => {
                missing.get_or_insert(error);
            }
            Err(error) => return Err(error.into()),
        }
    }
    match missing {
        Some(error) if found.is_empty() => Err(error.into()),
        _ => Ok(found),
    }
}

/// Those of some data sets that have none of these names.
pub(crate) fn missing(wanted: &[Dataset], there: &[&str]) -> Vec<Dataset> {
    wanted.iter().filter(|wanted| !there.contains(&wanted.name())).copied().collect()
}

/// What a report says of them.
pub(crate) const NOT_RUN_ON: &str = "what the experiment is for, but did not run on";

/// Where images come from, and how many are used if not all.
pub(crate) fn provenance_of(images: &LabelledImages) -> String {
    let (used, provenance) = (images.patterns().nrows(), images.provenance());
    if used < provenance.n_available {
        return format!("{provenance}, the first {used} of them used");
    }
    provenance.to_string()
}

/// A hash of words and of images.
pub(crate) fn fingerprint(words: &str, images: &[&Array2<f32>]) -> String {
    let mut hash = Sha256::new();
    hash.update(words);
    for row in images.iter().flat_map(|images| images.outer_iter()) {
        let bytes: Vec<u8> = row.iter().flat_map(|x| x.to_le_bytes()).collect();
        hash.update(bytes);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a data set is not in a folder, rather than damaged.
fn is_missing(error: &uhop_data::Error) -> bool {
    let cause = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of Tiny ImageNet with memories of 10,000 exactly 10,000 were read once: every seed drew the same set, or
    /// none, as one of them is held twice.
    #[test]
    fn memory_sets_of_all_that_is_read_are_not_asked_for() {
        for (dim, largest) in [(784, 10_000), (3072, 10_000), (12_288, 2000), (12_288, 10_000)] {
            assert!(2 * n_read(dim, largest) >= 3 * largest, "{dim} {largest}");
        }
        assert_eq!(n_read(12_288, 10_001), 15_002);
        assert_eq!((n_read(3072, 10), n_read(LARGEST + 1, 0)), (16_276, 1));
        assert_eq!(n_read(1, usize::MAX), usize::MAX);
    }

    /// Images without their labels are not taken for a data set that is not there: the test images were read in
    /// place of the training images once.
    #[test]
    fn training_images_without_their_labels_are_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let black = [&[0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28][..], &[0; 784]].concat();
        let label = [0, 0, 8, 1, 0, 0, 0, 1, 0];
        let put =
            |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
        put("t10k-images-idx3-ubyte", &black);
        put("t10k-labels-idx1-ubyte", &label);
        let load = || DataSet::load(folder.path(), Dataset::Mnist, 1);
        assert!(load().unwrap().provenance().contains("test"));
        put("train-images-idx3-ubyte", &black);
        let error = load().unwrap_err().to_string();
        assert!(error.contains("expected train-labels-idx1-ubyte beside them"), "{error}");
        put("train-labels-idx1-ubyte", &label);
        assert!(load().unwrap().provenance().contains("train"));
    }
}
