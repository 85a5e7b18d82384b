//! Files that appear under their name only when complete.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use crate::store::Replacement;
use crate::{Error, Result};

/// A file being written beside its final place.
///
/// The bytes go to a temporary file in the same folder. [`commit`](Self::commit) makes them durable
/// and gives the file its name, replacing an older one, with the guarantees of
/// [`store::replace`](crate::store::replace); dropped without it, the temporary file is removed and
/// an older file is untouched. A named pipe or a device is written directly.
///
/// # Example
///
/// ```
/// use std::io::Write;
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("a");
/// std::fs::write(&path, "old")?;
/// let mut file = uhop_data::OutputFile::create(&path)?;
/// file.write_all(b"new")?;
/// assert_eq!(std::fs::read(&path)?, b"old");
/// file.commit()?;
/// assert_eq!(std::fs::read(&path)?, b"new");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct OutputFile(Way);

enum Way {
    Replacement(Replacement),
    Direct(File),
}

impl fmt::Debug for OutputFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OutputFile").field(self.file()).finish()
    }
}

impl OutputFile {
    /// Opens a temporary file in the folder of `path`.
    ///
    /// # Errors
    ///
    /// Those of [`store::replace`](crate::store::replace).
    ///
    /// # Example
    ///
    /// ```
    /// assert!(uhop_data::OutputFile::create("no/such/folder/a.npy").unwrap_err().is_io());
    /// ```
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let is_special =
            fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir());
        if is_special {
            let file = OpenOptions::new().write(true).open(path);
            return Ok(Self(Way::Direct(file.map_err(|error| Error::write(error).at(path))?)));
        }
        Ok(Self(Way::Replacement(Replacement::create(path).map_err(Error::store)?)))
    }

    /// Flushes the bytes to the disk and gives the file its name.
    ///
    /// # Errors
    ///
    /// Those of [`store::replace`](crate::store::replace).
    ///
    /// # Example
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("a");
    /// uhop_data::OutputFile::create(&path)?.commit()?;
    /// assert!(path.exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn commit(self) -> Result<()> {
        match self.0 {
            Way::Replacement(replacement) => replacement.commit().map_err(Error::store),
            Way::Direct(_) => Ok(()),
        }
    }

    /// Whether it is a pipe or a device, which cannot be completed at its start.
    pub(crate) fn is_direct(&self) -> bool {
        matches!(self.0, Way::Direct(_))
    }

    fn file(&self) -> &File {
        match &self.0 {
            Way::Replacement(replacement) => replacement.file(),
            Way::Direct(file) => file,
        }
    }
}

/// Where a file is written whose start is only known at its end.
///
/// A pipe gets its bytes at the end, from a temporary file without a name.
pub(crate) enum Seekable {
    File(OutputFile),
    Spool { spool: File, target: Box<dyn Write + Send> },
}

impl Seekable {
    pub(crate) fn file(file: OutputFile) -> io::Result<Self> {
        if file.is_direct() { Self::spool(Box::new(file)) } else { Ok(Self::File(file)) }
    }

    pub(crate) fn spool(target: Box<dyn Write + Send>) -> io::Result<Self> {
        Ok(Self::Spool { spool: tempfile::tempfile()?, target })
    }

    pub(crate) fn commit(self) -> Result<()> {
        match self {
            Self::File(file) => file.commit(),
            Self::Spool { mut spool, mut target } => spool
                .rewind()
                .and_then(|()| io::copy(&mut spool, &mut target))
                .and_then(|_| target.flush())
                .map_err(Error::write),
        }
    }
}

impl Write for Seekable {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Spool { spool, .. } => spool.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Spool { spool, .. } => spool.flush(),
        }
    }
}

impl Seek for Seekable {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        match self {
            Self::File(file) => file.seek(position),
            Self::Spool { spool, .. } => spool.seek(position),
        }
    }
}

/// Replaces the bytes at `start` and returns to the end of what was written.
pub(crate) fn patch<W: Write + Seek>(writer: &mut W, start: u64, bytes: &[u8]) -> io::Result<()> {
    let end = writer.stream_position()?;
    writer.seek(SeekFrom::Start(start))?;
    writer.write_all(bytes)?;
    writer.seek(SeekFrom::Start(end))?;
    Ok(())
}

/// Writes a whole file through an [`OutputFile`], with the path in every error.
pub(crate) fn write_file(
    path: &Path,
    write: impl FnOnce(&mut OutputFile) -> Result<()>,
) -> Result<()> {
    let mut file = OutputFile::create(path)?;
    write(&mut file).map_err(|error| error.within(path))?;
    file.commit()
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file().flush()
    }
}

impl Seek for OutputFile {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file().seek(position)
    }
}
