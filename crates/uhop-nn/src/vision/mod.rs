//! ViH, an image classifier of Hopfield layers: as the released code of U-Hop has it, and so that separation can
//! matter.
//!
//! | preset | what the class token meets | Φ | separation loss |
//! | --- | --- | --- | --- |
//! | [`Published`](Preset::Published) | the patches, in one layer; CIFAR's only patch is the image | before W_Q and W_K | 50 passes before training, moves the embedding too |
//! | [`Fair`](Preset::Fair) | 64 patches and itself, in a transformer block | between projections and scores, as the layers of this crate have it | before each epoch, moves Φ alone |
//! | [`Small`](Preset::Small) | as `Fair`, 4 patches, narrow | as `Fair` | as `Fair` |
//!
//! # What the released code does
//!
//! - Weights over one pattern are 1 whatever the scores, so that on CIFAR, with its one patch, neither the
//!   separation nor Φ changes an output, and sparse models are dense ones. What differs between
//!   models with U-Hop and without is the value path, W_V y with it and W_V W_K y without, and the passes
//!   that move the embedding.
//! - Its sparse models use softmax; here sparse is sparsemax.
//! - It standardises the test images by statistics of their own; here by those of the training images.
//! - Dropout of the weights, 0.1, leaves out all of the image in one step of ten where there is one patch.
//!
//! # What is fair
//!
//! All models of a comparison have the same value path and as many updates: those without separation loss make
//! task steps where the others make inner ones ([`Stage1::Task`](crate::train::Stage1::Task)).
//! [`Contender`]s `map-…` have Φ, as many parameters as U-Hop, and no separation loss: what U-Hop has over
//! them is due to separation and to fewer task steps (which an inner rate of next to nothing tells apart), and what
//! they have over the plain ones is due to parameters.

mod classification;
mod contender;
mod initial;
mod preset;
mod vih;

pub use classification::{Classification, Task, Trained};
pub use contender::{Association, Contender, Map};
pub use preset::Preset;
pub use vih::{Block, Body, BodyConfig, ViH, ViHConfig};
