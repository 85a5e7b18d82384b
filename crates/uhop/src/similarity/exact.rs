//! Single scores summed in `f64`: the same bits in any batch, and closer than those of a product.

use ndarray::{ArrayView1, ArrayView2, s};

use super::{Keys, Kind, Prepared, Queries, check_finite, l1_distance};
use crate::error::Result;
use crate::scalar::Scalar;
use crate::wide;

impl<T: Scalar> Keys<T> {
    /// The score of one pattern for one state, rounded once.
    ///
    /// # Errors
    /// [`is_non_finite`](crate::Error::is_non_finite) when it overflows.
    pub(crate) fn exact_score(
        &self,
        states: &Prepared<'_, T>,
        row: usize,
        pattern: usize,
    ) -> Result<T> {
        let (key, state) = (self.key(pattern), states.rows().slice_move(s![row, ..]));
        let score = match &self.kind {
            Kind::Dot | Kind::Kernel { .. } => T::narrow(wide::dot(key, state)),
            Kind::Cosine { .. } => {
                let cosine = wide::dot(key, state);
                T::narrow(cosine.clamp(-1.0, 1.0))
            }
            Kind::Euclidean { .. } => T::narrow(-0.5 * wide::squared_distance(key, state)),
            Kind::Manhattan => -l1_distance(key, state),
            Kind::TwoSided { queries, .. } => {
                let direct = match queries {
                    Queries::Channel { channel, .. } => {
                        let pattern = self.patterns.view().slice_move(s![pattern, ..]);
                        channel.terms().direct(pattern, state, |_| true)
                    }
                    Queries::Map(_) => None,
                };
                let (offset, constant) = (self.offset(pattern), self.constant(states, row));
                T::narrow(direct.unwrap_or_else(|| wide::dot(key, state) + offset + constant))
            }
        };
        let one = ArrayView2::from_shape((1, 1), std::slice::from_ref(&score));
        check_finite("a score", one.expect("one entry"), (row, pattern))?;
        Ok(score)
    }

    /// The most by which a score of this state can differ from its exact one when it comes from a
    /// product: γ = (dim + 4)·ε of ‖k‖‖x‖, of each term apart for channels, and of ½‖k‖² + ½‖x‖² for distances;
    /// twice what summing in any order can lose, for what the terms of a row add. A bias b and a constant c add
    /// ε·(|b| + |c|), as the sum with them is rounded to `T` on either way. And dim products that may underflow.
    pub(crate) fn product_error(&self, states: &Prepared<'_, T>, row: usize) -> f64 {
        let state = states.rows().slice_move(s![row, ..]);
        let gamma = (state.len() + 4) as f64 * T::epsilon().widen();
        let smallest = T::min_positive_value().widen() * T::epsilon().widen();
        let underflow = state.len() as f64 * smallest;
        let constant = self.constant(states, row);
        match &self.kind {
            Kind::Manhattan => 0.0,
            Kind::Euclidean { .. } => {
                let key = self.largest_norm();
                gamma * (key * key + wide::squared_norm(state)) + underflow
            }
            Kind::TwoSided { offsets: Some(offsets), .. } => {
                let added = offsets.largest + constant.abs();
                gamma * self.product_size(state) + T::epsilon().widen() * added + underflow
            }
            _ => gamma * self.product_size(state) + underflow,
        }
    }

    /// The most that Σ|k||x| can be for this state: ‖x‖ times the largest ‖k‖, of each term of a channel apart. What a
    /// query has none of does not count then, however large it is in the patterns.
    pub(super) fn product_size(&self, state: ArrayView1<'_, T>) -> f64 {
        let norms = self.largest_norms();
        let size = state.len() / norms.len();
        norms
            .iter()
            .enumerate()
            .map(|(term, key)| {
                let part = state.slice(s![term * size..(term + 1) * size]);
                key * wide::squared_norm(part).sqrt()
            })
            .sum()
    }

    /// The number of keys, which is that of the patterns.
    pub(crate) fn n_keys(&self) -> usize {
        self.patterns.n_patterns()
    }

    /// The length of keys whose products with a state are scores, up to a term for each;
    /// nothing where there are none.
    pub(crate) fn width(&self) -> Option<usize> {
        match &self.kind {
            Kind::Manhattan => None,
            _ => Some(self.keys().ncols()),
        }
    }

