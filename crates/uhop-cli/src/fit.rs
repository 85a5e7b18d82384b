//! `uhop fit`: patterns to a memory file.

use std::path::Path;

use serde::Serialize;
use uhop::saved::{Learning, SavedMemory, StoredTensor};
use uhop::stage1::{Batches, Optimizer, Params, SeparationLoss};
use uhop::{LinearMap, Memory, Model, Patterns};
use uhop_data::image_folder::Shape;
use uhop_data::store::Writer;
use uhop_data::{Kind, Matrix};

use crate::args::{FitArgs, LossArg, OptimizerArg, Stage1Args};
use crate::console::Console;
use crate::failure::Failure;
use crate::input::Rows;
use crate::learning::{ADAM_RATE, AVERAGE_LOSS_RATE, MAX_LOSS_RATE, first_and_last_loss, stage1};
use crate::{input, interrupt};

/// From so many patterns on, all pairs take seconds a step.
const MANY_PATTERNS: usize = 16_384;

pub(crate) fn run(args: &FitArgs) -> Result<(), Failure> {
    if Kind::of(&args.output).ok() != Some(Kind::Safetensors) {
        let message = format!("cannot write a memory to {}", args.output.display());
        return Err(Failure::user(message).hint("give it a name that ends in .safetensors"));
    }
    if args.output.exists() && !input::holds_memory(&args.output) {
        let message = format!("{} is there and is not a memory", args.output.display());
        return Err(Failure::user(message).hint("name another file, or remove it first"));
    }
    let Rows { matrix, images } = input::rows(&args.patterns, &args.read)?;
    match matrix {
        Matrix::F32(rows) => {
            fit(args, input::patterns(&args.patterns, rows)?, images, Matrix::into_f32)
        }
        Matrix::F64(rows) => {
            fit(args, input::patterns(&args.patterns, rows)?, images, Matrix::into_f64)
        }
    }
}

/// What docs/json.md describes.
#[derive(Serialize)]
struct Document {
    command: &'static str,
    version: &'static str,
    n_patterns: usize,
    dim: usize,
    stage1: Option<Learned>,
    memory: String,
}

#[derive(Serialize)]
struct Learned {
    steps: usize,
    batch: Option<usize>,
    first_loss: f64,
    last_loss: f64,
    seconds: f64,
}

fn fit<T: StoredTensor>(
    args: &FitArgs,
    patterns: Patterns<T>,
    images: Option<Shape>,
    into_t: fn(Matrix) -> ndarray::Array2<T>,
) -> Result<(), Failure> {
    let console = Console::new(args.output_args);
    let (n_patterns, dim) = (patterns.n_patterns(), patterns.dim());
    // All that can be wrong with the input is found before the time is spent on learning.
    let model = input::model(Model::dense(1.0)?, &args.model, images, dim)?;
    let mut memory = Memory::new(patterns, model)?;
    if let Some(path) = &args.values {
        let values = into_t(input::rows(path, &args.read)?.matrix);
        memory = memory
            .with_values(input::patterns(path, values)?)
            .map_err(|error| input::at(path, &error))?;
    }
    let mut saved = SavedMemory::new(memory);
    if let Some(path) = &args.ids {
        saved = saved.with_ids(input::ids(path, None)?).map_err(|error| input::at(path, &error))?;
    }
    let mut summary = None;
    if let Some(loss) = args.stage1.loss {
        let patterns = saved.memory().patterns();
        let (map, learning, seconds) = learn(&args.stage1, loss, patterns, &console)?;
        let (first_loss, last_loss) = first_and_last_loss(&learning.losses, &learning.held_out);
        let (steps, batch) = (learning.losses.len() - 1, args.stage1.batch);
        summary = Some(Learned { steps, batch, first_loss, last_loss, seconds });
        let model = saved.memory().model().clone().with_feature_map(map);
        saved = saved.with_model(model)?.with_learning(learning);
    }
    write(&args.output, &saved)?;
    let memory = args.output.display().to_string();
    if args.output_args.json {
        let version = env!("CARGO_PKG_VERSION");
        return console.json(&Document {
            command: "fit",
            version,
            n_patterns,
            dim,
            stage1: summary,
            memory,
        });
    }
    console.data(&format!("stored  {n_patterns} × {dim}\nmemory  {memory}\n"))
}

fn write<T: StoredTensor>(path: &Path, saved: &SavedMemory<T>) -> Result<(), Failure> {
    let bytes = saved.to_bytes()?;
    interrupt::hold();
    // Through the writer, which refuses while another program changes the same memory.
    Ok(Writer::create(path)?.compact(|file| file.write_all(&bytes))?)
}

/// Learns W as the arguments say; returns it with its record and the seconds it took.
fn learn<T: StoredTensor>(
    args: &Stage1Args,
    loss: LossArg,
    patterns: &Patterns<T>,
    console: &Console,
) -> Result<(LinearMap<T>, Learning, f64), Failure> {
    let (n_patterns, dim) = (patterns.n_patterns(), patterns.dim());
    let (loss, descent_rate, name) = match loss {
        LossArg::Average => (SeparationLoss::average(), AVERAGE_LOSS_RATE, "average loss"),
        LossArg::Max => (SeparationLoss::max(), MAX_LOSS_RATE, "max loss"),
    };
    let optimizer = match args.optimizer {
        OptimizerArg::GradientDescent => {
            Optimizer::gradient_descent(args.rate.unwrap_or(descent_rate))?
        }
        OptimizerArg::Adam => Optimizer::adam(args.rate.unwrap_or(ADAM_RATE))?,
    };
    let mut params = Params::new(loss, optimizer, args.steps)?;
    if args.keep_rows {
        params = params.keep_rows();
    }
    if let Some(tolerance) = args.tolerance {
        params = params.with_tolerance(tolerance)?;
    }
    if let Some(size) = args.batch {
        params = params.with_batches(Batches::new(size, args.seed)?)?;
    } else if loss == SeparationLoss::average() && n_patterns >= MANY_PATTERNS {
        console.note(&format!(
            "hint: every step sees all pairs of {n_patterns} patterns; with --batch 1024 it sees a sample"
        ));
    }
    let start = LinearMap::random_normal(args.features.unwrap_or(dim), dim, args.seed)?;
    let (report, seconds) = stage1(name, patterns, start, &params, console)?;
    let learning = Learning {
        params,
        seed: Some(args.seed),
        losses: report.losses,
        held_out: report.held_out,
        stop: report.stop,
    };
    Ok((report.map, learning, seconds))
}
