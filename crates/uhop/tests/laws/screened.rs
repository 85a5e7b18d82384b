//! A screened memory recalls what the same memory without a screen does.

use ndarray::{Array2, ArrayView1, Axis, Zip, s};
use uhop::{Dynamics, Memory, Model, Scalar, Separation, Similarity};

use crate::common::{biased, epsilon, normal, similarities, stored};

/// Sums of a few smooth waves and a little noise: what a few directions describe, as pictures are.
fn smooth<T: Scalar>(rows: usize, dim: usize, seed: u64) -> Array2<T> {
    let mixture = normal::<f64>(rows, 6, seed);
    let noise = normal::<f64>(rows, dim, seed ^ 1);
    Array2::from_shape_fn((rows, dim), |(i, j)| {
        let wave =
            |k: usize| mixture[[i, k]] * ((k + 1) as f64 * j as f64 * 3.0 / dim as f64).sin();
        T::narrow((0..6).map(wave).sum::<f64>() + 0.05 * noise[[i, j]])
    })
}

/// Quarter-integers: scores are exact, many are equal, and some lie just at the threshold. The last
/// rows are zero, or repeat the first.
fn coarse<T: Scalar>(rows: usize, dim: usize, seed: u64) -> Array2<T> {
    let mut all = normal::<f64>(rows, dim, seed)
        .mapv(|x| T::narrow((x.clamp(-1.0, 1.0) * 4.0).round() / 4.0));
    let first = all.row(0).to_owned();
    all.slice_mut(s![rows - rows / 4.., ..]).fill(T::zero());
    all.row_mut(rows - 1).assign(&first);
    all
}

fn sparse_separations(n: usize) -> Vec<Separation> {
    let mut all: Vec<_> =
        [1.2, 1.5, 2.0, 4.0].map(|alpha| Separation::entmax(alpha).unwrap()).to_vec();
    all.push(Separation::normmax(2.0).unwrap());
    all.extend([1, 3, n].map(|k| Separation::top_k(k.min(n)).unwrap()));
    all
}

/// The same reports and readouts, bit by bit: of each query alone, and together those whose patterns in
/// play are so few that they are scored exactly. (Scores of a product depend on its shape.)
fn recalls_the_same<T: Scalar>(patterns: &Array2<T>, queries: &Array2<T>, betas: &[f64]) {
    let values = normal::<T>(patterns.nrows(), 2, 9);
    let (n, dim) = patterns.dim();
    for similarity in similarities::<T>(dim, 8).into_iter().chain([biased(n, dim, 8)]) {
        for separation in sparse_separations(patterns.nrows()) {
            for &beta in betas {
                let model = Model::new(similarity.clone(), separation, beta).unwrap();
                let memory = Memory::new(stored(patterns), model).unwrap();
                let memory = memory.with_values(stored(&values)).unwrap();
                let screened = memory.clone().screened();
                let what = format!("{} {separation} β = {beta}", similarity.name());
                let steps = Dynamics::steps(3).unwrap();
                for query in queries.axis_chunks_iter(Axis(0), 1).take(5) {
                    let expected = memory.retrieve(query, &steps).unwrap();
                    assert_eq!(screened.retrieve(query, &steps).unwrap(), expected, "{what}");
                }
                let one_step = Dynamics::one_step();
                let expected = memory.retrieve(queries.view(), &one_step).unwrap();
                let found = screened.retrieve(queries.view(), &one_step).unwrap();
                let scores = memory.scores(queries.view()).unwrap();
                for (i, scores) in scores.outer_iter().enumerate() {
                    if in_play(scores, separation, beta) <= patterns.nrows() / 16 + 16 {
                        assert_eq!(found.reports[i], expected.reports[i], "{what}");
                        assert_eq!(found.retrieved.row(i), expected.retrieved.row(i), "{what}");
                    }
                }
            }
        }
    }
}

/// Patterns that can carry weight, and a few more.
fn in_play<T: Scalar>(scores: ArrayView1<'_, T>, separation: Separation, beta: f64) -> usize {
    let mut descending: Vec<f64> = scores.iter().map(|s| s.widen()).collect();
    descending.sort_by(|a, b| b.total_cmp(a));
    let size = descending[0].abs().max(descending[descending.len() - 1].abs());
    let least = match separation.margin() {
        Some(margin) => descending[0] - margin / beta,
        None => match separation.to_string().as_str() {
            "top-1 softmax" => descending[0],
            "top-3 softmax" => descending[2.min(descending.len() - 1)],
            _ => return usize::MAX,
        },
    };
    descending.iter().filter(|&&score| score >= least - 1e-3 * size).count()
}

/// Sizes on both sides of a group (64) and of a tile (512); with a frame (dim ≥ 128) and without;
/// states on both sides of six at a time and of a task.
#[test]
fn sparse_memories_recall_the_same_bits() {
    for (n, dim, n_queries) in
        [(1, 1, 1), (2, 3, 5), (63, 4, 6), (64, 130, 7), (65, 5, 13), (511, 9, 2), (513, 140, 49)]
    {
        let (patterns, queries) =
            (coarse::<f32>(n, dim, 1), coarse::<f32>(n_queries.max(4), dim, 2));
        recalls_the_same(&patterns, &queries, &[0.2, 1.0, 16.0]);
        recalls_the_same(&patterns.mapv(f64::from), &queries.mapv(f64::from), &[1.0]);
        let (patterns, queries) = (smooth::<f32>(n, dim, 3), smooth::<f32>(n_queries, dim, 4));
        recalls_the_same(&patterns, &queries, &[0.05, 1.0, 30.0]);
    }
}

