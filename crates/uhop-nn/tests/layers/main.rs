//! The layers from outside, in `f64` on the CPU.

mod common;
mod errors;
mod golden;
mod gradients;
mod laws;
mod losses;
mod separations;
