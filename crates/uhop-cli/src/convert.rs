//! `uhop convert`: the rows of a file as another kind of file.

use std::path::Path;

use uhop_data::{Kind, WriteOptions};

use crate::args::ConvertArgs;
use crate::console::Console;
use crate::failure::Failure;
use crate::input::{self, Input};
use crate::interrupt;
use crate::output::{self, Output, Written};

pub(crate) fn run(args: &ConvertArgs) -> Result<(), Failure> {
    output::check(&args.output, args.output_args)?;
    output::check_apart(&args.output, &[&args.input])?;
    input::check_member(&args.read, &[&args.input])?;
    input::check_images(&args.read, &[&args.input, &args.output], None)?;
    let console = Console::new(args.output_args);
    let Input { mut rows, images, .. } = input::open(&args.input, &args.read)?;
    let (dim, names) = (rows.dim(), rows.names().map(<[String]>::to_vec));
    let options = WriteOptions { images, names: names.as_deref(), n_rows: rows.n_rows() };
    let kind = if args.output == Path::new("-") { Kind::Npy } else { Kind::of(&args.output)? };
    let bar = console.bar(rows.n_rows(), "converting");
    let mut n_rows = 0;
    // Made for the first rows: until then a signal ends the program at once.
    let mut output = None;
    while let Some(batch) = rows.next_batch(input::batch_rows(dim))? {
        interrupt::check()?;
        let output = match &mut output {
            Some(output) => output,
            None => {
                let row = (batch.element(), dim);
                output.insert(Output::create(&args.output, kind, row, &options)?)
            }
        };
        output.write(&batch)?;
        n_rows += batch.n_rows();
        bar.set_position(n_rows as u64);
    }
    interrupt::check()?;
    output.map_or(Ok(()), Output::commit)?;
    bar.finish_and_clear();
    if args.output == Path::new("-") {
        return Ok(());
    }
    let written = Written::new("convert", (n_rows, dim), &args.output);
    if args.output_args.json {
        return console.json(&written);
    }
    console.data(&format!("rows    {n_rows} × {dim}\noutput  {}\n", written.output))
}
