//! A memory file opened for a change, and the change kept.

use std::path::Path;

use serde::Serialize;
use uhop::saved::{AnyMemory, Change, Learning, SavedMemory, StoredTensor};
use uhop_data::store::Writer;

use crate::args::{KeepArgs, OutputArgs};
use crate::console::Console;
use crate::failure::Failure;
use crate::{input, interrupt};

/// A file below this size is written as a whole: readers of safetensors alone then see every change.
const SMALL: usize = 1 << 20;
/// A file is written as a whole when its journal is longer than this part of it.
const LONGEST_JOURNAL: usize = 4;

/// A memory file that nobody else changes meanwhile.
pub(crate) struct Changing {
    writer: Writer,
    n_base_bytes: usize,
    memory: String,
}

/// What docs/json.md describes for a change.
#[derive(Serialize)]
pub(crate) struct Kept {
    command: &'static str,
    version: &'static str,
    n_added: usize,
    n_removed: usize,
    n_patterns: usize,
    dim: usize,
    journal_bytes: u64,
    memory: String,
}

impl Changing {
    /// Takes the lock of the file and reads the memory as it is.
    pub(crate) fn open(path: &Path) -> Result<(Self, AnyMemory), Failure> {
        input::must_be_memory(path)?;
        let writer = Writer::open(path)?;
        let snapshot = writer.snapshot()?;
        let n_base_bytes = snapshot.base_bytes()?.len();
        let memory = path.display().to_string();
        Ok((Self { writer, n_base_bytes, memory }, input::memory_in(path, &snapshot)?))
    }

    /// Checks the change against the memory, then keeps it: in the journal, or in a new file. `refused` says what
    /// the files are of a change that does not fit.
    pub(crate) fn keep<T: StoredTensor>(
        mut self,
        saved: SavedMemory<T>,
        change: Change<T>,
        args: KeepArgs,
        command: &'static str,
        refused: impl FnOnce(&uhop::Error) -> Failure,
    ) -> Result<Kept, Failure> {
        let before = saved.memory().patterns().n_patterns();
        let record = change.to_bytes()?;
        let saved = saved.with_changes(&[change]).map_err(|error| refused(&error))?;
        let n_journal_bytes = self.writer.n_journal_bytes() as usize + record.len();
        let too_long = n_journal_bytes > self.n_base_bytes / LONGEST_JOURNAL;
        // Its map changes with the patterns: readers find it made, rather than make it each time.
        let is_whitened = matches!(saved.learning(), Some(Learning::Whitening { .. }));
        interrupt::hold();
        if args.compact || is_whitened || self.n_base_bytes < SMALL || too_long {
            let bytes = saved.to_bytes()?;
            self.writer.compact(|file| file.write_all(&bytes))?;
        } else {
            self.writer.append(&record)?;
        }
        let patterns = saved.memory().patterns();
        let n_patterns = patterns.n_patterns();
        Ok(Kept {
            command,
            version: env!("CARGO_PKG_VERSION"),
            n_added: n_patterns.saturating_sub(before),
            n_removed: before.saturating_sub(n_patterns),
            n_patterns,
            dim: patterns.dim(),
            journal_bytes: self.writer.n_journal_bytes(),
            memory: self.memory,
        })
    }
}

impl Kept {
    pub(crate) fn show(&self, args: OutputArgs) -> Result<(), Failure> {
        let console = Console::new(args);
        if args.json {
            return console.json(self);
        }
        let Self { n_added, n_removed, n_patterns, dim, memory, .. } = self;
        console.data(&format!(
            "added    {n_added}\nremoved  {n_removed}\nstored   {n_patterns} × {dim}\n\
             memory   {memory}\n"
        ))
    }
}
