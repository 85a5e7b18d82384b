//! `uhop inspect`: what a memory file holds, and what the theory promises for it.

use std::fmt::Write as _;

use serde::Serialize;
use uhop::Similarity;
use uhop::saved::{AnyMemory, SavedMemory, StoredTensor};

use crate::args::InspectArgs;
use crate::console::Console;
use crate::failure::Failure;
use crate::input;

/// Bars of the histogram.
const BINS: usize = 10;
/// Characters of its longest bar.
const BAR: usize = 40;

pub(crate) fn run(args: &InspectArgs) -> Result<(), Failure> {
    let (document, separations) = match input::memory(&args.memory)? {
        AnyMemory::F32(saved) => describe(&saved)?,
        AnyMemory::F64(saved) => describe(&saved)?,
    };
    let console = Console::new(args.output_args);
    if args.output_args.json {
        return console.json(&document);
    }
    console.data(&text(&document, &separations))
}

/// What docs/json.md describes.
#[derive(Serialize)]
struct Document {
    command: &'static str,
    version: &'static str,
    n_patterns: usize,
    dim: usize,
    dim_out: usize,
    scalar: &'static str,
    similarity: &'static str,
    dim_features: Option<usize>,
    separation: String,
    beta: f64,
    has_ids: bool,
    stage1_steps: Option<usize>,
    last_loss: Option<f64>,
    smallest_separation: Option<f64>,
    median_separation: Option<f64>,
    largest_separation: Option<f64>,
    radius: Option<f64>,
    certified: Option<f64>,
}

/// The document, and the separations in ascending order.
fn describe<T: StoredTensor>(saved: &SavedMemory<T>) -> Result<(Document, Vec<f64>), Failure> {
    let memory = saved.memory();
    let model = memory.model();
    let mut separations = memory.separations()?.to_vec();
    separations.sort_by(f64::total_cmp);
    // A single pattern is infinitely far from every other; JSON has no infinity.
    let finite = |value: f64| value.is_finite().then_some(value);
    let at = |index: usize| separations.get(index).copied().and_then(finite);
    let certified = memory.certificates()?.map(|certificates| {
        certificates.iter().filter(|&&certified| certified).count() as f64
            / certificates.len() as f64
    });
    let learning = saved.learning();
    let document = Document {
        command: "inspect",
        version: env!("CARGO_PKG_VERSION"),
        n_patterns: memory.patterns().n_patterns(),
        dim: memory.patterns().dim(),
        dim_out: memory.values().dim(),
        scalar: T::NAME,
        similarity: model.similarity().name(),
        dim_features: match model.similarity() {
            Similarity::Kernel(map) => Some(map.dim_features()),
            _ => None,
        },
        separation: model.separation().to_string(),
        beta: model.beta(),
        has_ids: saved.ids().is_some(),
        stage1_steps: learning.map(|learning| learning.losses.len().saturating_sub(1)),
        last_loss: learning.and_then(|learning| learning.losses.last().copied()),
        smallest_separation: at(0),
        median_separation: at(separations.len() / 2),
        largest_separation: at(separations.len() - 1),
        radius: finite(memory.radius()),
        certified,
    };
    Ok((document, separations))
}

fn text(document: &Document, separations: &[f64]) -> String {
    let mut text = format!(
        "patterns     {} × {}, {}\n\
         model        {} similarity, {}, beta {}\n",
        document.n_patterns,
        document.dim,
        document.scalar,
        document.similarity,
        document.separation,
        document.beta,
    );
    if let Some(dim_features) = document.dim_features {
        let _ = writeln!(text, "feature map  {dim_features} features");
    }
    if let (Some(steps), Some(loss)) = (document.stage1_steps, document.last_loss) {
        let _ = writeln!(text, "Stage I      {steps} steps, last loss {loss:.3}");
    }
    if document.dim_out != document.dim {
        let _ = writeln!(text, "values       of {} numbers", document.dim_out);
    }
    if let Some(radius) = document.radius {
        let _ = writeln!(text, "radius       {radius:.4}: half the distance of the nearest pair");
    }
    match document.certified {
        Some(share) => {
            let share = 100.0 * share;
            let _ = writeln!(
                text,
                "certified    {share:.1} % of the patterns recall themselves exactly"
            );
        }
        None => text.push_str("certified    no certificate for this separation\n"),
    }
    if separations.last().is_some_and(|separation| separation.is_finite()) {
        text.push_str("\nseparation of the patterns, score of itself less the best other\n");
        text.push_str(&histogram(separations));
    }
    text
}

/// Counts of sorted, finite values in bins of equal width.
fn histogram(sorted: &[f64]) -> String {
    let (low, high) = (sorted[0], sorted[sorted.len() - 1]);
    let width = (high - low) / BINS as f64;
    let mut counts = [0_usize; BINS];
    for value in sorted {
        let bin = if width > 0.0 { ((value - low) / width) as usize } else { 0 };
        counts[bin.min(BINS - 1)] += 1;
    }
    let most = counts.iter().copied().max().unwrap_or(1).max(1);
    let mut text = String::new();
    for (bin, count) in counts.into_iter().enumerate() {
        if width > 0.0 || count > 0 {
            let bar = "█".repeat((BAR * count).div_ceil(most));
            let from = low + bin as f64 * width;
            let _ = writeln!(text, "{from:>12.4}  {bar} {count}");
        }
    }
    text
}
