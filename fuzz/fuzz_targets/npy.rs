//! `.npy`: the whole file, and by batches of rows, which must agree.

#![no_main]

use libfuzzer_sys::fuzz_target;
use uhop_data::npy;
use uhop_fuzz::{matrix, read, same};

fuzz_target!(|bytes: &[u8]| {
    matrix(npy::parse(bytes), |out, rows| npy::write_to(out, rows), |bytes| npy::parse(bytes));

    let Some(mut reader) = read(npy::RowReader::new(bytes)) else { return };
    let mut writer =
        npy::RowWriter::growing(std::io::Cursor::new(Vec::new()), reader.element(), reader.dim())
            .expect("a reader has columns");
    let outcome = loop {
        match reader.next_batch(3) {
            Ok(Some(batch)) => writer.write(&batch).expect("batches have the reader's shape"),
            Ok(None) => break writer.finish(),
            Err(error) => break Err(error),
        }
    };
    match (read(outcome), npy::parse(bytes)) {
        (Some(rows), Ok(whole)) => {
            let rows = npy::parse(&rows.into_inner()[..]).expect("bytes of this crate's own");
            assert!(same(&rows, &whole));
        }
        (None, Err(_)) => {}
        (batches, whole) => panic!("batches {}, whole {whole:?}", batches.is_some()),
    }
});
