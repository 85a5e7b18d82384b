//! The dynamics: the update x ← pᵀΞ repeated, with a report for every query.

use std::collections::HashMap;

use ndarray::{Array2, ArrayView1, ArrayView2, Axis, Zip, s};

use crate::error::{Error, Result, positive};
use crate::memory::Memory;
use crate::patterns::{Patterns, check_states};
use crate::readout::readout_of_checked;
use crate::scalar::Scalar;
use crate::separation::perplexity;
use crate::update::Update;
use crate::wide;

/// Queries recalled together: what is held for them does not grow with the number of all queries, and
/// a tile of the memory is read once for all of them.
const QUERY_BLOCK: usize = 1024;

/// Incomplete queries recalled together: their scores of all patterns are held.
const OBSERVED_BLOCK: usize = 128;

/// How long to repeat the update.
///
/// ```
/// use uhop::Dynamics;
///
/// let until = Dynamics::until(1e-6, 100)?.record_energy();
/// assert_eq!((until.tolerance(), until.max_steps()), (Some(1e-6), 100));
/// assert!(Dynamics::steps(0).unwrap_err().is_out_of_domain());
/// # Ok::<(), uhop::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Dynamics {
    max_steps: usize,
    tolerance: Option<f64>,
    record_energy: bool,
    record_weights: bool,
}

impl Dynamics {
    /// One update, as the papers measure retrieval.
    ///
    /// ```
    /// use uhop::Dynamics;
    ///
    /// assert_eq!(Dynamics::one_step().max_steps(), 1);
    /// ```
    pub fn one_step() -> Self {
        Self { max_steps: 1, tolerance: None, record_energy: false, record_weights: false }
    }

    /// Exactly `max_steps` updates.
    ///
    /// ```
    /// use uhop::Dynamics;
    ///
    /// assert_eq!(Dynamics::steps(5)?.max_steps(), 5);
    /// assert!(Dynamics::steps(0).unwrap_err().is_out_of_domain());
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_out_of_domain`](Error::is_out_of_domain) for 0 steps.
    pub fn steps(max_steps: usize) -> Result<Self> {
        if max_steps == 0 {
            return Err(Error::domain("dynamics", "max_steps", max_steps, "at least 1"));
        }
        Ok(Self { max_steps, ..Self::one_step() })
    }

    /// Updates until ‖x⁺ − x‖ ≤ `tolerance`, in the units of the patterns, but at most `max_steps`.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::{Dynamics, Memory, Model, Patterns, StopReason};
    ///
    /// let patterns = Patterns::new(array![[2.0, 0.0], [0.0, 2.0]])?;
    /// let memory = Memory::new(patterns, Model::dense(1.0)?)?;
    /// let run = |dynamics| memory.retrieve(array![[1.0, 0.9]].view(), &dynamics);
    /// assert_eq!(run(Dynamics::until(1e-6, 500)?)?.reports[0].stop, StopReason::Converged);
    /// assert_eq!(run(Dynamics::until(1e-6, 2)?)?.reports[0].stop, StopReason::MaxSteps);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_out_of_domain`](Error::is_out_of_domain) for 0 steps or a tolerance that is not finite
    /// and above 0.
    pub fn until(tolerance: f64, max_steps: usize) -> Result<Self> {
        let tolerance = Some(positive("dynamics", "tolerance", tolerance)?);
        Ok(Self { tolerance, ..Self::steps(max_steps)? })
    }

    /// Also records the energy of every state, for memories that have one.
    pub fn record_energy(self) -> Self {
        Self { record_energy: true, ..self }
    }

    /// Also keeps the weights of the last update of every query, `n_queries × n_patterns` numbers:
    /// recall in batches what does not fit in memory. Scores are computed twice, so that a step takes
    /// about twice its time.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::{Dynamics, Memory, Model, Patterns};
    ///
    /// let patterns = array![[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]];
    /// let memory = Memory::new(Patterns::new(patterns.clone())?, Model::sparse(1.0)?)?;
    /// let dynamics = Dynamics::one_step().record_weights();
    /// let result = memory.retrieve(array![[0.5, 0.5]].view(), &dynamics)?;
    /// let weights = result.weights.unwrap();
    /// assert_eq!(weights, array![[0.5, 0.5, 0.0]]);
    /// assert_eq!(result.retrieved, weights.dot(&patterns));
    /// # Ok::<(), uhop::Error>(())
    /// ```
    pub fn record_weights(self) -> Self {
        Self { record_weights: true, ..self }
    }

    /// The largest number of updates.
    pub fn max_steps(&self) -> usize {
        self.max_steps
    }

    /// The distance ‖x⁺ − x‖ at which a query stops, if any.
    pub fn tolerance(&self) -> Option<f64> {
        self.tolerance
    }
}

