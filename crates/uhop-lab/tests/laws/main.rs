//! What holds of every experiment: the same rows whatever the jobs, nothing lost, nothing below the
//! Bayes limit, and each published defect doing what it is named for.

#![expect(clippy::unwrap_used, reason = "helpers of tests, which clippy does not see as tests")]

mod channel;
mod common;
mod files;
mod limit;
mod parts;
mod resumed;
mod runs;
mod specs;
