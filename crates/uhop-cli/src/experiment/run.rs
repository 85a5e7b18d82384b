//! `uhop experiment run`: one experiment, from its specification to its rows.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use serde::Serialize;
use uhop_lab::{
    DataSet, Progress, Run, Spec, Specification, basins, capacity, contribution, correlations,
    document, metastable, report, summaries,
};

#[cfg(feature = "hub")]
use super::fetch;
use super::{table, whole};
use crate::args::ExperimentRunArgs;
use crate::console::Console;
use crate::failure::Failure;
use crate::interrupt;

/// What docs/json.md describes.
#[derive(Serialize)]
pub(super) struct Document {
    pub(super) command: &'static str,
    pub(super) version: &'static str,
    pub(super) experiment: String,
    pub(super) quick: bool,
    pub(super) seeds: Option<usize>,
    pub(super) data: Vec<Data>,
    pub(super) n_rows: usize,
    pub(super) memory_sets: Option<usize>,
    pub(super) resumed: Option<usize>,
    pub(super) seconds: f64,
    pub(super) csv: String,
    pub(super) parquet: String,
    pub(super) report: String,
}

#[derive(Serialize)]
pub(super) struct Data {
    pub(super) name: String,
    pub(super) provenance: String,
}

pub(crate) fn run(args: &ExperimentRunArgs) -> Result<(), Failure> {
    match args.name.as_str() {
        basins::NAME => whole::basins(args),
        contribution::NAME => whole::contribution(args),
        capacity::NAME => whole::capacity(args),
        metastable::NAME => whole::metastable(args),
        _ => recall(args),
    }
}

/// The experiments on recall: many memory sets, shared among workers.
fn recall(args: &ExperimentRunArgs) -> Result<(), Failure> {
    let console = Console::new(args.output_args);
    let spec = recall_spec(args)?;
    let data = match &args.data {
        Some(folder) => DataSet::find(folder, &spec)?,
        #[cfg(feature = "hub")]
        None if args.fetch => fetch::data_sets(&spec, &console)?,
        None => vec![DataSet::sample()],
    };
    for set in &data {
        console.note(&format!("{}: {}", set.name(), set.provenance()));
    }
    let out = folder(args);
    let jobs =
        args.jobs.unwrap_or_else(|| thread::available_parallelism().unwrap_or(NonZeroUsize::MIN));

    let bar = console.timed_bar(&spec.name);
    let show = |progress: Progress| {
        bar.set_length(progress.all);
        bar.set_position(progress.done);
        bar.set_message(format!("{} of {} memory sets", progress.sets, progress.all_sets));
        if interrupt::check().is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let begun = Instant::now();
    interrupt::hold();
    let run = Run { spec: &spec, data: &data, out: &out, jobs };
    let finished = run.run(&show);
    bar.finish_and_clear();
    interrupt::check_leaving("what was finished is kept, and the same command goes on from it")?;
    let finished = finished?;
    let seconds = begun.elapsed().as_secs_f64();
    for (dataset, n_patterns) in &finished.left_out {
        console
            .note(&format!("{dataset}: left out {n_patterns} patterns, more than it has images"));
    }
    let page = report::write(&document(&run, &finished, &command())?, &out);
    let page = page.map_err(uhop_lab::Error::from)?.display().to_string();
    let (csv, parquet) =
        (finished.csv.display().to_string(), finished.parquet.display().to_string());
    if args.output_args.json {
        let data = data.iter().map(|set| Data {
            name: set.name().to_owned(),
            provenance: set.provenance().to_owned(),
        });
        return console.json(&Document {
            command: "experiment run",
            version: env!("CARGO_PKG_VERSION"),
            experiment: spec.name.clone(),
            quick: args.quick,
            seeds: Some(spec.seeds),
            data: data.collect(),
            n_rows: finished.rows.len(),
            memory_sets: Some(finished.sets),
            resumed: Some(finished.resumed),
            seconds,
            csv,
            parquet,
            report: page,
        });
    }
    let mut text = table::text(&spec, &summaries(&spec, &finished.rows));
    text += &table::correlations(&correlations(&spec, &finished.rows));
    text += &format!(
        "\nrows    {csv}, {parquet}: {} of {} memory sets, {} from an earlier run\nreport  {page}\n",
        finished.rows.len(),
        finished.sets,
        finished.resumed,
    );
    console.data(&text)
}

/// The experiment as named, from a file if there is one, as small and with as many seeds as asked.
fn recall_spec(args: &ExperimentRunArgs) -> Result<Spec, Failure> {
    let mut spec = spec(args, || Spec::shipped(&args.name))?;
    if spec.name != args.name {
        let path = args.spec.as_deref().unwrap_or(std::path::Path::new("")).display();
        let message = format!("{path} is of the experiment {}, not {}", spec.name, args.name);
        return Err(Failure::user(message).hint("give the name that stands in the file"));
    }
    if let Some(seeds) = args.seeds {
        spec.seeds = seeds.get();
    }
    Ok(spec)
}

/// The specification in the file that was named, or else the one that comes with the program; as small as
/// asked.
pub(super) fn spec<S: Specification>(
    args: &ExperimentRunArgs,
    shipped: impl FnOnce() -> uhop_lab::Result<S>,
) -> Result<S, Failure> {
    let spec = args.spec.as_deref().map_or_else(shipped, S::read)?;
    Ok(if args.quick { spec.quick() } else { spec })
}

/// The folder for the results.
pub(super) fn folder(args: &ExperimentRunArgs) -> PathBuf {
    args.out.clone().unwrap_or_else(|| PathBuf::from(format!("uhop-{}", args.name)))
}

/// The command as typed.
pub(super) fn command() -> String {
    let arguments = std::env::args_os().skip(1);
    let words = arguments.map(|word| word.to_string_lossy().into_owned());
    std::iter::once("uhop".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}