/// What [`Memory::retrieve`] found.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Retrieval<T> {
    /// The last readout of every query, `[n_queries, dim_out]`.
    pub retrieved: Array2<T>,
    /// One report per query.
    pub reports: Vec<QueryReport>,
    /// The weights p of the last update of every query, `[n_queries, n_patterns]`, if asked for:
    /// `retrieved` is p applied to the values.
    pub weights: Option<Array2<T>>,
}

/// How one query ran.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct QueryReport {
    /// Updates made, at least 1.
    pub steps: usize,
    /// ‖x⁺ − x‖ of the last update, in the units of the patterns.
    pub residual: f64,
    /// Stored patterns with weight above 0 in the last update: for softmax all of them, however small
    /// their weights.
    pub support_size: usize,
    /// exp(−Σ p ln p) of the last weights, the effective number of patterns that were recalled
    /// together: 1 when one has all the weight, `n_patterns` when all have the same.
    pub perplexity: f64,
    /// Why it stopped.
    pub stop: StopReason,
    /// E(x) of the query and of every state after it (`steps + 1` values), if asked for.
    pub energy: Option<Vec<f64>>,
}

/// Why a query stopped. Running out of steps is a reason, not an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopReason {
    /// ‖x⁺ − x‖ fell to the tolerance.
    Converged,
    /// The last allowed update was made.
    MaxSteps,
}

