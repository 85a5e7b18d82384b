//! Files that survive crashes: atomic replacement, one writer at a time, a journal of changes.
//!
//! The module stores opaque bytes. A file is its *base*, which is only ever replaced as a whole,
//! and *records* in a journal beside it, which say how the base has changed since. What the bytes
//! mean is the caller's business.
//!
//! - [`replace`] writes a whole file in one step: for outputs that nobody appends to.
//! - [`Writer`] holds the file's lock, appends records and compacts them into a new base.
//! - [`read`] gives the base and its records in one consistent version, without a lock.
//!
//! # Guarantees
//!
//! - When a call returns, what it wrote is on the disk. When it is interrupted at any point, by a
//!   crash of the program or of the machine, the file is as before the call or as after it.
//! - Records count in the order in which they were appended, each once. A journal belongs to one
//!   version of the base; after a crash between the two steps of a compaction it is ignored.
//! - Two writers at a time are impossible: the second gets an error at once
//!   ([`Error::is_busy`]). A reader needs no lock and never sees a mixture of two versions.
//!
//! # Files
//!
//! Beside `memory` there can be:
//!
//! | name | what it is |
//! | --- | --- |
//! | `memory.journal` | the records since the last compaction; [format](#the-journal) |
//! | `memory.lock` | locked while a writer is open; empty; never removed |
//! | `.memory.<16 hex digits>.new` | what a killed [`Writer`] left; the next one removes it |
//! | `.memory.<16 hex digits>.tmp` | what a killed [`replace`] left; may be removed |
//!
//! Copy, move or delete the base and its journal together. The lock is not on the base itself
//! because a replacement puts another file under its name, and a lock belongs to the file. It is
//! not removed because a second writer may just have opened it: two would then hold two locks.
//! Locks are advisory: a program that does not use them is not stopped. When it replaces the file, an
//! open [`Writer`] notices and refuses; when it writes into the file, nobody does.
//!
//! # Links, permissions, other file systems
//!
//! - A symbolic link is followed: the file it points to is replaced, the link stays, and everything
//!   beside the file is beside the target. A link to nothing is an error. A hard link is
//!   parted: the other name keeps the old content.
//! - A new version gets the permissions of the old one, and so does the journal; owner, group,
//!   access lists and extended attributes are those of a new file. A file marked read-only is not
//!   replaced, whoever asks.
//! - Folders, devices and pipes are not files: an error, not a replaced device.
//! - Not on Unix: folders cannot be flushed, so that a machine crash may undo the last call, and a
//!   reader recognises a replaced file by its length and times.
//! - On network file systems, all of this is as good as their locks, renames and flushes.
//!
//! # The journal
//!
//! A header of 40 bytes, then records. Numbers are little-endian; a checksum is XXH3-64, seed 0.
//!
//! | header | content |
//! | --- | --- |
//! | 8 | `uhopjrnl` |
//! | 4 | format version, 1 |
//! | 4 | zero |
//! | 16 | the base it extends: its length (8) and its checksum (8) |
//! | 8 | checksum of the 32 bytes above |
//!
//! | record | content |
//! | --- | --- |
//! | 8 | sequence number: 1, 2, 3, … |
//! | 8 | n, the number of payload bytes |
//! | 8 | checksum of the 16 identity bytes from the header and the 16 bytes above |
//! | n | payload |
//! | 8 | checksum of the n + 24 bytes above |
//!
//! An append is flushed before the next one starts, so a crash can leave at most one incomplete
//! record, the last. Reading stops before it. An unreadable record with something later behind it
//! is not a crash but damage, and an error ([`Error::is_format`]): what it recorded is lost, and
//! skipping it would replay the rest onto the wrong state. Damage to the very last record cannot be
//! told from an incomplete append.
//!
//! # Cost
//!
//! An append is one write and one flush. Opening a file that has a journal reads the whole base
//! once, for its checksum; without a journal nothing but the folder is read. A reader holds the
//! journal in memory.
//!
//! # Example
//!
//! ```
//! use uhop_data::store::{self, Writer};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("memory");
//! let mut writer = Writer::create(&path)?;
//! writer.compact(|out| out.write_all(b"a b"))?;
//! writer.append(b"+c")?;
//! writer.append(b"-a")?;
//!
//! let snapshot = store::read(&path)?;
//! assert_eq!(snapshot.base_bytes()?[..], *b"a b");
//! assert_eq!(snapshot.records().collect::<Vec<_>>(), [b"+c", b"-a"]);
//!
//! writer.compact(|out| out.write_all(b"b c"))?;
//! let snapshot = store::read(&path)?;
//! assert_eq!(snapshot.base_bytes()?[..], *b"b c");
//! assert_eq!(snapshot.records().len(), 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Error::is_busy`]: crate::Error::is_busy
//! [`Error::is_format`]: crate::Error::is_format

