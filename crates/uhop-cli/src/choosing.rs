//! `uhop fit --auto`: the similarity chosen by the recall of damaged copies.

use serde::Serialize;
use uhop::saved::{Decision, Learning};
use uhop::{Candidate, Model, Patterns, Scalar, Tried, choose};
use uhop_data::Damage;
use uhop_lab::short;

use crate::console::Console;
use crate::failure::Failure;
use crate::tables;
use crate::words::counted;

/// What was chosen.
pub(crate) struct Chosen<T> {
    pub(crate) model: Model<T>,
    pub(crate) decision: Decision,
    /// How its map follows patterns that are added or removed, if it does.
    pub(crate) learning: Option<Learning>,
}

/// The best of all similarities for copies that are damaged so.
pub(crate) fn chosen<T: Scalar>(
    patterns: &Patterns<T>,
    damage: &Damage,
    seed: u64,
    console: &Console,
) -> Result<Chosen<T>, Failure> {
    console.note(&format!("trying similarities on damaged copies ({})", damage.description()));
    let corrupt = |rows: ndarray::ArrayView2<'_, T>, seed| damage.apply(rows, seed);
    let choice = choose(patterns, damage.channel().cloned(), seed, corrupt)?;
    let learning = match choice.tried[0].what {
        Candidate::Whitened { ridge } => Some(Learning::Whitening { ridge }),
        _ => None,
    };
    let corruption = damage.description().to_owned();
    let decision = Decision { corruption, seed, tried: choice.tried };
    Ok(Chosen { model: choice.model, decision, learning })
}

/// What docs/json.md describes.
#[derive(Debug, Serialize)]
pub(crate) struct Document {
    corruption: String,
    tried: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    similarity: &'static str,
    lambda: Option<f64>,
    steps: Option<usize>,
    beta: f64,
    error: f64,
}

impl Document {
    pub(crate) fn new(decision: &Decision) -> Self {
        let tried = decision.tried.iter().map(Line::new).collect();
        Self { corruption: decision.corruption.clone(), tried }
    }

    /// In one line.
    pub(crate) fn line(&self) -> String {
        let others = self.tried.len().saturating_sub(1);
        let best = self.tried.first().map_or(f64::NAN, |best| best.error);
        format!("before {others} others for {}; error of a copy {}", self.corruption, short(best))
    }
}

impl Line {
    fn new(&Tried { what, beta, error, .. }: &Tried) -> Self {
        let (lambda, steps) = match what {
            Candidate::Whitened { ridge } => (Some(ridge), None),
            Candidate::Denoised { steps } => (None, Some(steps)),
            _ => (None, None),
        };
        Self { similarity: what.name(), lambda, steps, beta, error }
    }
}

/// The table that the choice was made from, the best first.
pub(crate) fn table(decision: &Decision) -> String {
    let mut table = tables::ruled();
    table.set_header(["similarity", "β", "error of a copy"]);
    for tried in &decision.tried {
        let name = match tried.what {
            Candidate::Whitened { ridge } => format!("whitened, λ = {}", short(ridge)),
            Candidate::Denoised { steps } => format!("denoised, {}", counted(steps, "step")),
            what => what.name().to_owned(),
        };
        table.add_row([name, short(tried.beta), short(tried.error)]);
    }
    format!("{}\nfor     {}\n", tables::right_aligned(table), decision.corruption)
}
