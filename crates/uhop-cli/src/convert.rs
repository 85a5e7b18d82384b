//! `uhop convert`: the rows of a file as another kind of file.

use std::path::Path;

use serde::Serialize;

use crate::args::ConvertArgs;
use crate::console::Console;
use crate::failure::Failure;
use crate::{input, output};

/// What docs/json.md describes.
#[derive(Serialize)]
struct Document {
    command: &'static str,
    version: &'static str,
    n_rows: usize,
    dim: usize,
    output: String,
}

pub(crate) fn run(args: &ConvertArgs) -> Result<(), Failure> {
    output::check(&args.output, args.output_args)?;
    let rows = input::rows(&args.input, &args.read)?;
    output::write(&args.output, &rows.matrix, rows.images)?;
    if args.output == Path::new("-") {
        return Ok(());
    }
    let document = Document {
        command: "convert",
        version: env!("CARGO_PKG_VERSION"),
        n_rows: rows.matrix.n_rows(),
        dim: rows.matrix.dim(),
        output: args.output.display().to_string(),
    };
    let console = Console::new(args.output_args);
    if args.output_args.json {
        return console.json(&document);
    }
    let Document { n_rows, dim, output, .. } = document;
    console.data(&format!("rows    {n_rows} × {dim}\noutput  {output}\n"))
}
