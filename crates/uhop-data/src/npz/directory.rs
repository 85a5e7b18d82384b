//! The zip archive around the members: its directory, read from the end of the file.

use std::io::{Read, Seek, SeekFrom};

use super::{Failure, Problem};
use crate::bytes::read_full;

/// The most that deflate can expand: 258 bytes from two bits.
const MAX_RATIO: u64 = 1032;

/// Room for some 100,000 members.
const MAX_DIRECTORY: u64 = 1 << 24;

const END: u32 = 0x0605_4b50;
const END_SIZE: usize = 22;
const END64: u32 = 0x0606_4b50;
const END64_SIZE: usize = 56;
const LOCATOR64: u32 = 0x0706_4b50;
const LOCATOR64_SIZE: usize = 20;
const ENTRY: u32 = 0x0201_4b50;
const ENTRY_SIZE: usize = 46;
const LOCAL: u32 = 0x0403_4b50;
const LOCAL_SIZE: usize = 30;
const ZIP64_FIELD: u16 = 1;

/// Length of the zip64 fields of a written entry: its two sizes.
const WRITTEN_EXTRA: u16 = 20;

/// One member, as the directory describes it.
#[derive(Debug)]
pub(super) struct Entry {
    /// As in the file, with bytes that are not UTF-8 replaced.
    pub(super) name: String,
    raw_name: Vec<u8>,
    pub(super) method: Method,
    pub(super) crc: u32,
    pub(super) n_compressed: u64,
    pub(super) n_bytes: u64,
    header_start: u64,
    /// Where the directory starts, and members must end.
    directory_start: u64,
    encrypted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Stored,
    Deflated,
    Other(u16),
}

impl Entry {
    /// The name numpy gives the member.
    pub(super) fn member(&self) -> &str {
        self.name.strip_suffix(".npy").unwrap_or(&self.name)
    }

    /// Errors unless the member can be read and its sizes are possible.
    pub(super) fn check(&self) -> Result<(), Problem> {
        let name = || self.member().to_owned();
        if self.encrypted {
            return Err(Problem::Encrypted { name: name() });
        }
        let (n_bytes, n_compressed) = (self.n_bytes, self.n_compressed);
        let possible = match self.method {
            Method::Stored => n_bytes == n_compressed,
            Method::Deflated => n_bytes <= n_compressed.saturating_mul(MAX_RATIO),
            Method::Other(method) => return Err(Problem::Method { name: name(), method }),
        };
        if possible { Ok(()) } else { Err(Problem::Size { name: name(), n_bytes, n_compressed }) }
    }
}

/// Where the directory is.
struct Place {
    start: u64,
    size: u64,
    n_entries: u64,
}

/// Reads the directory, at most [`MAX_DIRECTORY`] bytes.
pub(super) fn read<R: Read + Seek>(reader: &mut R) -> Result<Vec<Entry>, Failure> {
    let place = find(reader)?;
    let mut bytes = vec![0; usize::try_from(place.size).expect("at most 16 MiB")];
    reader.seek(SeekFrom::Start(place.start))?;
    if read_full(reader, &mut bytes)? < bytes.len() {
        return Err(damaged("it ends early").into());
    }
    let mut entries = Vec::new();
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        entries.push(entry(&mut rest, place.start)?);
    }
    if entries.len() as u64 != place.n_entries {
        return Err(damaged("it has another number of members than declared").into());
    }
    Ok(entries)
}

/// Where the data of a member start, behind its own header, which must agree with the directory.
pub(super) fn data_start<R: Read + Seek>(reader: &mut R, entry: &Entry) -> Result<u64, Failure> {
    reader.seek(SeekFrom::Start(entry.header_start))?;
    let mut header = [0; LOCAL_SIZE];
    let mut raw_name = vec![0; entry.raw_name.len()];
    let n_read = read_full(reader, &mut header)? + read_full(reader, &mut raw_name)?;
    let is_same = n_read == LOCAL_SIZE + raw_name.len()
        && u32_at(&header, 0) == LOCAL
        && usize::from(u16_at(&header, 26)) == raw_name.len()
        && raw_name == entry.raw_name;
    if !is_same {
        return Err(damaged("a member is not where it says").into());
    }
    let n_header = LOCAL_SIZE + raw_name.len() + usize::from(u16_at(&header, 28));
    let start = entry.header_start + n_header as u64;
    match start.checked_add(entry.n_compressed) {
        Some(end) if end <= entry.directory_start => Ok(start),
        _ => Err(damaged("a member does not lie before it").into()),
    }
}

