//! A new file beside the old one: written, flushed, then renamed over it.

use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::files::{Disk, Files};
use super::identity::{Hasher, Identity};
use super::place::{Owner, Place};
use super::problem::{Action, Problem};

/// Bytes given to one write, unless the caller's own pieces are larger.
const BUFFER: usize = 1 << 16;

/// Names tried before giving up; one is enough unless somebody guesses 64 random bits.
const N_NAMES: u32 = 8;

/// A temporary file. It is removed when dropped before its rename.
pub(super) struct Temporary<'a, F: Files> {
    file: F::File,
    name: Name<'a, F>,
}

/// The name of a temporary file, removed when dropped.
struct Name<'a, F: Files> {
    files: &'a F,
    path: PathBuf,
    renamed: bool,
}

impl<'a, F: Files> Temporary<'a, F> {
    pub(super) fn create(files: &'a F, place: &Place, owner: Owner) -> io::Result<Self> {
        let mut attempt = 1;
        loop {
            // The standard library seeds this from the system's randomness.
            let number = RandomState::new().build_hasher().finish();
            let path = place.temporary(owner, number);
            match files.create(&path, &place.base) {
                Ok(file) => {
                    return Ok(Self { file, name: Name { files, path, renamed: false } });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < N_NAMES => {
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes what the closure writes, and returns the identity of the bytes.
    pub(super) fn fill(
        &mut self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<Identity> {
        let sink = Sink { files: self.name.files, file: &self.file, hasher: Hasher::new() };
        let mut buffer = BufWriter::with_capacity(BUFFER, sink);
        match write(&mut buffer).and_then(|()| buffer.flush()) {
            Ok(()) => Ok(buffer.get_ref().hasher.identity()),
            Err(error) => {
                // Taken apart, or dropping it would write what is left in the buffer.
                drop(buffer.into_parts());
                Err(error)
            }
        }
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.name.files.sync(&self.file)
    }

    /// Gives the file its final name, durable once its folder is synced.
    pub(super) fn rename(mut self, to: &Path) -> io::Result<F::File> {
        self.name.files.rename(&self.name.path, to)?;
        self.name.renamed = true;
        Ok(self.file)
    }
}

impl<F: Files> Drop for Name<'_, F> {
    fn drop(&mut self) {
        if !self.renamed {
            // The failure that led here is the one worth reporting.
            let _ = self.files.remove(&self.path);
        }
    }
}

/// Puts a new version of the base in place, up to and including the rename.
///
/// On an error the old version is in place and the temporary file is gone. Durable once the folder
/// is synced.
pub(super) fn put_base<F: Files>(
    files: &F,
    place: &Place,
    owner: Owner,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(F::File, Identity), Problem> {
    let failed = |action| move |source| place.failed(action, source);
    let mut temporary =
        Temporary::create(files, place, owner).map_err(failed(Action::CreateTemporary))?;
    let identity = temporary.fill(write).map_err(failed(Action::Write))?;
    Ok((put(place, temporary)?, identity))
}

/// Flushes a complete temporary file and renames it over the base.
fn put<F: Files>(place: &Place, temporary: Temporary<'_, F>) -> Result<F::File, Problem> {
    temporary.sync().map_err(|source| place.failed(Action::Write, source))?;
    temporary.rename(&place.base).map_err(|source| place.failed(Action::Rename, source))
}

/// Replaces the base durably, without a lock and without looking at a journal.
pub(super) fn replace<F: Files>(
    files: &F,
    place: &Place,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Problem> {
    put_base(files, place, Owner::Anyone, write)?;
    settle(files, place)
}

/// Makes a rename durable.
fn settle<F: Files>(files: &F, place: &Place) -> Result<(), Problem> {
    files.sync_folder(&place.folder).map_err(|source| place.failed(Action::SyncFolder, source))
}

/// A replacement in the hands of its caller, who may write it anywhere and in any order.
///
/// Dropped before [`commit`](Self::commit), it leaves the old version in place and nothing else.
pub(crate) struct Replacement {
    place: Place,
    temporary: Temporary<'static, Disk>,
}

impl Replacement {
    pub(crate) fn create(path: &Path) -> Result<Self, Problem> {
        let place = Place::for_writing(path)?;
        let temporary = Temporary::create(&Disk, &place, Owner::Anyone)
            .map_err(|source| place.failed(Action::CreateTemporary, source))?;
        Ok(Self { place, temporary })
    }

    pub(crate) fn file(&self) -> &File {
        &self.temporary.file
    }

    /// Replaces the base durably, as [`replace`] does.
    pub(crate) fn commit(self) -> Result<(), Problem> {
        put(&self.place, self.temporary)?;
        settle(&Disk, &self.place)
    }
}

/// Writes all bytes to a file.
pub(super) fn write_all<F: Files>(files: &F, file: &F::File, bytes: &[u8]) -> io::Result<()> {
    Sink { files, file, hasher: Hasher::new() }.write_all(bytes)
}

/// An open file as a writer that hashes what passes.
struct Sink<'a, F: Files> {
    files: &'a F,
    file: &'a F::File,
    hasher: Hasher,
}

impl<F: Files> Write for Sink<'_, F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.files.write(self.file, bytes)?;
        self.hasher.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
