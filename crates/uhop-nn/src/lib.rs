//! Hopfield layers for [burn](https://burn.dev): any separation, a feature map, a separation loss.
//!
//! | layer | states | stored patterns |
//! |---|---|---|
//! | [`Hopfield`] | given | given |
//! | [`HopfieldPooling`] | learned | given: a bag is read out |
//! | [`HopfieldLayer`] | given | learned: a lookup |
//!
//! Each is `config → init → forward`; configurations are serialisable, and what has no meaning is an
//! [`Error`] of one line. Rows are patterns, `[batch, n, dim]`; in every mask `true` is what is left
//! out. The [`guide`] goes from the paper's Algorithm 2 to code, and from each argument of
//! `hopfield-layers` to its place here or to why it has none.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use uhop_nn::{
//!     FeatureMapConfig, HopfieldConfig, HopfieldInput, SeparationConfig, SeparationLoss,
//! };
//!
//! let device = Device::flex().autodiff();
//! let layer = HopfieldConfig::new(16)
//!     .with_heads(4)
//!     .with_separation(SeparationConfig::LearnedEntmax { alpha: 1.5 })
//!     .with_feature_map(FeatureMapConfig::default())
//!     .init(&device)?;
//! let tokens = Tensor::random([2, 9, 16], burn::tensor::Distribution::Default, &device);
//! let output = layer.forward(HopfieldInput::among(tokens.clone()))?;
//! let separation = layer.separation_loss(tokens, None, &SeparationLoss::average())?;
//! let gradients = (output.readout.square().mean() + separation * 0.1).backward();
//! let map = layer.feature_map.as_ref().map(|map| map.weight.val());
//! assert!(map.is_some_and(|map| map.grad(&gradients).is_some()));
//! # Ok::<(), uhop_nn::Error>(())
//! ```
//!
//! Layers run on any backend of burn; this crate's features `cuda` and `wgpu` add those. On the CPU, in
//! `f32` and `f64`, weights are computed by one operation with a gradient of its own
//! ([`Separator::forward`]), elsewhere composed of tensor operations ([`Separator::composed`]).

mod config;
mod error;
mod feature_map;
mod flex;
mod heads;
mod hopfield;
mod lookup;
mod normalization;
mod pooling;
mod separation;
mod separation_loss;
pub mod train;
pub mod vision;

#[doc = include_str!("../../../docs/layers.md")]
pub mod guide {}

pub use burn;

pub use config::{
    AssociationConfig, Beta, DynamicsConfig, HopfieldConfig, Normalization, NormalizationConfig,
    Projection, ProjectionConfig, ValueProjection,
};
pub use error::{Error, Result};
pub use feature_map::{FeatureMap, FeatureMapConfig, Span};
pub use hopfield::{Hopfield, HopfieldInput, HopfieldOutput};
pub use lookup::{HopfieldLayer, HopfieldLayerConfig, HopfieldLayerInput, LookupValues};
pub use normalization::Norm;
pub use pooling::{
    HopfieldPooling, HopfieldPoolingConfig, HopfieldPoolingInput, HopfieldPoolingOutput,
};
pub use separation::{SeparationConfig, Separator};
pub use separation_loss::{Features, Over, SeparationLoss};