/// The bytes before and after the data of an archive of one stored member.
pub(super) fn encode(name: &str, crc: u32, n_bytes: u64) -> (Vec<u8>, Vec<u8>) {
    const VERSION: u16 = 45;
    const UTF8_NAME: u16 = 1 << 11;
    // 1 January 1980, the first day the format knows: files of equal content are equal.
    const DATE: u16 = 0x21;
    let n_name = u16::try_from(name.len()).expect("the caller has limited the length of the name");

    let mut common = Vec::new();
    for field in [VERSION, UTF8_NAME, 0, 0, DATE] {
        common.extend(field.to_le_bytes());
    }
    common.extend(crc.to_le_bytes());
    // Both sizes are in the zip64 field.
    common.extend([0xff; 8]);
    common.extend(n_name.to_le_bytes());
    common.extend(WRITTEN_EXTRA.to_le_bytes());
    let mut extra = Vec::new();
    extra.extend(ZIP64_FIELD.to_le_bytes());
    extra.extend((WRITTEN_EXTRA - 4).to_le_bytes());
    extra.extend(n_bytes.to_le_bytes());
    extra.extend(n_bytes.to_le_bytes());

    let mut start = LOCAL.to_le_bytes().to_vec();
    start.extend(&common);
    start.extend(name.as_bytes());
    start.extend(&extra);

    let directory_start = start.len() as u64 + n_bytes;
    let mut end = ENTRY.to_le_bytes().to_vec();
    end.extend(VERSION.to_le_bytes());
    end.extend(&common);
    // No comment, disk 0, no attributes, header at 0.
    end.extend([0; 14]);
    end.extend(name.as_bytes());
    end.extend(&extra);
    let directory_size = end.len() as u64;

    end.extend(END64.to_le_bytes());
    end.extend((END64_SIZE as u64 - 12).to_le_bytes());
    end.extend(VERSION.to_le_bytes());
    end.extend(VERSION.to_le_bytes());
    end.extend([0; 8]);
    for field in [1, 1, directory_size, directory_start] {
        end.extend(u64::to_le_bytes(field));
    }
    end.extend(LOCATOR64.to_le_bytes());
    end.extend([0; 4]);
    end.extend((directory_start + directory_size).to_le_bytes());
    end.extend(1_u32.to_le_bytes());
    end.extend(END.to_le_bytes());
    end.extend([0; 4]);
    end.extend([1, 0, 1, 0]);
    end.extend([0xff; 8]);
    end.extend([0; 2]);
    (start, end)
}

