//! Laws of energy: its value and gradient, and that its own update never raises it.

use ndarray::{Array1, Array2, ArrayView2, Axis, array};
use proptest::prelude::*;
use uhop::{Dynamics, LinearMap, Memory, Model, Separation, Similarity, StopReason, reference};

use crate::common::{
    EPSILON, Inputs, Sep, Twin, frobenius, largest, narrow, norm, normal, stored, wide,
};

fn memory(twin: &Twin) -> Memory<f64> {
    Memory::new(stored(&twin.patterns), twin.model()).unwrap()
}

fn twin(patterns: &Array2<f64>, similarity: &Similarity<f64>, alpha: f64, beta: f64) -> Twin {
    Twin::new(patterns.view(), similarity, Sep::Entmax(alpha), beta)
}

/// Dot, euclidean, and kernels with W tall, wide, square of rank 1.
fn similarities(dim: usize, seed: u64) -> Vec<Similarity<f64>> {
    let normal_map = |rows| LinearMap::random_normal(rows, dim, seed).unwrap();
    let column = normal::<f64>(dim, 1, seed + 1);
    let rank_one = LinearMap::new(column.dot(&normal::<f64>(1, dim, seed + 2))).unwrap();
    let mut all = vec![Similarity::Dot, Similarity::Euclidean];
    let wide_rows = dim.div_ceil(2);
    all.extend(
        [normal_map(dim + 4), normal_map(dim), normal_map(wide_rows), rank_one]
            .map(Similarity::Kernel),
    );
    all
}

const ALPHAS: [f64; 5] = [1.0, 1.25, 1.5, 2.0, 3.0];
const BETAS: [f64; 5] = [1e-2, 0.1, 1.0, 10.0, 100.0];

#[test]
fn energies_are_their_definition() {
    for (n, dim) in [(1, 1), (14, 6), (65, 9)] {
        let (patterns, states) = (normal::<f64>(n, dim, 1), normal::<f64>(4, dim, 2));
        for similarity in similarities(dim, 3) {
            for alpha in ALPHAS {
                for beta in BETAS {
                    let twin = twin(&patterns, &similarity, alpha, beta);
                    let found = memory(&twin).energy(states.view()).unwrap();
                    for (found, state) in found.iter().zip(states.rows()) {
                        let expected = twin.energy(state);
                        let bound = twin.energy_bound::<f64>(state, Inputs::Exact);
                        let name = similarity.name();
                        assert!(
                            (found - expected).abs() <= bound,
                            "{name} {alpha} {beta}: {found} {expected} {bound:e}"
                        );
                    }
                }
            }
        }
    }
}

/// More states than are scored at once have the energies that each has alone.
#[test]
fn many_states_have_the_energies_of_each() {
    let (patterns, states) = (normal::<f64>(9, 4, 1), normal::<f64>(600, 4, 2));
    let memory = Memory::new(stored(&patterns), Model::dense(2.0).unwrap()).unwrap();
    let all = memory.energy(states.view()).unwrap();
    for (energy, state) in all.iter().zip(states.axis_chunks_iter(Axis(0), 1)) {
        let alone = memory.energy(state).unwrap()[0];
        // Sums of 4 products and of 9 weights, in another order.
        assert!((energy - alone).abs() <= 64.0 * EPSILON * (1.0 + alone.abs()));
    }
    // One of them is named by its row.
    let mut states = states;
    states[[400, 0]] = f64::MAX;
    let rows = stored(&(&patterns * 10.0));
    let memory = Memory::new(rows, Model::dense(2.0).unwrap()).unwrap();
    let error = memory.scores(states.view()).unwrap_err().to_string();
    assert!(error.contains("[400, "), "{error}");
    let memory = memory.with_model(Model::dense(2.0).unwrap().with_similarity(Similarity::Dot));
    let found = memory.unwrap().energy(states.view()).unwrap_err().to_string();
    assert_eq!(found, error);
}