/// Enough patterns for several shards.
#[test]
fn shards_recall_the_same_bits() {
    let (patterns, queries) = (smooth::<f32>(9000, 130, 5), smooth::<f32>(3, 130, 6));
    recalls_the_same(&patterns, &queries, &[1.0]);
}

/// Peaked and flat softmax. What is left out weighs less than ε/2 of the whole. What is kept is scored
/// exactly, where a product is off by γ‖ξ‖‖x‖; β times that moves a weight by as much, relative to
/// itself, and the sums of n weights round n times more.
#[test]
fn softmax_recalls_the_same_within_rounding() {
    for (n, dim, n_queries) in [(2, 3, 5), (65, 5, 13), (1025, 140, 49)] {
        let (patterns, queries) = (smooth::<f32>(n, dim, 3), smooth::<f32>(n_queries, dim, 4));
        let norm = |rows: &Array2<f32>| {
            let norms = rows.map_axis(Axis(1), |row| row.iter().map(|x| x * x).sum::<f32>().sqrt());
            f64::from(norms.fold(0.0, |a: f32, &b| a.max(b)))
        };
        for beta in [0.01, 1.0, 30.0] {
            let memory = Memory::new(stored(&patterns), Model::dense(beta).unwrap()).unwrap();
            let all = memory.retrieve(queries.view(), &Dynamics::one_step()).unwrap();
            let screened =
                memory.screened().retrieve(queries.view(), &Dynamics::one_step()).unwrap();
            let score_error = (dim + 4) as f64 * norm(&patterns) * norm(&queries);
            let bound = epsilon::<f32>() * (2.0 * beta * score_error + (2 * n + 64) as f64);
            let largest = f64::from(patterns.fold(0.0, |a: f32, &b| a.max(b.abs())));
            Zip::from(&all.retrieved).and(&screened.retrieved).for_each(|&a, &b| {
                let error = f64::from(a - b).abs();
                assert!(error <= bound * largest, "β = {beta}: {error:e} {bound:e}");
            });
            assert!(screened.reports.iter().all(|report| report.support_size == n));
        }
    }
}

/// The copy is made of numbers of any scale, and of none.
#[test]
fn any_scale_recalls_the_same_bits() {
    let (patterns, queries) = (smooth::<f32>(600, 130, 5), smooth::<f32>(5, 130, 6));
    for scale in [1e-30_f32, 1e-12, 1e12, 1e15] {
        let queries = queries.mapv(|x| x * scale);
        recalls_the_same(&patterns, &queries, &[1.0 / f64::from(scale)]);
    }
    recalls_the_same(&patterns.mapv(|x| x * 1e-18), &queries, &[1e18]);
    recalls_the_same(&Array2::<f32>::zeros((70, 3)), &Array2::zeros((2, 3)), &[1.0]);
    let denormal = patterns.mapv(|x| x * 1e-41);
    recalls_the_same(&denormal, &queries, &[1e38]);
}

/// Coordinates that leave `f32` where no score does, and scores among its smallest numbers, are left to
/// the update without a screen.
#[test]
fn numbers_at_the_ends_of_their_type_recall_the_same() {
    let signs = normal::<f32>(600, 200, 5).mapv(f32::signum);
    let queries = normal::<f32>(5, 200, 6).mapv(f32::signum);
    let column = Array2::from_shape_fn((600, 1), |(i, _)| 0.37 * i as f32 - 100.0);
    let ones = Array2::from_shape_fn((5, 1), |(i, _)| i as f32 - 1.7);
    for (patterns, queries, scale, query_scale) in [
        (&signs, &queries, 3e38_f32, 1e-30_f32),
        (&signs, &queries, 1e-10, 3e38),
        (&signs, &queries, 1e-41, 1.0),
        (&column, &ones, 1e-40, 1e-3),
        (&column, &ones, 1e-20, 1e-22),
    ] {
        let patterns = patterns.mapv(|x| (x * scale).clamp(f32::MIN, f32::MAX));
        let queries = queries.mapv(|x| x * query_scale);
        let beta = 0.1 / (f64::from(scale) * f64::from(query_scale));
        for separation in [Separation::sparsemax(), Separation::top_k(3).unwrap()] {
            let model = Model::new(Similarity::Dot, separation, beta).unwrap();
            let memory = Memory::new(stored(&patterns), model).unwrap();
            let expected = memory.retrieve(queries.view(), &Dynamics::one_step()).unwrap();
            let found = memory.screened().retrieve(queries.view(), &Dynamics::one_step()).unwrap();
            assert_eq!(found, expected, "{separation}: {scale:e} {query_scale:e}");
        }
    }
}

/// Scores that overflow are an error, with a screen as without.
#[test]
fn scores_that_overflow_are_errors_all_the_same() {
    let patterns = ndarray::array![[1e30_f32, 0.0], [0.0, 1.0]];
    let memory = Memory::new(stored(&patterns), Model::sparse(1.0).unwrap()).unwrap().screened();
    let error = memory.retrieve(ndarray::array![[1e30_f32, 0.0]].view(), &Dynamics::one_step());
    assert!(error.unwrap_err().is_non_finite());
    // Finite scores, of which the second best overflows by β.
    let patterns = stored(&ndarray::array![[0.0_f32, 0.0], [3.0, 1.0], [0.0, 9.0]]);
    let two = Separation::top_k(2).unwrap();
    let model = Model::new(Similarity::Euclidean, two, 1e308).unwrap();
    let memory = Memory::new(patterns, model).unwrap();
    for memory in [memory.clone(), memory.screened()] {
        let error = memory.retrieve(ndarray::array![[0.0_f32, 0.0]].view(), &Dynamics::one_step());
        assert!(error.unwrap_err().is_non_finite());
    }
}
