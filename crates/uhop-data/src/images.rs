//! Greyscale images as patterns.

use ndarray::{Array2, ArrayView2};

/// Greyscale images of one size, one pattern per row.
///
/// The patterns have shape `[n_patterns, dim]` with `dim = height * width`; the pixel in row `r` and
/// column `c` of an image is entry `r * width + c` of its pattern. Values lie in `[0, 1]`, where 0
/// is the file's 0 and 1 is its 255.
///
/// # Example
///
/// ```
/// let digits = uhop_data::sample::digits();
/// let images = digits.images();
/// assert_eq!(images.patterns().dim(), (1000, images.height() * images.width()));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Images {
    // Invariant: `patterns.ncols() == height * width`, kept by there being no public constructor.
    patterns: Array2<f32>,
    height: usize,
    width: usize,
}

impl Images {
    /// `patterns` must have `height * width` columns.
    pub(crate) fn new(patterns: Array2<f32>, height: usize, width: usize) -> Self {
        debug_assert_eq!(patterns.ncols(), height * width);
        Self { patterns, height, width }
    }

    /// The images as patterns, shape `[n_patterns, height * width]`, row-major.
    ///
    /// # Example
    ///
    /// ```
    /// let digits = uhop_data::sample::digits();
    /// assert_eq!(digits.images().patterns().ncols(), 784);
    /// ```
    pub fn patterns(&self) -> ArrayView2<'_, f32> {
        self.patterns.view()
    }

    /// The images as owned patterns, shape `[n_patterns, height * width]`, without a copy.
    ///
    /// # Example
    ///
    /// ```
    /// let (images, _labels) = uhop_data::sample::digits().into_parts();
    /// assert!(images.into_patterns().iter().all(|pixel| (0.0..=1.0).contains(pixel)));
    /// ```
    pub fn into_patterns(self) -> Array2<f32> {
        self.patterns
    }

    /// Number of pixel rows of each image.
    ///
    /// # Example
    ///
    /// ```
    /// assert_eq!(uhop_data::sample::digits().images().height(), 28);
    /// ```
    pub fn height(&self) -> usize {
        self.height
    }

    /// Number of pixel columns of each image.
    ///
    /// # Example
    ///
    /// ```
    /// assert_eq!(uhop_data::sample::digits().images().width(), 28);
    /// ```
    pub fn width(&self) -> usize {
        self.width
    }
}
