//! Associative memory: store patterns, recall each from a damaged or partial copy.
//!
//! At its heart is U-Hop (Wu, Hu, Hsiao, Liu, "Uniform Memory Retrieval with Larger Capacity for
//! Modern Hopfield Models", ICML 2024). **Stage I** ([`stage1`]) learns a linear feature map
//! Φ(u) = Wu that drives the stored patterns apart. **Stage II** ([`Memory::retrieve`]) descends
//! the kernelised Hopfield energy by x ← Ξᵀ α-entmax(β·K(Ξ, x)). Around it stand the models it is
//! compared with.
//!
//! ```
//! use std::ops::ControlFlow;
//!
//! use ndarray::array;
//! use uhop::stage1::{Optimizer, Params, SeparationLoss, learn};
//! use uhop::{Dynamics, LinearMap, Memory, Model, Patterns};
//!
//! // Each pattern contains the one before, so the largest scores highest for every query.
//! let patterns = Patterns::new(array![
//!     [1.0, 1.0, 0.0, 0.0],
//!     [1.0, 1.0, 1.0, 0.0],
//!     [1.0, 1.0, 1.0, 1.0],
//! ])?;
//! let query = array![[0.9, 0.8, 0.1, 0.0]]; // the first pattern, damaged
//!
//! let dense = Memory::new(patterns.clone(), Model::dense(8.0)?)?;
//! assert!(dense.weights(query.view())?.weights[[0, 0]] < 0.2);
//!
//! // Stage I: a W that drives the three apart, until their features are 120 degrees apart.
//! let params = Params::new(SeparationLoss::average(), Optimizer::adam(0.05)?, 200)?;
//! let start = LinearMap::orthogonal(4, 4, 0)?;
//! let learned = learn(&patterns, start, &params, |_| ControlFlow::Continue(()))?;
//!
//! // Stage II: recall with the learned map.
//! let uhop = Memory::new(patterns, Model::dense(8.0)?.with_feature_map(learned.map))?;
//! assert!(uhop.weights(query.view())?.weights[[0, 0]] > 0.9);
//! let recalled = uhop.retrieve(query.view(), &Dynamics::one_step())?.retrieved;
//! assert!(recalled[[0, 2]] < 0.1 && recalled[[0, 3]] < 0.1);
//! # Ok::<(), uhop::Error>(())
//! ```
//!
//! # The parts
//! Data flows one way, one module a stage: patterns → similarity → separation → readout; the
//! dynamics repeats them.
//!
//! | part | type | what it is |
//! |---|---|---|
//! | patterns Ξ | [`Patterns`] | rows `[n_patterns, dim]`, checked once |
//! | similarity | [`Similarity`] | scores s, larger = closer |
//! | separation | [`Separation`] | weights p from β·s, on the simplex |
//! | readout | [`readout()`] | x⁺ = pᵀΞ, or pᵀV for other values |
//! | model | [`Model`] | similarity + separation + β; the named models are its constructors |
//! | memory | [`Memory`] | patterns + model: retrieve, weights, energy, theory |
//! | dynamics | [`Dynamics`] | one step, or until a tolerance |
//! | channel | [`Channel`] | what is known of a corruption: P(query \| pattern), entry by entry |
//! | feature map | [`LinearMap`] | Φ(u) = Wu; [`stage1::learn`] trains it |
//! | saved file | [`saved`] | a memory to bytes and back |
//! | metrics | [`metrics`] | how good a recall was |
//! | capacity | [`capacity`] | how many patterns theory promises |
//!
//! # Conventions
//! Rows are patterns; matrices are row-major [`ndarray`] arrays of `f32` or `f64`. Whatever has to
//! be finite, non-empty or of matching shape is checked where it enters, and refused with an
//! [`Error`] that names both shapes. Seeds are arguments. [`Threads`] bounds the threads that calls
//! use; results do not depend on their number.
//!
//! Sources are named where a formula stands; theorem and equation numbers only where they could be
//! confirmed.

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
mod readme {}

pub mod capacity;
mod channel;
mod choice;
mod dynamics;
mod energy;
mod error;
mod feature_map;
mod memory;
pub mod metrics;
mod model;
mod neighbours;
mod pairs;
mod patterns;
mod product;
mod readout;
pub mod reference;
pub mod saved;
mod scalar;
mod screen;
mod separation;
mod simd;
mod similarity;
pub mod stage1;
mod survey;
mod theory;
mod threads;
mod update;
mod vector_state;
mod wide;

pub use ndarray;

pub use channel::Channel;
pub use choice::{Candidate, Choice, Tried, choose};
pub use dynamics::{Dynamics, QueryReport, Retrieval, StopReason};
pub use error::{Error, Result};
pub use feature_map::{AsymmetricMap, LinearMap};
pub use memory::Memory;
pub use model::Model;
pub use pairs::Pair;
pub use patterns::Patterns;
pub use readout::readout;
pub use scalar::Scalar;
pub use separation::{Separation, Weights};
pub use similarity::{Keys, Similarity};
pub use survey::Survey;
pub use threads::Threads;
// For uhop-nn, which multiplies by the same kernels.
#[doc(hidden)]
pub use vector_state::clear as clear_vector_registers;
