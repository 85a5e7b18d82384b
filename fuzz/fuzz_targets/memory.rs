//! The memory file: the bytes as they are, and with their checksums made right.

#![no_main]

use libfuzzer_sys::fuzz_target;
use uhop::saved::{self, AnyMemory};
use uhop_fuzz::{memory, one_line};

fn to_bytes(memory: &AnyMemory) -> Vec<u8> {
    match memory {
        AnyMemory::F32(memory) => memory.to_bytes(),
        AnyMemory::F64(memory) => memory.to_bytes(),
    }
    .expect("what was read can be written")
}

fn check(bytes: &[u8]) {
    match AnyMemory::from_bytes(bytes.to_vec()) {
        Ok(memory) => {
            assert!(saved::is_memory(bytes));
            let written = to_bytes(&memory);
            let read = AnyMemory::from_bytes(written.clone()).expect("bytes of this crate's own");
            assert_eq!(to_bytes(&read), written);
        }
        Err(error) => one_line(&error),
    }
}

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    if let Some(forged) = memory::sealed(bytes) {
        check(&forged);
    }
});