/// Finds the end record, and through it the directory, which must lie before it.
fn find<R: Read + Seek>(reader: &mut R) -> Result<Place, Failure> {
    let n_file = reader.seek(SeekFrom::End(0))?;
    let n_tail = n_file.min((LOCATOR64_SIZE + END_SIZE + usize::from(u16::MAX)) as u64);
    let tail_start = n_file - n_tail;
    reader.seek(SeekFrom::Start(tail_start))?;
    let mut tail = vec![0; usize::try_from(n_tail).expect("less than 128 KiB")];
    if read_full(reader, &mut tail)? < tail.len() {
        return Err(Problem::NoEnd.into());
    }
    let position = (0..(tail.len() + 1).saturating_sub(END_SIZE))
        .rev()
        .find(|&i| {
            let n_comment = tail.len() - i - END_SIZE;
            u32_at(&tail, i) == END && usize::from(u16_at(&tail, i + 20)) == n_comment
        })
        .ok_or(Problem::NoEnd)?;

    let end = &tail[position..];
    let mut place = Place {
        n_entries: u64::from(u16_at(end, 10)),
        size: u64::from(u32_at(end, 12)),
        start: u64::from(u32_at(end, 16)),
    };
    let mut disks = [u32::from(u16_at(end, 4)), u32::from(u16_at(end, 6))];
    let mut directory_end = tail_start + position as u64;
    let locator = position.checked_sub(LOCATOR64_SIZE).filter(|&i| u32_at(&tail, i) == LOCATOR64);
    if let Some(locator) = locator {
        let end64_start = u64_at(&tail, locator + 8);
        let end64_end = end64_start.checked_add(END64_SIZE as u64);
        if end64_end.is_none_or(|end| end > tail_start + locator as u64) {
            return Err(damaged("its zip64 record is outside the file").into());
        }
        reader.seek(SeekFrom::Start(end64_start))?;
        let mut record = [0; END64_SIZE];
        if read_full(reader, &mut record)? < END64_SIZE || u32_at(&record, 0) != END64 {
            return Err(damaged("its zip64 record is not where it says").into());
        }
        disks = [u32_at(&record, 16), u32_at(&record, 20)];
        place = Place {
            n_entries: u64_at(&record, 32),
            size: u64_at(&record, 40),
            start: u64_at(&record, 48),
        };
        directory_end = end64_start;
    }
    if disks != [0, 0] {
        return Err(damaged("it is one of several disks").into());
    }
    if place.start.checked_add(place.size) != Some(directory_end) {
        return Err(damaged("it does not end where the end record starts").into());
    }
    if place.size > MAX_DIRECTORY {
        return Err(Problem::DirectorySize { found: place.size, limit: MAX_DIRECTORY }.into());
    }
    Ok(place)
}

/// Takes one entry from the front of the directory.
fn entry(rest: &mut &[u8], directory_start: u64) -> Result<Entry, Problem> {
    let fixed = split(rest, ENTRY_SIZE).filter(|fixed| u32_at(fixed, 0) == ENTRY);
    let fixed = fixed.ok_or(damaged("an entry does not start as it should"))?;
    let lengths = [28, 30, 32].map(|at| usize::from(u16_at(fixed, at)));
    let [name, extra, comment] = lengths.map(|n| split(rest, n));
    let (Some(raw_name), Some(extra), Some(_)) = (name, extra, comment) else {
        return Err(damaged("an entry ends early"));
    };
    let mut zip64 = zip64_field(extra);
    let mut size = |at| match u32_at(fixed, at) {
        u32::MAX => split(&mut zip64, 8)
            .map(|bytes| u64_at(bytes, 0))
            .ok_or(damaged("an entry lacks its zip64 sizes")),
        size => Ok(u64::from(size)),
    };
    // In the order of the zip64 field.
    let (n_bytes, n_compressed, header_start) = (size(24)?, size(20)?, size(42)?);
    if header_start >= directory_start {
        return Err(damaged("a member does not lie before it"));
    }
    let method = match u16_at(fixed, 10) {
        0 => Method::Stored,
        8 => Method::Deflated,
        other => Method::Other(other),
    };
    Ok(Entry {
        name: String::from_utf8_lossy(raw_name).into_owned(),
        raw_name: raw_name.to_vec(),
        method,
        crc: u32_at(fixed, 16),
        n_compressed,
        n_bytes,
        header_start,
        directory_start,
        encrypted: u16_at(fixed, 8) & 1 != 0,
    })
}

/// The content of the zip64 field among the extra fields, or nothing.
fn zip64_field(mut extra: &[u8]) -> &[u8] {
    while let Some(head) = split(&mut extra, 4) {
        let Some(field) = split(&mut extra, usize::from(u16_at(head, 2))) else { break };
        if u16_at(head, 0) == ZIP64_FIELD {
            return field;
        }
    }
    &[]
}

fn split<'a>(rest: &mut &'a [u8], n: usize) -> Option<&'a [u8]> {
    let (front, back) = rest.split_at_checked(n)?;
    *rest = back;
    Some(front)
}

fn damaged(detail: &'static str) -> Problem {
    Problem::Directory { detail }
}

fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("the slice has N bytes")
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes_at(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes_at(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes_at(bytes, at))
}
