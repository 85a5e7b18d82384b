//! Hostile memory files: an error of one line, and no more memory than `from_bytes` promises.
//!
//! The files are in `tests/corpus/memory`; those with a name from `files.rs` are made there. The
//! tests count every allocation of this process, so they run one after the other.

#![expect(clippy::unwrap_used, reason = "helpers of tests, which clippy does not see as tests")]

mod files;
mod forged;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use files::Expected;
use peak_alloc::PeakAlloc;
use uhop::saved::AnyMemory;

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

/// Bytes of memory for each byte of the header, as `from_bytes` says.
const HEADER: usize = 64;

/// The same for each byte of the tensors, ids being what takes most.
const TENSORS: usize = 5;

/// One test at a time: the counter sees the whole process.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A thread that multiplies keeps some MiB of scratch from its first product on: one thread, and its
/// scratch is there before the counting.
fn in_one_thread<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    static POOL: LazyLock<uhop::Threads> = LazyLock::new(|| {
        let pool = uhop::Threads::new(1).unwrap();
        let ones = ndarray::Array2::<f32>::ones((64, 64));
        pool.install(|| uhop::readout(ones.view(), ones.view())).unwrap();
        pool
    });
    POOL.install(work)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/memory")
}

/// Reads the bytes within their memory, into a memory or the one line that refuses them.
#[track_caller]
fn read(bytes: &[u8], tensors: usize, name: &str) -> Result<AnyMemory, String> {
    let file = bytes.to_vec();
    in_one_thread(|| ());
    ALLOCATED.reset_peak_usage();
    let before = ALLOCATED.current_usage();
    let outcome = in_one_thread(|| AnyMemory::from_bytes(file));
    let peak = ALLOCATED.peak_usage() - before;
    let header = bytes.first_chunk().map_or(0, |length| u64::from_le_bytes(*length));
    let header = usize::try_from(header).unwrap_or(usize::MAX).min(bytes.len());
    let limit = (64 << 10) + HEADER * header + tensors * (bytes.len() - header);
    assert!(peak <= limit, "{name}: {peak} bytes for a file of {}, limit {limit}", bytes.len());
    outcome.map_err(|error| {
        let text = error.to_string();
        assert!(!text.contains(char::is_control), "{name}: {text:?}");
        assert!(text.len() < 1000, "{name}: {text}");
        text
    })
}

/// Files that are made but not there are put there, and the test fails once, so that they are seen
/// and committed.
#[test]
fn the_files_are_those_that_are_made() {
    let _turn = alone();
    let mut new = Vec::new();
    for (name, bytes, _) in files::all() {
        let path = folder().join(name);
        if let Ok(found) = fs::read(&path) {
            assert!(found == bytes, "{} differs; remove it to make it anew", path.display());
        } else {
            fs::write(&path, &bytes).unwrap();
            new.push(name);
        }
    }
    assert!(new.is_empty(), "made {new:?}; look at them, and run the test again");
}

/// Made or found by fuzzing: each is read within its memory, or refused in one line.
#[test]
fn every_file_is_read_or_refused_in_one_line_and_little_memory() {
    let _turn = alone();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let _ = read(&bytes, TENSORS, &path.display().to_string());
    }
}

#[test]
fn files_that_are_made_are_read_or_refused_as_said() {
    let _turn = alone();
    for (name, bytes, expected) in files::all() {
        match (read(&bytes, TENSORS, name), expected) {
            (Ok(_), Expected::Read) => {}
            (Err(text), Expected::Refused(says)) => assert!(text.contains(says), "{name}: {text}"),
            (outcome, _) => panic!("{name}: {:?}", outcome.map(|_| "was read")),
        }
    }
}

/// Changes in a journal: refused in one line when they are read or when they are applied, but for
/// the good ones.
#[test]
fn every_change_is_read_or_refused_in_one_line() {
    let _turn = alone();
    let patterns = uhop::Patterns::new(ndarray::Array2::<f32>::ones((3, 3))).unwrap();
    let memory = uhop::Memory::new(patterns, uhop::Model::sparse(1.0).unwrap()).unwrap();
    let saved = uhop::saved::SavedMemory::new(memory);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/change");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let limit = (64 << 10) + HEADER * bytes.len();
        ALLOCATED.reset_peak_usage();
        let before = ALLOCATED.current_usage();
        let outcome = uhop::saved::Change::<f32>::from_bytes(bytes)
            .and_then(|change| saved.clone().with_changes(&[change]).map(drop));
        let peak = ALLOCATED.peak_usage() - before;
        assert!(peak <= limit, "{}: {peak} bytes, limit {limit}", path.display());
        match outcome {
            Ok(()) => assert!(path.ends_with("remove"), "{} was read", path.display()),
            Err(error) => assert!(!error.to_string().contains(char::is_control), "{error}"),
        }
    }
}

/// Refused or not, a changed byte behind checksums that were made right again is harmless.
#[test]
fn every_flip_of_a_forged_file_is_harmless() {
    let _turn = alone();
    let good = files::good();
    for position in 0..good.len() {
        for bit in 0..8 {
            let mut bytes = good.clone();
            bytes[position] ^= 1 << bit;
            if let Some(forged) = forged::sealed(&bytes) {
                let _ = read(&forged, TENSORS, &format!("byte {position}, bit {bit}"));
            }
        }
    }
}

/// Honest and forged files that take the most memory for their size.
#[test]
fn the_worst_files_stay_within_what_is_promised() {
    let _turn = alone();
    for (name, tensors, bytes) in files::worst() {
        let _ = read(&bytes, tensors, name);
    }
}
