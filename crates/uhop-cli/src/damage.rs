//! The corruption that options name, and the similarity that knows it.

use uhop::Channel;
use uhop_data::Corruption;
use uhop_data::image_folder::Shape;

use crate::args::{CorruptionArgs, ModelArgs, SimilarityArg};
use crate::failure::Failure;

/// The corruption that the options name for rows of `dim` numbers, and its description.
pub(crate) fn corruption(
    args: &CorruptionArgs,
    images: Option<Shape>,
    dim: usize,
) -> Result<(Corruption, String), Failure> {
    let corruption = match args {
        CorruptionArgs { half_mask: true, .. } => Corruption::half_mask(),
        CorruptionArgs { mask: Some(share), .. } => Corruption::mask(*share)?,
        CorruptionArgs { salt_and_pepper: Some(share), .. } => Corruption::salt_and_pepper(*share)?,
        CorruptionArgs { noise: Some(std), .. } => Corruption::gaussian_noise(*std)?,
        CorruptionArgs { noise_norm: Some(norm), .. } => Corruption::noise_of_norm(*norm)?,
        // The only ones left: clap wants one of the group.
        CorruptionArgs { occlude_region, .. } => {
            let Some(shape) = images else {
                let option =
                    if occlude_region.is_some() { "--occlude-region" } else { "--occlude" };
                let message = format!("{option} needs images, found rows of {dim} numbers");
                return Err(Failure::user(message)
                    .hint("say the size of the images with --size WxH, and --grey if so"));
            };
            let (height, width) = (shape.height as usize, shape.width as usize);
            // A line of an RGB image is three times as many numbers.
            let occluded = |n_values: usize| match occlude_region {
                None => Corruption::occluded_half(height, width * n_values),
                Some(region) => {
                    let columns = region.left * n_values..(region.left + region.width) * n_values;
                    let lines = region.top..region.top + region.height;
                    Corruption::occluded_region((height, width * n_values), lines, columns)
                }
            };
            // In pixels, so that a rectangle that does not fit is refused in them.
            let description = occluded(1)?.to_string();
            return Ok((occluded(shape.colour.n_values())?, description));
        }
    };
    Ok((corruption, corruption.to_string()))
}

/// The channel that the options name, if they ask for its similarity, for patterns of `dim` numbers.
pub(crate) fn channel(
    args: &ModelArgs,
    images: Option<Shape>,
    dim: usize,
) -> Result<Option<Channel>, Failure> {
    match (args.similarity == Some(SimilarityArg::Channel), &args.corruption) {
        (true, Some(damage)) => Ok(Some(corruption(damage, images, dim)?.0.channel(dim)?)),
        (false, None) => Ok(None),
        (true, None) => Err(Failure::user("--similarity channel needs a corruption".to_owned())
            .hint("name the damage that queries have, such as --noise 0.7")),
        (false, Some(_)) => {
            Err(Failure::user("a corruption is for --similarity channel alone".to_owned())
                .hint("add --similarity channel, or leave the corruption out"))
        }
    }
}
