//! The experiments that are measured in one go: nothing is kept of a run that was stopped.

use std::fmt::Display;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

#[cfg(feature = "hub")]
use uhop_data::datasets::{Dataset, Split};
use uhop_lab::metastable::{self, Digits, States};
use uhop_lab::{DataSet, Written, basins, capacity, contribution};

#[cfg(feature = "hub")]
use super::fetch;
use super::run::{Data, Document, command, folder, spec};
use super::table::plain;
use crate::args::ExperimentRunArgs;
use crate::console::Console;
use crate::failure::Failure;
use crate::interrupt;

/// Steps of a bar.
const BAR: usize = 1000;

/// Basins of attraction in the plane.
pub(super) fn basins(args: &ExperimentRunArgs) -> Result<(), Failure> {
    refuse_seeds_and_jobs(args)?;
    refuse(args, "--data", args.data.as_ref())?;
    #[cfg(feature = "hub")]
    refuse(args, "--fetch", args.fetch.then_some(&()))?;
    let spec = spec(args, basins::Spec::shipped)?;
    let begun = Instant::now();
    let written = basins::run(&spec, &folder(args), &command())?;
    let mut table = plain();
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
    refuse_seeds_and_jobs(args)?;
    refuse(args, "--data", args.data.as_ref())?;
    #[cfg(feature = "hub")]
    refuse(args, "--fetch", args.fetch.then_some(&()))?;
    let spec = spec(args, capacity::Spec::shipped)?;
    let begun = Instant::now();
    let written = with_bar(args, |show| capacity::run(&spec, &folder(args), &command(), show))?;
    let mut table = plain();
    table.set_header(["contender", "β", "d", "largest M (median)", "fails from"]);
    for one in capacity::largest(&spec, &written.found) {
        let numbers = [one.beta, one.dim as f64, one.n_patterns.median].map(|n| n.to_string());
        let fails = one.fails_from.map_or_else(|| "–".to_owned(), |n| n.to_string());
        table.add_row([one.contender].into_iter().chain(numbers).chain([fails]));
    }
    say(args, &written, None, vec![], begun, &table)
}

/// Sizes of the states that queries come to rest in.
pub(super) fn metastable(args: &ExperimentRunArgs) -> Result<(), Failure> {
    refuse_seeds_and_jobs(args)?;
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
    let begun = Instant::now();
    let written =
        with_bar(args, |show| metastable::run(&spec, &digits, &folder(args), &command(), show))?;
    let mut table = plain();
    table.set_header(["separation", "β", "size 0", "1", "2", "3", "more", "largest"]);
    for states in &written.found {
        table.add_row(line(states));
    }
    let name = args.name.clone();
    let data = vec![Data { name, provenance: digits.provenance().to_owned() }];
    say(args, &written, None, data, begun, &table)
}

/// What the target and the other memories each give to the energy.
pub(super) fn contribution(args: &ExperimentRunArgs) -> Result<(), Failure> {
    refuse(args, "--jobs", args.jobs.as_ref())?;
    let console = Console::new(args.output_args);
    let mut spec = spec(args, contribution::Spec::shipped)?;
    if let Some(seeds) = args.seeds {
        spec.seeds = seeds.get();
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
    let begun = Instant::now();
    let written =
        with_bar(args, |show| contribution::run(&spec, &data, &folder(args), &command(), show))?;
    let mut table = plain();
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

/// A run that shows the share of its work done, and stops when interrupted.
fn with_bar<F>(
    args: &ExperimentRunArgs,
    run: impl FnOnce(&(dyn Fn(f64) -> ControlFlow<()> + Sync)) -> uhop_lab::Result<Written<F>>,
) -> Result<Written<F>, Failure> {
    let bar = Console::new(args.output_args).timed_bar(&args.name);
    bar.set_length(BAR as u64);
    let written = run(&|done| {
        bar.set_position((done * BAR as f64) as u64);
        if interrupt::check().is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    bar.finish_and_clear();
    interrupt::check()?;
    Ok(written?)
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
    if !args.output_args.json {
        return console.data(&format!("{table}\n\nrows    {csv}, {parquet}\nreport  {report}\n"));
    }
    console.json(&Document {
        command: "experiment run",
        version: env!("CARGO_PKG_VERSION"),
        experiment: args.name.clone(),
        quick: args.quick,
        seeds,
        data,
        n_rows: written.n_rows,
        memory_sets: None,
        resumed: None,
        seconds: begun.elapsed().as_secs_f64(),
        csv,
        parquet,
        report,
    })
}

fn refuse_seeds_and_jobs(args: &ExperimentRunArgs) -> Result<(), Failure> {
    refuse(args, "--seeds", args.seeds.as_ref())?;
    refuse(args, "--jobs", args.jobs.as_ref())
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
