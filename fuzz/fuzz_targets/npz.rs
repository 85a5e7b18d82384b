//! `.npz`: the only member, and one by name.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use uhop_data::npz;
use uhop_fuzz::{matrix, read};

fuzz_target!(|bytes: &[u8]| {
    let parse = |bytes: &[u8]| npz::parse(Cursor::new(bytes), None);
    matrix(parse(bytes), |out, rows| npz::write_to(out, "patterns", rows), parse);
    read(npz::parse(Cursor::new(bytes), Some("a")));
});
