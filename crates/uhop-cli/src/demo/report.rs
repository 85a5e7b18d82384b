//! The demo's rows as text, CSV and JSON.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;
use uhop_data::Corruption;

use super::experiment::{RECALL_THRESHOLD, Recalled, Row};
use crate::failure::Failure;
use crate::tables;

const VERSION: &str = env!("CARGO_PKG_VERSION");
const DATA: &str = "MNIST, drawn from the first 1,000 test digits";

/// Everything that is reported.
pub(super) struct Demo<'a> {
    pub(super) memories: &'a [Recalled],
    pub(super) corruption: Corruption,
    pub(super) seed: u64,
    pub(super) table: &'a Path,
    pub(super) picture: &'a Path,
}

/// The tables, what they show, and where the files are.
pub(super) fn text(demo: &Demo<'_>) -> String {
    let mut text = format!(
        "Handwritten digits ({DATA}).\n\
         Each pixel of a query was removed with probability 1/2 ({corruption}).\n\
         One update step, seed {seed}, uhop {VERSION}. error: sum of squared pixel differences,\n\
         mean; recalled: share of digits with error ≤ {RECALL_THRESHOLD}; perplexity: effective \
         number of\npatterns recalled together, mean; Stage I: time to learn Φ; time: to recall all digits.\n",
        corruption = demo.corruption,
        seed = demo.seed,
    );
    for memory in demo.memories {
        let _ = write!(
            text,
            "\n{} digits of {} pixels stored\n{}\n",
            memory.n_patterns,
            memory.dim,
            rows_as_table(&memory.rows),
        );
        if let Some(reading) = reading(&memory.rows) {
            let _ = writeln!(text, "{reading}");
        }
    }
    let (table, picture) = (demo.table.display(), demo.picture.display());
    let _ = write!(text, "\ntable    {table}\npicture  {picture}\n");
    text
}

fn rows_as_table(rows: &[Row]) -> String {
    let absent = || "–".to_owned();
    let mut table = tables::ruled();
    table.set_header(["model", "β", "error", "recalled", "perplexity", "Stage I", "time"]);
    for row in rows {
        table.add_row([
            row.model.to_owned(),
            row.beta.map_or_else(absent, |beta| beta.to_string()),
            format!("{:.3}", row.error),
            format!("{:.1} %", 100.0 * row.recall_rate),
            row.perplexity.map_or_else(absent, |number| format!("{number:.1}")),
            row.stage1_seconds.map_or_else(absent, |seconds| format!("{seconds:.1} s")),
            row.retrieve_seconds.map_or_else(absent, |s| format!("{:.1} ms", 1e3 * s)),
        ]);
    }
    tables::right_aligned(table)
}

/// What the rows say about the two questions of the demo: what learning Φ buys over the dot
/// product, and whether a distance would have done.
fn reading(rows: &[Row]) -> Option<String> {
    let error = |name: &str| rows.iter().find(|row| row.model == name).map(|row| row.error);
    let (uhop, dense, euclidean) = (error("U-Hop dense")?, error("dense")?, error("euclidean")?);
    let times = |of: f64, to: f64| match (of > 0.0, to > 0.0) {
        (true, true) => format!("{:.2} times that", of / to),
        (true, false) => "more than that".to_owned(),
        (false, true) => "0 times that".to_owned(),
        (false, false) => "0, as is that".to_owned(),
    };
    Some(format!(
        "The error of U-Hop dense is {} of dense. The error of euclidean, which\n\
         learns nothing, is {} of U-Hop dense.",
        times(uhop, dense),
        times(euclidean, uhop),
    ))
}

/// One line of demo.csv; also one element of the JSON.
#[derive(Serialize)]
struct Record {
    n_patterns: usize,
    dim: usize,
    model: &'static str,
    beta: Option<f64>,
    error: f64,
    recall_rate: f64,
    support_size: Option<f64>,
    perplexity: Option<f64>,
    stage1_seconds: Option<f64>,
    retrieve_seconds: Option<f64>,
    seed: u64,
    version: &'static str,
}

fn records(demo: &Demo<'_>) -> impl Iterator<Item = Record> {
    let seed = demo.seed;
    demo.memories.iter().flat_map(move |memory| {
        memory.rows.iter().map(move |row| Record {
            n_patterns: memory.n_patterns,
            dim: memory.dim,
            model: row.model,
            beta: row.beta,
            error: row.error,
            recall_rate: row.recall_rate,
            support_size: row.support_size,
            perplexity: row.perplexity,
            stage1_seconds: row.stage1_seconds,
            retrieve_seconds: row.retrieve_seconds,
            seed,
            version: VERSION,
        })
    })
}

pub(super) fn csv(demo: &Demo<'_>) -> Result<Vec<u8>, Failure> {
    let ours = |error: &dyn std::fmt::Display| Failure::Ours { message: format!("csv: {error}") };
    let mut writer = csv::Writer::from_writer(Vec::new());
    for record in records(demo) {
        writer.serialize(record).map_err(|error| ours(&error))?;
    }
    writer.into_inner().map_err(|error| ours(&error))
}

/// What docs/json.md describes.
#[derive(Serialize)]
struct Document {
    command: &'static str,
    version: &'static str,
    seed: u64,
    data: &'static str,
    corruption: String,
    max_steps: usize,
    recall_threshold: f64,
    rows: Vec<Record>,
    table: String,
    picture: String,
}

pub(super) fn json(demo: &Demo<'_>) -> impl Serialize {
    Document {
        command: "demo",
        version: VERSION,
        seed: demo.seed,
        data: DATA,
        corruption: demo.corruption.to_string(),
        max_steps: 1,
        recall_threshold: RECALL_THRESHOLD,
        rows: records(demo).collect(),
        table: demo.table.display().to_string(),
        picture: demo.picture.display().to_string(),
    }
}
