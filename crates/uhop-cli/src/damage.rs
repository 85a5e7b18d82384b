//! The corruption that options name, and damaged copies of patterns to learn from.

use ndarray::{Array2, ArrayView2, Axis};
use uhop::{Patterns, Scalar};
use uhop_data::Corruption;
use uhop_data::image_folder::Shape;

use crate::args::CorruptionArgs;
use crate::failure::Failure;

/// The corruption that the options name for rows of `dim` numbers, and its description.
pub(crate) fn corruption(
    args: &CorruptionArgs,
    images: Option<Shape>,
    dim: usize,
) -> Result<(Corruption, String), Failure> {
    let corruption = match args {
        CorruptionArgs { half_mask: true, .. } => Corruption::half_mask(),
        CorruptionArgs { half_mask_unscaled: true, .. } => Corruption::half_mask_unscaled(),
        CorruptionArgs { noise: Some(std), .. } => Corruption::gaussian_noise(*std)?,
        CorruptionArgs { noise_norm: Some(norm), .. } => Corruption::noise_of_norm(*norm)?,
        // The only one left: clap wants one of the group.
        CorruptionArgs { occlude: _, .. } => {
            let Some(shape) = images else {
                let message = format!("--occlude needs images, found rows of {dim} numbers");
                return Err(Failure::user(message)
                    .hint("say the size of the images with --size WxH, and --grey if so"));
            };
            let (height, width) = (shape.height as usize, shape.width as usize);
            // A line of an RGB image is three times as many numbers.
            let corruption = Corruption::occluded_half(height, width * shape.colour.n_values())?;
            return Ok((corruption, Corruption::occluded_half(height, width)?.to_string()));
        }
    };
    Ok((corruption, corruption.to_string()))
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

/// What may happen to queries where nothing is known: pixels lost, noise, and for images a hidden half.
fn mix(images: Option<Shape>) -> Result<(Vec<Corruption>, String), Failure> {
    let mut corruptions = vec![
        Corruption::half_mask(),
        Corruption::half_mask_unscaled(),
        Corruption::gaussian_noise(0.5)?,
    ];
    if let Some(shape) = images {
        let width = shape.width as usize * shape.colour.n_values();
        corruptions.push(Corruption::occluded_half(shape.height as usize, width)?);
    }
    Ok((corruptions, "a mix of masks, noise and, of images, occlusion".to_owned()))
}
