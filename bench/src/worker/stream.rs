//! Reading an array once, as fast as memory gives it.

use ndarray::ArrayView2;
use rayon::prelude::*;

/// Partial sums held in registers: enough that additions do not wait for each other.
const LANES: usize = 64;

/// The sum of all entries; each thread of the current pool reads one part.
pub(super) fn sum(array: ArrayView2<'_, f32>) -> f64 {
    let entries = array.to_slice().expect("patterns are row-major");
    let part = entries.len().div_ceil(rayon::current_num_threads());
    entries.par_chunks(part).map(sum_of_part).sum()
}

fn sum_of_part(entries: &[f32]) -> f64 {
    let mut lanes = [0.0_f32; LANES];
    let chunks = entries.chunks_exact(LANES);
    let rest: f64 = chunks.remainder().iter().map(|&x| f64::from(x)).sum();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += x;
        }
    }
    rest + lanes.iter().map(|&lane| f64::from(lane)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    #[test]
    fn every_entry_is_read_once() {
        for n in [1, LANES - 1, LANES, LANES + 1, 10 * LANES + 3] {
            let array = Array2::from_shape_fn((1, n), |(_, i)| i as f32);
            assert_eq!(sum(array.view()), (n * (n - 1) / 2) as f64, "{n}");
        }
    }
}
