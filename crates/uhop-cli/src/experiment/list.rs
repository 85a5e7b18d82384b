//! `uhop experiment list`: what can be run.

use serde::Serialize;
use uhop_lab::Spec;

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
    seeds: usize,
}

pub(crate) fn run(args: &ExperimentListArgs) -> Result<(), Failure> {
    let specs: Result<Vec<Spec>, _> = Spec::names().map(Spec::shipped).collect();
    let specs = specs.map_err(|error| Failure::from(error).ours())?;
    let console = Console::new(args.output_args);
    if args.output_args.json {
        let rows = specs
            .into_iter()
            .map(|spec| Entry {
                name: spec.name,
                title: spec.title,
                n_patterns: spec.n_patterns,
                seeds: spec.seeds,
            })
            .collect();
        let version = env!("CARGO_PKG_VERSION");
        return console.json(&Document { command: "experiment list", version, rows });
    }
    let width = specs.iter().map(|spec| spec.name.len()).max().unwrap_or(0);
    let lines: String =
        specs.iter().map(|spec| format!("{:width$}  {}\n", spec.name, spec.title)).collect();
    console.data(&lines)
}
