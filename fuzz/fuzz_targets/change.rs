//! A change of a memory, as a record of its journal: read, written again, and applied.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ndarray::Array2;
use uhop::saved::{Change, SavedMemory};
use uhop::{Memory, Model, Patterns};
use uhop_fuzz::one_line;

fn memory() -> SavedMemory<f32> {
    let patterns = Array2::from_shape_fn((3, 3), |(row, column)| (row * 3 + column) as f32);
    let patterns = Patterns::new(patterns).expect("finite numbers");
    let model = Model::sparse(1.0).expect("a model");
    SavedMemory::new(Memory::new(patterns, model).expect("a memory"))
}

fuzz_target!(|bytes: &[u8]| {
    match Change::<f32>::from_bytes(bytes.to_vec()) {
        Ok(change) => {
            let written = change.to_bytes().expect("what was read can be written");
            assert_eq!(Change::from_bytes(written).expect("bytes of this crate's own"), change);
            if let Err(error) = memory().with_changes(&[change]) {
                one_line(&error);
            }
        }
        Err(error) => one_line(&error),
    }
});
