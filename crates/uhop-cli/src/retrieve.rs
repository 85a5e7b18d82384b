//! `uhop retrieve`: queries to what the memory recalls.

use std::path::Path;
use std::time::Instant;

use ndarray::{Array2, Axis};
use serde::Serialize;
use uhop::saved::AnyMemory;
use uhop::{Dynamics, Memory, Model, QueryReport, Scalar, StopReason};
use uhop_data::Matrix;

use crate::args::RetrieveArgs;
use crate::console::Console;
use crate::failure::Failure;
use crate::input::{self, Source};
use crate::{interrupt, output};

/// Queries recalled between two moves of the bar.
const BATCH: usize = 1024;

pub(crate) fn run(args: &RetrieveArgs) -> Result<(), Failure> {
    output::check(&args.output, args.output_args)?;
    let open = if args.trust { AnyMemory::from_trusted_bytes } else { AnyMemory::from_bytes };
    match input::source(&args.memory, &args.read, open)? {
        Source::Memory(memory) => match *memory {
            AnyMemory::F32(saved) => retrieve(args, saved.memory().clone(), Matrix::into_f32),
            AnyMemory::F64(saved) => retrieve(args, saved.memory().clone(), Matrix::into_f64),
        },
        Source::Patterns(Matrix::F32(rows)) => {
            let patterns = input::patterns(&args.memory, rows)?;
            retrieve(args, Memory::new(patterns, Model::dense(1.0)?)?, Matrix::into_f32)
        }
        Source::Patterns(Matrix::F64(rows)) => {
            let patterns = input::patterns(&args.memory, rows)?;
            retrieve(args, Memory::new(patterns, Model::dense(1.0)?)?, Matrix::into_f64)
        }
    }
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
    seconds: f64,
    output: String,
}

fn retrieve<T: Scalar>(
    args: &RetrieveArgs,
    stored: Memory<T>,
    into_t: fn(Matrix) -> Array2<T>,
) -> Result<(), Failure>
where
    Matrix: From<Array2<T>>,
{
    let console = Console::new(args.output_args);
    let model = input::model(stored.model().clone(), &args.model)?;
    let memory = stored.with_model(model)?;
    let dynamics = match args.tolerance {
        Some(tolerance) => Dynamics::until(tolerance, args.max_steps)?,
        None => Dynamics::steps(args.max_steps)?,
    };
    let queries = input::rows(&args.queries, &args.read)?;
    let (queries, images) = (into_t(queries.matrix), queries.images);
    let started = Instant::now();
    let bar = console.bar(queries.nrows(), "recalling");
    let mut retrieved = Array2::zeros((0, memory.values().dim()));
    let mut reports: Vec<QueryReport> = Vec::with_capacity(queries.nrows());
    for batch in queries.axis_chunks_iter(Axis(0), BATCH) {
        interrupt::check()?;
        let recalled = memory.retrieve(batch, &dynamics)?;
        retrieved.append(Axis(0), recalled.retrieved.view()).map_err(|error| Failure::Ours {
            message: format!("batches of one memory differ in shape: {error}"),
        })?;
        reports.extend(recalled.reports);
        bar.set_position(reports.len() as u64);
    }
    bar.finish_and_clear();
    let seconds = started.elapsed().as_secs_f64();
    output::write(&args.output, &Matrix::from(retrieved), images)?;
    if args.output == Path::new("-") {
        return Ok(());
    }
    let n_queries = reports.len();
    let mean = |of: fn(&QueryReport) -> usize| {
        reports.iter().map(of).sum::<usize>() as f64 / n_queries as f64
    };
    let converged = reports.iter().filter(|report| report.stop == StopReason::Converged).count();
    let document = Document {
        command: "retrieve",
        version: env!("CARGO_PKG_VERSION"),
        n_queries,
        n_patterns: memory.patterns().n_patterns(),
        dim: memory.patterns().dim(),
        converged,
        steps: mean(|report| report.steps),
        support_size: mean(|report| report.support_size),
        seconds,
        output: args.output.display().to_string(),
    };
    if args.output_args.json {
        return console.json(&document);
    }
    console.data(&format!(
        "{n_queries} queries recalled from {} patterns in {seconds:.2} s; mean support {:.1}, mean \
         steps {:.1}\noutput  {}\n",
        document.n_patterns, document.support_size, document.steps, document.output,
    ))
}
