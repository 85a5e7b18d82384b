//! `uhop train classify`: image classifiers of Hopfield layers.

use std::collections::HashSet;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use comfy_table::Table;
use serde::Serialize;
#[cfg(feature = "hub")]
use uhop_data::datasets::Split;
use uhop_lab::classification::{self, Data, Limits, Line, MeanSpread, Row, Setup};
use uhop_nn::train::{Event, ImageShape, Rule};
use uhop_nn::vision::{BodyConfig, Contender, Preset, Task, Trained};

use crate::args::{PresetArg, TrainClassifyArgs, TrainOptimizerArg};
use crate::console::Console;
#[cfg(feature = "hub")]
use crate::experiment::fetch;
use crate::failure::Failure;
use crate::interrupt;
use crate::tables;
use crate::words::counted;

use super::live::Training;

/// What docs/json.md describes.
#[derive(Serialize)]
struct Document {
    command: &'static str,
    version: &'static str,
    data: String,
    provenance: String,
    setup: String,
    csv: String,
    parquet: String,
    rows: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    model: String,
    seeds: usize,
    epochs: u64,
    parameters: u64,
    task_updates: u64,
    separation_updates: u64,
    separation_loss: Option<Mean>,
    best_train_accuracy: Mean,
    best_test_accuracy: Mean,
    last_test_accuracy: Mean,
    seconds: f64,
}

/// In percent where it is an accuracy.
#[derive(Serialize)]
struct Mean {
    mean: f64,
    deviation: Option<f64>,
}

impl From<MeanSpread> for Mean {
    fn from(MeanSpread { mean, deviation }: MeanSpread) -> Self {
        Self { mean, deviation }
    }
}

const LEFT: &str = "what was learned is kept, and the same command with --resume goes on from it";

pub(crate) fn run(args: &TrainClassifyArgs) -> Result<(), Failure> {
    let console = Console::new(args.output_args);
    let setup = setup(args)?;
    // What cannot be trained, or not here, is said before gigabytes are read.
    setup.check()?;
    if let Some((key, why)) = setup.unused() {
        return Err(Failure::user(format!("--{}: {why}", key.replace('_', "-"))));
    }
    must_suit_the_heads(&setup)?;
    setup.device.open()?;
    let paths = checkpoints(args)?;
    let data = data(args, &console)?;
    console.note(&format!("{}: {}", data.name(), data.provenance()));
    fs::create_dir_all(&args.out).map_err(|error| Failure::unwritable(&args.out, &error))?;
    let (name, hash) = data.id();
    let identity = format!("{name} {hash}");
    let mut rows = Vec::new();
    interrupt::hold();
    for (contender, seed, path) in &paths {
        let task = Task {
            train: data.train(),
            test: data.test(),
            seed: *seed,
            device: setup.device,
            checkpoint: Some(path),
            data: &identity,
        };
        let trained = trained(args, &setup, *contender, &task, &console)?;
        rows.extend(classification::rows(&data, &setup.name(), *contender, *seed, &trained));
        if !rows.is_empty() {
            classification::write(&args.out, &rows)?;
        }
        interrupt::check_leaving(LEFT)?;
    }
    let (csv, parquet) = classification::write(&args.out, &rows)?;
    say(args, &setup, &data, &rows, (&csv, &parquet))
}

/// One model and one seed, from the start or from a checkpoint.
fn trained(
    args: &TrainClassifyArgs,
    setup: &Setup,
    contender: Contender,
    task: &Task<'_>,
    console: &Console,
) -> Result<Trained, Failure> {
    let shape = task.train.shape();
    let classification = setup.classification(contender, shape, task.train.n_classes());
    let label = format!("{contender}, seed {}", task.seed);
    let mut live = Training::new(console, &label);
    let mut observer = |event: Event<'_>| {
        match event {
            Event::Step(step) => live.step(&step),
            Event::Epoch(epoch) => live.epoch(epoch),
        }
        if interrupt::check().is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let is_there = task.checkpoint.is_some_and(Path::exists);
    let trained = if args.resume && is_there {
        classification.resume(task, &mut observer)
    } else {
        classification.start(task, &mut observer)
    };
    live.finish();
    trained.map_err(|error| {
        let lost = error.is_not_finite() && is_there;
        Failure::from(error).hint_if(lost, "the checkpoint is of the last epoch before it")
    })
}

