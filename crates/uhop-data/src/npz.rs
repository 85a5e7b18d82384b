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
use std::io::{self, BufReader, Read, Seek, SeekFrom, Take, Write};
use std::path::Path;

use flate2::Crc;
use flate2::read::DeflateDecoder;

use crate::array::{self, Layout, Unread};
use crate::bytes::{Watched, names, quoted};
use crate::output::Seekable;
use crate::row_sink::Sink;
use crate::rows::{Source, Whole};
use crate::{Element, Error, Matrix, OutputFile, Result, matrix, npy, output};
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
    let mut member = Member::find(&mut reader, member)?;
    let layout = member.layout()?;
    Ok(member.rest(&layout)?)
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
    let name = file_name(member).map_err(Error::argument)?;
    // The size and the checksum stand before the values, so the values are encoded twice rather
    // than held.
    let mut sink = Checksum { crc: Crc::new(), n_bytes: 0 };
    npy::write_to(&mut sink, matrix)?;
    let (start, end) = directory::encode(&name, sink.crc.sum(), sink.n_bytes);
    writer.write_all(&start).map_err(Error::write)?;
    npy::write_to(&mut writer, matrix)?;
    writer.write_all(&end).and_then(|()| writer.flush()).map_err(Error::write)
}

/// Starts a file to whose one stored member rows are written in batches.
pub(crate) fn create_rows(
    path: &Path,
    member: &str,
    element: Element,
    dim: usize,
) -> Result<Box<dyn Sink>> {
    let name = file_name(member).map_err(Error::argument)?;
    let mut target = Seekable::file(OutputFile::create(path)?).map_err(Error::write)?;
    // Size, checksum and the number of rows are filled in at the end.
    let (start, _) = directory::encode(&name, 0, 0);
    target
        .write_all(&start)
        .and_then(|()| target.write_all(&npy::encode(element, 0, dim)))
        .map_err(Error::write)?;
    let values = Checksum { crc: Crc::new(), n_bytes: 0 };
    Ok(Box::new(MemberSink { target, name, element, dim, values }))
}

struct MemberSink {
    target: Seekable,
    name: String,
    element: Element,
    dim: usize,
    /// Of everything after the `.npy` header.
    values: Checksum,
}

impl Sink for MemberSink {
    fn write(&mut self, batch: &Matrix) -> Result<()> {
        array::write_values(&mut Both(&mut self.target, &mut self.values), batch)
            .map_err(Error::write)
    }

    fn commit(mut self: Box<Self>, n_rows: usize) -> Result<()> {
        let header = npy::encode(self.element, n_rows, self.dim);
        let mut crc = Crc::new();
        crc.update(&header);
        crc.combine(&self.values.crc);
        let n_bytes = header.len() as u64 + self.values.n_bytes;
        let (mut start, end) = directory::encode(&self.name, crc.sum(), n_bytes);
        start.extend(header);
        self.target
            .write_all(&end)
            .and_then(|()| output::patch(&mut self.target, 0, &start))
            .map_err(Error::write)?;
        self.target.commit()
    }
}

/// A writer and the sum of what it took.
struct Both<'a>(&'a mut Seekable, &'a mut Checksum);

impl Write for Both<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n_written = self.0.write(bytes)?;
        self.1.write(&bytes[..n_written])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The name of a member as that of a file.
