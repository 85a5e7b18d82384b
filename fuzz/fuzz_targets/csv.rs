//! `.csv`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use uhop_data::csv;
use uhop_fuzz::matrix;

fuzz_target!(|bytes: &[u8]| {
    matrix(csv::parse(bytes), |out, rows| csv::write_to(out, rows), |bytes| csv::parse(bytes));
});
