//! IDX, plain and compressed, and everything it turns into.

#![no_main]

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use uhop_data::idx;
use uhop_fuzz::{one_line, read};

fuzz_target!(|bytes: &[u8]| {
    let Some(plain) = read(idx::parse(bytes)) else { return };
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("written to memory");
    // Compressed twice is not IDX.
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        let packed = encoder.finish().expect("written to memory");
        let unpacked = idx::parse(&packed[..]).expect("the same, compressed");
        // Debug output, where NaN is like NaN.
        assert_eq!(format!("{unpacked:?}"), format!("{plain:?}"));
    }
    let n_values: usize = plain.shape().iter().product();
    if let Some(rows) = read(plain.clone().into_matrix()) {
        assert_eq!(rows.n_rows() * rows.dim(), n_values);
    }
    if let Some(images) = read(plain.clone().into_images()) {
        assert!(images.patterns().iter().all(|pixel| (0.0..=1.0).contains(pixel)));
    }
    if let Some(rows) = read(plain.clone().into_patterns()) {
        assert!(rows.iter().all(|value| value.is_finite()));
    }
    if let Err(error) = plain.into_labels() {
        one_line(&error);
    }
});
