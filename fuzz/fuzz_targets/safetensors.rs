//! `.safetensors`: the only tensor, and one by name.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use uhop_data::safetensors;
use uhop_fuzz::{matrix, read};

fuzz_target!(|bytes: &[u8]| {
    let parse = |bytes: &[u8]| safetensors::parse(Cursor::new(bytes), None);
    matrix(parse(bytes), |out, rows| safetensors::write_to(out, rows), parse);
    read(safetensors::parse(Cursor::new(bytes), Some("a")));
});
