//! Hostile files: an error of one line, and no more memory than the module of the format promises.
//!
//! The files are in `tests/corpus/<format>`; those with a name from `files.rs` are made there. The
//! tests count every allocation of this process, so they run one after the other.

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod files;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod readers;

use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;