    /// What a state is compared with for one pattern.
    pub(crate) fn key(&self, pattern: usize) -> ArrayView1<'_, T> {
        self.keys().slice_move(s![pattern, ..])
    }

    /// What is added to the product of each key: −½‖k‖² for distances, a bias.
    pub(crate) fn offsets(&self) -> Option<Vec<f64>> {
        match &self.kind {
            Kind::Euclidean { half_norms, .. } => Some(half_norms.iter().map(|n| -n).collect()),
            Kind::TwoSided { offsets: Some(offsets), .. } => Some(offsets.of.to_vec()),
            _ => None,
        }
    }

    /// What is added to the product of one key, of those that are not distances.
    pub(super) fn offset(&self, pattern: usize) -> f64 {
        match &self.kind {
            Kind::TwoSided { offsets: Some(offsets), .. } => offsets.of[pattern],
            _ => 0.0,
        }
    }

    /// The largest that a score of this pattern can be, but for what the query adds.
    pub(super) fn peak(&self, pattern: usize) -> f64 {
        match &self.kind {
            Kind::TwoSided { queries: Queries::Channel { peaks, .. }, .. } => peaks[pattern],
            _ => 0.0,
        }
    }

    /// What is added to all products of a state: −½‖x‖² for distances, c(q) for channels.
    pub(crate) fn constant(&self, states: &Prepared<'_, T>, row: usize) -> f64 {
        states.constants.as_ref().map_or(0.0, |constants| constants[row])
    }

    /// The largest ‖k‖, or a little more where the terms of a channel have theirs in other patterns.
    pub(crate) fn largest_norm(&self) -> f64 {
        match self.largest_norms() {
            [norm] => *norm,
            norms => norms.iter().map(|norm| norm * norm).sum::<f64>().sqrt(),
        }
    }

    /// The largest ‖k‖, of each term of a channel apart, computed when first asked for.
    ///
    /// By one thread: were it shared among several, one that waits for its share could take up work
    /// that asks for the norms again, and wait for itself.
    fn largest_norms(&self) -> &[f64] {
        self.largest_norms.get_or_init(|| {
            let n_terms = match &self.kind {
                Kind::TwoSided { queries: Queries::Channel { channel, .. }, .. } => {
                    channel.terms().n_terms()
                }
                _ => 1,
            };
            let size = self.keys().ncols() / n_terms;
            let mut norms = vec![0.0; n_terms];
            for key in self.keys().rows() {
                for (norm, part) in norms.iter_mut().zip(key.exact_chunks(size)) {
                    *norm = f64::max(*norm, wide::squared_norm(part).sqrt());
                }
            }
            norms
        })
    }
}

impl<T> Prepared<'_, T> {
    /// The states, `[n_states, _]`.
    pub(crate) fn rows(&self) -> ArrayView2<'_, T> {
        self.states.view()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use ndarray::Array2;

    use crate::channel::Channel;
    use crate::patterns::Patterns;
    use crate::scalar::Scalar;
    use crate::similarity::{Keys, Similarity};
    use crate::threads::Threads;

    /// What is computed directly, entry by entry, costs a hundred times what a product does: of patterns that differ
    /// much it is that of the query alone.
    #[test]
    fn few_scores_of_channels_are_computed_directly() {
        let (n, dim) = (32, 300);
        let binary = |i: usize, j: usize| f32::from(u8::from((i * j + j * j * 7) % 37 % 11 < 5));
        let grey = |i: usize, j: usize| ((i * j + j * j * 7) % 37 % 11) as f32 / 10.0;
        let levels = |value: f64| vec![value; 2];
        let calibrated = |variance| Channel::calibrated(vec![0.0, 1.0], levels(variance));
        let cases = [
            (Channel::salt_and_pepper(0.2), Array2::from_shape_fn((n, dim), |(i, j)| binary(i, j))),
            (Ok(Channel::half_mask()), Array2::from_shape_fn((n, dim), |(i, j)| binary(i, j))),
            (calibrated(0.09), Array2::from_shape_fn((n, dim), |(i, j)| grey(i, j))),
            (calibrated(0.001), Array2::from_shape_fn((n, dim), |(i, j)| grey(i, j))),
        ];
        for (channel, rows) in cases {
            let channel = channel.expect("a channel");
            let keys = Similarity::Channel(channel.clone())
                .bind(&Patterns::new(rows.clone()).expect("patterns"))
                .expect("keys");
            let queries =
                if channel == Channel::half_mask() { rows.mapv(|x| 2.0 * x) } else { rows };
            let states = keys.prepare(queries.view()).expect("states");
            for row in 0..n {
                let unclear = keys.unclear_above(&channel, &states, row);
                let is_unclear = |&pattern: &usize| {
                    let score = keys.exact_score(&states, row, pattern).expect("a score");
                    keys.is_unclear(score.widen(), pattern, unclear)
                };
                let found: Vec<usize> = (0..n).filter(is_unclear).collect();
                assert_eq!(found, [row], "{channel}");
            }
        }
    }

    /// One thread makes the norm while another has tasks in store that need it, and does not do them: were
    /// the norm made in shares, the first would take one of these up while it waits for a share.
    fn made_while_tasks_wait<T: Scalar>(keys: &Keys<T>) {
        let (in_store, made) = (AtomicUsize::new(0), AtomicBool::new(false));
        rayon::scope(|scope| {
            scope.spawn(|scope| {
                for _ in 0..64 {
                    scope.spawn(|_| assert!(keys.largest_norm() > 0.0));
                }
                in_store.store(64, Ordering::Release);
                while !made.load(Ordering::Acquire) {
                    thread::yield_now();
                }
            });
            while in_store.load(Ordering::Acquire) == 0 {
                thread::yield_now();
            }
            keys.largest_norm();
            made.store(true, Ordering::Release);
        });
    }

    /// The minute only ends a test that would not end.
    #[test]
    fn a_thread_that_makes_the_norm_does_not_wait_for_itself() {
        let (done, finished) = mpsc::channel();
        thread::spawn(move || {
            let rows = Array2::from_shape_fn((100_000, 8), |(i, j)| (i + j) as f32);
            let patterns = Patterns::new(rows).expect("finite rows");
            let threads = Threads::new(8).expect("eight threads");
            for _ in 0..50 {
                let keys = Similarity::Dot.bind(&patterns).expect("keys");
                threads.install(|| made_while_tasks_wait(&keys));
            }
            done.send(()).expect("the test waits");
        });
        assert!(
            finished.recv_timeout(Duration::from_secs(60)).is_ok(),
            "a thread waits for itself"
        );
    }
}