#[cfg(test)]
mod crash_tests;
mod files;
mod identity;
mod journal;
#[cfg(test)]
mod journal_tests;
mod mapping;
mod place;
mod problem;
mod reading;
mod replacement;
#[cfg(test)]
mod simulation;
mod writing;

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::{Error, Result};
use files::Disk;
pub use mapping::Bytes;
use place::Place;
pub(crate) use problem::Problem;
use reading::View;
pub(crate) use replacement::Replacement;
use writing::Holder;

/// Replaces the content of a file, or creates it, in one step.
///
/// The closure writes to a temporary file in the same folder, through a buffer. The temporary file
/// is flushed to disk and renamed over the old one, and the folder is flushed. Whoever opens the
/// file, at any time and after any crash, finds the old content or the new one. It keeps its
/// permissions; see [links and permissions](self#links-permissions-other-file-systems).
///
/// There is no lock: when two programs replace a file at the same time, one of the two contents
/// stays. A journal beside the file is not looked at, so a file with a [`Writer`] is replaced with
/// [`Writer::compact`].
///
/// # Errors
///
/// [`is_io`](Error::is_io) when the closure fails or the file cannot be written (a full disk, a
/// folder that is missing or read-only) or must not be (a folder, a device, a link to nothing, a
/// file marked read-only); [`is_invalid_argument`](Error::is_invalid_argument) when the path does
/// not end in a file name. After an error the old content is in place and the temporary file is
/// gone. The one exception says so: the last step, flushing the folder, failed, and the new content
/// is in place but could still be undone by a crash.
///
/// # Example
///
/// ```
/// use std::io;
/// use uhop_data::store;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("answer");
/// store::replace(&path, |out| writeln!(out, "{}", 42))?;
/// assert_eq!(std::fs::read(&path)?, b"42\n");
///
/// // A writer that fails halfway changes nothing.
/// let error = store::replace(&path, |out| {
///     out.write_all(b"forty-")?;
///     Err(io::Error::other("out of ideas"))
/// })
/// .unwrap_err();
/// assert!(error.is_io());
/// assert!(error.to_string().contains("out of ideas"));
/// assert_eq!(std::fs::read(&path)?, b"42\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn replace(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    let place = Place::for_writing(path.as_ref()).map_err(Error::store)?;
    replacement::replace(&Disk, &place, write).map_err(Error::store)
}

/// Reads a file and the records that extend it, in one consistent version.
///
/// No lock is taken. While a writer is at work the version is one that was current at some moment
/// during the call; it may end with a record whose append has not returned yet. An incomplete
/// record at the end of the journal is left out, and so is a journal that belongs to another
/// version of the file. A file without a journal has no records, whoever wrote it.
///
/// # Errors
///
/// [`is_io`](Error::is_io) when the file or its journal cannot be opened or read, or is not a
/// regular file; [`is_format`](Error::is_format) when the journal is damaged, is none, or is of a
/// later format version; [`is_busy`](Error::is_busy) when the file was replaced under each of ten
/// attempts to read it.
///
/// # Memory
///
/// At most 5 times the size of the journal: its bytes and 16 for each record, both with room to
/// grow. The base is opened, not read into memory.
///
/// # Example
///
/// ```
/// use uhop_data::store;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("memory");
/// std::fs::write(&path, "any file")?;
/// let snapshot = store::read(&path)?;
/// assert_eq!(snapshot.base_bytes()?[..], *b"any file");
/// assert_eq!(snapshot.records().len(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read(path: impl AsRef<Path>) -> Result<Snapshot> {
    let place = Place::of_existing(path.as_ref()).map_err(Error::store)?;
    let view = reading::read(&Disk, &place).map_err(Error::store)?;
    Ok(Snapshot { view, path: place.shown() })
}

