//! `uhop sample`: the built-in digits as a file, to try the other verbs on.

use ndarray::s;
use uhop_data::image_folder::{Colour, Shape};
use uhop_data::{Matrix, sample};

use crate::args::SampleArgs;
use crate::console::Console;
use crate::failure::Failure;
use crate::output::{self, Written};

pub(crate) fn run(args: &SampleArgs) -> Result<(), Failure> {
    output::check(&args.output, args.output_args)?;
    let digits = sample::digits();
    let images = digits.images();
    let rows = images.patterns().slice(s![..args.count, ..]).to_owned();
    let (n_rows, dim) = rows.dim();
    let (width, height) = (images.width() as u32, images.height() as u32);
    let shape = Shape { width, height, colour: Colour::Grey };
    output::write(&args.output, &Matrix::from(rows), Some(shape), None)?;
    if output::is_stdout(&args.output) {
        return Ok(());
    }
    let written = Written::new("sample", (n_rows, dim), &args.output);
    let console = Console::new(args.output_args);
    if args.output_args.json {
        return console.json(&written);
    }
    let output = written.output;
    console.data(&format!("digits  {n_rows} of {width} x {height} pixels\noutput  {output}\n"))
}
