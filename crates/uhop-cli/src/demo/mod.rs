//! `uhop demo`: real digits stored, damaged, and recalled by each model.

mod experiment;
mod picture;
mod report;

use std::error::Error as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use uhop_data::OutputFile;

use crate::args::DemoArgs;
use crate::console::Console;
use crate::failure::Failure;
use crate::interrupt;

/// Memory sizes; the last is the one that is drawn.
const MEMORY_SIZES: [usize; 2] = [100, 500];

pub(crate) fn run(args: &DemoArgs) -> Result<(), Failure> {
    let console = Console::new(args.output);
    // Before the work, so that what cannot be written costs no waiting.
    fs::create_dir_all(&args.out).map_err(|error| Failure::unwritable(&args.out, &error))?;
    let (table, picture) = (args.out.join("demo.csv"), args.out.join("demo.png"));
    interrupt::hold();
    let table_file = create(&table)?;
    let picture_file = create(&picture)?;

    let digits = experiment::Drawn::new(args.seed).map_err(Failure::ours)?;
    let mut memories = Vec::new();
    for n_patterns in MEMORY_SIZES {
        let recalled = experiment::recall(&digits, n_patterns, args.seed, &console);
        memories.push(recalled.map_err(Failure::ours)?);
    }
    let demo = report::Demo {
        memories: &memories,
        corruption: digits.corruption,
        seed: args.seed,
        table: &table,
        picture: &picture,
    };
    let written = report::csv(&demo)?;
    let drawn = match memories.last() {
        Some(largest) => picture::png(largest, &digits, args.seed)?,
        None => Vec::new(),
    };
    write(table_file, &table, &written)?;
    write(picture_file, &picture, &drawn)?;
    if args.output.json {
        return console.json(&report::json(&demo));
    }
    console.data(&report::text(&demo))
}

/// A file that gets its name when it is complete.
fn create(path: &Path) -> Result<OutputFile, Failure> {
    OutputFile::create(path).map_err(|error| match error.source() {
        Some(reason) => Failure::unwritable(path, &reason),
        None => error.into(),
    })
}

fn write(mut file: OutputFile, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    file.write_all(bytes).map_err(|error| Failure::unwritable(path, &error))?;
    Ok(file.commit()?)
}