fn file_name(member: &str) -> Result<String, matrix::Problem> {
    let name = member.strip_suffix(".npy").unwrap_or(member);
    if name.is_empty() || name.len() > 255 || name.contains(is_unsafe) {
        return Err(matrix::Problem::Member { found: quoted(name) });
    }
    Ok(format!("{name}.npy"))
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

/// Opens a file to read the rows of a member in batches.
pub(crate) fn open_rows(path: &Path, member: Option<&str>) -> Result<Box<dyn Source>> {
    let file = File::open(path).map_err(Error::io)?;
    let mut member = Member::find(BufReader::new(file), member)?;
    let layout = member.layout()?;
    if layout.is_row_major() {
        return Ok(Box::new(MemberRows { member, unread: Unread::new(layout) }));
    }
    Ok(Box::new(Whole::new(member.rest(&layout)?)))
}

/// A member open at its first byte.
struct Member<R> {
    stream: Summed<R>,
    entry: Entry,
}

impl<R: Read + Seek> Member<R> {
    fn find(mut reader: R, member: Option<&str>) -> Result<Self, Failure> {
        let mut entries = directory::read(&mut reader)?;
        let index = choose(&entries, member)?;
        let entry = entries.swap_remove(index);
        let start = directory::data_start(&mut reader, &entry)?;
        reader.seek(SeekFrom::Start(start))?;
        let source = Watched { reader: reader.take(entry.n_compressed), failed: false };
        let content = match entry.method {
            Method::Deflated => Content::Deflated(DeflateDecoder::new(source)),
            Method::Stored | Method::Other(_) => Content::Stored(source),
        };
        Ok(Self { stream: Summed { content, crc: Crc::new() }, entry })
    }
}

impl<R: Read> Member<R> {
    fn layout(&mut self) -> Result<Layout, Failure> {
        let layout = npy::layout(&mut self.stream, Some(self.entry.n_bytes));
        layout.map_err(|failure| self.named(failure))
    }

    /// The values after the header, and the end.
    ///
    /// The memory is taken at once: [`Entry::check`] has bounded the size by that of the file.
    fn rest(&mut self, layout: &Layout) -> Result<Matrix, Failure> {
        npy::read_all(layout, &mut self.stream, true)
            .and_then(|matrix| self.check_sum().map(|()| matrix))
            .map_err(|failure| self.named(failure))
    }

    /// The next rows after the header, and the end with the last of them.
    fn next(&mut self, unread: &mut Unread, max_rows: usize) -> Result<Option<Matrix>, Failure> {
        let batch = npy::next_rows(unread, &mut self.stream, max_rows);
        batch
            .and_then(|batch| {
                if unread.is_empty() {
                    self.check_sum()?;
                }
                Ok(batch)
            })
            .map_err(|failure| self.named(failure))
    }

    /// A wrong checksum is a failed read.
    fn check_sum(&self) -> Result<(), npy::Failure> {
        if self.stream.crc.sum() == self.entry.crc {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "wrong checksum").into())
    }

    fn named(&self, failure: npy::Failure) -> Failure {
        let name = self.entry.member().to_owned();
        match failure {
            npy::Failure::Problem(problem) => Problem::Member { name, problem }.into(),
            npy::Failure::Read(error)
                if self.stream.content.has_failed()
                    || error.kind() == io::ErrorKind::OutOfMemory =>
            {
                Failure::Read(error)
            }
            npy::Failure::Read(error) => {
                Problem::Damaged { name, detail: error.to_string() }.into()
            }
        }
    }
}

/// A member open at one of its rows.
struct MemberRows {
    member: Member<BufReader<File>>,
    unread: Unread,
}

impl Source for MemberRows {
    fn dim(&self) -> usize {
        self.unread.layout.dim
    }

    fn element(&self) -> Element {
        self.unread.layout.element()
    }

    fn n_rows(&self) -> Option<usize> {
        Some(self.unread.layout.n_rows)
    }

    fn next_batch(&mut self, max_rows: usize) -> Result<Option<Matrix>> {
        Ok(self.member.next(&mut self.unread, max_rows)?)
    }
}

/// The bytes of a member as they were before they were packed.
enum Content<R> {
    Stored(Watched<Take<R>>),
    Deflated(DeflateDecoder<Watched<Take<R>>>),
}

impl<R: Read> Content<R> {
    /// Whether it was the reader that failed, not the decoder.
    fn has_failed(&self) -> bool {
        match self {
            Self::Stored(source) => source.failed,
            Self::Deflated(decoder) => decoder.get_ref().failed,
        }
    }
}

struct Summed<R> {
    content: Content<R>,
    crc: Crc,
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_read = match &mut self.content {
            Content::Stored(source) => source.read(buffer),
            Content::Deflated(decoder) => decoder.read(buffer),
        }?;
        self.crc.update(&buffer[..n_read]);
        Ok(n_read)
    }
}

/// The index of the entry of this name, or of the only one that is an `.npy` file.
fn choose(entries: &[Entry], member: Option<&str>) -> Result<usize, Problem> {
    let mut arrays = entries.iter().enumerate().filter(|(_, entry)| entry.name.ends_with(".npy"));
    let found = || names(entries.iter().map(Entry::member));
    let (index, entry) = match member {
        Some(wanted) => {
            let wanted = wanted.strip_suffix(".npy").unwrap_or(wanted);
            let mut named = arrays.filter(|(_, entry)| entry.member() == wanted);
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
    Ok(index)
}