impl<T: Scalar> Memory<T> {
    /// Recalls every query, `[n_queries, dim]` → `[n_queries, dim_out]`.
    ///
    /// Each query is a state x that is updated to x⁺ = pᵀΞ with p = separation(β·similarity(Ξ, x))
    /// until `dynamics` says stop (Wu, Hu, Hsiao, Liu 2024, thm. 2.1 for a kernel; Ramsauer et al.
    /// 2021 for the dot product). What is returned is the last p applied to the values,
    /// which for auto-association is the last state. Queries do not influence each other, up to the
    /// rounding of products of other shapes. Work is
    /// shared by the [`Threads`](crate::Threads) there are; results do not depend on their number.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::{Dynamics, Memory, Model, Patterns, StopReason};
    ///
    /// let patterns = Patterns::new(array![[3.0, 0.0], [0.0, 3.0]])?;
    /// let memory = Memory::new(patterns, Model::dense(1.0)?)?;
    /// let until = Dynamics::until(1e-9, 50)?.record_energy();
    /// let result = memory.retrieve(array![[1.0, 0.5]].view(), &until)?;
    /// let report = &result.reports[0];
    /// assert_eq!(report.stop, StopReason::Converged);
    /// assert!(report.residual <= 1e-9);
    /// let energy = report.energy.as_ref().unwrap();
    /// assert_eq!(energy.len(), report.steps + 1);
    /// assert!(energy.windows(2).all(|pair| pair[1] <= pair[0] + 1e-12));
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_empty`](Error::is_empty), [`is_non_finite`](Error::is_non_finite),
    /// [`is_shape_mismatch`](Error::is_shape_mismatch) for the queries;
    /// [`is_unsupported`](Error::is_unsupported) when an energy is to be recorded and there is none.
    pub fn retrieve(
        &self,
        queries: ArrayView2<'_, T>,
        dynamics: &Dynamics,
    ) -> Result<Retrieval<T>> {
        check_states("retrieve", "the queries", queries, self.patterns().view())?;
        let mut retrieved = Array2::zeros((queries.nrows(), self.values().dim()));
        let mut reports = Vec::with_capacity(queries.nrows());
        let mut weights = self.weights_if(dynamics.record_weights, queries.nrows());
        for (i, queries) in queries.axis_chunks_iter(Axis(0), QUERY_BLOCK).enumerate() {
            let block = self.retrieve_block(queries, dynamics)?;
            let start = i * QUERY_BLOCK;
            let rows = s![start..start + queries.nrows(), ..];
            retrieved.slice_mut(rows).assign(&block.retrieved);
            if let (Some(weights), Some(block)) = (&mut weights, block.weights) {
                weights.slice_mut(rows).assign(&block);
            }
            reports.extend(block.reports);
        }
        Ok(Retrieval { retrieved, reports, weights })
    }

    /// As [`retrieve`](Self::retrieve), from queries of which only some entries were observed: `observed` is
    /// `[n_queries, dim]`, or `[1, dim]` for all queries alike.
    ///
    /// The first step scores by the observed entries alone, as a memory of these entries would; the others
    /// may hold anything, NaN too, and nothing depends on them. What it recalls is complete, so that all further
    /// steps are those of `retrieve`. The first step never counts as converged, and its residual is that of
    /// the observed entries. A query of which nothing was observed scores every pattern alike.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::{Dynamics, Memory, Model, Patterns, Similarity};
    ///
    /// let patterns = Patterns::new(array![[0.0, 1.0, 1.0], [1.0, 0.0, 1.0]])?;
    /// let model = Model::sparse(9.0)?.with_similarity(Similarity::Euclidean);
    /// let memory = Memory::new(patterns, model)?;
    /// let (query, observed) = (array![[0.9, f64::NAN, 7.0]], array![[true, false, false]]);
    /// let one_step = Dynamics::one_step();
    /// let recalled = memory.retrieve_observed(query.view(), observed.view(), &one_step)?;
    /// assert_eq!(recalled.retrieved, array![[1.0, 0.0, 1.0]]);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// As `retrieve`, of the observed entries; [`is_shape_mismatch`](Error::is_shape_mismatch) for `observed`;
    /// [`is_unsupported`](Error::is_unsupported) for kernel and asymmetric similarity, whose features mix all
    /// entries, and when energies are to be recorded, as an incomplete state has none.
    pub fn retrieve_observed(
        &self,
        queries: ArrayView2<'_, T>,
        observed: ArrayView2<'_, bool>,
        dynamics: &Dynamics,
    ) -> Result<Retrieval<T>> {
        let fits = observed.ncols() == queries.ncols();
        let Some(observed) = observed.broadcast(queries.dim()).filter(|_| fits) else {
            return Err(Error::shape(
                "retrieve",
                ("the observed entries", observed.shape()),
                ("the queries", queries.shape()),
                "there must be a row for each query, or one for all, of the same dim (columns)",
            ));
        };
        let queries = only(queries, observed);
        let queries = queries.view();
        check_states("retrieve", "the queries", queries, self.patterns().view())?;
        if dynamics.record_energy {
            let reason = "a query of which only some entries were observed has no energy";
            return Err(Error::unsupported("retrieve", reason.to_owned()));
        }
        if dynamics.max_steps == 1 {
            return self.first_step(self.values(), queries, observed, dynamics);
        }
        let first = self.first_step(self.patterns(), queries, observed, &Dynamics::one_step())?;
        let rest = Dynamics { max_steps: dynamics.max_steps - 1, ..dynamics.clone() };
        let mut retrieval = self.retrieve(first.retrieved.view(), &rest)?;
        for report in &mut retrieval.reports {
            report.steps += 1;
        }
        Ok(retrieval)
    }

    /// One step from incomplete queries, to patterns or to values.
    fn first_step(
        &self,
        recalled: &Patterns<T>,
        queries: ArrayView2<'_, T>,
        observed: ArrayView2<'_, bool>,
        dynamics: &Dynamics,
    ) -> Result<Retrieval<T>> {
        let mut retrieved = Array2::zeros((queries.nrows(), recalled.dim()));
        let mut reports = Vec::with_capacity(queries.nrows());
        let mut weights = self.weights_if(dynamics.record_weights, queries.nrows());
        for start in (0..queries.nrows()).step_by(OBSERVED_BLOCK) {
            let rows = s![start..(start + OBSERVED_BLOCK).min(queries.nrows()), ..];
            let (queries, observed) = (queries.slice(rows), observed.slice(rows));
            let found = self.observed_weights(queries, observed)?;
            let next = readout_of_checked(found.weights.view(), self.patterns().view());
            for (i, p) in found.weights.outer_iter().enumerate() {
                reports.push(QueryReport {
                    steps: 1,
                    residual: observed_distance(next.row(i), queries.row(i), observed.row(i)),
                    support_size: found.support_size[i],
                    perplexity: perplexity(&p.mapv(T::widen).to_vec()),
                    stop: StopReason::MaxSteps,
                    energy: None,
                });
            }
            retrieved
                .slice_mut(rows)
                .assign(&readout_of_checked(found.weights.view(), recalled.view()));
            if let Some(weights) = &mut weights {
                weights.slice_mut(rows).assign(&found.weights);
            }
        }
        Ok(Retrieval { retrieved, reports, weights })
    }

    fn retrieve_block(
        &self,
        queries: ArrayView2<'_, T>,
        dynamics: &Dynamics,
    ) -> Result<Retrieval<T>> {
        let mut retrieved = Array2::zeros((queries.nrows(), self.values().dim()));
        let mut reports: Vec<QueryReport> = self
            .energy_if(dynamics.record_energy, queries)?
            .map(|energy| QueryReport {
                steps: 0,
                residual: f64::INFINITY,
                support_size: 0,
                perplexity: 0.0,
                stop: StopReason::MaxSteps,
                energy: energy.map(|energy| vec![energy]),
            })
            .collect();
        let mut last_weights = self.weights_if(dynamics.record_weights, queries.nrows());
        // Row i of `states` is the state of the queries `active[i]`.
        let mut active: Vec<Vec<usize>> = (0..queries.nrows()).map(|query| vec![query]).collect();
        let mut states = queries.to_owned();
        for step in 1..=dynamics.max_steps {
            let Update { next, output, support_size, perplexity } =
                self.update_of_checked(states.view())?;
            // The update does not keep its weights: they are computed again, by the same scores.
            let weights = match last_weights {
                Some(_) => Some(self.weights_of_update(states.view())?),
                None => None,
            };
            let energies: Vec<_> = self.energy_if(dynamics.record_energy, next.view())?.collect();
            let mut running = Vec::new();
            for (row, queries) in active.into_iter().enumerate() {
                let residual = wide::distance(next.row(row), states.row(row));
                let converged = dynamics.tolerance.is_some_and(|tolerance| residual <= tolerance);
                // Where nothing changed, nothing will: the steps that are left are made at once.
                let is_fixed = next.row(row) == states.row(row) && !converged;
                let steps = if is_fixed { dynamics.max_steps - step + 1 } else { 1 };
                for &query in &queries {
                    let report = &mut reports[query];
                    report.steps += steps;
                    report.support_size = support_size[row];
                    report.perplexity = perplexity[row];
                    report.residual = residual;
                    if let (Some(trace), Some(energy)) = (&mut report.energy, energies[row]) {
                        trace.extend(std::iter::repeat_n(energy, steps));
                    }
                    retrieved.row_mut(query).assign(&output.as_ref().unwrap_or(&next).row(row));
                    if let (Some(last), Some(weights)) = (&mut last_weights, &weights) {
                        last.row_mut(query).assign(&weights.row(row));
                    }
                    if converged {
                        report.stop = StopReason::Converged;
                    }
                }
                if !converged && !is_fixed {
                    running.push((row, queries));
                }
            }
            if running.is_empty() {
                break;
            }
            let rows: Vec<usize>;
            (rows, active) = one_of_equal(next.view(), running).into_iter().unzip();
            states = if rows.len() == next.nrows() { next } else { next.select(Axis(0), &rows) };
        }
        Ok(Retrieval { retrieved, reports, weights: last_weights })
    }

    /// Room for the weights of every query.
    fn weights_if(&self, wanted: bool, n_queries: usize) -> Option<Array2<T>> {
        wanted.then(|| Array2::zeros((n_queries, self.patterns().n_patterns())))
    }

    /// The energy of every state, or as many `None`s.
    fn energy_if(
        &self,
        wanted: bool,
        states: ArrayView2<'_, T>,
    ) -> Result<impl Iterator<Item = Option<f64>>> {
        let energy = if wanted { Some(self.energy_of_checked(states)?) } else { None };
        Ok((0..states.nrows()).map(move |i| energy.as_ref().map(|energy| energy[i])))
    }
}

/// The observed entries, and 0 for the others, whatever they are.
fn only<T: Scalar>(queries: ArrayView2<'_, T>, observed: ArrayView2<'_, bool>) -> Array2<T> {
    Zip::from(queries).and(observed).map_collect(|&x, &is| if is { x } else { T::zero() })
}

/// ‖x⁺ − x‖ over the observed entries; `query` is 0 at the others.
fn observed_distance<T: Scalar>(
    next: ArrayView1<'_, T>,
    query: ArrayView1<'_, T>,
    observed: ArrayView1<'_, bool>,
) -> f64 {
    let next = Zip::from(next).and(observed).map_collect(|&x, &is| if is { x } else { T::zero() });
    wide::distance(next.view(), query)
}

/// Rows and their queries, with the queries of equal rows at the first of them: queries that meet go
/// on together.
fn one_of_equal<T: Scalar>(
    states: ArrayView2<'_, T>,
    rows: Vec<(usize, Vec<usize>)>,
) -> Vec<(usize, Vec<usize>)> {
    let mut kept: Vec<(usize, Vec<usize>)> = Vec::with_capacity(rows.len());
    let mut by_norm: HashMap<u64, Vec<usize>> = HashMap::new();
    for (row, queries) in rows {
        let norm = wide::squared_norm(states.row(row)).to_bits();
        let alike = by_norm.entry(norm).or_default();
        match alike.iter().find(|&&i| states.row(kept[i].0) == states.row(row)) {
            Some(&i) => kept[i].1.extend(queries),
            None => {
                alike.push(kept.len());
                kept.push((row, queries));
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array, s};

    use super::*;
    use crate::model::Model;
    use crate::patterns::Patterns;

    fn memory() -> Memory<f64> {
        let patterns = Patterns::new(array![[4.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 4.0]]);
        Memory::new(patterns.unwrap(), Model::entmax(1.5, 0.4).unwrap()).unwrap()
    }

    #[test]
    fn parameters_outside_their_domain_are_errors() {
        assert!(Dynamics::steps(0).unwrap_err().is_out_of_domain());
        assert!(Dynamics::until(1e-3, 0).unwrap_err().is_out_of_domain());
        for tolerance in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Dynamics::until(tolerance, 3).unwrap_err().is_out_of_domain());
        }
    }

    #[test]
    fn bad_queries_are_errors() {
        let retrieve = |queries: Array2<f64>| {
            memory().retrieve(queries.view(), &Dynamics::one_step()).unwrap_err()
        };
        assert!(retrieve(Array2::zeros((0, 3))).is_empty());
        assert!(retrieve(array![[1.0, f64::NAN, 0.0]]).is_non_finite());
        assert_eq!(
            retrieve(array![[1.0, 2.0]]).to_string(),
            "retrieve: the queries of shape [1, 2] do not fit the memory of shape [3, 3]; \
             both need the same dim (columns)",
        );
    }

    #[test]
    fn queries_stop_one_by_one_and_say_why() {
        // The first query is a fixed point; the second needs steps; one step is not enough.
        let queries = array![[4.0, 0.0, 0.0], [1.0, 0.9, 0.8]];
        let short = memory().retrieve(queries.view(), &Dynamics::until(1e-9, 1).unwrap()).unwrap();
        assert_eq!(short.reports[0].stop, StopReason::Converged);
        assert_eq!((short.reports[1].stop, short.reports[1].steps), (StopReason::MaxSteps, 1));
        let long = memory().retrieve(queries.view(), &Dynamics::until(1e-9, 500).unwrap()).unwrap();
        assert_eq!(long.reports[0].steps, 1);
        assert_eq!((long.reports[0].residual, long.reports[0].support_size), (0.0, 1));
        assert!(long.reports[1].steps > 1 && long.reports[1].stop == StopReason::Converged);
        assert!(long.reports[1].residual <= 1e-9);
    }

    #[test]
    fn steps_are_repeated_single_steps() {
        let query = array![[1.0, 0.9, 0.8]];
        let mut state = query.clone();
        for _ in 0..3 {
            state = memory().retrieve(state.view(), &Dynamics::one_step()).unwrap().retrieved;
        }
        let three = memory().retrieve(query.view(), &Dynamics::steps(3).unwrap()).unwrap();
        assert_eq!(three.retrieved, state);
        assert_eq!(three.reports[0].steps, 3);
    }

    /// Queries that meet in one state, or stay where they are, are told what each is told alone.
    #[test]
    fn queries_that_meet_or_rest_report_as_if_alone() {
        let queries = array![[4.0, 0.0, 0.0], [3.0, 0.0, 0.0], [2.9, 0.1, 0.0], [1.0, 0.9, 0.8]];
        let steps = Dynamics::steps(4).unwrap().record_energy().record_weights();
        for dynamics in [steps, Dynamics::until(1e-9, 4).unwrap().record_energy()] {
            let all = memory().retrieve(queries.view(), &dynamics).unwrap();
            for (i, query) in queries.axis_chunks_iter(Axis(0), 1).enumerate() {
                let alone = memory().retrieve(query, &dynamics).unwrap();
                assert_eq!(alone.reports[0], all.reports[i]);
                assert_eq!(alone.retrieved.row(0), all.retrieved.row(i));
                if let Some(weights) = &all.weights {
                    assert_eq!(alone.weights.unwrap().row(0), weights.row(i));
                }
            }
            let report = &all.reports[0];
            assert_eq!(report.energy.as_ref().unwrap().len(), report.steps + 1);
        }
    }

    #[test]
    fn equal_rows_are_kept_once_with_all_their_queries() {
        // Rows 0 and 2 are equal; row 1 only has the same norm.
        let states = array![[1.0, 2.0], [2.0, 1.0], [1.0, 2.0]];
        let rows = (0..3).map(|row| (row, vec![10 + row])).collect();
        assert_eq!(one_of_equal(states.view(), rows), [(0, vec![10, 12]), (1, vec![11])]);
    }

    #[test]
    fn values_are_read_out_by_the_last_weights() {
        let query = array![[1.0, 0.9, 0.8]];
        let values = array![[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]];
        let hetero = memory().with_values(Patterns::new(values.clone()).unwrap()).unwrap();
        let before = memory().retrieve(query.view(), &Dynamics::steps(2).unwrap()).unwrap();
        let weights = memory().weights(before.retrieved.view()).unwrap().weights;
        let recalled = hetero.retrieve(query.view(), &Dynamics::steps(3).unwrap()).unwrap();
        assert_eq!(recalled.retrieved, weights.dot(&values));
        let patterns = memory().patterns().clone();
        let same = memory().with_values(patterns).unwrap();
        let steps = Dynamics::steps(3).unwrap();
        assert_eq!(
            same.retrieve(query.view(), &steps).unwrap(),
            memory().retrieve(query.view(), &steps).unwrap(),
        );
    }

    /// In blocks and with queries that stop one by one: the readout of the weights is what was
    /// retrieved, for values as for patterns. The tolerance is that of a dot product of three terms
    /// of at most 30 in another order.
    #[test]
    fn what_is_retrieved_is_the_readout_of_the_weights() {
        let n = QUERY_BLOCK + 3;
        let queries = Array2::from_shape_fn((n, 3), |(i, j)| ((i * 7 + j * 3) % 11) as f64 * 0.3);
        let until = Dynamics::until(1e-6, 20).unwrap();
        let values = Patterns::new(array![[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]).unwrap();
        for memory in [memory(), memory().with_values(values).unwrap()] {
            let plain = memory.retrieve(queries.view(), &until).unwrap();
            assert_eq!(plain.weights, None);
            let recorded =
                memory.retrieve(queries.view(), &until.clone().record_weights()).unwrap();
            let weights = recorded.weights.unwrap();
            let steps: Vec<_> = recorded.reports.iter().map(|report| report.steps).collect();
            assert!(steps.iter().any(|&n| n > 1) && steps.iter().any(|&n| n != steps[0]));
            for (row, report) in weights.rows().into_iter().zip(&recorded.reports) {
                assert_eq!(row.iter().filter(|&&p| p > 0.0).count(), report.support_size);
            }
            let readout = weights.dot(&memory.values().view());
            let error = (&readout - &recorded.retrieved).mapv(f64::abs);
            assert!(error.iter().all(|&error| error <= 30.0 * 4.0 * f64::EPSILON), "{error}");
            assert_eq!(
                Retrieval { weights: None, ..plain },
                Retrieval {
                    weights: None,
                    retrieved: recorded.retrieved,
                    reports: recorded.reports
                },
            );
        }
    }

    #[test]
    fn a_batch_is_its_blocks() {
        let n = 2 * QUERY_BLOCK + 3;
        let queries = Array2::from_shape_fn((n, 3), |(i, j)| ((i * 7 + j * 3) % 11) as f64 * 0.3);
        let until = Dynamics::until(1e-6, 20).unwrap();
        let all = memory().retrieve(queries.view(), &until).unwrap();
        assert_eq!(all.reports.len(), n);
        let last = memory().retrieve(queries.slice(s![2 * QUERY_BLOCK.., ..]), &until).unwrap();
        assert_eq!(all.retrieved.slice(s![2 * QUERY_BLOCK.., ..]), last.retrieved);
        assert_eq!(all.reports[2 * QUERY_BLOCK..], last.reports);
    }
}
