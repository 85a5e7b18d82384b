//! Memory files whose checksums are right and whose content is anything.
//!
//! Mutation alone never gets past a SHA-256, so whoever forges a file can do what a fuzzer cannot.

#[path = "../../crates/uhop/tests/hostile/forged.rs"]
mod forged;

/// The file with every checksum made right, if it has the outer form of a memory file.
pub fn sealed(file: &[u8]) -> Option<Vec<u8>> {
    forged::sealed(file)
}
