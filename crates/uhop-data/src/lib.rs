//! Files to patterns for `uhop` and back, seeded corruption of queries, a sample of real digits.
//!
//! Patterns are rows: everything here reads or returns a row-major [`ndarray::Array2`] with shape
//! `[n_patterns, dim]`, of f32 or, in a [`Matrix`], of the precision of its file. The crate does not
//! depend on the memory itself; an array is all they share.
//!
//! # Quick example
//!
//! ```
//! use uhop_data::{Corruption, sample};
//!
//! // 1,000 digits of 28 x 28 pixels in [0, 1].
//! let digits = sample::digits();
//! let patterns = digits.images().patterns();
//! assert_eq!(patterns.dim(), (1000, 784));
//!
//! // One query per pattern: about half of its pixels set to 0, the others doubled.
//! let queries = Corruption::half_mask().apply(patterns, 42)?;
//! assert_eq!(queries.dim(), patterns.dim());
//! assert!(queries.iter().zip(patterns).all(|(&q, &x)| q == 0.0 || q == 2.0 * x));
//! # Ok::<(), uhop_data::Error>(())
//! ```
//!
//! # Contents
//!
//! - [`Kind`] tells files apart by their names, and reads and writes a [`Matrix`] from and to each:
//!   [`npy`], [`npz`], [`safetensors`], [`csv`], [`idx`], [`parquet`] (read only) and
//!   [`image_folder`].
//! - [`Rows`] and [`RowSink`], from [`Kind::open`] and [`Kind::create`], do so in batches of rows, for
//!   files larger than memory; [`npy::RowReader`] and [`npy::RowWriter`] also for streams.
//! - [`OutputFile`] is a file that appears under its name only when complete.
//! - [`idx`] reads and writes IDX files, the format of MNIST, plain or gzip-compressed:
//!   [`idx::read_images`], [`idx::read_labels`], and [`idx::read`] for everything else the format can
//!   hold.
//! - [`Images`] are greyscale images as patterns, with their height and width.
//! - [`Corruption`] makes corrupted queries from patterns, reproducibly from a seed; [`CorruptionMix`]
//!   does so where it is not known which.
//! - [`datasets`] knows MNIST, CIFAR-10, CIFAR-100 and Tiny ImageNet: labelled images from a folder with
//!   their files, and what this copy of them is.
//! - `hub`, with the feature of that name, fetches the files of these data sets.
//! - [`sample::digits`] is a built-in sample of MNIST, for examples and tests.
//! - [`store`] writes files that survive crashes: atomic replacement, a lock, a journal of changes.
//! - [`Error`] tells unreadable files, wrong files and wrong arguments apart.

mod array;
mod bytes;
mod corruption;
pub mod csv;
pub mod datasets;
mod error;
#[cfg(feature = "hub")]
pub mod hub;
pub mod idx;
pub mod image_folder;
mod images;
mod kind;
mod matrix;
pub mod npy;
pub mod npz;
mod output;
pub mod parquet;
mod row_sink;
mod rows;
pub mod safetensors;
pub mod sample;
pub mod store;

pub use corruption::{Corruption, CorruptionMix, Damage};
pub use error::{Error, Result};
pub use images::Images;
pub use kind::{Kind, ReadOptions, WriteOptions};
pub use matrix::{Element, Matrix};
pub use output::OutputFile;
pub use row_sink::RowSink;
pub use rows::Rows;
