//! A built-in sample of real handwritten digits.
//!
//! The first 1,000 images of the MNIST test set with their labels, embedded in the crate (about
//! 150 kB). They are for examples, tests and a first look; `sample/README.md` beside the sources
//! gives origin, licence and checksums.

use crate::{Images, idx};

const IMAGES: &[u8] = include_bytes!("../sample/t10k-1000-images-idx3-ubyte.gz");
const LABELS: &[u8] = include_bytes!("../sample/t10k-1000-labels-idx1-ubyte.gz");

/// Images of handwritten digits with their labels, equally many of both.
///
/// # Example
///
/// ```
/// let digits = uhop_data::sample::digits();
/// assert_eq!(digits.images().patterns().nrows(), digits.labels().len());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Digits {
    images: Images,
    labels: Vec<u8>,
}

/// The first 1,000 images of the MNIST test set, in the official order, with their labels.
///
/// The patterns have shape `[1000, 784]` (28 rows of 28 pixels) with values in `[0, 1]`; the labels
/// are 0 to 9. Each call decodes the embedded files anew, which takes a few milliseconds.
///
/// Source: LeCun, Cortes and Burges, the MNIST database of handwritten digits.
///
/// # Example
///
/// ```
/// let digits = uhop_data::sample::digits();
/// assert_eq!(digits.images().patterns().dim(), (1000, 784));
/// assert_eq!(digits.labels()[..3], [7, 2, 1]);
/// ```
pub fn digits() -> Digits {
    // Not a `Result`: the bytes are part of the program, and the test below decodes these very
    // bytes, so a failure cannot depend on anything a caller could handle.
    let images = idx::parse(IMAGES).and_then(idx::Idx::into_images);
    let labels = idx::parse(LABELS).and_then(idx::Idx::into_labels);
    Digits {
        images: images.expect("the embedded images are a valid IDX file"),
        labels: labels.expect("the embedded labels are a valid IDX file"),
    }
}

impl Digits {
    /// The images, shape `[n_patterns, 784]`.
    ///
    /// # Example
    ///
    /// ```
    /// let digits = uhop_data::sample::digits();
    /// assert_eq!((digits.images().height(), digits.images().width()), (28, 28));
    /// ```
    pub fn images(&self) -> &Images {
        &self.images
    }

    /// The digit each image shows, 0 to 9, shape `[n_patterns]`.
    ///
    /// # Example
    ///
    /// ```
    /// assert!(uhop_data::sample::digits().labels().iter().all(|&label| label <= 9));
    /// ```
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// Images and labels as owned values, without a copy.
    ///
    /// # Example
    ///
    /// ```
    /// let (images, labels) = uhop_data::sample::digits().into_parts();
    /// assert_eq!(images.into_patterns().nrows(), labels.len());
    /// ```
    pub fn into_parts(self) -> (Images, Vec<u8>) {
        (self.images, self.labels)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ndarray::s;

    use super::*;

    #[test]
    fn the_embedded_files_decode() {
        let digits = digits();
        assert_eq!(digits.images().patterns().dim(), (1000, 784));
        assert_eq!((digits.images().height(), digits.images().width()), (28, 28));
        assert_eq!(digits.labels().len(), 1000);
        assert_eq!(digits.labels()[..10], [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
        assert!(digits.labels().iter().all(|&label| label <= 9));
    }

    #[test]
    fn the_sample_is_the_start_of_the_test_set() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/mnist");
        let images = directory.join("t10k-images-idx3-ubyte.gz");
        if !images.exists() {
            eprintln!("skipped: {} is not there", images.display());
            return;
        }
        let all_images = idx::read_images(images).unwrap();
        let all_labels = idx::read_labels(directory.join("t10k-labels-idx1-ubyte.gz")).unwrap();
        let digits = digits();
        assert_eq!(digits.images().patterns(), all_images.patterns().slice(s![..1000, ..]));
        assert_eq!(digits.labels(), &all_labels[..1000]);
    }
}
