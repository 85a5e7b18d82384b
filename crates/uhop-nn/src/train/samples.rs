//! Labelled images as a classifier sees them.

use burn::tensor::{Device, Int, Tensor, TensorData};
use ndarray::{Array2, ArrayView2, Axis};

use super::error::{Error, Result};

/// Size of images; pixels are in rows from the top, the channels of a pixel side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ImageShape {
    /// Pixels from top to bottom.
    pub height: usize,
    /// Pixels from left to right.
    pub width: usize,
    /// Numbers of a pixel.
    pub channels: usize,
}

/// Images with the class of each.
///
/// ```
/// use ndarray::Array2;
/// use uhop_nn::train::{ImageShape, Samples};
///
/// let shape = ImageShape { height: 2, width: 2, channels: 3 };
/// let samples = Samples::new(Array2::zeros((5, 12)), vec![0, 1, 2, 0, 1], shape, 3)?;
/// assert_eq!((samples.len(), samples.n_classes()), (5, 3));
/// assert!(Samples::new(Array2::zeros((1, 12)), vec![3], shape, 3).is_err());
/// # Ok::<(), uhop_nn::train::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    // Invariants: as many labels as images, at least one, labels below `n_classes`, images of `shape` and
    // finite.
    images: Array2<f32>,
    labels: Vec<u32>,
    shape: ImageShape,
    n_classes: usize,
}

/// Mean and standard deviation of each channel over images.
#[derive(Debug, Clone, PartialEq)]
pub struct Standardization {
    mean: Vec<f64>,
    deviation: Vec<f64>,
}

impl ImageShape {
    /// Numbers of an image.
    pub fn dim(&self) -> usize {
        self.height * self.width * self.channels
    }
}

impl Samples {
    /// Images `[n_samples, dim]` with labels `[n_samples]` below `n_classes`.
    ///
    /// # Errors
    /// [`is_input`](Error::is_input) when there are none, their numbers differ, a label is not below
    /// `n_classes`, the images are not of the shape, or a number is not finite.
    pub fn new(
        images: Array2<f32>,
        labels: Vec<u32>,
        shape: ImageShape,
        n_classes: usize,
    ) -> Result<Self> {
        let (n_images, dim) = images.dim();
        if n_images == 0 || n_images != labels.len() {
            let problem = format!(
                "expected as many labels as images and at least one, found {n_images} images and {} labels",
                labels.len()
            );
            return Err(Error::samples(problem));
        }
        let ImageShape { height, width, channels } = shape;
        let expected =
            [height, width, channels].iter().try_fold(1_usize, |dim, n| dim.checked_mul(*n));
        if expected != Some(dim) || dim == 0 {
            let problem =
                format!("expected images of {height} x {width} x {channels}, found {dim} numbers");
            return Err(Error::samples(problem));
        }
        if let Some((at, label)) =
            labels.iter().enumerate().find(|(_, l)| **l as usize >= n_classes)
        {
            let problem = format!("label {at} is {label}; expected classes below {n_classes}");
            return Err(Error::samples(problem));
        }
        if let Some(((row, column), x)) = images.indexed_iter().find(|(_, x)| !x.is_finite()) {
            let problem = format!("image {row}, number {column} is {x}; expected finite numbers");
            return Err(Error::samples(problem));
        }
        Ok(Self { images, labels, shape, n_classes })
    }

