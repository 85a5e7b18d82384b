//! The experiments with rows of their own kind, each of which writes its report itself.

use std::fmt::Display;
use std::path::Path;
use std::time::Instant;

#[cfg(feature = "hub")]
use uhop_data::datasets::{Dataset, Split};
use uhop_lab::classification::{self, MakeDocument};
use uhop_lab::metastable::{self, Digits, States};
use uhop_lab::{DataSet, Written, basins, capacity, contribution};

#[cfg(feature = "hub")]
use super::fetch;
use super::run::{
    Data, Document, Files, command, files, folder, jobs, note_missing, spec, with_bar,
};
use crate::args::ExperimentRunArgs;
use crate::console::Console;
use crate::failure::Failure;
use crate::interrupt;
use crate::tables;

/// Basins of attraction in the plane.
pub(super) fn basins(args: &ExperimentRunArgs) -> Result<(), Failure> {
    refuse(args, "--seeds", args.seeds.as_ref())?;
    refuse(args, "--jobs", args.jobs.as_ref())?;
    refuse_data(args)?;
    let spec = spec(args, basins::Spec::shipped)?;
    let begun = Instant::now();
    let written = basins::run(&spec, &folder(args), &command(), interrupt::hold)?;
    let mut table = tables::ruled();
    table.set_header(["landscape", "patterns stored"]);
    for landscape in &written.found {
        let stored = landscape.stored.iter().filter(|stored| **stored).count();
        let stored = format!("{stored} of {}", landscape.stored.len());
        table.add_row([landscape.what.clone(), stored]);
    }
    say(args, &written, None, vec![], begun, &table)
}

/// Capacities, bounds and spherical codes.
pub(super) fn capacity(args: &ExperimentRunArgs) -> Result<(), Failure> {
    refuse_data(args)?;
    let mut spec = spec(args, capacity::Spec::shipped)?;
    if let Some(seeds) = args.seeds {
        spec.seeds = seeds;
    }
    let out = folder(args);
    let run = capacity::Run { spec: &spec, out: &out, jobs: jobs(args) };
    let begun = Instant::now();
    let written = with_bar(args, |observer| run.run(&command(), observer))?;
    let mut table = tables::ruled();
    table.set_header(["contender", "β", "d", "largest M (median)", "fails from"]);
    for one in capacity::largest(&spec, &written.found) {
        let numbers = [one.beta, one.dim as f64, one.n_patterns.median].map(|n| n.to_string());
        let fails = one.fails_from.map_or_else(|| "–".to_owned(), |n| n.to_string());
        table.add_row([one.contender].into_iter().chain(numbers).chain([fails]));
    }
    say(args, &written, Some(spec.seeds), vec![], begun, &table)
}

/// Sizes of the states that queries come to rest in.
pub(super) fn metastable(args: &ExperimentRunArgs) -> Result<(), Failure> {
    refuse(args, "--seeds", args.seeds.as_ref())?;
    let console = Console::new(args.output_args);
    let spec = spec(args, metastable::Spec::shipped)?;
    let digits = match &args.data {
        Some(folder) => Digits::find(folder, &spec)?,
        #[cfg(feature = "hub")]
        None if args.fetch => {
            let splits = [Split::Train, Split::Test];
            Digits::find(&fetch::folder(Dataset::Mnist, &splits, &console)?, &spec)?
        }
        None => Digits::sample(),
    };
    console.note(digits.provenance());
    let out = folder(args);
    let run = metastable::Run { spec: &spec, digits: &digits, out: &out, jobs: jobs(args) };
    let begun = Instant::now();
    let written = with_bar(args, |observer| run.run(&command(), observer))?;
    let mut table = tables::ruled();
    table.set_header(["separation", "β", "size 0", "1", "2", "3", "more", "largest"]);
    for states in &written.found {
        table.add_row(line(states));
    }
    let (name, provenance) = (digits.name().to_owned(), digits.provenance().to_owned());
    say(args, &written, None, vec![Data { name, provenance }], begun, &table)
}