fn say(
    args: &TrainClassifyArgs,
    setup: &Setup,
    data: &Data,
    rows: &[Row],
    (csv, parquet): (&Path, &Path),
) -> Result<(), Failure> {
    let console = Console::new(args.output_args);
    let lines = classification::lines(rows);
    let (csv, parquet) = (csv.display().to_string(), parquet.display().to_string());
    if !args.output_args.json {
        let files = format!("rows         {csv}, {parquet}: {} epochs\n", rows.len());
        let checkpoints = format!("checkpoints  {}\n", args.out.join("*.checkpoint").display());
        return console.data(&format!("{}\n\n{files}{checkpoints}", table(&lines)));
    }
    let entry = |line: Line| Entry {
        model: line.contender,
        seeds: line.seeds,
        epochs: line.epochs,
        parameters: line.n_parameters,
        task_updates: line.updates.0,
        separation_updates: line.updates.1,
        separation_loss: line.separation_loss.map(Mean::from),
        best_train_accuracy: line.best_train.into(),
        best_test_accuracy: line.best_test.into(),
        last_test_accuracy: line.last_test.into(),
        seconds: line.seconds.mean,
    };
    console.json(&Document {
        command: "train classify",
        version: env!("CARGO_PKG_VERSION"),
        data: data.name().to_owned(),
        provenance: data.provenance().to_owned(),
        setup: setup.name(),
        csv,
        parquet,
        rows: lines.into_iter().map(entry).collect(),
    })
}

/// Accuracies in percent, mean and standard deviation over the seeds.
pub(crate) fn table(lines: &[Line]) -> Table {
    let mut table = tables::ruled();
    table.set_header([
        "setup",
        "model",
        "seeds",
        "parameters",
        "train, best %",
        "test, best %",
        "test, last %",
        "minutes a seed",
    ]);
    for line in lines {
        table.add_row(classification::shown(line));
    }
    table
}

fn setup(args: &TrainClassifyArgs) -> Result<Setup, Failure> {
    let preset = match args.preset {
        Some(PresetArg::Published) => Preset::Published,
        Some(PresetArg::Fair) => Preset::Fair,
        Some(PresetArg::Small) => Preset::Small,
        None if args.data.is_none() => Preset::Small,
        None => Preset::Fair,
    };
    let [epochs, stage1_epochs, dim, patch_size, n_train, n_test] = [
        args.epochs,
        args.stage1_epochs,
        args.dim,
        args.patch_size,
        args.train_images,
        args.test_images,
    ]
    .map(|n| n.map(std::num::NonZeroUsize::get));
    let of_preset = Setup::of(preset, args.model.clone());
    let (optimizer, rate, device) = (optimizer(args)?, args.rate, args.device);
    let sizes = Setup { epochs, stage1_epochs, dim, patch_size, n_train, n_test, ..of_preset };
    Ok(Setup { optimizer, rate, stage1_rate: args.stage1_rate, device, ..sizes })
}

/// The width must be a multiple of the number of heads, which no option sets.
fn must_suit_the_heads(setup: &Setup) -> Result<(), Failure> {
    // Neither depends on the images.
    let image = ImageShape { height: 32, width: 32, channels: 3 };
    for &contender in &setup.contenders {
        let model = setup.classification(contender, image, 10).model;
        let BodyConfig::Blocks { hopfield, .. } = &model.body else { continue };
        let n_heads = hopfield.projection.n_heads;
        if !model.dim.is_multiple_of(n_heads) {
            let message = format!(
                "--dim {}: expected a multiple of {n_heads}, the number of heads",
                model.dim
            );
            let near = model.dim.next_multiple_of(n_heads);
            let hint = format!("give --dim {near} or another multiple");
            return Err(Failure::user(message).hint(&hint));
        }
    }
    Ok(())
}

fn optimizer(args: &TrainClassifyArgs) -> Result<Option<Rule>, Failure> {
    match (args.optimizer, args.weight_decay) {
        (None, None) => Ok(None),
        (Some(TrainOptimizerArg::Adam), None) => Ok(Some(Rule::Adam)),
        (Some(TrainOptimizerArg::Adamw), decay) => {
            Ok(Some(Rule::AdamW { weight_decay: decay.unwrap_or(0.01) }))
        }
        (_, Some(_)) => {
            let message = "--weight-decay means nothing to adam".to_owned();
            Err(Failure::user(message).hint("add --optimizer adamw"))
        }
    }
}