/// One consistent version of a stored file: its base and the records that extend it.
///
/// It does not change: later appends and compactions are not seen.
///
/// # Example
///
/// ```
/// use uhop_data::store::{self, Writer};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("memory");
/// std::fs::write(&path, "old")?;
/// let snapshot = store::read(&path)?;
/// Writer::open(&path)?.compact(|out| out.write_all(b"new"))?;
/// assert_eq!(snapshot.base_bytes()?[..], *b"old");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Snapshot {
    view: View<File>,
    path: PathBuf,
}

impl Snapshot {
    /// The whole base, mapped into memory if it is large.
    ///
    /// # Errors
    ///
    /// [`is_io`](Error::is_io) when the system cannot read the file.
    ///
    /// # Example
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("memory");
    /// std::fs::write(&path, "base")?;
    /// assert_eq!(uhop_data::store::read(&path)?.base_bytes()?[..], *b"base");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn base_bytes(&self) -> Result<Bytes> {
        Bytes::of(&self.view.base).map_err(|source| {
            let action = problem::Action::Read;
            Error::store(Problem::Io { path: self.path.clone(), action, source })
        })
    }

    /// The records that extend the base, in the order in which they were appended.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_data::store::{self, Writer};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("memory");
    /// std::fs::write(&path, "base")?;
    /// let mut writer = Writer::open(&path)?;
    /// writer.append(b"one")?;
    /// writer.append(b"")?;
    /// let snapshot = store::read(&path)?;
    /// assert_eq!(snapshot.records().collect::<Vec<_>>(), [&b"one"[..], b""]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn records(&self) -> impl ExactSizeIterator<Item = &[u8]> + DoubleEndedIterator {
        self.view.payloads.iter().map(|payload| &self.view.journal[payload.clone()])
    }
}

/// The one writer of a file.
///
/// Opening it takes the lock of the file and finishes what a crashed writer left; dropping it, or
/// the end of the process, gives the lock back. Each change is on the disk when its call returns.
///
/// After an error nothing has changed, unless the message says otherwise. When a failed write cannot
/// be undone either, only opening the file again tells what is on the disk, and every further
/// change through this writer is an error.
///
/// # Example
///
/// ```
/// use uhop_data::store::Writer;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("memory");
/// std::fs::write(&path, "base")?;
/// let mut writer = Writer::open(&path)?;
/// assert_eq!(writer.append(b"change")?, 1);
///
/// // Nobody else writes meanwhile.
/// let error = Writer::open(&path).unwrap_err();
/// assert!(error.is_busy());
///
/// drop(writer);
/// assert_eq!(Writer::open(&path)?.n_records(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Writer {
    holder: Holder<Disk>,
}

