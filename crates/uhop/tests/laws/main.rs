//! What must hold: laws on random input, equality with the slow reference, the golden vectors.

mod energy;
mod golden;
mod retrieval;
mod separation;
mod similarity;
mod stage1;
mod theory;