#[test]
fn energies_of_f32_memories_are_near() {
    let (patterns, states) = (normal::<f32>(14, 6, 1), normal::<f32>(4, 6, 2));
    for alpha in ALPHAS {
        let slow = twin(&wide(patterns.view()), &Similarity::Euclidean, alpha, 0.7);
        let model = uhop::Model::new(Similarity::Euclidean, slow.separation.fast(), 0.7).unwrap();
        let found = Memory::new(stored(&patterns), model).unwrap().energy(states.view()).unwrap();
        for (found, state) in found.iter().zip(wide(states.view()).rows()) {
            let bound = slow.energy_bound::<f32>(state, Inputs::Exact);
            assert!((found - slow.energy(state)).abs() <= bound, "{alpha}");
        }
    }
    // The gradient is a state minus a readout in T.
    let memory = Memory::new(stored(&patterns), uhop::Model::dense(0.7).unwrap()).unwrap();
    let slow = twin(&wide(patterns.view()), &Similarity::Dot, 1.0, 0.7);
    let found = memory.energy_gradient(states.view()).unwrap();
    for (found, state) in wide(found.view()).rows().into_iter().zip(wide(states.view()).rows()) {
        let (readout, bound) = slow.retrieve::<f32>(state, 1, Inputs::Exact);
        let rounding = f64::from(f32::EPSILON) * (norm(state) + norm(readout.view()));
        assert!(norm((&found - &(&state - &readout)).view()) <= bound + rounding);
    }
}

/// As for the losses: |D(2h) − D(h)| is three times the truncation of D(h) = (E(x+hv) −
/// E(x−hv))/2h where E has three derivatives; a support that changes within 2h shows up in it too.
#[test]
fn gradients_are_the_slopes_of_energies() {
    let (dim, h) = (6, 1e-4);
    let (patterns, states) = (normal::<f64>(14, dim, 5), normal::<f64>(4, dim, 6));
    for similarity in similarities(dim, 7) {
        for alpha in [1.0, 1.25, 1.5, 2.0] {
            for beta in [0.1, 0.5] {
                let twin = twin(&patterns, &similarity, alpha, beta);
                let gradient = memory(&twin).energy_gradient(states.view()).unwrap();
                let (mut widest, mut size) = (0.0_f64, 0.0_f64);
                for (gradient, state) in gradient.rows().into_iter().zip(states.rows()) {
                    for k in 0..dim {
                        let difference = |h: f64| {
                            let at = |h: f64| {
                                let mut state = state.to_owned();
                                state[k] += h;
                                twin.energy(state.view())
                            };
                            (at(h) - at(-h)) / (2.0 * h)
                        };
                        let (near, far) = (difference(h), difference(2.0 * h));
                        let rounding = twin.energy_bound::<f64>(state, Inputs::Exact);
                        let bound = (far - near).abs() + 2.0 * rounding / h;
                        let name = similarity.name();
                        assert!(
                            (gradient[k] - near).abs() <= bound,
                            "{name} {alpha} {beta}: {} {near} {bound:e}",
                            gradient[k]
                        );
                        widest = widest.max(bound);
                    }
                    size = size.max(norm(gradient));
                }
                assert!(widest <= 1e-3 * size, "the bound says nothing: {widest:e} of {size:e}");
            }
        }
    }
}

/// How much one computed update may raise a computed energy.
///
/// The weights are exact for scores that are off by b (the scores' own rounding and the solver's),
/// so by Fenchel's inequality E(x⁺) ≤ E(x) + 2b, and an x⁺ off by δ adds ½‖Wδ‖², of order ε². Each
/// energy is itself known to its bound, which contains b. All are largest at a corner of the hull
/// in which the states stay, or at the query.
fn largest_rise(twin: &Twin, query: &Array1<f64>) -> f64 {
    let corners = twin.patterns.rows().into_iter().chain([query.view()]);
    4.0 * largest(corners.map(|corner| twin.energy_bound::<f64>(corner, Inputs::Exact)))
}

