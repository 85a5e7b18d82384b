//! Retrieval: every separation under every similarity, one query, one step and five.

use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, measurement::WallTime};
use ndarray::{ArrayView2, s};
use uhop::{Dynamics, LinearMap, Memory, Model, Separation, Similarity};
use uhop_bench::arrays::Arrays;

const BETA: f64 = 1.0;
/// Manhattan is no matrix product: fewer queries take as long.
const N_MANHATTAN_QUERIES: usize = 8;

pub(super) fn bench(criterion: &mut Criterion, arrays: &Arrays) {
    similarities(criterion, arrays);
    one_query(criterion, arrays);
    steps(criterion, arrays);
}

fn similarities(criterion: &mut Criterion, arrays: &Arrays) {
    let map = LinearMap::random_normal(arrays.patterns.dim(), arrays.patterns.dim(), 0)
        .expect("there are dimensions");
    for similarity in [
        Similarity::Dot,
        Similarity::Cosine,
        Similarity::Euclidean,
        Similarity::Manhattan,
        Similarity::Kernel(map),
    ] {
        let n_queries = match similarity {
            Similarity::Manhattan => N_MANHATTAN_QUERIES,
            _ => arrays.queries.nrows(),
        };
        let queries = arrays.queries.slice(s![..n_queries, ..]);
        let name = format!("retrieve/{}/{}", similarity.name(), arrays.name);
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(n_queries as u64));
        let mut memory = memory(arrays, similarity, Separation::softmax());
        for separation in separations() {
            let similarity = memory.model().similarity().clone();
            let model = Model::new(similarity, separation, BETA).expect("beta is above 0");
            memory = memory.with_model(model).expect("as before");
            let name = BenchmarkId::from_parameter(separation);
            retrieve(&mut group, name, &memory, queries, 1);
        }
        group.finish();
    }
}

fn one_query(criterion: &mut Criterion, arrays: &Arrays) {
    let query = arrays.queries.slice(s![..1, ..]);
    let mut group = criterion.benchmark_group(format!("one query/{}", arrays.name));
    for separation in separations() {
        let memory = memory(arrays, Similarity::Dot, separation);
        let name = BenchmarkId::from_parameter(separation);
        retrieve(&mut group, name, &memory, query, 1);
    }
    group.finish();
}

fn steps(criterion: &mut Criterion, arrays: &Arrays) {
    let mut group = criterion.benchmark_group(format!("steps/{}", arrays.name));
    for alpha in [2.0, 1.5] {
        let separation = Separation::entmax(alpha).expect("alpha is above 1");
        let memory = memory(arrays, Similarity::Dot, separation);
        for max_steps in [1, 5] {
            let name = BenchmarkId::new(separation.to_string(), max_steps);
            retrieve(&mut group, name, &memory, arrays.queries.view(), max_steps);
        }
    }
    group.finish();
}

fn separations() -> [Separation; 5] {
    let entmax = |alpha| Separation::entmax(alpha).expect("alpha is at least 1");
    let top_k = Separation::top_k(100).expect("100 is above 0");
    [Separation::softmax(), Separation::sparsemax(), entmax(1.5), entmax(1.3), top_k]
}

fn memory(arrays: &Arrays, similarity: Similarity<f32>, separation: Separation) -> Memory<f32> {
    let model = Model::new(similarity, separation, BETA).expect("beta is above 0");
    Memory::new(arrays.patterns.clone(), model).expect("the model fits the patterns")
}

fn retrieve(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: BenchmarkId,
    memory: &Memory<f32>,
    queries: ArrayView2<'_, f32>,
    max_steps: usize,
) {
    let dynamics = Dynamics::steps(max_steps).expect("at least one step");
    group.bench_function(name, |bencher| bencher.iter(|| memory.retrieve(queries, &dynamics)));
}
