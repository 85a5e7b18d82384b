//! One epoch of one training as a row.

use std::path::{Path, PathBuf};

use parquet::basic::Repetition;
use serde::{Deserialize, Serialize};
use uhop_nn::train::Epoch;
use uhop_nn::vision::{Contender, Trained};

use super::data::Data;
use crate::error::Result;
use crate::rows::{Column, OPTIONAL, REQUIRED, Record};
use crate::written::Folder;

/// One epoch of one training. The order of the fields is that of the columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Row {
    /// Name of the data set.
    pub dataset: String,
    /// Where the images come from.
    pub provenance: String,
    /// What was trained how: a preset, with what differs from it.
    pub setup: String,
    /// Name of the model.
    pub contender: String,
    /// Seed of parameters, order of the samples and dropout.
    pub seed: u64,
    /// Samples learned from.
    pub n_train: u64,
    /// Samples tested on.
    pub n_test: u64,
    /// Parameters that training moved.
    pub n_parameters: u64,
    /// `separation` for Stage I before the training, else `task`.
    pub stage: String,
    /// Number of the epoch within the stage, from 1.
    pub epoch: u64,
    /// Separation loss before the inner steps, their mean.
    pub separation_loss: Option<f64>,
    /// Cross-entropy of the training samples, each before the step that it is in.
    pub train_loss: Option<f64>,
    /// Share of them classified correctly, likewise.
    pub train_accuracy: Option<f64>,
    /// Cross-entropy of the test samples after the epoch.
    pub test_loss: Option<f64>,
    /// Share of them classified correctly.
    pub test_accuracy: Option<f64>,
    /// Rate of the optimizer, or of inner steps where there are only these.
    pub rate: f64,
    /// Steps on the task loss so far.
    pub task_updates: u64,
    /// Steps on the separation loss so far.
    pub separation_updates: u64,
    /// Time the epoch took. The only column that differs between runs.
    pub seconds: f64,
}

impl Record for Row {
    const COLUMNS: &'static [(Column<Self>, Repetition)] = {
        use Column::{Count, Number, Text};
        &[
            (Text("dataset", |row| &row.dataset), REQUIRED),
            (Text("provenance", |row| &row.provenance), REQUIRED),
            (Text("setup", |row| &row.setup), REQUIRED),
            (Text("contender", |row| &row.contender), REQUIRED),
            (Count("seed", |row| Some(row.seed)), REQUIRED),
            (Count("n_train", |row| Some(row.n_train)), REQUIRED),
            (Count("n_test", |row| Some(row.n_test)), REQUIRED),
            (Count("n_parameters", |row| Some(row.n_parameters)), REQUIRED),
            (Text("stage", |row| &row.stage), REQUIRED),
            (Count("epoch", |row| Some(row.epoch)), REQUIRED),
            (Number("separation_loss", |row| row.separation_loss), OPTIONAL),
            (Number("train_loss", |row| row.train_loss), OPTIONAL),
            (Number("train_accuracy", |row| row.train_accuracy), OPTIONAL),
            (Number("test_loss", |row| row.test_loss), OPTIONAL),
            (Number("test_accuracy", |row| row.test_accuracy), OPTIONAL),
            (Number("rate", |row| Some(row.rate)), REQUIRED),
            (Count("task_updates", |row| Some(row.task_updates)), REQUIRED),
            (Count("separation_updates", |row| Some(row.separation_updates)), REQUIRED),
            (Number("seconds", |row| Some(row.seconds)), REQUIRED),
        ]
    };
}

/// The rows of one training, one for each epoch.
pub fn rows(
    data: &Data,
    setup: &str,
    contender: Contender,
    seed: u64,
    trained: &Trained,
) -> Vec<Row> {
    let row = |epoch: &Epoch| Row {
        dataset: data.name().to_owned(),
        provenance: data.provenance().to_owned(),
        setup: setup.to_owned(),
        contender: contender.to_string(),
        seed,
        n_train: data.train().len() as u64,
        n_test: data.test().len() as u64,
        n_parameters: trained.n_parameters as u64,
        stage: epoch.stage.name().to_owned(),
        epoch: epoch.epoch as u64,
        separation_loss: epoch.separation_loss,
        train_loss: epoch.train_loss,
        train_accuracy: epoch.train_accuracy,
        test_loss: epoch.test_loss,
        test_accuracy: epoch.test_accuracy,
        rate: epoch.rate,
        task_updates: epoch.task_updates,
        separation_updates: epoch.separation_updates,
        seconds: epoch.seconds,
    };
    trained.epochs.iter().map(row).collect()
}

/// Writes rows.csv and rows.parquet to a folder, made if missing, each whole or not at all; returns their
/// paths.
///
/// # Errors
/// [`is_input`](crate::Error::is_input) when the folder cannot be written.
pub fn write(folder: &Path, rows: &[Row]) -> Result<(PathBuf, PathBuf)> {
    Folder::make(folder)?.write_rows(rows)
}
