//! Arrays to measure with: MNIST where it is, else clusters made from a seed.

use std::path::Path;

use ndarray::{Array2, s};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};
use uhop::Patterns;
use uhop_data::{Corruption, idx};

/// Entries of an MNIST image.
const DIM: usize = 784;
const SEED: u64 = 0;

/// Stored patterns and damaged copies of some of them.
#[derive(Debug, Clone)]
pub struct Arrays {
    /// `"mnist"` or `"synthetic"`.
    pub name: &'static str,
    /// `[n_patterns, 784]`, entries from 0 to 1.
    pub patterns: Patterns<f32>,
    /// `[n_queries, 784]`: every other pattern or so, half of its entries removed.
    pub queries: Array2<f32>,
}

impl Arrays {
    /// The first MNIST training images when `../shared/data` has them, else clusters.
    ///
    /// # Errors
    /// Whatever the reader of an incomplete MNIST file says.
    pub fn load(n_patterns: usize, n_queries: usize) -> Result<Self, uhop_data::Error> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../shared/data/mnist/train-images-idx3-ubyte.gz");
        let (name, rows) = if path.exists() {
            let images = idx::read_images(path)?;
            ("mnist", images.patterns().slice(s![..n_patterns, ..]).to_owned())
        } else {
            ("synthetic", clusters(n_patterns, DIM, SEED))
        };
        let chosen = rows.slice(s![..;(n_patterns / n_queries).max(1), ..]);
        let queries = Corruption::half_mask().apply(chosen.slice(s![..n_queries, ..]), SEED)?;
        let patterns = Patterns::new(rows).expect("pixels are finite and there are some");
        Ok(Self { name, patterns, queries })
    }
}

/// Rows `[n_patterns, dim]` around a hundredth as many centres: a fifth of a centre's entries are
/// from 0 to 1, the others 0; a row adds normal noise of 0.1 and stays in 0 to 1.
///
/// ```
/// let rows = uhop_bench::arrays::clusters(200, 50, 0);
/// assert!(rows.iter().all(|x| (0.0..=1.0).contains(x)));
/// assert_eq!(rows, uhop_bench::arrays::clusters(200, 50, 0));
/// ```
pub fn clusters(n_patterns: usize, dim: usize, seed: u64) -> Array2<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let n_centres = n_patterns.div_ceil(100);
    let centres = Array2::from_shape_simple_fn((n_centres, dim), || {
        if rng.random_bool(0.2) { rng.random::<f32>() } else { 0.0 }
    });
    let noise = Normal::new(0.0, 0.1).expect("0.1 is a standard deviation");
    Array2::from_shape_fn((n_patterns, dim), |(row, column)| {
        let x: f32 = noise.sample(&mut rng);
        (centres[[row % n_centres, column]] + x).clamp(0.0, 1.0)
    })
}
