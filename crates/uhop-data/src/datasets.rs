//! Known data sets of labelled images, read from a folder with their files.
//!
//! | name | images | pixels | classes | files, in the folder or in one of the set's name inside |
//! | --- | --- | --- | --- | --- |
//! | `mnist` | 60,000 + 10,000 | 28 x 28 grey | 10 | `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-…`, each also `.gz`; or `mnist/train-*.parquet`, `mnist/test-*.parquet` |
//! | `cifar10` | 50,000 + 10,000 | 32 x 32 RGB | 10 | `plain_text/train-*.parquet`, `plain_text/test-*.parquet` |
//! | `cifar100` | 50,000 + 10,000 | 32 x 32 RGB | 100 | `cifar100/train-*.parquet`, `cifar100/test-*.parquet` |
//! | `tiny-imagenet` | 100,000 + 10,000 | 64 x 64 RGB | 200 | `data/train-*.parquet`, `data/valid-*.parquet` |
//!
//! These are the layouts of the official IDX files and of the hub's data sets `ylecun/mnist`,
//! `uoft-cs/cifar10`, `uoft-cs/cifar100` and `zh-plus/tiny-imagenet`. Several files of a split are read
//! in the order of their names. What is read is in the order of the files.
//!
//! Copies differ, and results with them: [`Provenance`] says whether the pixels of this one were
//! compressed with loss, which the bytes of its images show, and whether it is complete.
//!
//! # Memory
//!
//! The images that are asked for, as `f32`, beside what the reader of their format takes
//! ([`parquet`](crate::parquet#memory), [`idx`](crate::idx#memory)): the images after them are not
//! read.
//!
//! # Example
//!
//! ```no_run
//! use uhop_data::datasets::{Dataset, Split};
//!
//! let images = Dataset::Cifar10.load("data", Split::Train, Some(100))?;
//! assert_eq!(images.patterns().dim(), (100, 3072));
//! assert!(images.labels().iter().all(|&label| label < 10));
//! println!("{}", images.provenance());
//! # Ok::<(), uhop_data::Error>(())
//! ```

mod files;
mod loading;
mod problem;
mod provenance;

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use ndarray::{Array2, ArrayView2};

use crate::image_folder::{Colour, Shape};
use crate::{Error, Result, bytes};
pub(crate) use problem::{ArgumentProblem, Problem};
pub use provenance::{Coding, Provenance};

/// A known data set of labelled images.
///
/// Its text form is its [`name`](Self::name).
///
/// # Example
///
/// ```
/// use uhop_data::datasets::Dataset;
///
/// assert_eq!("tiny-imagenet".parse::<Dataset>()?, Dataset::TinyImagenet);
/// assert_eq!(Dataset::TinyImagenet.title(), "Tiny ImageNet");
/// # Ok::<(), uhop_data::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dataset {
    /// Handwritten digits (LeCun, Cortes and Burges).
    Mnist,
    /// Small photographs of ten kinds of things (Krizhevsky 2009).
    Cifar10,
    /// Small photographs of a hundred kinds of things, by their fine labels (Krizhevsky 2009).
    Cifar100,
    /// Photographs of 200 of the classes of ImageNet, reduced (Stanford CS231n); they are JPEG files
    /// by origin.
    TinyImagenet,
}

/// A part of a data set.
///
/// # Example
///
/// ```
/// assert_eq!(uhop_data::datasets::Split::Test.to_string(), "test");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// To learn from.
    Train,
    /// To test on: of Tiny ImageNet the validation images, as the labels of its test images were
    /// never published.
    Test,
}

/// Images as patterns with their labels, and where they are from.
///
/// # Example
///
/// See the [module](self).
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledImages {
    // Invariants: as many labels as patterns, `patterns.ncols()` is the dim of the data set's shape,
    // kept by there being no public constructor.
    patterns: Array2<f32>,
    labels: Vec<u32>,
    class_names: Option<Vec<String>>,
    provenance: Provenance,
}

impl Dataset {
    /// All data sets.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_data::datasets::Dataset;
    ///
    /// for dataset in Dataset::ALL {
    ///     assert_eq!(dataset.name().parse::<Dataset>()?, dataset);
    /// }
    /// # Ok::<(), uhop_data::Error>(())
    /// ```
    pub const ALL: [Self; 4] = [Self::Mnist, Self::Cifar10, Self::Cifar100, Self::TinyImagenet];

