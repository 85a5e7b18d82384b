//! Grids of small pictures.

use super::{Problem, check_name, check_text};
use crate::report::Result;

/// The most pixels that a grid may have along one side.
const MAX_SIDE: usize = 16_384;

/// Pictures of one size in rows and columns.
///
/// # Example
///
/// ```
/// use uhop_lab::report::{Image, ImageGrid};
///
/// let images = vec![Image::grey(1, 2, vec![0, 255])?, Image::grey(1, 2, vec![255, 0])?];
/// let columns = vec!["stored".to_owned(), "recalled".to_owned()];
/// let grid = ImageGrid::new("digits", "A digit.", columns, vec!["dense".to_owned()], images)?;
/// assert_eq!(grid.images().len(), 2);
/// # Ok::<(), uhop_lab::report::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageGrid {
    name: String,
    caption: String,
    column_labels: Vec<String>,
    row_labels: Vec<String>,
    images: Vec<Image>,
}

/// A grey or RGB picture of 8 bits a channel.
///
/// # Example
///
/// ```
/// let image = uhop_lab::report::Image::rgb(1, 1, vec![255, 128, 0])?;
/// assert_eq!((image.height(), image.width(), image.is_rgb()), (1, 1, true));
/// # Ok::<(), uhop_lab::report::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    height: usize,
    width: usize,
    is_rgb: bool,
    samples: Vec<u8>,
}

impl Image {
    /// A picture of `height · width` samples, row by row, 0 black and 255 white.
    ///
    /// # Errors
    ///
    /// No pixel, more than 16,384 along a side, or another number of samples.
    ///
    /// # Example
    ///
    /// ```
    /// let error = uhop_lab::report::Image::grey(2, 2, vec![0; 3]).unwrap_err();
    /// assert_eq!(error.to_string(), "image of 2 × 2: 4 samples expected, 3 found");
    /// ```
    pub fn grey(height: usize, width: usize, samples: Vec<u8>) -> Result<Self> {
        Self::new(height, width, false, samples)
    }

    /// A picture of `height · width · 3` samples, row by row, red, green and blue of each pixel together.
    ///
    /// # Errors
    ///
    /// As [`grey`](Self::grey).
    ///
    /// # Example
    ///
    /// ```
    /// assert!(uhop_lab::report::Image::rgb(1, 1, vec![0]).is_err());
    /// ```
    pub fn rgb(height: usize, width: usize, samples: Vec<u8>) -> Result<Self> {
        Self::new(height, width, true, samples)
    }

    /// A grey picture of numbers, 0 black and 1 white; what lies beyond is clamped.
    ///
    /// # Errors
    ///
    /// As [`grey`](Self::grey), and NaN.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_lab::report::Image;
    ///
    /// let image = Image::grey_of(1, 3, &[-0.2, 0.5, 2.0])?;
    /// assert_eq!(image, Image::grey(1, 3, vec![0, 128, 255])?);
    /// # Ok::<(), uhop_lab::report::Error>(())
    /// ```
    pub fn grey_of(height: usize, width: usize, values: &[f32]) -> Result<Self> {
        if let Some(&value) = values.iter().find(|value| value.is_nan()) {
            let part = format!("image of {height} × {width}");
            return Err(Problem::Number { part, what: "a sample", value: value.into() }.into());
        }
        let samples = values.iter().map(|value| (value.clamp(0.0, 1.0) * 255.0).round() as u8);
        Self::new(height, width, false, samples.collect())
    }

    fn new(height: usize, width: usize, is_rgb: bool, samples: Vec<u8>) -> Result<Self> {
        let part = format!("image of {height} × {width}");
        let sides = 1..=MAX_SIDE;
        if !sides.contains(&height) || !sides.contains(&width) {
            let expected = format!("sides of 1 to {MAX_SIDE} pixels");
            return Err(Problem::count(part, expected, format!("{height} × {width}")).into());
        }
        let n_samples = height * width * if is_rgb { 3 } else { 1 };
        if samples.len() != n_samples {
            let found = samples.len().to_string();
            return Err(Problem::count(part, format!("{n_samples} samples"), found).into());
        }
        Ok(Self { height, width, is_rgb, samples })
    }

    /// Rows of pixels, at least 1.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Pixels in a row, at least 1.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Whether a pixel has three samples.
    pub fn is_rgb(&self) -> bool {
        self.is_rgb
    }

    /// The samples, row by row.
    pub fn samples(&self) -> &[u8] {
        &self.samples
    }
}

impl ImageGrid {
    /// A grid with the file stem `name`; `images` row by row, one for each label of a row and of a column.
    ///
    /// # Errors
    ///
    /// A name that is no file stem; an empty caption; no image, another number of them than labels call
    /// for, images of different sizes, or more than 16,384 pixels along a side of the grid.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_lab::report::ImageGrid;
    ///
    /// let labels = vec!["dense".to_owned()];
    /// let error = ImageGrid::new("digits", "A digit.", labels.clone(), labels, vec![]).unwrap_err();
    /// assert_eq!(error.to_string(), "image grid `digits`: 1 images expected, 0 found");
    /// ```
    pub fn new(
        name: impl Into<String>,
        caption: impl Into<String>,
        column_labels: Vec<String>,
        row_labels: Vec<String>,
        images: Vec<Image>,
    ) -> Result<Self> {
        let (name, caption) = (name.into(), caption.into());
        check_name("image grid", &name)?;
        let part = format!("image grid `{name}`");
        check_text(&*part, "caption", &caption)?;
        let n_images = column_labels.len().saturating_mul(row_labels.len());
        if images.len() != n_images || images.is_empty() {
            let expected = format!("{} images", n_images.max(1));
            return Err(Problem::count(part, expected, images.len().to_string()).into());
        }
        let (height, width) = (images[0].height, images[0].width);
        if let Some(other) = images.iter().find(|i| (i.height, i.width) != (height, width)) {
            let found = format!("one of {} × {}", other.height, other.width);
            return Err(Problem::count(part, format!("images of {height} × {width}"), found).into());
        }
        let sides = [row_labels.len() * height, column_labels.len() * width];
        if sides.iter().any(|&side| side > MAX_SIDE) {
            let expected = format!("at most {MAX_SIDE} pixels along a side");
            return Err(
                Problem::count(part, expected, format!("{} × {}", sides[0], sides[1])).into()
            );
        }
        Ok(Self { name, caption, column_labels, row_labels, images })
    }

    /// The stem of its files.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text under it.
    pub fn caption(&self) -> &str {
        &self.caption
    }

    /// What each column shows.
    pub fn column_labels(&self) -> &[String] {
        &self.column_labels
    }

    /// What each row shows.
    pub fn row_labels(&self) -> &[String] {
        &self.row_labels
    }

    /// The images, row by row.
    pub fn images(&self) -> &[Image] {
        &self.images
    }
}
