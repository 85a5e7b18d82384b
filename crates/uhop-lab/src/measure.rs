//! All rows of one memory set: Stage I once, then every corruption, level, protocol and contender.

use std::time::Instant;

use ndarray::{Array1, ArrayView2, s};
use uhop::{Patterns, metrics, readout};

use crate::bayes::Likelihood;
use crate::data::DataSet;
use crate::error::{Error, Result};
use crate::examples::{Measurement, Shown, is_shown};
use crate::recall::{Cell, Entry, MemorySet, Recalled};
use crate::rows::Row;
use crate::run::SetId;
use crate::seeds::{Use, seed_of};
use crate::spec::{CorruptionKind, Spec};
use crate::tasks::GoOn;

/// Name of the limit in the columns `contender` and `protocol`: the recall of smallest expected
/// error.
pub const BAYES: &str = "bayes";

/// Numbers of an image that the recall threshold of a specification is for.
const THRESHOLD_DIM: f64 = 784.0;

/// The rows of a memory set in the order of the specification, and what the report shows of it.
pub(crate) fn measure(
    spec: &Spec,
    data: &DataSet,
    id: &SetId,
    go_on: GoOn<'_>,
) -> Result<Vec<Measurement>> {
    let keep_going = || go_on(0.0);
    let patterns = data.draw(id.n_patterns, seed_of(id.seed, Use::Memory))?;
    let mut set = MemorySet::new(spec, &patterns, id.seed, &keep_going);
    let n_queries = spec.n_queries(id.n_patterns);
    let n_tuning = spec.protocol.iter().filter_map(|p| Some(p.tuned?.queries)).max().unwrap_or(1);
    let mut rows = Vec::new();
    for corruption in &spec.corruption {
        for &level in corruption.levels() {
            let kind = corruption.kind;
            let damage = kind.at(level, data.lines())?;
            let mut cell = Cell::new(&mut set, damage, (n_queries, n_tuning))?;
            let measured = |contender: &str, protocol: &str, recalled: Recalled| {
                let steps = recalled.stage1.map(|(steps, _)| steps);
                let shown = is_shown(spec, data, id, (corruption, level), (protocol, steps))
                    .then(|| Shown::new(recalled.retrieved.view()));
                let row = row(spec, data, id, (kind, level), (contender, protocol), recalled)?;
                Ok::<_, Error>(Measurement { row, shown })
            };

            let limit = posterior_mean(&patterns, cell.queries(), (kind, level), data)?;
            rows.push(measured(BAYES, BAYES, limit)?);

            for protocol in &spec.protocol {
                for &contender in &spec.contenders {
                    if protocol.without.contains(&contender) {
                        continue;
                    }
                    // What learns nothing is the same after any number of steps.
                    let all_steps = spec.stage1.steps.as_slice();
                    let n_steps = contender.loss().map_or(1, |_| all_steps.len());
                    for &steps in &all_steps[..n_steps] {
                        if !keep_going() {
                            return Err(Error::stopped(0, 0));
                        }
                        let recalled = cell.recall(Entry { protocol, contender, steps })?;
                        rows.push(measured(&contender.to_string(), &protocol.name, recalled)?);
                    }
                }
            }
        }
    }
    Ok(rows)
}

/// The recall of smallest expected error.
fn posterior_mean(
    patterns: &Patterns<f32>,
    queries: ArrayView2<'_, f32>,
    (kind, level): (CorruptionKind, f64),
    data: &DataSet,
) -> Result<Recalled> {
    let begun = Instant::now();
    let likelihood = Likelihood::new(kind, level, data.lines());
    let posterior = likelihood.posterior(patterns.view(), queries)?;
    let failed = |error| Error::memory("the posterior mean", error);
    let mean = readout(posterior.view(), patterns.view()).map_err(failed)?;
    let targets = patterns.view();
    let targets = targets.slice(s![..queries.nrows(), ..]);
    let errors = metrics::sum_squared_error(targets, mean.view(), None).map_err(failed)?;
    Ok(Recalled::without_model(mean, errors, begun))
}

fn row(
    spec: &Spec,
    data: &DataSet,
    id: &SetId,
    (kind, level): (CorruptionKind, f64),
    (contender, protocol): (&str, &str),
    recalled: Recalled,
) -> Result<Row> {
    let errors: Array1<f64> = recalled.errors;
    let threshold = spec.recall_threshold * data.dim() as f64 / THRESHOLD_DIM;
    let recall_rate = metrics::recall_rate(errors.view(), threshold)
        .map_err(|error| Error::memory("the recall rate", error))?;
    Ok(Row {
        experiment: spec.name.clone(),
        dataset: data.name().to_owned(),
        provenance: data.provenance().to_owned(),
        n_patterns: id.n_patterns as u64,
        dim: data.dim() as u64,
        corruption: kind.to_string(),
        level,
        contender: contender.to_owned(),
        protocol: protocol.to_owned(),
        seed: id.seed,
        error: errors.sum() / errors.len() as f64,
        recall_rate,
        beta: recalled.beta,
        effective_beta: recalled.effective_beta,
        stage1_steps: recalled.stage1.map(|(steps, _)| steps as u64),
        stage1_loss: recalled.stage1.map(|(_, loss)| loss),
        seconds: recalled.seconds,
    })
}
