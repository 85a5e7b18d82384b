//! `uhop fit`: patterns to a memory file.

use std::path::Path;
use std::time::Instant;

use serde::Serialize;
use uhop::saved::{Learning, SavedMemory, StoredTensor};
use uhop::stage1::{self, Batches, Copies, Denoising, Optimizer, Params, SeparationLoss, Start};
use uhop::{LinearMap, Memory, Model, Patterns, Similarity};
use uhop_data::image_folder::Shape;
use uhop_data::store::Writer;
use uhop_data::{Damage, Kind, Matrix};

use crate::args::{FitArgs, LossArg, OptimizerArg, Stage1Args};
use crate::console::Console;
use crate::damage::{self, damage};
use crate::failure::Failure;
use crate::input::Rows;
use crate::learning::{
    ADAM_RATE, AVERAGE_LOSS_RATE, DENOISING_RATE, MAX_LOSS_RATE, denoised, first_and_last_loss,
    separated,
};
use crate::there::{There, there};
use crate::{choosing, input, interrupt, output, precision};

/// From so many patterns on, all pairs take seconds a step.
const MANY_PATTERNS: usize = 16_384;
const SEPARATION_STEPS: usize = 100;
const DENOISING_STEPS: usize = 200;

pub(crate) fn run(args: &FitArgs) -> Result<(), Failure> {
    if args.output.is_dir() {
        let message = format!("{} is a folder", args.output.display());
        return Err(Failure::user(message).hint("name a file that ends in .safetensors"));
    }
    if Kind::of(&args.output).ok() != Some(Kind::Safetensors) {
        let message = format!("cannot write a memory to {}", args.output.display());
        return Err(Failure::user(message).hint("give it a name that ends in .safetensors"));
    }
    match there(&args.output) {
        There::Nothing | There::Memory => {}
        There::Other => {
            let message = format!("{} is there and is not a memory", args.output.display());
            return Err(Failure::user(message).hint("name another file, or remove it first"));
        }
        There::Unclear(reason) => {
            return Err(Failure::user(reason).hint(output::MAY_BE_A_MEMORY));
        }
    }
    let mut files = vec![args.patterns.as_path()];
    files.extend(args.values.as_deref());
    let (patterns, values) = (Some(args.patterns.as_path()), args.values.as_deref());
    input::check_stdin(&[("the patterns", patterns), ("--values", values)])?;
    output::check_apart(&args.output, &files)?;
    input::check_member(&args.read, &files)?;
    input::check_images(&args.read, &files, args.model.corruption.as_ref())?;
    let Rows { matrix, images, .. } = input::rows(&args.patterns, &args.read)?;
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
    stage1: Option<Summary>,
    choice: Option<choosing::Document>,
    memory: String,
}

#[derive(Serialize)]
struct Summary {
    loss: &'static str,
    steps: usize,
    batch: Option<usize>,
    lambda: Option<f64>,
    first_loss: Option<f64>,
    last_loss: Option<f64>,
    seconds: f64,
}

/// What Stage I made.
struct Learned<T> {
    similarity: Similarity<T>,
    /// The β that goes with it, where one was found.
    beta: Option<f64>,
    record: Learning,
    summary: Summary,
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
    let mut memory =
        Memory::new(patterns, model).map_err(|error| input::at(&args.patterns, &error))?;
    if let Some(path) = &args.values {
        let values = precision::rows(path, input::rows(path, &args.read)?.matrix, into_t)?;
        memory = memory
            .with_values(input::patterns(path, values)?)
            .map_err(|error| input::at(path, &error))?;
    }
    let mut saved = SavedMemory::new(memory);
    if let Some(path) = &args.ids {
        saved = saved.with_ids(input::ids(path, None)?).map_err(|error| input::at(path, &error))?;
    }
    check_options(args)?;
    let mut choice = None;
    if args.auto {
        let patterns = saved.memory().patterns();
        let damage = damage(args.model.corruption.as_ref(), images, patterns)?;
        let chosen = choosing::chosen(patterns, &damage, args.stage1.seed, &console)?;
        choice = Some(chosen.decision.clone());
        saved = saved.with_model(chosen.model)?.with_decision(chosen.decision);
        if let Some(learning) = chosen.learning {
            saved = saved.with_learning(learning);
        }
    }
    let mut summary = None;
    if let Some(loss) = args.stage1.loss {
        let patterns = saved.memory().patterns();
        let damage = || damage(args.model.corruption.as_ref(), images, patterns);
        let learned = match loss {
            LossArg::Average => {
                separate(&args.stage1, SeparationLoss::average(), patterns, &console)?
            }
            LossArg::Max => separate(&args.stage1, SeparationLoss::max(), patterns, &console)?,
            LossArg::Whitening => whiten(&args.stage1, patterns, &damage()?, &console)?,
            LossArg::Denoising => denoise(&args.stage1, patterns, &damage()?, &console)?,
        };
        summary = Some(learned.summary);
        let model = saved.memory().model();
        let beta = args.model.beta.or(learned.beta).unwrap_or(model.beta());
        let model = Model::new(learned.similarity, model.separation(), beta)?;
        saved = saved.with_model(model)?.with_learning(learned.record);
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
            choice: choice.as_ref().map(choosing::Document::new),
            memory,
        });
    }
    let choice = choice.as_ref().map(choosing::table).unwrap_or_default();
    console.data(&format!("{choice}stored  {n_patterns} × {dim}\nmemory  {memory}\n"))
}