    /// The name for programs and folders, such as `cifar10`.
    ///
    /// # Example
    ///
    /// See [`Dataset`].
    pub fn name(self) -> &'static str {
        match self {
            Self::Mnist => "mnist",
            Self::Cifar10 => "cifar10",
            Self::Cifar100 => "cifar100",
            Self::TinyImagenet => "tiny-imagenet",
        }
    }

    /// The name for people, such as `CIFAR-10`.
    ///
    /// # Example
    ///
    /// See [`Dataset`].
    pub fn title(self) -> &'static str {
        match self {
            Self::Mnist => "MNIST",
            Self::Cifar10 => "CIFAR-10",
            Self::Cifar100 => "CIFAR-100",
            Self::TinyImagenet => "Tiny ImageNet",
        }
    }

    /// Size and colour of the images.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_data::datasets::Dataset;
    ///
    /// let dims = Dataset::ALL.map(|dataset| dataset.shape().dim().unwrap());
    /// assert_eq!(dims, [784, 3072, 3072, 12_288]);
    /// ```
    pub fn shape(self) -> Shape {
        let (side, colour) = match self {
            Self::Mnist => (28, Colour::Grey),
            Self::Cifar10 | Self::Cifar100 => (32, Colour::Rgb),
            Self::TinyImagenet => (64, Colour::Rgb),
        };
        Shape { width: side, height: side, colour }
    }

    /// Number of classes of the official data set; a copy may have images of fewer.
    ///
    /// # Example
    ///
    /// ```
    /// assert_eq!(uhop_data::datasets::Dataset::Cifar100.n_classes(), 100);
    /// ```
    pub fn n_classes(self) -> usize {
        match self {
            Self::Mnist | Self::Cifar10 => 10,
            Self::Cifar100 => 100,
            Self::TinyImagenet => 200,
        }
    }

    /// Number of images in a split of the official data set.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_data::datasets::{Dataset, Split};
    ///
    /// assert_eq!(Dataset::Mnist.n_images(Split::Train), 60_000);
    /// ```
    pub fn n_images(self, split: Split) -> usize {
        match (self, split) {
            (_, Split::Test) => 10_000,
            (Self::Mnist, Split::Train) => 60_000,
            (Self::Cifar10 | Self::Cifar100, Split::Train) => 50_000,
            (Self::TinyImagenet, Split::Train) => 100_000,
        }
    }

    /// The files of a split, one text for each way in which they may be stored, relative to the
    /// folder given to [`load`](Self::load) or to one of the set's name inside of it. `*` stands for
    /// any text.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_data::datasets::{Dataset, Split};
    ///
    /// assert_eq!(Dataset::TinyImagenet.files(Split::Test), ["data/valid-*.parquet"]);
    /// assert_eq!(Dataset::Mnist.files(Split::Test).len(), 2);
    /// ```
    pub fn files(self, split: Split) -> Vec<String> {
        files::layouts(self, split).iter().map(ToString::to_string).collect()
    }

    /// Reads the first images of a split, at most `limit` of them, from the files in a folder.
    ///
    /// Patterns are `[n_patterns, dim]` with values in `[0, 1]`, pixels as in an
    /// [`image_folder`](crate::image_folder) of the [`shape`](Self::shape); grey images among those in
    /// colour become RGB.
    ///
    /// # Errors
    ///
    /// [`is_io`](Error::is_io) when the files are not there or cannot be read: the message says which
    /// are expected where. [`is_format`](Error::is_format) when they cannot be read as what they
    /// should be, their images have another size, a label or the names of classes are not those of the
    /// data set, there are not as many labels as images, or more images than the data set has.
    /// [`is_invalid_argument`](Error::is_invalid_argument) when `limit` is 0.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_data::datasets::{Dataset, Split};
    ///
    /// let error = Dataset::Cifar10.load("no/such/folder", Split::Train, None).unwrap_err();
    /// assert!(error.is_io());
    /// assert!(error.to_string().contains("plain_text/train-*.parquet"));
    /// ```
    pub fn load(
        self,
        folder: impl AsRef<Path>,
        split: Split,
        limit: Option<usize>,
    ) -> Result<LabelledImages> {
        loading::load(self, folder.as_ref(), split, limit)
    }
}

impl LabelledImages {
    /// The images, shape `[n_patterns, dim]`, row-major.
    ///
    /// # Example
    ///
    /// See the [module](self).
    pub fn patterns(&self) -> ArrayView2<'_, f32> {
        self.patterns.view()
    }

    /// The class of each image, shape `[n_patterns]`, below the number of classes of the data set.
    ///
    /// # Example
    ///
    /// See the [module](self).
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The names of all classes of the data set, where the files have them: any text.
    ///
    /// # Example
    ///
    /// ```no_run
    /// use uhop_data::datasets::{Dataset, Split};
    ///
    /// let images = Dataset::Cifar10.load("data", Split::Test, Some(1))?;
    /// assert_eq!(images.class_names().unwrap()[3], "cat");
    /// # Ok::<(), uhop_data::Error>(())
    /// ```
    pub fn class_names(&self) -> Option<&[String]> {
        self.class_names.as_deref()
    }

    /// What this copy of the data set is.
    ///
    /// # Example
    ///
    /// See the [module](self).
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// Patterns and labels as owned values, without a copy.
    ///
    /// # Example
    ///
    /// ```no_run
    /// use uhop_data::datasets::{Dataset, Split};
    ///
    /// let (patterns, labels) = Dataset::Mnist.load("data", Split::Test, None)?.into_parts();
    /// assert_eq!(patterns.nrows(), labels.len());
    /// # Ok::<(), uhop_data::Error>(())
    /// ```
    pub fn into_parts(self) -> (Array2<f32>, Vec<u32>) {
        (self.patterns, self.labels)
    }
}

impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Dataset {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let dataset = Self::ALL.into_iter().find(|dataset| dataset.name() == name);
        dataset.ok_or_else(|| Error::argument(ArgumentProblem::Name { found: bytes::quoted(name) }))
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Test => "test",
        })
    }
}
