//! `uhop demo`: real digits stored, damaged, and recalled by each model.

mod experiment;
mod picture;
mod report;

use std::fs;
use std::path::Path;

use crate::args::DemoArgs;
use crate::console::Console;
use crate::failure::Failure;

/// Memory sizes; the last is the one that is drawn.
const MEMORY_SIZES: [usize; 2] = [100, 500];

pub(crate) fn run(args: &DemoArgs) -> Result<(), Failure> {
    let console = Console::new(args.output);
    // Before the work, so that what cannot be written costs no waiting.
    fs::create_dir_all(&args.out).map_err(|error| Failure::unwritable(&args.out, &error))?;
    let (table, picture) = (args.out.join("demo.csv"), args.out.join("demo.png"));
    for target in [&table, &picture] {
        let file = fs::OpenOptions::new().create(true).append(true).open(target);
        file.map_err(|error| Failure::unwritable(target, &error))?;
    }

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
    write(&table, &report::csv(&demo)?)?;
    if let Some(largest) = memories.last() {
        write(&picture, &picture::png(largest, &digits, args.seed)?)?;
    }
    if args.output.json {
        return console.json(&report::json(&demo));
    }
    console.data(&report::text(&demo))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    fs::write(path, bytes).map_err(|error| Failure::unwritable(path, &error))
}
