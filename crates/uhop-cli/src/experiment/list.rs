//! `uhop experiment list`: what can be run.

use serde::Serialize;
use uhop_lab::{Spec, basins, capacity, classification, contribution, metastable};

use crate::args::ExperimentListArgs;
use crate::console::Console;
use crate::failure::Failure;

/// What docs/json.md describes.
#[derive(Serialize)]
struct Document {
    command: &'static str,
    version: &'static str,
    rows: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    name: String,
    title: String,
    n_patterns: Vec<usize>,
    seeds: Option<usize>,
}

pub(crate) fn run(args: &ExperimentListArgs) -> Result<(), Failure> {
    let rows = entries().map_err(|error| Failure::from(error).ours())?;
    let console = Console::new(args.output_args);
    if args.output_args.json {
        let version = env!("CARGO_PKG_VERSION");
        return console.json(&Document { command: "experiment list", version, rows });
    }
    let width = rows.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    let lines: String =
        rows.iter().map(|entry| format!("{:width$}  {}\n", entry.name, entry.title)).collect();
    console.data(&lines)
}

fn entries() -> uhop_lab::Result<Vec<Entry>> {
    let recall = Spec::names().map(|name| {
        let Spec { name, title, n_patterns, seeds, .. } = Spec::shipped(name)?;
        Ok(Entry { name, title, n_patterns, seeds: Some(seeds) })
    });
    let mut entries: Vec<Entry> = recall.collect::<uhop_lab::Result<_>>()?;
    let metastable::Spec { name, title, n_patterns, .. } = metastable::Spec::shipped()?;
    entries.push(Entry { name, title, n_patterns: vec![n_patterns], seeds: None });
    let basins::Spec { name, title, patterns, .. } = basins::Spec::shipped()?;
    entries.push(Entry { name, title, n_patterns: vec![patterns.len()], seeds: None });
    let contribution::Spec { name, title, n_patterns, seeds, .. } = contribution::Spec::shipped()?;
    entries.push(Entry { name, title, n_patterns, seeds: Some(seeds) });
    let capacity::Spec { name, title, limit, seeds, .. } = capacity::Spec::shipped()?;
    entries.push(Entry { name, title, n_patterns: vec![limit], seeds: Some(seeds) });
    for spec in [classification::Spec::classification()?, classification::Spec::convergence()?] {
        let classification::Spec { name, title, seeds, .. } = spec;
        entries.push(Entry { name, title, n_patterns: vec![], seeds: Some(seeds) });
    }
    Ok(entries)
}
