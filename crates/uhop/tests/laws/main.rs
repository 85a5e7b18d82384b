//! What must hold: laws on random input, equality with the slow reference, the golden vectors.

#![expect(clippy::unwrap_used, reason = "helpers of tests, which clippy does not see as tests")]

mod changes;
mod channel;
mod choice;
mod common;
mod denoising;
mod energy;
mod golden;
mod observed;
mod retrieval;
mod saved;
mod screened;
mod separation;
mod similarity;
mod stage1;
mod survey;
mod theory;
mod threads;
mod update;
mod whitening;
