//! What a copy of a data set is.

use std::fmt;
use std::path::PathBuf;

use super::{Dataset, Split};

/// What a copy of a data set is, as far as its files show: its pixels are not compared with the
/// official ones.
///
/// The text form is for reports, [`code`](Self::code) for tables that programs read.
///
/// # Example
///
/// ```
/// use uhop_data::datasets::{Coding, Dataset, Provenance, Split};
///
/// let provenance = Provenance {
///     dataset: Dataset::Cifar10,
///     split: Split::Train,
///     coding: Coding::Jpeg,
///     n_available: 4000,
///     files: vec![],
/// };
/// assert_eq!(
///     provenance.to_string(),
///     "CIFAR-10 train, JPEG-compressed (the official images are not), 4,000 of 50,000 images"
/// );
/// assert_eq!(provenance.code(), "jpeg+subset");
/// assert!(provenance.is_lossy() && provenance.is_subset());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// The data set.
    pub dataset: Dataset,
    /// The part of it.
    pub split: Split,
    /// How the images that were read are stored.
    pub coding: Coding,
    /// Number of images in the files, those that were not read included.
    pub n_available: usize,
    /// The files, images before labels where these have their own.
    pub files: Vec<PathBuf>,
}

/// How images are stored, by the bytes of those that were read.
///
/// # Example
///
/// See [`Provenance`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Coding {
    /// Without loss: PNG, or numbers.
    Lossless,
    /// At least one as a JPEG file, as the official data set has them. Decoders differ by a few of 255
    /// levels.
    OriginalJpeg,
    /// At least one as a JPEG file, where the official data set has pixels: these are others.
    Jpeg,
}

impl Coding {
    /// How images of a data set are stored when some are JPEG files or none is.
    pub(super) fn of(dataset: Dataset, has_jpeg: bool) -> Self {
        match (dataset, has_jpeg) {
            (_, false) => Self::Lossless,
            (Dataset::TinyImagenet, true) => Self::OriginalJpeg,
            (_, true) => Self::Jpeg,
        }
    }
}

impl Provenance {
    /// True when the pixels were compressed with loss on the way from the official data set.
    ///
    /// # Example
    ///
    /// See [`Provenance`].
    pub fn is_lossy(&self) -> bool {
        self.coding == Coding::Jpeg
    }

    /// True when the files have fewer images than the official data set.
    ///
    /// # Example
    ///
    /// See [`Provenance`].
    pub fn is_subset(&self) -> bool {
        self.n_available < self.dataset.n_images(self.split)
    }

    /// One word for programs: `exact`, `jpeg` for pixels compressed with loss, `subset` for fewer images, or
    /// `jpeg+subset`.
    ///
    /// # Example
    ///
    /// See [`Provenance`].
    pub fn code(&self) -> &'static str {
        match (self.is_lossy(), self.is_subset()) {
            (false, false) => "exact",
            (false, true) => "subset",
            (true, false) => "jpeg",
            (true, true) => "jpeg+subset",
        }
    }
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dataset, split, coding, n_available, .. } = self;
        write!(f, "{} {split}, ", dataset.title())?;
        f.write_str(match coding {
            Coding::Lossless => "stored without loss",
            Coding::OriginalJpeg => "JPEG as the official images",
            Coding::Jpeg => "JPEG-compressed (the official images are not)",
        })?;
        write!(f, ", {} of {} images", Grouped(*n_available), Grouped(dataset.n_images(*split)))
    }
}

/// A number with its thousands apart.
struct Grouped(usize);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (i, digit) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_apart() {
        let texts = [0, 999, 1000, 60_000, 1_234_567].map(|n| Grouped(n).to_string());
        assert_eq!(texts, ["0", "999", "1,000", "60,000", "1,234,567"]);
    }
}
