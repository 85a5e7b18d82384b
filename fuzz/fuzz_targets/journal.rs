//! The journal: any bytes beside a file, and a good one with any changes.
//!
//! Mutation alone never gets past a checksum, so the second half starts from a journal that is
//! right and reads the bytes as what happens to it: its new length, then places and what is written
//! over them. Whatever is still read was written, in order, from the first record on.

#![no_main]

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;
use uhop_data::store::{self, Writer};
use uhop_fuzz::read;

const RECORDS: [&[u8]; 4] = [b"one", b"", b"the third record", b"4"];

struct Place {
    _folder: TempDir,
    memory: PathBuf,
    journal: PathBuf,
    good: Vec<u8>,
}

impl Place {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder for temporary files");
        let memory = folder.path().join("memory");
        let journal = folder.path().join("memory.journal");
        fs::write(&memory, "base").expect("room for one small file");
        let mut writer = Writer::open(&memory).expect("nobody else writes");
        for record in RECORDS {
            writer.append(record).expect("room for one small record");
        }
        let good = fs::read(&journal).expect("a journal was written");
        Self { _folder: folder, memory, journal, good }
    }

    /// The records that are read, if the journal is not refused.
    fn read(&self, journal: &[u8]) -> Vec<Vec<u8>> {
        fs::write(&self.journal, journal).expect("room for one small file");
        // Reads the journal once, where `store::read` waits for a writer to mend it.
        let Some(writer) = read(Writer::open(&self.memory)) else { return Vec::new() };
        let snapshot = store::read(&self.memory).expect("the writer has read it");
        assert_eq!(snapshot.base_bytes().expect("it was just written"), b"base");
        assert_eq!(snapshot.records().len() as u64, writer.n_records());
        snapshot.records().map(<[u8]>::to_vec).collect()
    }
}

thread_local! {
    static PLACE: RefCell<Place> = RefCell::new(Place::new());
}

fuzz_target!(|bytes: &[u8]| {
    PLACE.with_borrow(|place| {
        place.read(bytes);
        let Some((&length, edits)) = bytes.split_first() else { return };
        let mut journal = place.good.clone();
        journal.resize(usize::from(length), 0);
        for edit in edits.chunks_exact(2) {
            if let Some(byte) = journal.get_mut(usize::from(edit[0])) {
                *byte = edit[1];
            }
        }
        let records = place.read(&journal);
        assert!(records.len() <= RECORDS.len());
        assert!(RECORDS.iter().zip(&records).all(|(written, read)| written == read));
    });
});
