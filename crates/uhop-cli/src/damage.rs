//! The corruption that options name, and the similarity that knows it.

use uhop::{Channel, Patterns, Scalar};
use uhop_data::image_folder::{Colour, Shape};
use uhop_data::{Corruption, Damage};

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
        CorruptionArgs { folded_noise_norm: Some(norm), .. } => {
            Corruption::folded_noise_of_norm(*norm)?
        }
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
            if let Some(expected) = shape.dim().filter(|&expected| expected != dim) {
                let colour = if shape.colour == Colour::Grey { "grey" } else { "colour" };
                let message = format!(
                    "images of {width}x{height} in {colour} are rows of {expected} numbers, found rows of \
                     {dim}"
                );
                let is_grey = Shape { colour: Colour::Grey, ..shape }.dim() == Some(dim);
                let hint = if is_grey { "add --grey" } else { "give their size with --size WxH" };
                return Err(Failure::user(message).hint(hint));
            }
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
    match (args.similarity, &args.corruption) {
        (Some(SimilarityArg::Channel), Some(damage)) => {
            Ok(Some(corruption(damage, images, dim)?.0.channel(dim)?))
        }
        (Some(SimilarityArg::Channel), None) => {
            Err(Failure::user("--similarity channel needs a corruption".to_owned())
                .hint("name the damage that queries have, such as --noise 0.7"))
        }
        _ => Ok(None),
    }
}

/// That a corruption is given only where something knows what to do with it.
pub(crate) fn must_be_of_a_channel(args: &ModelArgs) -> Result<(), Failure> {
    if args.corruption.is_none() || args.similarity == Some(SimilarityArg::Channel) {
        return Ok(());
    }
    Err(Failure::user("a corruption is for --similarity channel alone".to_owned())
        .hint("add --similarity channel, or to fit --auto or --loss denoising, or leave the corruption out"))
}

/// The damage that the options name, or the usual mix where they name none.
pub(crate) fn damage<T: Scalar>(
    args: Option<&CorruptionArgs>,
    images: Option<Shape>,
    patterns: &Patterns<T>,
) -> Result<Damage, Failure> {
    let Some(args) = args else { return Ok(Damage::unknown(patterns)?) };
    let (corruption, description) = corruption(args, images, patterns.dim())?;
    Ok(Damage::known(corruption, patterns)?.described(description))
}
