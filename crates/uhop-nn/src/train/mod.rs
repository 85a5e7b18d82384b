//! Training of classifiers whose layers learn to separate: Algorithm 2 of U-Hop.
//!
//! An epoch is a number of inner steps, W ← W − rate·∇L on the
//! [separation loss](crate::SeparationLoss) of a batch, and then one pass over the samples on the task
//! loss, the cross-entropy, by Adam or AdamW. [`Stage1`] says how many inner steps there are and when.
//!
//! | Algorithm 2 | here |
//! | --- | --- |
//! | N_o outer steps on the task loss | [`TrainingConfig::epochs`] passes over the samples |
//! | N_i inner steps on the separation loss | [`Stage1::Alternating`] before each, or all first by [`Stage1::Before`] |
//!
//! # The same numbers again
//!
//! What a step does depends on the seed, the number of its epoch and its own number, never on the steps
//! before but through the model and its optimizer. So a run that was stopped, within an epoch or between
//! two, and goes on from its [checkpoint](Run::resume) ends with the bits of one that was not. On the CPU
//! they do not depend on the number of threads either: an entry of a product is summed by one thread.
//! Only [`Epoch::seconds`] differs.
//!
//! A layer with dropout draws from the one random generator that the backend has for the whole process.
//! It is seeded before each step and kept from other runs for its forward pass; code that draws beside
//! them changes their numbers.
//!
//! # Files
//!
//! A checkpoint is one file, replaced as a whole after each epoch and when the observer stops the run:
//! safetensors, with the state of the run as JSON in its metadata, under `uhop-training`, and the
//! parameters (`model`) and the moments of the optimizer (`optimizer`) as bytes in burn's own format. Of
//! these three, one after the other, `sha256` is the digest; checkpoints of earlier versions have none and are
//! read unchecked.

mod checkpoint;
mod classifier;
mod config;
mod device;
mod epoch;
mod error;
mod memory;
mod plan;
mod run;
mod samples;
pub(crate) mod seeds;

pub use classifier::Classifier;
pub use config::{
    Inner, MOST_EPOCHS, Moves, OptimizerConfig, Rule, Schedule, Stage1, TrainingConfig,
};
pub use device::DeviceName;
pub use epoch::{Epoch, Stage};
pub use error::{Error, Result};
pub use memory::keep_freed_memory;
pub use run::{Event, Observer, Outcome, Run, Step};
pub use samples::{ImageShape, Samples, Standardization};
