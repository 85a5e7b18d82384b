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

    fn file(&self) -> &File {
        match &self.0 {
            Way::Replacement(replacement) => replacement.file(),
            Way::Direct(file) => file,
        }
    }
}

/// Writes a whole file through an [`OutputFile`], with the path in every error.
pub(crate) fn write_file(
    path: &Path,
    write: impl FnOnce(&mut OutputFile) -> Result<()>,
) -> Result<()> {
    let mut file = OutputFile::create(path)?;
    write(&mut file).map_err(|error| error.at(path))?;
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
