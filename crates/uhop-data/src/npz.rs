//! `.npz` files: numpy's zip archives of [`npy`] members.
//!
//! One member is read, by name or because it is the only one; stored and deflated members are
//! understood, in zip and zip64. Written is one stored member.
//!
//! # What is rejected
//!
//! Besides what [`npy`] rejects, with the member named: anything that is not one complete zip
//! archive, a directory that does not agree with itself or with the member's own header, encrypted
//! members, other compression methods, and a wrong checksum.
//!
//! # Memory
//!
//! The directory is read only when it lies within the file, and must be shorter than 16 MiB; it
//! takes up to 9 times its size. A
//! member is inflated no further than its `.npy` header declares, plus one byte, and only when the
//! declared size agrees with the directory and is one that deflate can reach: at most 1,032 times
//! the compressed size. All in all memory stays below 4,200 times the size of a file with a deflated
//! member, twice that in Fortran order, and is that of [`npy`] for a stored one.
//!
//! # Source
//!
//! PKWARE, "APPNOTE.TXT, .ZIP File Format Specification" 6.3, sections 4.3 to 4.5
//! (<https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>).
//!
//! # Example
//!
//! ```
//! use std::io::Cursor;
//! use uhop_data::{Matrix, npz};
//!
//! let matrix = Matrix::from(ndarray::array![[1.0_f32, 2.0]]);
//! let mut bytes = Vec::new();
//! npz::write_to(&mut bytes, "patterns", &matrix)?;
//! assert_eq!(npz::parse(Cursor::new(&bytes), None)?, matrix);
//! assert_eq!(npz::parse(Cursor::new(&bytes), Some("patterns"))?, matrix);
//! # Ok::<(), uhop_data::Error>(())
//! ```

mod directory;
mod problem;

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use flate2::Crc;
use flate2::read::DeflateDecoder;

use crate::bytes::{Watched, names, quoted};
use crate::npy::{self, Header};
use crate::{Error, Matrix, Result, matrix, output};
use directory::{Entry, Method};
pub(crate) use problem::Problem;

type Failure = crate::bytes::Failure<Problem>;

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// Reads one member of an `.npz` file: the one of this name, with or without `.npy`, or the only
/// one.
///
/// # Errors
///
/// [`is_io`](Error::is_io) when the file cannot be opened or read, [`is_format`](Error::is_format)
/// when it is not a zip archive with that member (see [what is rejected](self#what-is-rejected)), or
/// when no name is given and there are several.
///
/// # Example
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("patterns.npz");
/// uhop_data::npz::write(&path, "patterns", &ndarray::array![[1.0_f32]].into())?;
/// assert_eq!(uhop_data::npz::read(&path, None)?.dim(), 1);
/// let error = uhop_data::npz::read(&path, Some("values")).unwrap_err();
/// assert!(error.to_string().contains(r#"no member "values", found "patterns""#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read(path: impl AsRef<Path>, member: Option<&str>) -> Result<Matrix> {
    let path = path.as_ref();
    File::open(path)
        .map_err(Error::io)
        .and_then(|file| parse(BufReader::new(file), member))
        .map_err(|error| error.at(path))
}

/// Reads one member of an `.npz` file from a reader that can seek, as [`read`].
///
/// # Errors
///
/// Those of [`read`].
///
/// # Example
///
/// ```
/// use std::io::Cursor;
///
/// assert!(uhop_data::npz::parse(Cursor::new("PK"), None).unwrap_err().is_format());
/// ```
pub fn parse<R: Read + Seek>(mut reader: R, member: Option<&str>) -> Result<Matrix> {
    Ok(read_archive(&mut reader, member)?)
}

/// Writes an `.npz` file with one member; an older file of that name is replaced only when the new
/// one is complete. The member is stored, not compressed.
///
/// # Errors
///
/// [`is_io`](Error::is_io) when the file cannot be written,
/// [`is_invalid_argument`](Error::is_invalid_argument) when the matrix has no rows or no columns, or
/// the name of the member is empty, longer than 255 bytes, or has a slash, a backslash or a control
/// character: unpacked, a member is a file in the current folder.
///
/// # Example
///
/// See [`read`].
pub fn write(path: impl AsRef<Path>, member: &str, matrix: &Matrix) -> Result<()> {
    output::write_file(path.as_ref(), |file| write_to(file, member, matrix))
}

