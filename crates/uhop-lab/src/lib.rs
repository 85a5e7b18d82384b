//! Experiments on associative memory: typed specifications to rows, rows to reports.

pub mod report;