/// What the target and the other memories each give to the energy.
pub(super) fn contribution(args: &ExperimentRunArgs) -> Result<(), Failure> {
    let console = Console::new(args.output_args);
    let mut spec = spec(args, contribution::Spec::shipped)?;
    if let Some(seeds) = args.seeds {
        spec.seeds = seeds;
    }
    let data = match &args.data {
        Some(folder) => contribution::find(folder, &spec)?,
        #[cfg(feature = "hub")]
        None if args.fetch => {
            let folder = fetch::folder(Dataset::Mnist, &[Split::Train], &console)?;
            contribution::find(&folder, &spec)?
        }
        None => DataSet::sample(),
    };
    console.note(&format!("{}: {}", data.name(), data.provenance()));
    let out = folder(args);
    let run = contribution::Run { spec: &spec, data: &data, out: &out, jobs: jobs(args) };
    let begun = Instant::now();
    let written = with_bar(args, |observer| run.run(&command(), observer))?;
    let mut table = tables::ruled();
    let sizes = spec.n_patterns.iter().map(ToString::to_string);
    table.set_header(std::iter::once("E(target) − E(all)".to_owned()).chain(sizes));
    for line in contribution::lines(&spec, &written.found) {
        let cells = line.cells.iter().map(|cell| {
            cell.as_ref()
                .map_or_else(|| "–".to_owned(), |cell| contribution::shown(cell.difference.median))
        });
        table.add_row(std::iter::once(line.name()).chain(cells));
    }
    let (name, provenance) = (data.name().to_owned(), data.provenance().to_owned());
    say(args, &written, Some(spec.seeds), vec![Data { name, provenance }], begun, &table)
}

/// What separation buys a classifier: a table, or curves of learning.
pub(super) fn classification(
    args: &ExperimentRunArgs,
    shipped: fn() -> uhop_lab::Result<classification::Spec>,
    document: MakeDocument,
) -> Result<(), Failure> {
    let console = Console::new(args.output_args);
    let mut spec = spec(args, shipped)?;
    if let Some(seeds) = args.seeds {
        spec.seeds = seeds;
    }
    let data = match &args.data {
        Some(folder) => classification::Data::find(folder, &spec.datasets)?,
        #[cfg(feature = "hub")]
        None if args.fetch => {
            let mut all = Vec::new();
            for &dataset in &spec.datasets {
                let folder = fetch::folder(dataset, &[Split::Train, Split::Test], &console)?;
                all.extend(classification::Data::find(&folder, &[dataset])?);
            }
            all
        }
        None => vec![classification::Data::sample()],
    };
    for set in &data {
        console.note(&format!("{}: {}", set.name(), set.provenance()));
    }
    note_missing(&spec.missing(&data), &console);
    uhop_nn::train::keep_freed_memory();
    let out = folder(args);
    let run = classification::Run { spec: &spec, data: &data, out: &out, jobs: jobs(args) };
    let begun = Instant::now();
    let written = with_bar(args, |observer| run.run(&command(), document, observer))?;
    let table = crate::train::table(&classification::lines(&written.found));
    let data = data.iter().map(|set| {
        let (name, provenance) = (set.name().to_owned(), set.provenance().to_owned());
        Data { name, provenance }
    });
    say(args, &written, Some(spec.seeds), data.collect(), begun, &table)
}

fn line(states: &States) -> Vec<String> {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let (few, more) = states.shares.split_at(states.shares.len().min(4));
    let mut cells = vec![states.separation.clone(), states.beta.to_string()];
    cells.extend(few.iter().map(|share| percent(*share)));
    cells.resize(6, "–".to_owned());
    cells.push(percent(more.iter().sum()));
    cells.push(states.largest.to_string());
    cells
}

/// Files and table, or one JSON object.
fn say<F>(
    args: &ExperimentRunArgs,
    written: &Written<F>,
    seeds: Option<usize>,
    data: Vec<Data>,
    begun: Instant,
    table: &impl Display,
) -> Result<(), Failure> {
    let console = Console::new(args.output_args);
    let shown = |path: &Path| path.display().to_string();
    let (csv, parquet) = (shown(&written.csv), shown(&written.parquet));
    let report = shown(&written.report);
    let &Written { n_rows, tasks, resumed, .. } = written;
    if !args.output_args.json {
        let (csv, parquet, report) = (&csv, &parquet, &report);
        let files = files(&Files { n_rows, tasks, resumed, csv, parquet, report });
        return console.data(&format!("{table}\n\n{files}"));
    }
    console.json(&Document {
        command: "experiment run",
        version: env!("CARGO_PKG_VERSION"),
        experiment: args.name.clone(),
        quick: args.quick,
        seeds,
        data,
        n_rows,
        tasks,
        resumed,
        seconds: begun.elapsed().as_secs_f64(),
        csv,
        parquet,
        report,
    })
}

fn refuse_data(args: &ExperimentRunArgs) -> Result<(), Failure> {
    #[cfg(feature = "hub")]
    refuse(args, "--fetch", args.fetch.then_some(&()))?;
    refuse(args, "--data", args.data.as_ref())
}

fn refuse<T>(args: &ExperimentRunArgs, option: &str, value: Option<&T>) -> Result<(), Failure> {
    match value {
        None => Ok(()),
        Some(_) => {
            let message = format!("{option} means nothing to the experiment {}", args.name);
            Err(Failure::user(message).hint("leave it out"))
        }
    }
}