fn data(args: &TrainClassifyArgs, console: &Console) -> Result<Data, Failure> {
    let data = loaded(args, console)?;
    let (n_train, n_test) = (data.train().len(), data.test().len());
    for (option, asked, there, purpose) in [
        ("--train-images", args.train_images, n_train, "to learn from"),
        ("--test-images", args.test_images, n_test, "to test on"),
    ] {
        if let Some(asked) = asked.filter(|n| n.get() > there) {
            let images = counted(there, "image");
            let message = format!("{option} {asked}: {} has {images} {purpose}", data.name());
            return Err(Failure::user(message).hint("ask for no more, or leave it out for all"));
        }
    }
    Ok(data)
}

fn loaded(args: &TrainClassifyArgs, console: &Console) -> Result<Data, Failure> {
    let [train, test] = [args.train_images, args.test_images].map(|n| n.map(|n| n.get()));
    let limits = Limits { train, test };
    let Some(dataset) = args.data else {
        let sample = Data::sample();
        return Ok(if limits == Limits::default() { sample } else { sample.first(limits)? });
    };
    #[cfg(feature = "hub")]
    if args.fetch {
        let folder = fetch::folder(dataset, &[Split::Train, Split::Test], console)?;
        return Ok(Data::load(&folder, dataset, limits)?);
    }
    #[cfg(not(feature = "hub"))]
    let _ = console;
    let Some(folder) = &args.data_dir else {
        let message = format!("--data {dataset} without a folder that it is in");
        return Err(Failure::user(message).hint("give the folder with --data-dir DIR"));
    };
    Ok(Data::load(folder, dataset, limits)?)
}

/// A checkpoint for each model and seed; without --resume none of them may be there.
fn checkpoints(args: &TrainClassifyArgs) -> Result<Vec<(Contender, u64, PathBuf)>, Failure> {
    let of = |(contender, seed): (Contender, u64)| {
        (contender, seed, args.out.join(format!("{contender}-seed-{seed}.checkpoint")))
    };
    let mut models: Vec<Contender> = Vec::new();
    for &contender in &args.model {
        if !models.contains(&contender) {
            models.push(contender);
        }
    }
    let seeds = || 0..args.seeds as u64;
    let all = models.into_iter().flat_map(|model| seeds().map(move |seed| (model, seed)));
    let all: Vec<_> = all.map(of).collect();
    let journal = args.out.join("rows.jsonl");
    if journal.exists() {
        let message = format!("{} is of an experiment", journal.display());
        return Err(Failure::user(message).hint("choose another folder with --out DIR"));
    }
    if let Some((_, _, path)) = all.iter().find(|(_, _, path)| !args.resume && path.exists()) {
        let message = format!("{} is there already", path.display());
        let hint = "add --resume to go on from it, or choose another folder with --out DIR";
        return Err(Failure::user(message).hint(hint));
    }
    keep_rows(args, &all)?;
    Ok(all)
}

/// Refuses a folder with rows that this training would replace and not write again.
fn keep_rows(args: &TrainClassifyArgs, all: &[(Contender, u64, PathBuf)]) -> Result<(), Failure> {
    let path = args.out.join("rows.csv");
    if !path.exists() {
        return Ok(());
    }
    let own: HashSet<_> = all.iter().map(|(model, seed, _)| (model.to_string(), *seed)).collect();
    let (message, hint) = match trainings(&path) {
        Some(there) if args.resume => match there.into_iter().find(|one| !own.contains(one)) {
            None => return Ok(()),
            Some((model, seed)) => (
                format!(
                    "{} has rows of {model}, seed {seed}, which are not asked for",
                    path.display()
                ),
                "name all models and seeds that it has, or choose another folder with --out DIR",
            ),
        },
        Some(there) if !there.is_empty() && there.iter().all(|one| own.contains(one)) => (
            format!(
                "{} is there already, of these models and seeds, without their checkpoints",
                path.display()
            ),
            "choose another folder with --out DIR, or remove it to train anew",
        ),
        Some(_) => (
            format!("{} is there already, of another training", path.display()),
            "choose another folder with --out DIR",
        ),
        None => (
            format!("{} is there already, and not of a training", path.display()),
            "choose another folder with --out DIR",
        ),
    };
    Err(Failure::user(message).hint(hint))
}

/// The models and seeds that the rows of a file are of, if they are of trainings.
fn trainings(path: &Path) -> Option<Vec<(String, u64)>> {
    let mut reader = csv::Reader::from_path(path).ok()?;
    let header = reader.headers().ok()?.clone();
    let column = |name| header.iter().position(|column| column == name);
    let (model, seed) = (column("contender")?, column("seed")?);
    let of = |record: csv::Result<csv::StringRecord>| {
        let record = record.ok()?;
        Some((record.get(model)?.to_owned(), record.get(seed)?.parse().ok()?))
    };
    reader.records().map(of).collect()
}
