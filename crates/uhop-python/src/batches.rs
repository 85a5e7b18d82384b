//! Recall of many queries, which the calling thread interrupts between two batches: for signals.

use ndarray::{Array2, ArrayView2, Zip, s};
use pyo3::prelude::*;
use uhop::{Dynamics, Memory, Retrieval};

use crate::arrays::{Number, Pool};
use crate::error::Result;

/// Products of entries that a batch may take: a second's by fast processors, for similarities that are
/// matrix products.
const WORK: u64 = 1 << 35;
/// Queries that share a reading of the patterns; of fewer, recall is slower.
const LEAST_ROWS: usize = 256;

/// What `memory` recalls of all queries, or the exception of a signal.
pub(crate) fn recalled<T: Number>(
    py: Python<'_>,
    memory: &Memory<T>,
    (queries, observed): (ArrayView2<'_, T>, Option<ArrayView2<'_, bool>>),
    dynamics: &Dynamics,
    threads: Option<usize>,
) -> Result<Retrieval<T>> {
    let pool = py.detach(|| Pool::of(threads))?;
    let recall = |queries, observed| {
        py.detach(|| {
            pool.run(|| match observed {
                None => memory.retrieve(queries, dynamics),
                Some(observed) => memory.retrieve_observed(queries, observed, dynamics),
            })
        })
    };
    let n_queries = queries.nrows();
    let n_rows = rows(memory, n_queries, dynamics);
    // What is wrong is said of all queries, so that rows are counted from the first.
    if n_rows == n_queries || !py.detach(|| are_sound(memory, queries, observed)) {
        return Ok(recall(queries, observed)?);
    }
    let part = |start: usize| {
        let rows = s![start..(start + n_rows).min(n_queries), ..];
        let observed = observed.map(|observed| match observed.nrows() {
            1 => observed,
            _ => observed.slice_move(rows),
        });
        recall(queries.slice_move(rows), observed)
    };
    let mut all = part(0)?;
    all.retrieved = with_room(&all.retrieved, n_queries);
    all.weights = all.weights.map(|weights| with_room(&weights, n_queries));
    for start in (n_rows..n_queries).step_by(n_rows) {
        py.check_signals()?;
        let more = part(start)?;
        let rows = s![start..start + more.reports.len(), ..];
        all.retrieved.slice_mut(rows).assign(&more.retrieved);
        if let (Some(all), Some(more)) = (&mut all.weights, &more.weights) {
            all.slice_mut(rows).assign(more);
        }
        all.reports.extend(more.reports);
    }
    Ok(all)
}

/// Queries of a batch: about as many in each.
fn rows<T: Number>(memory: &Memory<T>, n_queries: usize, dynamics: &Dynamics) -> usize {
    let of_one =
        (memory.patterns().view().len() as u64).saturating_mul(dynamics.max_steps() as u64);
    let most = usize::try_from(WORK / of_one.max(1)).unwrap_or(usize::MAX).max(LEAST_ROWS);
    n_queries.div_ceil(n_queries.div_ceil(most).max(1))
}

/// Whether the library takes these; what it says of them it says better.
fn are_sound<T: Number>(
    memory: &Memory<T>,
    queries: ArrayView2<'_, T>,
    observed: Option<ArrayView2<'_, bool>>,
) -> bool {
    let (n_queries, dim) = queries.dim();
    dim == memory.patterns().dim()
        && match &observed {
            None => queries.iter().all(|entry| entry.is_finite()),
            Some(observed) => {
                let of_each =
                    observed.broadcast((n_queries, dim)).filter(|_| observed.ncols() == dim);
                of_each.is_some_and(|observed| {
                    Zip::from(queries).and(observed).all(|entry, &is| !is || entry.is_finite())
                })
            }
        }
}

/// The first rows of `n`.
fn with_room<T: Number>(first: &Array2<T>, n: usize) -> Array2<T> {
    let mut all = Array2::zeros((n, first.ncols()));
    all.slice_mut(s![..first.nrows(), ..]).assign(first);
    all
}
