//! The file operations the store is built from, and the real ones.
//!
//! Everything that touches a disk goes through [`Files`], so that tests can stop a writer at any
//! operation and lose whatever a disk may lose.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

pub(super) trait Files {
    type File;
    /// Holds the lock until it is dropped.
    type Lock;

    /// Opens a file for reading.
    fn open(&self, path: &Path) -> io::Result<Self::File>;

    /// Opens a file for reading and appending.
    fn open_to_append(&self, path: &Path) -> io::Result<Self::File>;

    /// Creates a file that must not exist, with the permissions of `like` if that file exists.
    fn create(&self, path: &Path, like: &Path) -> io::Result<Self::File>;

    /// Shows the whole content in pieces, and leaves the file positioned at its start.
    fn contents(&self, file: &Self::File, visit: &mut dyn FnMut(&[u8])) -> io::Result<()>;

    /// Writes some of the bytes at the end of the file and returns how many.
    fn write(&self, file: &Self::File, bytes: &[u8]) -> io::Result<usize>;

    fn truncate(&self, file: &Self::File, length: u64) -> io::Result<()>;

    /// Makes the content of the file durable, not its name.
    fn sync(&self, file: &Self::File) -> io::Result<()>;

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in the folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;

    fn names(&self, folder: &Path) -> io::Result<Vec<OsString>>;

    /// Whether the path still names this open file.
    fn is_at(&self, file: &Self::File, path: &Path) -> io::Result<bool>;

    /// Takes the exclusive lock without waiting, or nothing when another writer holds it.
    fn lock(&self, path: &Path) -> io::Result<Option<Self::Lock>>;

    /// Waits a little, longer with each attempt.
    fn pause(&self, attempt: u32);
}

/// The disk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Disk;

const PIECE: usize = 1 << 18;

impl Files for Disk {
    type File = File;
    type Lock = DiskLock;

    fn open(&self, path: &Path) -> io::Result<File> {
        File::open(path)
    }

    fn open_to_append(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).open(path)
    }

    fn create(&self, path: &Path, like: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        let permissions = match fs::metadata(like) {
            Ok(metadata) => Some(metadata.permissions()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let Some(permissions) = permissions else { return options.open(path) };
        // Private from the start, so that nobody opens it before it has its own permissions.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        file.set_permissions(permissions).inspect_err(|_| {
            let _ = fs::remove_file(path);
        })?;
        Ok(file)
    }

    fn contents(&self, file: &File, visit: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        let mut file = file;
        file.rewind()?;
        let mut piece = vec![0; PIECE];
        loop {
            match file.read(&mut piece) {
                Ok(0) => break,
                Ok(n) => visit(&piece[..n]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        file.rewind()
    }

    fn write(&self, mut file: &File, bytes: &[u8]) -> io::Result<usize> {
        // Not in append mode, in which some systems cannot truncate.
        file.seek(SeekFrom::End(0))?;
        file.write(bytes)
    }

    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        file.set_len(length)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    #[cfg(unix)]
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        match File::open(folder)?.sync_all() {
            // Some network file systems cannot, and need not.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
                ) =>
            {
                Ok(())
            }
            result => result,
        }
    }

    #[cfg(not(unix))]
    fn sync_folder(&self, _folder: &Path) -> io::Result<()> {
        Ok(())
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect()
    }

    fn is_at(&self, file: &File, path: &Path) -> io::Result<bool> {
        let there = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        Ok(same(&file.metadata()?, &there))
    }

    fn lock(&self, path: &Path) -> io::Result<Option<DiskLock>> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(DiskLock(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn pause(&self, attempt: u32) {
        thread::sleep(Duration::from_millis(1 << attempt.min(5)));
    }
}

/// The lock of a file, given back when dropped.
#[derive(Debug)]
pub(super) struct DiskLock(File);

impl Drop for DiskLock {
    fn drop(&mut self) {
        // Closing the file is not enough: a process that this one is starting has a copy of it
        // for a moment, and the lock with it.
        let _ = self.0.unlock();
    }
}

#[cfg(unix)]
fn same(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// Without file numbers: a replaced file has another creation time.
#[cfg(not(unix))]
fn same(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    (a.len(), a.modified().ok(), a.created().ok()) == (b.len(), b.modified().ok(), b.created().ok())
}