impl Writer {
    /// Opens an existing file for changes.
    ///
    /// # Errors
    ///
    /// [`is_busy`](Error::is_busy) when another writer has it open, in this process or another;
    /// [`is_io`](Error::is_io) when the file does not exist, is not a regular file or is marked
    /// read-only, when its folder cannot be written to, or when the file system has no locks;
    /// [`is_format`](Error::is_format) when the journal is damaged.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_data::store::Writer;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("memory");
    /// // A file that is not there is not created, and no lock file is left behind.
    /// assert!(Writer::open(&path).unwrap_err().is_io());
    /// assert_eq!(std::fs::read_dir(folder.path())?.count(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Place::of_existing(path).map_err(Error::store)?;
        Self::create(path)
    }

    /// Opens a file for changes whether or not it exists.
    ///
    /// A file that does not exist comes into being with the first [`compact`](Self::compact). A
    /// journal without its base extends nothing and is removed.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open), except that the file may be missing; its folder may not.
    /// [`is_invalid_argument`](Error::is_invalid_argument) when the path does not end in a file name.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_data::store::Writer;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("memory");
    /// let mut writer = Writer::create(&path)?;
    /// assert!(writer.append(b"to nothing").unwrap_err().is_invalid_argument());
    /// writer.compact(|out| out.write_all(b"base"))?;
    /// writer.append(b"to the base")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let place = Place::for_writing(path.as_ref()).map_err(Error::store)?;
        Ok(Self { holder: Holder::open(Disk, place).map_err(Error::store)? })
    }

    /// Appends one record to the journal and returns its sequence number, counted from 1.
    ///
    /// A record is all or nothing. Changes that belong together go into one record.
    ///
    /// # Errors
    ///
    /// [`is_io`](Error::is_io) when the record cannot be written; [`is_busy`](Error::is_busy) when
    /// another program replaced the file, in spite of the lock, since it was opened;
    /// [`is_invalid_argument`](Error::is_invalid_argument) when the file has not been written yet.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_data::store::Writer;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("memory");
    /// std::fs::write(&path, "base")?;
    /// let mut writer = Writer::open(&path)?;
    /// assert_eq!(writer.append(b"first")?, 1);
    /// assert_eq!(writer.append(b"second")?, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn append(&mut self, record: &[u8]) -> Result<u64> {
        self.holder.append(record).map_err(Error::store)
    }

    /// Replaces the base as [`replace`] does, and ends the journal.
    ///
    /// What the closure writes stands for the old base with all its records. Both go in one step:
    /// after a crash there is the old base with its records or the new base with none.
    ///
    /// # Errors
    ///
    /// [`is_io`](Error::is_io) when the closure fails or the new base cannot be written;
    /// [`is_busy`](Error::is_busy) when another program replaced the file, in spite of the lock, since
    /// it was opened.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_data::store::Writer;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("memory");
    /// std::fs::write(&path, "2")?;
    /// let mut writer = Writer::open(&path)?;
    /// writer.append(b"+3")?;
    /// writer.compact(|out| out.write_all(b"5"))?;
    /// assert_eq!(writer.n_records(), 0);
    /// assert_eq!(std::fs::read(&path)?, b"5");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn compact(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
        self.holder.compact(write).map_err(Error::store)
    }

    /// The current version: what [`read`] gives while nobody else can write.
    ///
    /// # Errors
    ///
    /// Those of [`read`].
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_data::store::Writer;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("memory");
    /// std::fs::write(&path, "base")?;
    /// let mut writer = Writer::open(&path)?;
    /// writer.append(b"change")?;
    /// assert_eq!(writer.snapshot()?.records().len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn snapshot(&self) -> Result<Snapshot> {
        let place = self.holder.place();
        let view = reading::read(self.holder.files(), place).map_err(Error::store)?;
        Ok(Snapshot { view, path: place.shown() })
    }

    /// The number of records in the journal.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_data::store::Writer;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("memory");
    /// std::fs::write(&path, "base")?;
    /// let mut writer = Writer::open(&path)?;
    /// assert_eq!(writer.n_records(), 0);
    /// writer.append(b"change")?;
    /// assert_eq!(writer.n_records(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn n_records(&self) -> u64 {
        self.holder.journal_size().0
    }

    /// The size of the journal in bytes, 0 when there is none: a measure of when to compact.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_data::store::Writer;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("memory");
    /// std::fs::write(&path, "base")?;
    /// let mut writer = Writer::open(&path)?;
    /// writer.append(&[0; 100])?;
    /// // A header of 40 bytes, and 32 bytes around each record.
    /// assert_eq!(writer.n_journal_bytes(), 40 + 32 + 100);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn n_journal_bytes(&self) -> u64 {
        self.holder.journal_size().1
    }
}