    /// Their number, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "there is at least one")]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Classes there may be.
    pub fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// Size of the images.
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// The images, `[n_samples, dim]`.
    pub fn images(&self) -> ArrayView2<'_, f32> {
        self.images.view()
    }

    /// The class of each, `[n_samples]`.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The samples at these places.
    ///
    /// # Errors
    /// [`is_input`](Error::is_input) when there is no place, or one is beyond the last sample.
    pub fn select(&self, places: &[usize]) -> Result<Self> {
        if let Some(place) = places.iter().find(|place| **place >= self.len()) {
            let problem = format!("there are {}, and place {place} was asked for", self.len());
            return Err(Error::samples(problem));
        }
        let labels = places.iter().map(|&place| self.labels[place]).collect();
        Self::new(self.images.select(Axis(0), places), labels, self.shape, self.n_classes)
    }

    /// The images at these places, standardised, `[places, dim]`.
    pub(super) fn images_at(
        &self,
        places: &[usize],
        by: &Standardization,
        device: &Device,
    ) -> Tensor<2> {
        let values = self.standardized(places, by);
        Tensor::from_data(TensorData::new(values, [places.len(), self.images.ncols()]), device)
    }

    /// (x − mean) / deviation of each number x of the images at these places, by its channel.
    fn standardized(&self, places: &[usize], by: &Standardization) -> Vec<f32> {
        let channels = by.mean.len();
        let mut values = Vec::with_capacity(places.len() * self.images.ncols());
        for &place in places {
            values.extend(self.images.row(place).iter().enumerate().map(|(i, &x)| {
                let channel = i % channels;
                ((f64::from(x) - by.mean[channel]) / by.deviation[channel]) as f32
            }));
        }
        values
    }

    /// The labels at these places, `[places, 1]`.
    pub(super) fn labels_at(&self, places: &[usize], device: &Device) -> Tensor<2, Int> {
        let labels: Vec<i32> = places.iter().map(|&place| self.labels[place] as i32).collect();
        Tensor::from_data(TensorData::new(labels, [places.len(), 1]), device)
    }
}

impl Standardization {
    /// Images as they are.
    pub fn none(shape: ImageShape) -> Self {
        Self { mean: vec![0.0; shape.channels], deviation: vec![1.0; shape.channels] }
    }

    /// Of these samples; a channel that is the same everywhere has deviation 1.
    pub fn of(samples: &Samples) -> Self {
        let channels = samples.shape.channels;
        let n = (samples.images.len() / channels) as f64;
        let mut sums = vec![0.0_f64; channels];
        for row in samples.images.rows() {
            row.iter().enumerate().for_each(|(i, x)| sums[i % channels] += f64::from(*x));
        }
        let mean: Vec<f64> = sums.iter().map(|sum| sum / n).collect();
        let mut squares = vec![0.0_f64; channels];
        for row in samples.images.rows() {
            for (i, x) in row.iter().enumerate() {
                squares[i % channels] += (f64::from(*x) - mean[i % channels]).powi(2);
            }
        }
        let deviation = squares.iter().map(|sum| match (sum / n).sqrt() {
            0.0 => 1.0,
            deviation => deviation,
        });
        Self { deviation: deviation.collect(), mean }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    const SHAPE: ImageShape = ImageShape { height: 1, width: 2, channels: 2 };

    #[test]
    fn each_channel_is_standardized_for_itself() {
        let images = array![[0.0, 5.0, 2.0, 5.0], [4.0, 5.0, 6.0, 5.0]];
        let samples = Samples::new(images, vec![0, 1], SHAPE, 2).unwrap();
        let standardized = samples.standardized(&[0, 1], &Standardization::of(&samples));
        // Mean 3 and deviation √5; and 5 everywhere.
        let expected =
            [-3.0, 0.0, -1.0, 0.0, 1.0, 0.0, 3.0, 0.0].map(|x: f64| (x / 5_f64.sqrt()) as f32);
        assert_eq!(standardized, expected);
    }

    #[test]
    fn samples_that_contradict_themselves_are_refused() {
        let images = || Array2::<f32>::zeros((2, 4));
        let mut infinite = images();
        infinite[[1, 3]] = f32::INFINITY;
        let wide = ImageShape { width: 3, ..SHAPE };
        for (samples, named) in [
            (Samples::new(images(), vec![0], SHAPE, 2), "2 images and 1 labels"),
            (Samples::new(Array2::zeros((0, 4)), vec![], SHAPE, 2), "0 images"),
            (Samples::new(images(), vec![0, 2], SHAPE, 2), "label 1 is 2"),
            (Samples::new(images(), vec![0, 1], wide, 2), "1 x 3 x 2, found 4"),
            (Samples::new(infinite, vec![0, 1], SHAPE, 2), "image 1, number 3 is inf"),
        ] {
            let error = samples.unwrap_err();
            assert!(error.is_input() && error.to_string().contains(named), "{error}");
        }
        let samples = Samples::new(images(), vec![0, 1], SHAPE, 2).unwrap();
        assert_eq!(samples.select(&[1]).unwrap().labels(), [1]);
        assert!(samples.select(&[2]).is_err() && samples.select(&[]).is_err());
    }
}
