//! What is known of a query that a corruption made.

use uhop::Channel;

use super::{Corruption, Kind};
use crate::{Error, Result};

impl Corruption {
    /// The likelihood of queries that this corruption makes of patterns of `dim` entries.
    ///
    /// It is exact but for noise of a [given norm](Self::noise_of_norm), [folded](Self::folded_noise_of_norm) or not:
    /// entries that lie on a sphere together are taken for independent ones, each with the standard deviation
    /// norm/√dim, which ranks patterns by their distance all the same where nothing is folded.
    ///
    /// # Errors
    ///
    /// [`is_invalid_argument`](Error::is_invalid_argument) when `dim` is not that of the images.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop::Channel;
    /// use uhop_data::Corruption;
    ///
    /// let noise = Corruption::gaussian_noise(0.7)?;
    /// assert_eq!(noise.channel(784)?, Channel::folded_gaussian(0.7).unwrap());
    /// # Ok::<(), uhop_data::Error>(())
    /// ```
    pub fn channel(&self, dim: usize) -> Result<Channel> {
        let channel = match self.0 {
            Kind::HalfMask => Ok(Channel::half_mask()),
            Kind::Mask { share } => Channel::mask(share),
            Kind::SaltAndPepper { share } => Channel::salt_and_pepper(share),
            Kind::GaussianNoise { std } => Channel::folded_gaussian(std),
            Kind::NoiseOfNorm { norm } => Channel::gaussian(norm / (dim.max(1) as f64).sqrt()),
            Kind::FoldedNoiseOfNorm { norm } => {
                Channel::folded_gaussian(norm / (dim.max(1) as f64).sqrt())
            }
            Kind::Occluded { image: (height, width), .. } => {
                self.check_dim(1, dim, (height, width)).map_err(Error::argument)?;
                Channel::occlusion((0..dim).map(|entry| self.is_visible(entry)).collect())
            }
        };
        Ok(channel.expect("the parameters of a corruption are those of a channel"))
    }
}
