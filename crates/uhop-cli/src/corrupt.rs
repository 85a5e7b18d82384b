//! `uhop corrupt`: damaged copies of patterns, to be used as queries.

use serde::Serialize;
use uhop_data::Matrix;

use crate::args::CorruptArgs;
use crate::console::Console;
use crate::damage;
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
    output::check_apart(&args.output, &[&args.patterns])?;
    input::check_member(&args.read, &[&args.patterns])?;
    let files = [args.patterns.as_path(), &args.output];
    input::check_images(&args.read, &files, Some(&args.corruption))?;
    let rows = input::rows(&args.patterns, &args.read)?;
    let (n_rows, dim) = (rows.matrix.n_rows(), rows.matrix.dim());
    let (corruption, description) = damage::corruption(&args.corruption, rows.images, dim)?;
    let queries = corruption
        .apply(rows.matrix.into_f32().view(), args.seed)
        .map_err(|error| Failure::user(format!("{}: {error}", args.patterns.display())))?;
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
