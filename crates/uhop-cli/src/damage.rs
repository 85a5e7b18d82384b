//! The corruption that options name, the similarity that knows it, and damaged copies to learn from.

use ndarray::{Array2, ArrayView2, Axis};
use uhop::{Channel, Patterns, Scalar};
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
        (true, None) => Err(Failure::user("--similarity channel needs a corruption".to_owned())
            .hint("name the damage that queries have, such as --noise 0.7")),
        (false, _) => Ok(None),
    }
}

/// That there is a corruption only where a channel is asked for.
pub(crate) fn must_be_of_a_channel(args: &ModelArgs) -> Result<(), Failure> {
    if args.corruption.is_none() || args.similarity == Some(SimilarityArg::Channel) {
        return Ok(());
    }
    Err(Failure::user("a corruption is for --similarity channel alone".to_owned())
        .hint("add --similarity channel, or to fit --loss denoising, or leave the corruption out"))
}

/// One corruption or several, each for its share of the rows.
pub(crate) struct Damage {
    corruptions: Vec<Corruption>,
    description: String,
}

impl Damage {
    /// The corruption that the options name, or a mix where they name none, checked with these patterns.
    pub(crate) fn new<T: Scalar>(
        args: Option<&CorruptionArgs>,
        images: Option<Shape>,
        patterns: &Patterns<T>,
    ) -> Result<Self, Failure> {
        let (corruptions, description) = match args {
            Some(args) => {
                let (corruption, description) = corruption(args, images, patterns.dim())?;
                (vec![corruption], description)
            }
            None => mix(images)?,
        };
        let rows = patterns.view().mapv(|x| x.widen() as f32);
        for corruption in &corruptions {
            corruption.apply(rows.view(), 0)?;
        }
        Ok(Self { corruptions, description })
    }

    /// Plain words.
    pub(crate) fn description(&self) -> &str {
        &self.description
    }

    /// Damaged copies of rows of the patterns it was checked with: of k corruptions each damages every k-th row,
    /// beginning with another one by the seed.
    pub(crate) fn apply<T: Scalar>(&self, rows: ArrayView2<'_, T>, seed: u64) -> Array2<T> {
        let n_kinds = self.corruptions.len();
        let mut damaged = rows.to_owned();
        for (kind, corruption) in self.corruptions.iter().enumerate() {
            let first = (kind + (seed % n_kinds as u64) as usize) % n_kinds;
            let own: Vec<usize> = (first..rows.nrows()).step_by(n_kinds).collect();
            if own.is_empty() {
                continue;
            }
            let chosen = rows.select(Axis(0), &own).mapv(|x| x.widen() as f32);
            let copies = corruption.apply(chosen.view(), seed).expect(
                "whether rows can be damaged was found out before, and does not depend on the seed",
            );
            for (copy, &row) in copies.outer_iter().zip(&own) {
                damaged.row_mut(row).assign(&copy.mapv(|x| T::narrow(f64::from(x))));
            }
        }
        damaged
    }
}

/// What may happen to queries where nothing is known: numbers lost or wrong, noise, and for images a hidden half.
fn mix(images: Option<Shape>) -> Result<(Vec<Corruption>, String), Failure> {
    let mut corruptions = vec![
        Corruption::half_mask(),
        Corruption::gaussian_noise(0.5)?,
        Corruption::salt_and_pepper(0.3)?,
    ];
    if let Some(shape) = images {
        let width = shape.width as usize * shape.colour.n_values();
        corruptions.push(Corruption::occluded_half(shape.height as usize, width)?);
    }
    Ok((
        corruptions,
        "a mix of lost and wrong numbers, noise and, of images, a hidden half".to_owned(),
    ))
}
