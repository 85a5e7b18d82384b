//! Opening a memory file, with its checksum and without.

use criterion::{Criterion, Throughput};
use uhop::saved::{AnyMemory, SavedMemory};
use uhop::{Memory, Model};
use uhop_bench::arrays::Arrays;
use uhop_data::store;

pub(super) fn bench(criterion: &mut Criterion, arrays: &Arrays) {
    let model = Model::dense(1.0).expect("beta is above 0");
    let memory = Memory::new(arrays.patterns.clone(), model).expect("the model fits");
    let bytes = SavedMemory::new(memory).to_bytes().expect("a memory has bytes");
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    let path = folder.path().join("memory.safetensors");
    std::fs::write(&path, &bytes).expect("it can be written to");

    let mut group = criterion.benchmark_group(format!("open/{}", arrays.name));
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    let open = |open: fn(store::Bytes) -> uhop::Result<AnyMemory>| {
        open(store::read(&path)?.base_bytes()?).map_err(Box::<dyn std::error::Error>::from)
    };
    group.bench_function("checked", |bencher| {
        bencher.iter(|| open(AnyMemory::from_bytes).expect("the file is whole"));
    });
    group.bench_function("trusted", |bencher| {
        bencher.iter(|| open(AnyMemory::from_trusted_bytes).expect("the file is whole"));
    });
    group.finish();
}
