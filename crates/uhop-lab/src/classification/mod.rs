//! Image classification: what separation buys a classifier of Hopfield layers.
//!
//! ```
//! use std::num::NonZeroUsize;
//! use std::ops::ControlFlow;
//!
//! use uhop_lab::classification::{Data, Run, Setup, Spec, lines, table_document};
//! use uhop_lab::Specification as _;
//! use uhop_nn::vision::Preset;
//!
//! let mut spec = Spec::classification()?.quick();
//! let contenders = vec!["dense".parse().unwrap()];
//! let small = Setup { epochs: Some(1), dim: Some(16), ..Setup::of(Preset::Small, contenders) };
//! (spec.seeds, spec.setup) = (1, vec![small]);
//! # let folder = tempfile::tempdir().unwrap();
//! # let out = folder.path();
//! let data = [Data::sample()];
//! let run = Run { spec: &spec, data: &data, out, jobs: NonZeroUsize::MIN };
//! let written =
//!     run.run("uhop experiment run classification", table_document, &|_| ControlFlow::Continue(()))?;
//! // Ten classes.
//! assert!(lines(&written.found)[0].best_test.mean > 20.0);
//! # Ok::<(), uhop_lab::Error>(())
//! ```

mod data;
mod document;
pub mod published;
mod row;
mod spec;
mod summary;

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::Path;

use serde::{Deserialize, Serialize};
use uhop_nn::train::Event;
use uhop_nn::vision;

use crate::error::{Error, Result};
use crate::journal::Header;
use crate::report;
use crate::tasks::{GoOn, Observer, Task, Tasks};
use crate::written::{Folder, Written};
pub use data::{Data, Limits};
pub use document::{curves_document, shown, table_document};
pub use row::{Row, rows, write};
pub use spec::{Quick, Setup, Spec};
pub use summary::{Line, MeanSpread, lines};

/// The name of the experiment with the table of accuracies.
pub const CLASSIFICATION: &str = "classification";
/// The name of the experiment with the curves of learning.
pub const CONVERGENCE: &str = "convergence";

/// What to run, on what, and where its files go.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// The experiment.
    pub spec: &'a Spec,
    /// The data sets.
    pub data: &'a [Data],
    /// The folder for rows.csv, rows.parquet, rows.jsonl, report.html and the pictures, made if missing.
    pub out: &'a Path,
    /// Trainings worked on at once.
    pub jobs: NonZeroUsize,
}

/// Makes a report of what was found.
pub type MakeDocument = fn(&Spec, &[Data], &[Row], &str) -> report::Result<report::Document>;

/// One training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Training {
    dataset: String,
    setup: String,
    contender: vision::Contender,
    seed: u64,
    work: u64,
}

impl Task for Training {
    fn work(&self) -> u64 {
        self.work
    }
}

impl Run<'_> {
    /// Trains whatever the folder does not hold yet, and writes rows and report; `command` stands in the
    /// report.
    ///
    /// Goes on from the trainings that an earlier run has finished. The rows are in the order of the
    /// specification: data set, setup, model, seed, epoch.
    ///
    /// # Errors
    /// As [`Run::run`](crate::Run::run); [`is_input`](Error::is_input) when a setup does not fit the images or
    /// a loss became infinite or NaN.
    pub fn run(
        &self,
        command: &str,
        document: MakeDocument,
        observer: Observer<'_>,
    ) -> Result<Written<Row>> {
        let folder = Folder::make(self.out)?;
        let Self { spec, data, .. } = *self;
        let any_seeds = Spec { seeds: 0, ..spec.clone() };
        let header = Header::new(&spec.name, &any_seeds, data.iter().map(Data::id).collect());
        let mut all = Vec::new();
        for set in data {
            for setup in &spec.setup {
                for &contender in &setup.contenders {
                    for seed in 0..spec.seeds as u64 {
                        let (dataset, name) = (set.name().to_owned(), setup.name());
                        let work = work(set, setup, contender);
                        all.push(Training { dataset, setup: name, contender, seed, work });
                    }
                }
            }
        }
        let tasks = Tasks { folder: &folder, header, all, jobs: self.jobs };
        let measured = tasks.measure(|training, go_on| self.train(training, go_on), observer)?;
        let report = document(spec, data, &measured.found, command)?;
        Ok(folder.write(&measured.found, &report)?.of(measured))
    }

    fn train(&self, training: &Training, go_on: GoOn<'_>) -> Result<Vec<Row>> {
        let Training { dataset, setup, contender, seed, .. } = training;
        let set = self.data.iter().find(|set| set.name() == dataset);
        let of_setup = self.spec.setup.iter().find(|own| own.name() == *setup);
        let (set, setup) = set.zip(of_setup).expect("tasks are made of both");
        let set = used(set, setup)?;
        let classification =
            setup.classification(*contender, set.train().shape(), set.train().n_classes());
        let failed = |error| Error::training(format!("{contender}, seed {seed}"), error);
        let task = vision::Task {
            train: set.train(),
            test: set.test(),
            seed: *seed,
            device: setup.device,
            checkpoint: None,
            data: set.name(),
        };
        let mut observer = |event: Event<'_>| match event {
            Event::Step(step) if !go_on(step.done as f64 / step.all as f64) => {
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        };
        let trained = classification.start(&task, &mut observer).map_err(failed)?;
        match trained.finished {
            true => Ok(rows(&set, &setup.name(), *contender, *seed, &trained)),
            false => Err(Error::stopped(0, 0)),
        }
    }
}

/// As much of a data set as a setup uses.
fn used<'a>(set: &'a Data, setup: &Setup) -> Result<Cow<'a, Data>> {
    let limits = Limits { train: setup.n_train, test: setup.n_test };
    match limits == Limits::default() {
        true => Ok(Cow::Borrowed(set)),
        false => set.first(limits).map(Cow::Owned),
    }
}

/// Samples that a training passes over, times the patches of each.
fn work(set: &Data, setup: &Setup, contender: vision::Contender) -> u64 {
    let shape = set.train().shape();
    let classification = setup.classification(contender, shape, set.train().n_classes());
    let n = setup.n_train.map_or(set.train().len(), |limit| limit.min(set.train().len()));
    let passes = classification.training.n_passes();
    let patches = classification.model.n_patches().unwrap_or(1);
    (n * passes * patches) as u64
}
