//! What the benchmarks share: arrays to measure with, and the worker that other libraries are
//! compared with.

pub mod arrays;
pub mod worker;
