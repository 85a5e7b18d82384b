//! Experiments on associative memory: typed specifications to rows, rows to reports.
//!
//! The lab draws memories from images, corrupts queries, and lets every contender recall them under
//! protocols that differ in named switches, beside the Bayes limit: the recall that no function of
//! memory and query can beat. Whatever the released retrieval code does otherwise than the paper
//! lives here, never in `uhop`.
//!
//! Data flows one way: [`Spec`] and [`DataSet`] → [`Run`] → [`Row`]s → [`report`].
//!
//! ```
//! use uhop_lab::{Contender, Spec};
//!
//! let spec = Spec::shipped("memory-size")?;
//! assert!(spec.contenders.contains(&Contender::UhopDenseMax));
//! let names: Vec<&str> = spec.protocol.iter().map(|protocol| protocol.name.as_str()).collect();
//! assert_eq!(names, ["published", "paper", "fair"]);
//! # Ok::<(), uhop_lab::Error>(())
//! ```

pub mod basins;
mod bayes;
pub mod capacity;
pub mod classification;
pub mod contribution;
mod data;
mod document;
mod error;
mod examples;
mod informed;
mod journal;
mod learned;
mod measure;
pub mod metastable;
mod recall;
pub mod report;
mod rows;
mod run;
mod seeds;
mod spec;
mod summary;
mod tasks;
mod written;

pub use bayes::Likelihood;
pub use data::DataSet;
pub use document::document;
pub use error::{Error, Result};
pub use measure::BAYES;
pub use rows::Row;
pub use run::{Finished, Run};
pub use spec::{
    Axis, Contender, CorruptionKind, CorruptionSpec, Defect, MOST_SEEDS, MOST_WIDTH, Protocol,
    Quick, Spec, Specification, Stage1, Tuning, specification,
};
pub use summary::{
    Cell, Correlation, Line, NEGLIGIBLE, Spread, Summary, correlations, short, summaries,
};
pub use tasks::{Observer, Progress};
pub use written::{RESULTS, Written};
