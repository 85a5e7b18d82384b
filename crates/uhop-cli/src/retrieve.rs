//! `uhop retrieve`: queries to what the memory recalls.

use std::path::Path;
use std::time::{Duration, Instant};

use ndarray::Array2;
use serde::Serialize;
use uhop::saved::AnyMemory;
use uhop::{Dynamics, Memory, Model, Patterns, QueryReport, Retrieval, Scalar, StopReason};
use uhop_data::image_folder::Shape;
use uhop_data::{Kind, Matrix, WriteOptions};

use crate::args::RetrieveArgs;
use crate::console::Console;
use crate::damage;
use crate::failure::Failure;
use crate::input::{self, Input, Rows, Source};
use crate::interrupt;
use crate::observed::Observed;
use crate::output::{self, Output};
use crate::precision;
use crate::words::counted;

pub(crate) fn run(args: &RetrieveArgs) -> Result<(), Failure> {
    output::check_like(&args.output, args.output_args)?;
    if let Some(weights) = &args.weights {
        output::check_like(weights, args.output_args)?;
        if output::is_same(weights, &args.output) {
            let message = format!("--output and --weights are both {}", weights.display());
            return Err(Failure::user(message).hint("name two files"));
        }
        if output::is_stdout(weights) && output::is_stdout(&args.output) {
            let message = "--output and --weights are both stdout".to_owned();
            return Err(Failure::user(message).hint("name a file for one of them"));
        }
    }
    input::check_stdin(&[
        ("the stored patterns", Some(args.memory.as_path())),
        ("the queries", Some(args.queries.as_path())),
        ("--observed", args.observed.as_deref()),
    ])?;
    let mut inputs = vec![args.memory.as_path(), &args.queries];
    inputs.extend(args.observed.as_deref());
    let mut outputs = vec![args.output.as_path()];
    outputs.extend(args.weights.as_deref());
    for output in &outputs {
        output::check_apart(output, &inputs)?;
    }
    input::check_member(&args.read, &inputs)?;
    let files = [inputs, outputs].concat();
    input::check_images(&args.read, &files, args.model.corruption.as_ref())?;
    let open = if args.trust { AnyMemory::from_trusted_bytes } else { AnyMemory::from_bytes };
    match input::source(&args.memory, &args.read, open)? {
        Source::Memory(memory) => match *memory {
            AnyMemory::F32(saved) => retrieve(args, saved.into_memory(), None, Matrix::into_f32),
            AnyMemory::F64(saved) => retrieve(args, saved.into_memory(), None, Matrix::into_f64),
        },
        Source::Patterns(Rows { matrix: Matrix::F32(rows), images, .. }) => {
            let patterns = input::patterns(&args.memory, rows)?;
            retrieve(args, plain(args, patterns)?, images, Matrix::into_f32)
        }
        Source::Patterns(Rows { matrix: Matrix::F64(rows), images, .. }) => {
            let patterns = input::patterns(&args.memory, rows)?;
            retrieve(args, plain(args, patterns)?, images, Matrix::into_f64)
        }
    }
}

/// The dense memory of patterns that come without a model.
fn plain<T: Scalar>(args: &RetrieveArgs, patterns: Patterns<T>) -> Result<Memory<T>, Failure> {
    Memory::new(patterns, Model::dense(1.0)?).map_err(|error| input::at(&args.memory, &error))
}

/// What docs/json.md describes.
#[derive(Serialize)]
struct Document {
    command: &'static str,
    version: &'static str,
    n_queries: usize,
    n_patterns: usize,
    dim: usize,
    converged: usize,
    steps: f64,
    support_size: f64,
    perplexity: f64,
    seconds: f64,
    output: String,
    weights: Option<String>,
}