/// Writes a matrix as the bytes of an `.npz` file with one stored member.
///
/// # Errors
///
/// Those of [`write()`].
///
/// # Example
///
/// See the [module](self).
pub fn write_to<W: Write>(mut writer: W, member: &str, matrix: &Matrix) -> Result<()> {
    let name = member.strip_suffix(".npy").unwrap_or(member);
    if name.is_empty() || name.len() > 255 || name.contains(is_unsafe) {
        return Err(Error::argument(matrix::Problem::Member { found: quoted(name) }));
    }
    // The size and the checksum stand before the values, so the values are encoded twice rather
    // than held.
    let mut sink = Checksum { crc: Crc::new(), n_bytes: 0 };
    npy::write_to(&mut sink, matrix)?;
    let (start, end) = directory::encode(&format!("{name}.npy"), sink.crc.sum(), sink.n_bytes);
    writer.write_all(&start).map_err(Error::write)?;
    npy::write_to(&mut writer, matrix)?;
    writer.write_all(&end).and_then(|()| writer.flush()).map_err(Error::write)
}

fn is_unsafe(character: char) -> bool {
    matches!(character, '/' | '\\') || character.is_control()
}

/// Counts and sums what is written to it.
struct Checksum {
    crc: Crc,
    n_bytes: u64,
}

impl Write for Checksum {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.crc.update(bytes);
        self.n_bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn read_archive<R: Read + Seek>(reader: &mut R, member: Option<&str>) -> Result<Matrix, Failure> {
    let entries = directory::read(reader)?;
    let entry = choose(&entries, member)?;
    let start = directory::data_start(reader, entry)?;
    reader.seek(SeekFrom::Start(start))?;

    let name = || entry.member().to_owned();
    let mut source =
        Watched { reader: Read::take(&mut *reader, entry.n_compressed), failed: false };
    let outcome = match entry.method {
        Method::Deflated => read_member(&mut DeflateDecoder::new(&mut source), entry),
        Method::Stored | Method::Other(_) => read_member(&mut source, entry),
    };
    outcome.map_err(|failure| match failure {
        npy::Failure::Problem(problem) => Problem::Member { name: name(), problem }.into(),
        npy::Failure::Read(error) if source.failed => Failure::Read(error),
        npy::Failure::Read(error) if error.kind() == io::ErrorKind::OutOfMemory => {
            Failure::Read(error)
        }
        npy::Failure::Read(error) => {
            Problem::Damaged { name: name(), detail: error.to_string() }.into()
        }
    })
}

/// Reads the `.npy` file inside a member; a wrong size or checksum is a failed read.
///
/// The memory is taken at once: [`Entry::check`] has bounded the size by that of the file.
fn read_member(stream: &mut dyn Read, entry: &Entry) -> Result<Matrix, npy::Failure> {
    let mut summed = Summed { stream, crc: Crc::new() };
    let header = Header::read(&mut summed)?;
    header.check_size(entry.n_bytes)?;
    let matrix = npy::read_values(&header.layout, &mut summed, true)?;
    npy::check_end(&header.layout, &mut summed)?;
    if summed.crc.sum() != entry.crc {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "wrong checksum").into());
    }
    Ok(matrix)
}

struct Summed<'a> {
    stream: &'a mut dyn Read,
    crc: Crc,
}

impl Read for Summed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_read = self.stream.read(buffer)?;
        self.crc.update(&buffer[..n_read]);
        Ok(n_read)
    }
}

/// The entry of this name, or the only one that is an `.npy` file.
fn choose<'a>(entries: &'a [Entry], member: Option<&str>) -> Result<&'a Entry, Problem> {
    let mut arrays = entries.iter().filter(|entry| entry.name.ends_with(".npy"));
    let found = || names(entries.iter().map(Entry::member));
    let entry = match member {
        Some(wanted) => {
            let wanted = wanted.strip_suffix(".npy").unwrap_or(wanted);
            let mut named = arrays.filter(|entry| entry.member() == wanted);
            match (named.next(), named.next()) {
                (Some(entry), None) => entry,
                (Some(_), Some(_)) => return Err(Problem::Twice { name: wanted.to_owned() }),
                (None, _) => {
                    return Err(Problem::Missing { name: wanted.to_owned(), found: found() });
                }
            }
        }
        None => match (arrays.next(), arrays.next()) {
            (Some(entry), None) => entry,
            (Some(_), Some(_)) => return Err(Problem::Several { found: found() }),
            (None, _) => return Err(Problem::Empty),
        },
    };
    entry.check()?;
    Ok(entry)
}
