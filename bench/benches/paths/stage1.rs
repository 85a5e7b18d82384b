//! Stage I: a loss and its gradient.

use criterion::Criterion;
use uhop::LinearMap;
use uhop::stage1::SeparationLoss;
use uhop_bench::arrays::Arrays;

const N_PATTERNS: usize = 2_000;

pub(super) fn bench(criterion: &mut Criterion, arrays: &Arrays) {
    let patterns = arrays.patterns.first(N_PATTERNS).expect("there are more");
    let dim = patterns.dim();
    let map = LinearMap::random_normal(dim, dim, 0).expect("there are dimensions");
    let mut group = criterion.benchmark_group(format!("loss and gradient/{}", arrays.name));
    for (name, loss) in [("average", SeparationLoss::average()), ("max", SeparationLoss::max())] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| loss.value_and_gradient(&map, &patterns));
        });
    }
    group.finish();
}
