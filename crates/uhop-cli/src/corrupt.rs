//! `uhop corrupt`: damaged copies of patterns, to be used as queries.

use serde::Serialize;
use uhop_data::image_folder::Shape;
use uhop_data::{Corruption, Matrix};

use crate::args::{CorruptArgs, CorruptionArgs};
use crate::console::Console;
use crate::failure::Failure;
use crate::input;
use crate::output::{self, Written};

/// What docs/json.md describes.
#[derive(Serialize)]
struct Document {
    #[serde(flatten)]
    written: Written,
    corruption: String,
    seed: u64,
}

pub(crate) fn run(args: &CorruptArgs) -> Result<(), Failure> {
    output::check(&args.output, args.output_args)?;
    let rows = input::rows(&args.patterns, &args.read)?;
    let (n_rows, dim) = (rows.matrix.n_rows(), rows.matrix.dim());
    let (corruption, description) = corruption(&args.corruption, rows.images, dim)?;
    let queries = corruption
        .apply(rows.matrix.into_f32().view(), args.seed)
        .map_err(|error| Failure::user(format!("{}: {error}", args.patterns.display())))?;
    output::write(&args.output, &Matrix::from(queries), rows.images)?;
    if output::is_stdout(&args.output) {
        return Ok(());
    }
    let written = Written::new("corrupt", (n_rows, dim), &args.output);
    let document = Document { written, corruption: description, seed: args.seed };
    let console = Console::new(args.output_args);
    if args.output_args.json {
        return console.json(&document);
    }
    let Document { corruption, written: Written { output, .. }, .. } = document;
    console.data(&format!("rows    {n_rows} × {dim}: {corruption}\noutput  {output}\n"))
}

/// The corruption that the options name, and its description.
fn corruption(
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
