//! Files that appear under their name only when complete.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// A file being written beside its final place.
///
/// The bytes go to a temporary file in the same folder. [`commit`](Self::commit) makes them durable
/// and gives the file its name, replacing an older one; dropped without it, the temporary file is
/// removed and an older file is untouched. A path that exists and is not a regular file, such as a
/// named pipe, is written directly.
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
#[derive(Debug)]
pub struct OutputFile {
    file: File,
    /// Where the file will be; links have been followed.
    target: PathBuf,
    /// Nothing when the target is written directly, or after it has got its name.
    temporary: Option<PathBuf>,
}

impl OutputFile {
    /// Opens a temporary file in the folder of `path`.
    ///
    /// # Errors
    ///
    /// [`is_io`](Error::is_io) when the folder is missing or cannot be written.
    ///
    /// # Example
    ///
    /// ```
    /// assert!(uhop_data::OutputFile::create("no/such/folder/a.npy").unwrap_err().is_io());
    /// ```
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::open(path).map_err(|error| Error::write(error).at(path))
    }

    /// Flushes the bytes to the disk and gives the file its name.
    ///
    /// # Errors
    ///
    /// [`is_io`](Error::is_io) when the system refuses; an older file is then untouched.
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
    pub fn commit(mut self) -> Result<()> {
        let Some(temporary) = &self.temporary else { return Ok(()) };
        self.file
            .sync_all()
            .and_then(|()| fs::rename(temporary, &self.target))
            .map_err(|error| Error::write(error).at(&self.target))?;
        self.temporary = None;
        // The new name is in place. Not every file system can flush a folder.
        #[cfg(unix)]
        if let Ok(folder) = File::open(folder_of(&self.target)) {
            let _ = folder.sync_all();
        }
        Ok(())
    }

    fn open(path: &Path) -> io::Result<Self> {
        let target = match fs::canonicalize(path) {
            Ok(target) => target,
            Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
            Err(error) => return Err(error),
        };
        if target.exists() && !target.is_file() {
            let file = OpenOptions::new().write(true).open(&target)?;
            return Ok(Self { file, target, temporary: None });
        }
        let Some(name) = target.file_name() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"));
        };
        let mut attempt = 0;
        loop {
            let mut hidden = OsString::from(".");
            hidden.push(name);
            hidden.push(format!(".{}-{attempt}.tmp", std::process::id()));
            let temporary = folder_of(&target).join(hidden);
            match OpenOptions::new().write(true).create_new(true).open(&temporary) {
                Ok(file) => return Ok(Self { file, target, temporary: Some(temporary) }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 100 => {
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
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

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for OutputFile {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file.seek(position)
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            let _ = fs::remove_file(temporary);
        }
    }
}
