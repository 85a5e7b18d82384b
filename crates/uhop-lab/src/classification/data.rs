//! Labelled images to learn from and to test on.

use std::path::Path;

use uhop_data::datasets::{Dataset, LabelledImages, Split};
use uhop_data::sample;
use uhop_nn::train::{ImageShape, Samples};

use crate::data::{SAMPLE, fingerprint, provenance_of, those_there};
use crate::error::{Error, Result};

/// Labelled images to learn from and to test on, and where they come from.
#[derive(Debug, Clone)]
pub struct Data {
    name: String,
    provenance: String,
    train: Samples,
    test: Samples,
}

/// How many images are read at most; all unless said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// To learn from.
    pub train: Option<usize>,
    /// To test on.
    pub test: Option<usize>,
}

impl Data {
    /// The built-in digits: 800 to learn from, 200 to test on.
    ///
    /// ```
    /// let digits = uhop_lab::classification::Data::sample();
    /// assert_eq!((digits.name(), digits.train().len(), digits.test().len()), ("mnist-sample", 800, 200));
    /// ```
    pub fn sample() -> Self {
        const N_TRAIN: usize = 800;
        let digits = sample::digits();
        let (height, width) = (digits.images().height(), digits.images().width());
        let (images, labels) = digits.into_parts();
        let shape = ImageShape { height, width, channels: 1 };
        let labels = labels.into_iter().map(u32::from).collect();
        let all = Samples::new(images.into_patterns(), labels, shape, 10);
        let all = all.expect("the sample is images with labels below 10");
        let places: Vec<usize> = (0..all.len()).collect();
        let part = |places: &[usize]| all.select(places).expect("places of the sample");
        Self {
            name: SAMPLE.to_owned(),
            provenance:
                "the first 1,000 test images of MNIST, built in: 800 to learn from, 200 to test on"
                    .to_owned(),
            train: part(&places[..N_TRAIN]),
            test: part(&places[N_TRAIN..]),
        }
    }

    /// A data set in a folder.
    ///
    /// # Errors
    /// [`is_input`](crate::Error::is_input) when it is not there or cannot be read.
    pub fn load(folder: &Path, dataset: Dataset, limits: Limits) -> Result<Self> {
        Ok(Self::read(folder, dataset, limits)?)
    }

    /// Those of some data sets that are in a folder.
    ///
    /// # Errors
    /// [`is_input`](crate::Error::is_input) when none is there, or one cannot be read.
    pub fn find(folder: &Path, datasets: &[Dataset]) -> Result<Vec<Self>> {
        those_there(datasets, |dataset| Self::read(folder, dataset, Limits::default()))
    }

    fn read(folder: &Path, dataset: Dataset, limits: Limits) -> uhop_data::Result<Self> {
        let train = dataset.load(folder, Split::Train, limits.train)?;
        let test = dataset.load(folder, Split::Test, limits.test)?;
        let provenance = format!("{}; {}", provenance_of(&train), provenance_of(&test));
        let shape = dataset.shape();
        let shape = ImageShape {
            height: shape.height as usize,
            width: shape.width as usize,
            channels: shape.colour.n_values(),
        };
        let samples = |images: LabelledImages| {
            let (images, labels) = images.into_parts();
            Samples::new(images, labels, shape, dataset.n_classes())
                .expect("images of a known set have its shape and its classes")
        };
        let name = dataset.name().to_owned();
        Ok(Self { name, provenance, train: samples(train), test: samples(test) })
    }

    /// The first images of it.
    ///
    /// # Errors
    /// [`is_input`](crate::Error::is_input) when a limit is 0.
    pub fn first(&self, limits: Limits) -> Result<Self> {
        let part = |samples: &Samples, limit: Option<usize>| {
            let n = limit.map_or(samples.len(), |limit| limit.min(samples.len()));
            samples.select(&(0..n).collect::<Vec<_>>())
        };
        let failed = |error| Error::training(&self.name, error);
        let train = part(&self.train, limits.train).map_err(failed)?;
        let test = part(&self.test, limits.test).map_err(failed)?;
        let provenance = format!(
            "{}; the first {} to learn from and {} to test on used",
            self.provenance,
            train.len(),
            test.len()
        );
        Ok(Self { name: self.name.clone(), provenance, train, test })
    }

    /// Its name in rows.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which copy of the data it is, and how much of it was read.
    pub fn provenance(&self) -> &str {
        &self.provenance
    }

    /// To learn from.
    pub fn train(&self) -> &Samples {
        &self.train
    }

    /// To test on.
    pub fn test(&self) -> &Samples {
        &self.test
    }

    /// Its name and a hash of all of it, by which rows and checkpoints know it again.
    pub fn id(&self) -> (String, String) {
        let labels = |samples: &Samples| {
            samples.labels().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        let words = format!("{}\n{}\n{}\n", self.name, labels(&self.train), labels(&self.test));
        let images = [&self.train, &self.test].map(|samples| samples.images().to_owned());
        (self.name.clone(), fingerprint(&words, &[&images[0], &images[1]]))
    }
}
