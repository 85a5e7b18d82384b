//! The bytes of an open file: mapped into memory, or read where that does not pay or cannot be.
//!
//! The one module of this crate with `unsafe` code.

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Deref;

use memmap2::Mmap;

use super::files::Disk;
use super::reading::contents;

/// Smaller files are read: that is as fast, and nothing can happen to the bytes afterwards.
const LEAST_MAPPED: u64 = 1 << 20;

/// The bytes of one version of a file, in memory or mapped into it.
///
/// Files of 1 MiB or more are mapped: opening takes no time, and their pages are read when they are
/// looked at. This module never writes into a file that has a name, it replaces files as a whole, and
/// a replaced file lives on while it is mapped. Another program that writes into the file, or cuts it
/// off, changes the bytes under the reader, and a read behind a new end stops the process.
///
/// # Example
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("memory");
/// std::fs::write(&path, "base")?;
/// let bytes = uhop_data::store::read(&path)?.base_bytes()?;
/// assert_eq!(bytes[..2], *b"ba");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Bytes(Kind);

enum Kind {
    Read(Vec<u8>),
    Mapped(Mmap),
}

impl Bytes {
    pub(super) fn of(file: &File) -> io::Result<Self> {
        let mapped = if file.metadata()?.len() < LEAST_MAPPED { None } else { map(file) };
        Ok(Self(match mapped {
            Some(map) => Kind::Mapped(map),
            None => Kind::Read(contents(&Disk, file)?),
        }))
    }
}

/// Not every file system can.
#[expect(unsafe_code, reason = "a mapped file can be changed by others; see the safety argument")]
fn map(file: &File) -> Option<Mmap> {
    // SAFETY: the bytes must not change while they are borrowed. The store writes new versions to
    // new files and renames them, so the file behind an open base keeps its bytes. What other
    // programs do to it is beyond this one, as it is for every mapped file: the documentation of
    // `Bytes` says what then happens. The bytes are only ever taken for numbers, for which every
    // pattern of bits is valid, after the lengths were compared with that of the mapping.
    unsafe { Mmap::map(file) }.ok()
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Kind::Read(bytes) => bytes,
            Kind::Mapped(map) => map,
        }
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match &self.0 {
            Kind::Read(_) => "read",
            Kind::Mapped(_) => "mapped",
        };
        write!(f, "Bytes({} bytes, {how})", self.len())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn small_files_are_read_and_large_ones_mapped_with_the_same_bytes() {
        for length in [0, 1, LEAST_MAPPED - 1, LEAST_MAPPED, LEAST_MAPPED + 1] {
            let written: Vec<u8> = (0..length).map(|i| (i * i + i / 7) as u8).collect();
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&written).unwrap();
            let bytes = Bytes::of(&file).unwrap();
            assert_eq!(matches!(bytes.0, Kind::Mapped(_)), length >= LEAST_MAPPED);
            assert!(*bytes == written[..], "{bytes:?}");
        }
    }
}