fn never_rises(twin: &Twin, queries: ArrayView2<'_, f64>, steps: usize) {
    let dynamics = Dynamics::steps(steps).unwrap().record_energy();
    let result = memory(twin).retrieve(queries, &dynamics).unwrap();
    for (report, query) in result.reports.iter().zip(queries.rows()) {
        let trace = report.energy.as_ref().unwrap();
        assert_eq!(trace.len(), steps + 1);
        let slack = largest_rise(twin, &query.to_owned());
        for pair in trace.windows(2) {
            assert!(
                pair[1] <= pair[0] + slack,
                "{} {:?} beta {}: {} then {} ({slack:e})",
                twin.similarity.name(),
                twin.separation,
                twin.beta,
                pair[0],
                pair[1]
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_update_never_raises_the_energy(
        seed: u64,
        n in 1usize..24,
        dim in 1usize..9,
        extra in 0usize..8,
        exponent in -2.0_f64..2.0,
        alpha in prop::sample::select(vec![1.0, 1.5, 2.0, 3.0]),
    ) {
        let patterns = normal::<f64>(n, dim, seed);
        let queries = 2.0 * normal::<f64>(3, dim, seed ^ 1);
        let tall = LinearMap::random_normal(dim + extra, dim, seed ^ 2).unwrap();
        let mut all = similarities(dim, seed ^ 4);
        all.push(Similarity::Kernel(tall));
        for similarity in all {
            let twin = twin(&patterns, &similarity, alpha, 10.0_f64.powf(exponent));
            never_rises(&twin, queries.view(), 6);
        }
    }
}

/// With γ-normmax Ψ*(z) = τ + 1, τ the threshold: ⟨p,z⟩ − ‖p‖_γ = τ by the optimality conditions,
/// z_i − (p_i/‖p‖_γ)^(γ−1) = τ where p_i > 0. Sums of n terms below the largest |score|, and dim squares.
#[test]
fn with_normmax_it_is_the_threshold_and_never_rises() {
    let (n, dim) = (12, 5);
    let patterns = normal::<f64>(n, dim, 21);
    for gamma in [1.5, 2.0, 5.0] {
        for beta in [0.1, 1.0, 10.0] {
            let separation = Separation::normmax(gamma).unwrap();
            let model = Model::new(Similarity::Dot, separation, beta).unwrap();
            let memory = Memory::new(stored(&patterns), model).unwrap();
            let mut states = 2.0 * normal::<f64>(4, dim, 22);
            let mut last = f64::INFINITY;
            for step in 0..6 {
                let energies = memory.energy(states.view()).unwrap();
                let mut total = 0.0;
                for (state, &found) in states.outer_iter().zip(&energies) {
                    let z = beta * patterns.dot(&state);
                    let p = reference::normmax(z.view(), gamma);
                    let norm = p.mapv(|p| p.powf(gamma)).sum().powf(1.0 / gamma);
                    let best = (0..n).max_by(|&a, &b| p[a].total_cmp(&p[b])).unwrap();
                    let tau = z[best] - (p[best] / norm).powf(gamma - 1.0);
                    let expected = 0.5 * state.dot(&state) - (tau + 1.0) / beta;
                    let size = state.dot(&state) + (z.mapv(f64::abs).sum() + 2.0) / beta;
                    let bound = (4 * n + 2 * dim + 16) as f64 * EPSILON * size;
                    assert!((found - expected).abs() <= bound, "{gamma} {beta} {found} {expected}");
                    total += found;
                    assert!(step == 0 || bound < 1e-10);
                }
                // Four bounds as above, of energies whose sizes are below 100.
                assert!(total <= last + 1e-10, "{gamma} {beta} {step}: {last} → {total}");
                last = total;
                states = memory.retrieve(states.view(), &Dynamics::one_step()).unwrap().retrieved;
            }
        }
    }
}

/// Were β applied to the weights instead of the scores, as in the published code, x ← βΞᵀp(Ξx)
/// would climb: the law above is not one that every update keeps.
#[test]
fn an_update_with_beta_outside_does_raise_the_energy() {
    let mut rises = 0;
    for beta in [0.25, 4.0] {
        let patterns = normal::<f64>(10, 5, 8);
        let twin = twin(&patterns, &Similarity::Dot, 1.0, beta);
        for query in normal::<f64>(5, 5, 9).rows() {
            let p = reference::entmax(twin.scores(query).view(), 1.0);
            let published = beta * reference::readout(p.view(), patterns.view());
            let slack = largest_rise(&twin, &published).max(largest_rise(&twin, &query.to_owned()));
            rises += usize::from(twin.energy(published.view()) > twin.energy(query) + slack);
        }
    }
    assert!(rises > 0);
}

#[test]
fn the_gradient_vanishes_at_fixed_points_and_only_there() {
    let (dim, tolerance) = (5, 1e-10);
    let (patterns, queries) = (normal::<f64>(9, dim, 10), normal::<f64>(4, dim, 11));
    let mut converged = 0;
    for dim_features in [5, 12] {
        let map = LinearMap::orthogonal(dim_features, dim, 12).unwrap();
        let weight = map.weight().mapv(|w: f64| 1.5 * w);
        let map = LinearMap::new(weight).unwrap();
        for alpha in ALPHAS {
            let twin = twin(&patterns, &Similarity::Kernel(map.clone()), alpha, 0.4);
            let memory = memory(&twin);
            let until = Dynamics::until(tolerance, 5000).unwrap();
            let result = memory.retrieve(queries.view(), &until).unwrap();
            let states = result.retrieved;
            let again = memory.retrieve(states.view(), &Dynamics::one_step()).unwrap();
            let gradient = memory.energy_gradient(states.view()).unwrap();
            let first = memory.retrieve(queries.view(), &Dynamics::one_step()).unwrap();
            let start = memory.energy_gradient(queries.view()).unwrap();
            let size = frobenius(map.weight()).powi(2);
            // WᵀW = 2.25·I. Two products with W, of 5 and at most 12 terms each.
            let rounding = (5.0 + 12.0) * EPSILON * size;
            for i in 0..queries.nrows() {
                let residual = first.reports[i].residual;
                let slope = norm(start.row(i));
                assert!((slope - 2.25 * residual).abs() <= 2.0 * rounding * residual);
                assert!(slope > 0.0);
                if result.reports[i].stop == StopReason::Converged {
                    converged += 1;
                    let residual = again.reports[i].residual;
                    // The update contracts towards a fixed point that it reaches.
                    assert!(residual <= tolerance, "{alpha} {residual:e}");
                    let slope = norm(gradient.row(i));
                    assert!(slope <= size * tolerance + 2.0 * rounding * residual, "{slope:e}");
                }
            }
        }
    }
    assert!(converged >= 30, "{converged}");
}

/// A W with a null space has no slope along it, wherever the state is.
#[test]
fn a_rank_deficient_map_has_no_slope_in_its_null_space() {
    let patterns = normal::<f64>(6, 3, 13);
    let map = LinearMap::new(array![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]).unwrap();
    let twin = twin(&patterns, &Similarity::Kernel(map), 1.0, 1.0);
    let states = normal::<f64>(5, 3, 14);
    let gradient = memory(&twin).energy_gradient(states.view()).unwrap();
    for row in gradient.rows() {
        assert_eq!(row[2], 0.0);
        assert!(norm(row) > 0.0);
    }
    let mut moved = states.clone();
    moved.column_mut(2).fill(77.0);
    // The features are the first two entries exactly.
    assert_eq!(
        memory(&twin).energy(states.view()).unwrap(),
        memory(&twin).energy(moved.view()).unwrap(),
    );
}

#[test]
fn the_energy_of_f32_states_never_rises_either() {
    let patterns = normal::<f32>(10, 6, 15);
    let queries = narrow::<f32>(&normal::<f64>(5, 6, 16));
    for alpha in [1.0, 1.5, 2.0] {
        let slow = twin(&wide(patterns.view()), &Similarity::Dot, alpha, 0.5);
        let model = Model::entmax(alpha, 0.5).unwrap();
        let memory = Memory::new(stored(&patterns), model).unwrap();
        let dynamics = Dynamics::steps(8).unwrap().record_energy();
        for (report, query) in
            memory.retrieve(queries.view(), &dynamics).unwrap().reports.iter().zip(queries.rows())
        {
            let query = query.mapv(f64::from);
            let corners = slow.patterns.rows().into_iter().chain([query.view()]);
            let bounds = corners.map(|x| slow.energy_bound::<f32>(x, Inputs::Exact));
            let slack = 4.0 * largest(bounds);
            let trace = report.energy.as_ref().unwrap();
            assert!(trace.windows(2).all(|pair| pair[1] <= pair[0] + slack), "{trace:?}");
        }
    }
}
