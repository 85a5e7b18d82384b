//! `.parquet`: the only column, as a whole and in batches, which must agree; the labels, all and the
//! first ones.

#![no_main]

use std::sync::Once;

use libfuzzer_sys::fuzz_target;
use uhop_data::parquet::{self, RowReader};
use uhop_data::ReadOptions;
use uhop_fuzz::read;

/// Panics of the decoder are caught by the reader; every other ends the fuzzer, as it would.
fn let_decoder_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let abort = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !parquet::is_decoding() {
                abort(panic);
            }
        }));
    });
}

fuzz_target!(|bytes: &[u8]| {
    let_decoder_panic();
    let options = ReadOptions::default();
    let reader = || std::io::Cursor::new(bytes.to_vec());
    let labels = |max_rows| read(parquet::parse_labels(reader(), None, max_rows));
    if let Some(all) = labels(usize::MAX) {
        let n_classes = all.names().map_or(usize::MAX, <[String]>::len);
        assert!(all.values().iter().all(|&label| (label as usize) < n_classes));
        let first = labels(3).expect("they were read as a whole");
        assert_eq!(first.values(), &all.values()[..all.values().len().min(3)]);
        assert_eq!(first.names(), all.names());
    }
    let Some((whole, images)) = read(parquet::parse(reader(), &options)) else { return };
    let mut rows = RowReader::new(reader(), &options).expect("it was read as a whole");
    assert_eq!((rows.n_rows(), rows.dim(), rows.images()), (whole.n_rows(), whole.dim(), images));
    let mut n_rows = 0;
    while let Some(batch) = rows.next_batch(3).expect("it was read as a whole") {
        n_rows += batch.n_rows();
    }
    assert_eq!(n_rows, whole.n_rows());
});
