//! `uhop corrupt`: damaged copies of patterns, to be used as queries.

use std::path::Path;

use ndarray::Array2;
use serde::Serialize;
use uhop_data::image_folder::Shape;
use uhop_data::{Kind, Matrix};

use crate::args::CorruptArgs;
use crate::console::Console;
use crate::damage;
use crate::failure::Failure;
use crate::input;
use crate::output::{self, Written};
use crate::precision;

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
    output::check_apart(&args.output, &[&args.patterns])?;
    input::check_member(&args.read, &[&args.patterns])?;
    let files = [args.patterns.as_path(), &args.output];
    input::check_images(&args.read, &files, Some(&args.corruption))?;
    let rows = input::rows(&args.patterns, &args.read)?;
    let (n_rows, dim) = (rows.matrix.n_rows(), rows.matrix.dim());
    let (corruption, description) = damage::corruption(&args.corruption, rows.images, dim)?;
    let patterns = single(&args.patterns, rows.matrix)?;
    let mut queries = corruption
        .apply(patterns.view(), args.seed)
        .map_err(|error| Failure::user(format!("{}: {error}", args.patterns.display())))?;
    if is_of_images(&args.output, rows.images) && patterns.iter().all(|value| *value <= 1.0) {
        // However strong the noise is: a writer of images takes large numbers for those of other rows.
        queries.mapv_inplace(|value| value.clamp(0.0, 1.0));
    }
    output::write(&args.output, &Matrix::from(queries), rows.images, rows.names.as_deref())?;
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

/// The patterns in the precision in which they are damaged, which must hold them.
fn single(path: &Path, matrix: Matrix) -> Result<Array2<f32>, Failure> {
    match precision::find(&matrix, |_, value| precision::is_too_large::<f32>(value)) {
        None => Ok(matrix.into_f32()),
        Some(((row, column), value)) => Err(Failure::user(format!(
            "{}: entry [{row}, {column}] is {value:e}, too large for f32, in which damage is computed",
            path.display()
        ))
        .hint("scale the numbers")),
    }
}

/// Whether the rows are written as pixels of 8 bits.
fn is_of_images(output: &Path, images: Option<Shape>) -> bool {
    match Kind::of(output) {
        Ok(Kind::Images) => true,
        Ok(Kind::Idx) => images.is_some(),
        _ => false,
    }
}