fn retrieve<T: Scalar>(
    args: &RetrieveArgs,
    stored: Memory<T>,
    images: Option<Shape>,
    into_t: fn(Matrix) -> Array2<T>,
) -> Result<(), Failure>
where
    Matrix: From<Array2<T>>,
{
    let console = Console::new(args.output_args);
    let mut queries = input::open(&args.queries, &args.read)?;
    let (n_patterns, dim) = stored.patterns().view().dim();
    check_dim(args, &queries, dim)?;
    damage::must_be_of_a_channel(&args.model)?;
    // A memory file does not say whether patterns are images; the queries may.
    let model = input::model(stored.model().clone(), &args.model, images.or(queries.images), dim)?;
    let memory = stored.with_model(model).map_err(|error| input::at(&args.memory, &error))?;
    let dynamics = dynamics(args)?;
    let observed = args.observed.as_ref();
    let mut observed = observed.map(|path| Observed::open(path, &args.read, dim)).transpose()?;
    let n_queries = queries.rows.n_rows();
    let memory =
        if is_worth_a_screen(args, &memory, n_queries) { memory.screened() } else { memory };
    let bar = console.bar(n_queries, "recalling");
    // Made for the first results: until then a signal ends the program at once.
    let mut outputs = None;
    let mut tally = Tally::default();
    let n_weights = if args.weights.is_some() { n_patterns } else { 0 };
    let batch_rows = input::batch_rows(dim + memory.values().dim() + n_weights);
    while let Some(batch) = queries.rows.next_batch(batch_rows)? {
        let seen = observed.as_mut().map(|observed| observed.next(batch.n_rows())).transpose()?;
        check_numbers::<T>(&args.queries, tally.n_queries, (&batch, seen.as_ref()))?;
        let batch = into_t(batch);
        let started = Instant::now();
        let recalled = match &seen {
            None => memory.retrieve(batch.view(), &dynamics),
            Some(seen) => memory.retrieve_observed(batch.view(), seen.view(), &dynamics),
        };
        let recalled = recalled.map_err(|error| input::at(&args.queries, &error))?;
        tally.add(&recalled.reports, started.elapsed());
        interrupt::check()?;
        let outputs = match &mut outputs {
            Some(outputs) => outputs,
            None => outputs.insert(Outputs::create(args, &memory, &queries)?),
        };
        outputs.write(recalled)?;
        bar.set_position(tally.n_queries as u64);
    }
    observed.map_or(Ok(()), Observed::end)?;
    interrupt::check()?;
    outputs.map_or(Ok(()), Outputs::commit)?;
    bar.finish_and_clear();
    report(args, &console, &tally, (n_patterns, dim))
}

/// Queries from which making a screen takes less time than it saves, noisy ones too, about.
const SCREEN_QUERIES: usize = 2500;
/// Patterns from which there is something to save.
const SCREEN_PATTERNS: usize = 4096;

/// Whether to make a compact copy first: for many queries of a memory with α > 1, where few patterns
/// carry weight. The results are the same.
fn is_worth_a_screen<T: Scalar>(
    args: &RetrieveArgs,
    memory: &Memory<T>,
    n_queries: Option<usize>,
) -> bool {
    let is_sparse = memory.model().separation().margin().is_some();
    is_sparse
        && args.observed.is_none()
        && args.weights.is_none()
        && memory.patterns().n_patterns() >= SCREEN_PATTERNS
        && n_queries.is_some_and(|n_queries| n_queries >= SCREEN_QUERIES)
}

fn dynamics(args: &RetrieveArgs) -> Result<Dynamics, Failure> {
    let dynamics = match args.tolerance {
        Some(tolerance) => Dynamics::until(tolerance, args.max_steps)?,
        None => Dynamics::steps(args.max_steps)?,
    };
    Ok(if args.weights.is_some() { dynamics.record_weights() } else { dynamics })
}

fn check_dim(args: &RetrieveArgs, queries: &Input, expected: usize) -> Result<(), Failure> {
    let found = queries.rows.dim();
    if found == expected {
        return Ok(());
    }
    let failure = Failure::user(format!(
        "{}: expected queries of {expected} numbers, as the patterns of {} have, found {found}",
        args.queries.display(),
        args.memory.display()
    ));
    let hint = input::colour_hint(&args.read, queries.images, (found, expected));
    Err(failure.hint_if(hint.is_some(), hint.unwrap_or_default()))
}

