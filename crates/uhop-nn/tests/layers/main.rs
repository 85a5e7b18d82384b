//! The layers from outside, in `f64` on the CPU.

#![expect(clippy::unwrap_used, reason = "helpers of tests, which clippy does not see as tests")]

mod common;
mod errors;
mod golden;
mod gradients;
mod laws;
mod losses;
mod separations;
