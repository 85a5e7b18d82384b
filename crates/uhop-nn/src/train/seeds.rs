//! Random numbers of their own for each use, by what a step is and not by what came before.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What is drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Use {
    /// The parameters.
    Parameters,
    /// The order of the samples of a task epoch.
    Task,
    /// The order of the samples of inner steps.
    Inner,
    /// Dropout.
    Dropout,
}

/// The generator of one use; `index` tells its epochs or steps apart.
pub(crate) fn generator(seed: u64, use_: Use, index: u64) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(((use_ as u64) << 56) | index);
    generator
}

/// Held while the backend's generator, one for the whole process, is seeded and drawn from.
pub(crate) fn hold_generator() -> MutexGuard<'static, ()> {
    static GENERATOR: Mutex<()> = Mutex::new(());
    GENERATOR.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The samples of batch `k`, of passes of `n` samples in random order: the last batch of a pass may be
/// shorter. `index` tells the first pass from those of other epochs.
pub(super) fn batch(
    seed: u64,
    use_: Use,
    epoch: u64,
    k: usize,
    n: usize,
    batch_size: usize,
) -> Vec<usize> {
    let a_pass = n.div_ceil(batch_size);
    let index = (epoch << 24) | (k / a_pass) as u64;
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(&mut generator(seed, use_, index));
    let first = (k % a_pass) * batch_size;
    order[first..(first + batch_size).min(n)].to_vec()
}

/// The seed of the dropout of a step.
pub(super) fn dropout(seed: u64, epoch: u64, step: u64) -> u64 {
    generator(seed, Use::Dropout, (epoch << 32) | step).next_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_has_each_sample_once_and_the_next_another_order() {
        let of = |k| batch(7, Use::Task, 3, k, 10, 4);
        let pass = |first: usize| [of(first), of(first + 1), of(first + 2)].concat();
        assert_eq!([of(0).len(), of(1).len(), of(2).len(), of(3).len()], [4, 4, 2, 4]);
        for first in [0, 3] {
            let mut sorted = pass(first);
            sorted.sort_unstable();
            assert_eq!(sorted, (0..10).collect::<Vec<_>>());
        }
        assert_ne!(pass(0), pass(3));
        assert_ne!(pass(0), [0, 1, 2].map(|k| batch(7, Use::Inner, 3, k, 10, 4)).concat());
        assert_ne!(pass(0), [0, 1, 2].map(|k| batch(8, Use::Task, 3, k, 10, 4)).concat());
        assert_eq!(pass(0), pass(0));
    }
}