/// Before the numbers are rounded to those of the memory: what is said is what the file holds. `seen` has a row
/// for each query or one for all.
fn check_numbers<T: Scalar>(
    path: &Path,
    n_before: usize,
    (batch, seen): (&Matrix, Option<&Array2<bool>>),
) -> Result<(), Failure> {
    let is_seen = |(row, column)| {
        seen.is_none_or(|seen| seen[[if seen.nrows() == 1 { 0 } else { row }, column]])
    };
    let is_wrong = |value: f64| !value.is_finite() || precision::is_too_large::<T>(value);
    match precision::find(batch, |place, value| is_wrong(value) && is_seen(place)) {
        None => Ok(()),
        Some(((row, column), value)) if value.is_finite() => {
            Err(precision::too_large::<T>(path, ((n_before + row, column), value)))
        }
        Some(((row, column), value)) => Err(Failure::user(format!(
            "{}: entry [{}, {column}] of the queries is {value}; every entry must be finite",
            path.display(),
            n_before + row
        ))),
    }
}

/// What is recalled, and its weights if asked for.
struct Outputs {
    retrieved: Output,
    weights: Option<Output>,
}

impl Outputs {
    fn create<T: Scalar>(
        args: &RetrieveArgs,
        memory: &Memory<T>,
        queries: &Input,
    ) -> Result<Self, Failure>
    where
        Matrix: From<Array2<T>>,
    {
        let element = Matrix::from(Array2::<T>::zeros((0, 0))).element();
        let n_rows = queries.rows.n_rows();
        let (names, images) = (queries.rows.names(), queries.images);
        let weights = match &args.weights {
            Some(path) => {
                let kind = output::kind_like(path, Kind::Npy)?;
                let row = (element, memory.patterns().n_patterns());
                let options = WriteOptions { n_rows, ..WriteOptions::default() };
                Some(Output::create(path, kind, row, &options)?)
            }
            None => None,
        };
        let kind = output::kind_like(&args.output, queries.kind)?;
        let row = (element, memory.values().dim());
        let options = WriteOptions { images, names, n_rows };
        Ok(Self { retrieved: Output::create(&args.output, kind, row, &options)?, weights })
    }

    fn write<T>(&mut self, recalled: Retrieval<T>) -> Result<(), Failure>
    where
        Matrix: From<Array2<T>>,
    {
        self.retrieved.write(&Matrix::from(recalled.retrieved))?;
        if let (Some(output), Some(weights)) = (&mut self.weights, recalled.weights) {
            output.write(&Matrix::from(weights))?;
        }
        Ok(())
    }

    fn commit(self) -> Result<(), Failure> {
        self.weights.map_or(Ok(()), Output::commit)?;
        self.retrieved.commit()
    }
}

/// What the queries' reports add up to.
#[derive(Default)]
struct Tally {
    n_queries: usize,
    converged: usize,
    steps: usize,
    support_size: usize,
    perplexity: f64,
    time: Duration,
}

impl Tally {
    fn add(&mut self, reports: &[QueryReport], time: Duration) {
        self.n_queries += reports.len();
        self.converged +=
            reports.iter().filter(|report| report.stop == StopReason::Converged).count();
        self.steps += reports.iter().map(|report| report.steps).sum::<usize>();
        self.support_size += reports.iter().map(|report| report.support_size).sum::<usize>();
        self.perplexity += reports.iter().map(|report| report.perplexity).sum::<f64>();
        self.time += time;
    }
}

fn report(
    args: &RetrieveArgs,
    console: &Console,
    tally: &Tally,
    (n_patterns, dim): (usize, usize),
) -> Result<(), Failure> {
    let stdout = Path::new("-");
    if args.output == stdout || args.weights.as_deref() == Some(stdout) {
        return Ok(());
    }
    let mean = |sum: f64| sum / tally.n_queries as f64;
    let document = Document {
        command: "retrieve",
        version: env!("CARGO_PKG_VERSION"),
        n_queries: tally.n_queries,
        n_patterns,
        dim,
        converged: tally.converged,
        steps: mean(tally.steps as f64),
        support_size: mean(tally.support_size as f64),
        perplexity: mean(tally.perplexity),
        seconds: tally.time.as_secs_f64(),
        output: args.output.display().to_string(),
        weights: args.weights.as_ref().map(|path| path.display().to_string()),
    };
    if args.output_args.json {
        return console.json(&document);
    }
    let weights = document.weights.map(|path| format!("weights {path}\n")).unwrap_or_default();
    console.data(&format!(
        "{} recalled from {} in {:.2} s; mean support {:.1}, mean steps {:.1}\noutput  {}\n{weights}",
        counted(document.n_queries, "query"),
        counted(n_patterns, "pattern"),
        document.seconds,
        document.support_size,
        document.steps,
        document.output,
    ))
}