fn write<T: StoredTensor>(path: &Path, saved: &SavedMemory<T>) -> Result<(), Failure> {
    let bytes = saved.to_bytes()?;
    interrupt::hold();
    // Through the writer, which refuses while another program changes the same memory.
    Ok(Writer::create(path)?.compact(|file| file.write_all(&bytes))?)
}

/// That every option given is one of the loss.
fn check_options(args: &FitArgs) -> Result<(), Failure> {
    let Stage1Args {
        steps, batch, optimizer, rate, tolerance, features, keep_rows, lambda, ..
    } = args.stage1;
    let separation = [
        ("--tolerance", tolerance.is_some()),
        ("--features", features.is_some()),
        ("--keep-rows", keep_rows),
    ];
    let steps = [
        ("--steps", steps.is_some()),
        ("--batch", batch.is_some()),
        ("--optimizer", optimizer.is_some()),
        ("--rate", rate.is_some()),
    ];
    let lambda = [("--lambda", lambda.is_some())];
    let damage = [("a corruption", args.model.corruption.is_some())];
    let (name, alien) = match args.stage1.loss {
        None if args.auto => ("--auto", vec![&separation[..], &steps, &lambda]),
        None => return damage::must_be_of_a_channel(&args.model),
        Some(LossArg::Average) => ("the average loss", vec![&lambda[..], &damage]),
        Some(LossArg::Max) => ("the max loss", vec![&lambda[..], &damage]),
        Some(LossArg::Whitening) => ("whitening", vec![&separation[..], &steps]),
        Some(LossArg::Denoising) => ("denoising", vec![&separation[..], &lambda]),
    };
    match alien.into_iter().flatten().find(|(_, given)| *given) {
        None => Ok(()),
        Some((option, _)) => Err(Failure::user(format!("{option} has no meaning for {name}"))
            .hint("leave it out, or choose a loss that has it; `uhop fit --help` lists them")),
    }
}

/// Stage I by a separation loss.
fn separate<T: StoredTensor>(
    args: &Stage1Args,
    loss: SeparationLoss,
    patterns: &Patterns<T>,
    console: &Console,
) -> Result<Learned<T>, Failure> {
    let (n_patterns, dim) = (patterns.n_patterns(), patterns.dim());
    let is_average = loss == SeparationLoss::average();
    let (name, descent_rate) =
        if is_average { ("average", AVERAGE_LOSS_RATE) } else { ("max", MAX_LOSS_RATE) };
    let optimizer = match args.optimizer {
        None | Some(OptimizerArg::GradientDescent) => {
            Optimizer::gradient_descent(args.rate.unwrap_or(descent_rate))?
        }
        Some(OptimizerArg::Adam) => Optimizer::adam(args.rate.unwrap_or(ADAM_RATE))?,
    };
    let mut params = Params::new(loss, optimizer, args.steps.unwrap_or(SEPARATION_STEPS))?;
    if args.keep_rows {
        params = params.keep_rows();
    }
    if let Some(tolerance) = args.tolerance {
        params = params.with_tolerance(tolerance)?;
    }
    if let Some(size) = args.batch {
        params = params.with_batches(Batches::new(size, args.seed)?)?;
    } else if is_average && n_patterns >= MANY_PATTERNS {
        console.note(&format!(
            "hint: every step sees all pairs of {n_patterns} patterns; with --batch 1024 it sees a sample"
        ));
    }
    let start = LinearMap::random_normal(args.features.unwrap_or(dim), dim, args.seed)?;
    let (report, seconds) = separated(&format!("{name} loss"), patterns, start, &params, console)?;
    let (first_loss, last_loss) = first_and_last_loss(&report.losses, &report.held_out);
    let summary = Summary {
        loss: name,
        steps: report.steps,
        batch: args.batch,
        lambda: None,
        first_loss: Some(first_loss),
        last_loss: Some(last_loss),
        seconds,
    };
    let record = Learning::Separation {
        params,
        seed: Some(args.seed),
        losses: report.losses,
        held_out: report.held_out,
        stop: report.stop,
    };
    Ok(Learned { similarity: Similarity::Kernel(report.map), beta: None, record, summary })
}

