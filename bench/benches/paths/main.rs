//! `cargo bench -p uhop-bench`: a benchmark for every path through the library.

mod files;
mod retrieval;
mod stage1;

use std::time::Duration;

use criterion::Criterion;
use uhop_bench::arrays::Arrays;

const N_PATTERNS: usize = 10_000;
const N_QUERIES: usize = 128;

fn main() {
    let arrays = Arrays::load(N_PATTERNS, N_QUERIES).expect("MNIST is readable where it is");
    // Few and short samples: a regression shows, and all of them take a few minutes.
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    retrieval::bench(&mut criterion, &arrays);
    stage1::bench(&mut criterion, &arrays);
    files::bench(&mut criterion, &arrays);
    criterion.final_summary();
}
