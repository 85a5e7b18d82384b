//! `uhop experiment run`: one experiment, from its specification to its rows.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use serde::Serialize;
use uhop_data::datasets::Dataset;
use uhop_lab::{
    DataSet, Observer, RESULTS, Run, Spec, Specification, basins, capacity, classification,
    contribution, correlations, document, metastable, report, summaries,
};

#[cfg(feature = "hub")]
use super::fetch;
use super::{table, whole};
use crate::args::ExperimentRunArgs;
use crate::console::Console;
use crate::failure::Failure;
use crate::interrupt;
use crate::words::counted;

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
    pub(super) tasks: usize,
    pub(super) resumed: usize,
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
    keep_results(&folder(args))?;
    match args.name.as_str() {
        basins::NAME => whole::basins(args),
        classification::CLASSIFICATION => {
            let (shipped, document) =
                (classification::Spec::classification as fn() -> _, classification::table_document);
            whole::classification(args, shipped, document)
        }
        classification::CONVERGENCE => {
            let (shipped, document) =
                (classification::Spec::convergence as fn() -> _, classification::curves_document);
            whole::classification(args, shipped, document)
        }
        contribution::NAME => whole::contribution(args),
        capacity::NAME => whole::capacity(args),
        metastable::NAME => whole::metastable(args),
        _ => recall(args),
    }
}

/// The experiments on recall: many memory sets, shared among workers.
fn recall(args: &ExperimentRunArgs) -> Result<(), Failure> {
    let console = Console::new(args.output_args);
    let mut spec = recall_spec(args)?;
    let data = match &args.data {
        Some(folder) => DataSet::find(folder, &spec)?,
        #[cfg(feature = "hub")]
        None if args.fetch => fetch::data_sets(&spec, &console)?,
        None => {
            let sample = DataSet::sample();
            let smaller = spec.smaller_for(&sample);
            if smaller != spec {
                console.note(&format!(
                    "{}: fewer images than the smallest memory stores, {}; runs with the sizes of \
                     --quick, from {}",
                    sample.name(),
                    spec.n_patterns[0],
                    smaller.n_patterns[0]
                ));
                spec = smaller;
            }
            vec![sample]
        }
    };
    for set in &data {
        console.note(&format!("{}: {}", set.name(), set.provenance()));
    }
    note_missing(&spec.missing(&data), &console);
    let out = folder(args);
    let run = Run { spec: &spec, data: &data, out: &out, jobs: jobs(args) };
    let begun = Instant::now();
    let finished = with_bar(args, |observer| run.run(observer))?;
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
            tasks: finished.tasks,
            resumed: finished.resumed,
            seconds,
            csv,
            parquet,
            report: page,
        });
    }
    let mut text = table::text(&spec, &summaries(&spec, &finished.rows));
    text += &table::correlations(&correlations(&spec, &finished.rows));
    text += "\n";
    text += &files(&Files {
        n_rows: finished.rows.len(),
        tasks: finished.tasks,
        resumed: finished.resumed,
        csv: &csv,
        parquet: &parquet,
        report: &page,
    });
    console.data(&text)
}

/// Says which data sets an experiment is for and does not run on.
pub(super) fn note_missing(missing: &[Dataset], console: &Console) {
    for dataset in missing {
        let folder = "name the folder it is in with --data DIR";
        console.note(&format!(
            "{}: what the experiment is for, but does not run on; {folder}",
            dataset.name()
        ));
    }
}

/// What a run leaves that was stopped.
const KEPT: &str = "what was finished is kept, and the same command goes on from it";

/// What a run leaves, for its last lines.
pub(super) struct Files<'a> {
    pub(super) n_rows: usize,
    pub(super) tasks: usize,
    pub(super) resumed: usize,
    pub(super) csv: &'a str,
    pub(super) parquet: &'a str,
    pub(super) report: &'a str,
}

/// The last lines of a run.
pub(super) fn files(files: &Files<'_>) -> String {
    let Files { n_rows, tasks, resumed, csv, parquet, report } = files;
    let tasks = counted(*tasks, "task");
    format!(
        "rows    {csv}, {parquet}: {n_rows} rows of {tasks}, {resumed} from an earlier run\n\
         report  {report}\n"
    )
}

/// Tasks worked on at once.
pub(super) fn jobs(args: &ExperimentRunArgs) -> NonZeroUsize {
    args.jobs.unwrap_or_else(|| thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
}

/// A run that shows how far it is, and that keeps what is finished when it is interrupted.
pub(super) fn with_bar<T>(
    args: &ExperimentRunArgs,
    run: impl FnOnce(Observer<'_>) -> uhop_lab::Result<T>,
) -> Result<T, Failure> {
    let bar = Console::new(args.output_args).timed_bar(&args.name);
    interrupt::hold();
    let outcome = run(&|progress| {
        bar.set_length(progress.all);
        bar.set_position(progress.done);
        bar.set_message(format!("{} of {} tasks", progress.tasks, progress.all_tasks));
        if interrupt::check().is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    bar.finish_and_clear();
    interrupt::check_leaving(KEPT)?;
    Ok(outcome?)
}

/// The experiment as named, from a file if there is one, as small and with as many seeds as asked.
fn recall_spec(args: &ExperimentRunArgs) -> Result<Spec, Failure> {
    let mut spec = spec(args, || Spec::shipped(&args.name))?;
    if let Some(seeds) = args.seeds {
        spec.seeds = seeds;
    }
    Ok(spec)
}

/// The specification in the file that was named, or else the one that comes with the program; as small as
/// asked.
pub(super) fn spec<S: Specification>(
    args: &ExperimentRunArgs,
    shipped: impl FnOnce() -> uhop_lab::Result<S>,
) -> Result<S, Failure> {
    let spec = match &args.spec {
        None => shipped()?,
        Some(path) => S::read(path, &args.name)?,
    };
    Ok(if args.quick { spec.quick() } else { spec })
}

/// The folder for the results.
pub(super) fn folder(args: &ExperimentRunArgs) -> PathBuf {
    args.out.clone().unwrap_or_else(|| PathBuf::from(format!("uhop-{}", args.name)))
}

/// Refuses a folder with results that are not of an experiment of this program, which would replace them: its own
/// say what they are of in rows.jsonl, and others than that are refused by it.
fn keep_results(out: &Path) -> Result<(), Failure> {
    if out.join("rows.jsonl").exists() {
        return Ok(());
    }
    let results = RESULTS.map(|name| out.join(name));
    match results.iter().find(|path| path.exists()) {
        None => Ok(()),
        Some(path) => {
            let message = format!(
                "{} is there already, with no rows.jsonl that says of what",
                path.display()
            );
            let hint = "choose another folder with --out DIR, or remove what is no longer wanted";
            Err(Failure::user(message).hint(hint))
        }
    }
}

/// The command as typed, its words quoted where a shell would take them apart.
pub(super) fn command() -> String {
    let arguments = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    let words: Vec<String> = std::iter::once("uhop".to_owned()).chain(arguments).collect();
    shlex::try_join(words.iter().map(String::as_str)).expect("an argument has no zero byte")
}