/// Stage I in closed form, by the λ that is given, or the one that is best for damaged copies; β by them.
fn whiten<T: StoredTensor>(
    args: &Stage1Args,
    patterns: &Patterns<T>,
    damage: &Damage,
    console: &Console,
) -> Result<Learned<T>, Failure> {
    let started = Instant::now();
    let copies = copies(args, patterns, damage)?;
    let given = args.lambda.map(|lambda| [lambda]);
    let tried = given.as_ref().map_or(&stage1::RIDGES[..], |given| given);
    let chosen = stage1::choose_ridge(patterns, tried, &copies)?;
    let best = chosen.tried.iter().find(|(ridge, _)| *ridge == chosen.ridge);
    let best_are = if given.is_some() { "β" } else { "λ and β" };
    console.note(&format!(
        "whitening: λ = {:.3e}, β = {:.3e}; {best_are} by {} damaged copies ({})",
        chosen.ridge,
        chosen.beta,
        copies.sources().len(),
        damage.description(),
    ));
    interrupt::check()?;
    let summary = Summary {
        loss: "whitening",
        steps: 0,
        batch: None,
        lambda: Some(chosen.ridge),
        first_loss: None,
        last_loss: best.map(|(_, judgement)| judgement.loss),
        seconds: started.elapsed().as_secs_f64(),
    };
    let record = Learning::Whitening { ridge: chosen.ridge };
    let similarity = Similarity::Kernel(chosen.map);
    Ok(Learned { similarity, beta: Some(chosen.beta), record, summary })
}

/// Stage I by denoising, from distances or from whitening, whichever is better to begin with.
fn denoise<T: StoredTensor>(
    args: &Stage1Args,
    patterns: &Patterns<T>,
    damage: &Damage,
    console: &Console,
) -> Result<Learned<T>, Failure> {
    let started = Instant::now();
    let rate = args.rate.unwrap_or(DENOISING_RATE);
    let optimizer = match args.optimizer {
        Some(OptimizerArg::GradientDescent) => Optimizer::gradient_descent(rate)?,
        None | Some(OptimizerArg::Adam) => Optimizer::adam(rate)?,
    };
    let mut params = Denoising::new(optimizer, args.steps.unwrap_or(DENOISING_STEPS), args.seed)?;
    if let Some(n_queries) = args.batch {
        params = params.with_queries(n_queries)?;
    }
    let copies = copies(args, patterns, damage)?;
    let judge = |similarity: &Similarity<T>| copies.judge(patterns, similarity);
    let Start { map: start, ridge, judgement: first, .. } = Start::best(patterns, &copies)?;
    let name = if ridge.is_some() { "whitening" } else { "distances" };
    let report = denoised(patterns, start.clone(), &params, damage, console)?;
    let learned = Similarity::Asymmetric(report.map);
    let last = judge(&learned)?;
    // Where the start tells all copies apart, steps on so few mistakes may only do harm.
    let is_better = last.loss < first.loss;
    let (similarity, last) =
        if is_better { (learned, last) } else { (Similarity::Asymmetric(start), first) };
    let seconds = started.elapsed().as_secs_f64();
    console.note(&format!(
        "Stage I, denoising from {name}: {} steps, loss of held-out copies {:.3} → {:.3}, β = {:.3}, \
         {seconds:.1} s ({})",
        report.steps,
        first.loss,
        last.loss,
        last.beta,
        damage.description(),
    ));
    if !is_better {
        console.note(&format!(
            "no step made it better: the memory compares by {name}, as at the start"
        ));
    }
    let summary = Summary {
        loss: "denoising",
        steps: report.steps,
        batch: Some(params.n_queries()),
        lambda: None,
        first_loss: Some(first.loss),
        last_loss: Some(last.loss),
        seconds,
    };
    let record = Learning::Denoising { params, losses: report.losses, stop: report.stop };
    Ok(Learned { similarity, beta: Some(last.beta), record, summary })
}

/// Damaged copies to judge by, by a seed that no step of learning takes.
fn copies<T: StoredTensor>(
    args: &Stage1Args,
    patterns: &Patterns<T>,
    damage: &Damage,
) -> Result<Copies<T>, Failure> {
    Ok(Copies::draw(patterns, !args.seed, |rows, seed| damage.apply(rows, seed))?)
}
