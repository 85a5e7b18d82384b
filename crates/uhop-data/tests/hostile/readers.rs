use std::fs;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use uhop_data::image_folder::{self, Colour, ReadOptions};
use uhop_data::{Error, Result, csv, idx, npy, npz, parquet, safetensors, store};

use crate::ALLOCATED;

/// Buffers of fixed size: those of the readers and of the decoders behind them.
pub(crate) const BUFFERS: usize = 400 << 10;

/// A reader and what its module promises: so many bytes of memory for each byte of the file.
pub(crate) struct Reader {
    pub(crate) format: &'static str,
    pub(crate) read: fn(&Path) -> Result<()>,
    pub(crate) multiple: usize,
}

/// Every reader of files, as `# Memory` in its module describes it.
pub(crate) const READERS: &[Reader] = &[
    Reader { format: "npy", read: |path| npy::read(path).map(drop), multiple: 8 },
    Reader { format: "npy", read: npy_stream, multiple: 12 },
    Reader { format: "npy", read: npy_batches, multiple: 12 },
    Reader { format: "npz", read: |path| npz::read(path, None).map(drop), multiple: 8400 },
    Reader { format: "npz", read: |path| npz::read(path, Some("a")).map(drop), multiple: 8400 },
    Reader {
        format: "safetensors",
        read: |path| safetensors::read(path, None).map(drop),
        multiple: 64,
    },
    Reader { format: "csv", read: |path| csv::read(path).map(drop), multiple: 16 },
    Reader { format: "idx", read: idx_matrix, multiple: 6 * 1032 },
    Reader { format: "image", read: |path| image(path, Colour::Grey), multiple: 8256 * 32 },
    Reader { format: "image", read: |path| image(path, Colour::Rgb), multiple: 8256 * 32 },
    Reader { format: "parquet", read: parquet_column, multiple: 4096 },
    Reader { format: "parquet", read: parquet_labels, multiple: 4096 },
    Reader { format: "journal", read: journal, multiple: 5 },
];

fn npy_stream(path: &Path) -> Result<()> {
    npy::parse(fs::File::open(path).unwrap()).map(drop)
}

fn npy_batches(path: &Path) -> Result<()> {
    let mut reader = npy::RowReader::open(path)?;
    while reader.next_batch(64)?.is_some() {}
    Ok(())
}

fn idx_matrix(path: &Path) -> Result<()> {
    idx::read(path)?.into_matrix().map(drop)
}

/// A panic of the decoder, which the reader catches, is not to be printed: that takes memory too.
fn quiet() {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !parquet::is_decoding() {
                print(panic);
            }
        }));
    });
}

fn parquet_column(path: &Path) -> Result<()> {
    quiet();
    parquet::read(path, &uhop_data::ReadOptions::default()).map(drop)
}

fn parquet_labels(path: &Path) -> Result<()> {
    quiet();
    parquet::read_labels(path, None, usize::MAX).map(drop)
}

/// The file as the only one of a folder.
fn image(path: &Path, colour: Colour) -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    // The content decides, whatever the name.
    fs::copy(path, folder.path().join("image.png")).unwrap();
    image_folder::read(folder.path(), &ReadOptions { size: None, colour }).map(drop)
}

/// The file as the journal of another.
fn journal(path: &Path) -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("memory");
    fs::write(&base, crate::files::BASE).unwrap();
    fs::copy(path, folder.path().join("memory.journal")).unwrap();
    store::read(&base).map(drop)
}

/// One test at a time: the counter sees the whole process.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What reading came to, and the most memory it held at one time.
pub(crate) fn measured<T>(read: impl FnOnce() -> T) -> (T, usize) {
    ALLOCATED.reset_peak_usage();
    let before = ALLOCATED.current_usage();
    let outcome = read();
    (outcome, ALLOCATED.peak_usage().saturating_sub(before))
}

#[track_caller]
pub(crate) fn assert_one_line(error: &Error, name: &str) {
    let text = error.to_string();
    assert!(error.is_format(), "{name}: {text}");
    assert!(!text.contains(char::is_control), "{name}: {text:?}");
    assert!(text.len() < 1000, "{name}: {text}");
}
